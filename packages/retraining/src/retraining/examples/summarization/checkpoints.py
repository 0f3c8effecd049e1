"""Which checkpoint a training job goes on from, where a spot instance was lost.

SageMaker keeps the folder in S3: it outlives the job, what is deleted in it may come back, and the next run
of the pipeline gets the same one. So the checkpoints of a run lie in a folder of its own, named after its
hyperparameters and data.
"""

import hashlib
import json
import shutil
from pathlib import Path

from hyperparameters import Hyperparameters

WEIGHTS = "adapter_model.safetensors"
NEEDED = (WEIGHTS, "optimizer.pt", "scheduler.pt", "rng_state.pth")
STATE = "trainer_state.json"
# These change what is done with the trained model, not the training.
_LATER = ("max_eval_loss", "max_new_tokens", "rouge_examples")


def folder(root: Path, options: Hyperparameters, files: list[Path]) -> Path:
    """The folder of the run with these hyperparameters and data files."""
    content = {name: value for name, value in options.document().items() if name not in _LATER}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True, allow_nan=False).encode())
    for path in files:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return root / f"run-{digest.hexdigest()[:16]}"


def newest(run: Path) -> Path | None:
    """The newest complete checkpoint in `run`. One that was cut off while it was written is removed."""
    numbered = ((path.name.removeprefix("checkpoint-"), path) for path in run.glob("checkpoint-*"))
    by_step = {int(number): path for number, path in numbered if number.isdigit() and path.is_dir()}
    for _, checkpoint in sorted(by_step.items(), reverse=True):
        if _complete(checkpoint):
            return checkpoint
        shutil.rmtree(checkpoint)
    return None


def _complete(checkpoint: Path) -> bool:
    try:
        state = json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
        best = state["best_model_checkpoint"]
    except (OSError, ValueError, TypeError, KeyError):
        return False
    present = all((checkpoint / name).is_file() for name in NEEDED)
    return present and (best is None or (checkpoint.parent / Path(best).name / WEIGHTS).is_file())
