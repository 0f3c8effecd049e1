"""The model's jobs, run as processes on a folder in place of /opt/ml."""

import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

from retraining.testing import model_folder

MODEL = model_folder(__file__)


def run(script: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script of the model in a process of its own, from another folder."""
    quiet = {name: value for name, value in os.environ.items() if not name.startswith("SM_")}
    return subprocess.run(
        [sys.executable, str(MODEL / script), *map(str, arguments)],
        cwd=MODEL.anchor,
        env=quiet | environment,
        capture_output=True,
        text=True,
        check=False,
    )


LIMITED = """
import pathlib, resource, runpy, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
sys.argv = sys.argv[2:]
sys.path.insert(0, str(pathlib.Path(sys.argv[0]).parent))
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run_without_room(size: int, script: str, *arguments: object) -> str:
    """Run a script that may write no file larger than `size` bytes, as on a disk that is full then.

    It must end with one line; return that.
    """
    command = [sys.executable, "-c", LIMITED, str(size), str(MODEL / script), *map(str, arguments)]
    done = subprocess.run(command, cwd=MODEL.anchor, capture_output=True, text=True, check=False)
    line = done.stderr.splitlines()[-1]
    assert done.returncode == 1, done.stderr
    assert line.startswith("Error: "), done.stderr
    assert "Traceback" not in done.stderr
    return line


def succeed(script: str, *arguments: object, **environment: str) -> str:
    """Run a script that must succeed; return what it printed."""
    done = run(script, *arguments, **environment)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


@dataclass(frozen=True)
class Chain:
    """The folders of one run: preprocess/{input,output}, train/{input,model}, evaluate/{input,output}."""

    root: Path
    logs: dict[str, str]

    @property
    def preprocessed(self) -> Path:
        return self.root / "preprocess" / "output"

    @property
    def model(self) -> Path:
        return self.root / "train" / "model"

    @property
    def evaluated(self) -> Path:
        return self.root / "evaluate" / "output"


def run_chain(
    root: Path, preprocess: tuple[object, ...] = (), train: tuple[object, ...] = (), evaluate: bool = True
) -> Chain:
    """Preprocess root/preprocess/input, train, and evaluate, handing on the folders as SageMaker does."""
    logs = {"preprocess": succeed("preprocess.py", "--base", root / "preprocess", *preprocess)}
    data = root / "train" / "input" / "data"
    data.parent.mkdir(parents=True)
    data.symlink_to(root / "preprocess" / "output", target_is_directory=True)
    logs["train"] = succeed("train.py", "--base", root / "train", *train)
    if evaluate:
        source = root / "evaluate" / "input"
        (source / "model").mkdir(parents=True)
        with tarfile.open(source / "model" / "model.tar.gz", "w:gz") as tar:
            tar.add(root / "train" / "model", arcname=".")
        for name in ("test", "train_data", "train_label", "unlabelled_folds"):
            (source / name).symlink_to(data.resolve() / name, target_is_directory=True)
        logs["evaluate"] = succeed("evaluate.py", "--base", root / "evaluate")
    return Chain(root, logs)


def simulated_chain(root: Path, seed: int) -> Chain:
    """All jobs at the default size, on players simulated with `seed`."""
    succeed("simulate.py", "--out", root / "preprocess" / "input", "--seed", seed)
    return run_chain(root, train=("--seed", seed))
