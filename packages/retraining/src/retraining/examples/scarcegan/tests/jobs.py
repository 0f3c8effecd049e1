"""The model's jobs on a folder in place of /opt/ml: in this process, or as processes of their own."""

import importlib
import io
import json
import os
import resource
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from job_toolkit import failure, processing, training
from retraining.testing import model_folder

MODEL = model_folder(__file__)
SMALL = ("--epochs", 4, "--iterations_per_epoch", 20, "--batch_size", 32)
FOLDED = (*SMALL, "--cross_validation", "true", "--ablations", "true")


def run(script: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script of the model in a process of its own, from another folder."""
    quiet = {name: value for name, value in os.environ.items() if not name.startswith("SM_")}
    command = [sys.executable, str(MODEL / script), *map(str, arguments)]
    return subprocess.run(
        command, cwd=MODEL.anchor, env=quiet | environment, capture_output=True, text=True, check=False
    )


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str
    reason: Path | None = None


def call(script: str, *arguments: object) -> Ended:
    """Run a script in this process, with the exit code and the reason file of the real one."""
    main, argv = importlib.import_module(script.removesuffix(".py")).main, [str(one) for one in arguments]
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    base, reason = failure.base_folder(argv), None
    with redirect_stdout(out), redirect_stderr(err):
        if script == "simulate.py":
            code = failure.run(lambda: main(argv))
        elif script == "train.py":
            code, reason = training.run(main, argv), base and base / "output" / "failure"
        else:
            code, reason = processing.run(main, argv), base and base.parent / "output" / "message"
    texts = (stream.seek(0) or stream.read() for stream in (out, err))
    return Ended(code, *texts, reason)


def succeed(script: str, *arguments: object) -> str:
    """Run a script that must succeed; what it printed."""
    ended = call(script, *arguments)
    assert ended.code == 0, ended.out[-2000:] + ended.err[-4000:]
    return ended.out


def refused(script: str, *arguments: object) -> str:
    """Run a script that must end with one line on stderr and in the reason file; that line."""
    ended = call(script, *arguments)
    assert ended.code == 1, ended.out
    assert ended.err.startswith("Error: "), ended.err
    assert ended.err.count("\n") == 1, ended.err
    assert not ended.err.startswith("Error: unexpected"), ended.err
    assert ended.reason is None or ended.reason.read_text() == ended.err
    return ended.err.rstrip("\n")


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Within it no file may become larger than `size` bytes, as on a disk that is full then."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@dataclass(frozen=True)
class Chain:
    """The folders of one run: preprocess/{input,output}, train/{input,model}, evaluate/{input,output}."""

    root: Path

    @property
    def preprocessed(self) -> Path:
        return self.root / "preprocess" / "output"

    @property
    def model(self) -> Path:
        return self.root / "train" / "model"

    @property
    def evaluated(self) -> Path:
        return self.root / "evaluate" / "output"

    def log(self, job: str) -> str:
        return (self.root / f"{job}.log").read_text()


def small_input(root: Path) -> None:
    """Few players, preprocessed, below `root`: what the training needs no size for."""
    succeed("simulate.py", "--out", root / "input", "--players", 1000, "--days", 8)
    succeed("preprocess.py", "--base", root)


def simulated_chain(root: Path, seed: int = 7) -> None:
    """All jobs at the default size, on players simulated with `seed`."""
    succeed("simulate.py", "--out", root / "preprocess" / "input", "--seed", seed)
    run_chain(root, train=("--seed", seed))


def folded_chain(root: Path, small: Path) -> None:
    """A training of few players with folds, ablations and checkpoints."""
    shutil.copytree(small, root / "preprocess")
    (root / "train" / "checkpoints").mkdir(parents=True)
    run_chain(root, train=FOLDED)


def run_chain(root: Path, preprocess: tuple[object, ...] = (), train: tuple[object, ...] = ()) -> Chain:
    """Preprocess root/preprocess/input, train, and evaluate, handing on the folders as SageMaker does."""

    def job(name: str, *arguments: object) -> None:
        log = succeed(f"{name}.py", "--base", root / name, *arguments)
        (root / f"{name}.log").write_text(log)

    job("preprocess", *preprocess)
    output, source = root / "preprocess" / "output", root / "evaluate" / "input"
    link(output, root / "train" / "input" / "data")
    job("train", *train)
    (source / "model").mkdir(parents=True)
    with tarfile.open(source / "model" / "model.tar.gz", "w:gz") as tar:
        tar.add(root / "train" / "model", arcname=".")
    for name in ("test", "train_data", "train_label", "unlabelled_folds"):
        link(output / name, source / name)
    job("evaluate")
    return Chain(root)


def link(folder: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(folder, target_is_directory=True)


def assert_quality(chain: Chain) -> None:
    """The bar of the example, on test rows that no model has seen."""
    result = json.loads((chain.evaluated / "evaluation" / "evaluation.json").read_text())
    assert result["gate"]["recall"] >= 0.85
    assert result["gate"]["precision"] >= 0.5
    # A weighted sum of the features does not do it.
    assert result["baselines"]["logistic-regression"]["f1"] < result["gate"]["f1"] - 0.05
