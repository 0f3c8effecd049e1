"""The model's jobs, run as processes on a folder in place of /opt/ml."""

import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

from retraining.testing import model_folder

MODEL = model_folder(__file__)
OUTPUTS = ("train", "validation", "test_features", "test_labels")
# A batch transform: lines in several requests (SplitType, AssembleWith: Line), with the archive's own code.
TRANSFORM = """
import sys
from pathlib import Path

folder, source, target = map(Path, sys.argv[1:])
sys.path.insert(0, str(folder / "code"))
import inference

model = inference.model_fn(str(folder))
lines = source.read_text().splitlines(keepends=True)
with target.open("w") as out:
    for start in range(0, len(lines), 97):
        rows = inference.input_fn("".join(lines[start : start + 97]), "text/csv")
        body, content_type = inference.output_fn(inference.predict_fn(rows, model), "text/csv")
        assert content_type == "text/csv"
        out.write(body if body.endswith("\\n") else body + "\\n")
"""


def run(script: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script of the model in a process of its own, from another folder."""
    return _python([str(MODEL / script), *map(str, arguments)], environment)


def succeed(script: str, *arguments: object, **environment: str) -> str:
    """Run a script that must succeed; return what it printed."""
    return _checked(run(script, *arguments, **environment))


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
    def archive(self) -> Path:
        return self.root / "evaluate" / "input" / "model" / "model.tar.gz"

    @property
    def transformed(self) -> Path:
        return self.root / "evaluate" / "input" / "transform" / "features.csv.out"

    @property
    def evaluated(self) -> Path:
        return self.root / "evaluate" / "output" / "evaluation"


def run_chain(root: Path, seed: int = 7) -> Chain:
    """All jobs on root/preprocess/input, handing on the folders as SageMaker does."""
    chain = Chain(root, {})
    chain.logs["preprocess"] = succeed("preprocess.py", "--base", root / "preprocess", "--seed", seed)
    (root / "train" / "input").mkdir(parents=True)
    (root / "train" / "input" / "data").symlink_to(chain.preprocessed, target_is_directory=True)
    chain.logs["train"] = succeed("train.py", "--base", root / "train", "--seed", seed)
    for file in (chain.archive, chain.transformed):
        file.parent.mkdir(parents=True)
    with tarfile.open(chain.archive, "w:gz") as tar:
        tar.add(chain.model, arcname=".")
    features = chain.preprocessed / "test_features" / "features.csv"
    _checked(_python(["-c", TRANSFORM, str(chain.model), str(features), str(chain.transformed)], {}))
    for name in OUTPUTS:
        (root / "evaluate" / "input" / name).symlink_to(chain.preprocessed / name, target_is_directory=True)
    chain.logs["evaluate"] = succeed("evaluate.py", "--base", root / "evaluate")
    return chain


def _python(arguments: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    quiet = {name: value for name, value in os.environ.items() if not name.startswith("SM_")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=MODEL.anchor,
        env=quiet | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def _checked(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout
