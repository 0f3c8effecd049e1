"""The jobs of both units of the pipeline, run as processes on folders in place of /opt/ml."""

import importlib
import importlib.util
import io
import json
import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from retraining.testing import model_folder

UNIT = model_folder(__file__)
# The unit beside this one whose model is this one's input.
PCA = next(path.parent for path in sorted(UNIT.parent.glob("*/projection.py")))


@dataclass(frozen=True)
class Jobs:
    """Runs the scripts of a unit as SageMaker does: in processes of their own."""

    folder: Path

    def run(self, script: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        quiet = {name: value for name, value in os.environ.items() if not name.startswith("SM_")}
        return subprocess.run(
            [sys.executable, str(self.folder / script), *map(str, arguments)],
            cwd=self.folder.anchor,
            env=quiet | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def succeed(self, script: str, *arguments: object, **environment: str) -> str:
        done = self.run(script, *arguments, **environment)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout


@dataclass(frozen=True)
class Context:
    request_content_type: str = "text/csv"
    accept_header: str = "text/csv"


@dataclass(frozen=True)
class Response:
    content: bytes
    status_code: int = 200


class Served:
    """A model.tar.gz as the TensorFlow Serving container has it: its handlers, and its SavedModel."""

    def __init__(self, archive: Path, folder: Path) -> None:
        import tensorflow as tf

        with tarfile.open(archive) as tar:
            tar.extractall(folder)
        self.handlers = module(folder / "code" / "inference.py")
        self._signature = tf.saved_model.load(str(folder / "1")).signatures["serving_default"]

    def prices(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """What the SavedModel gives for rows [n, F]."""
        import tensorflow as tf

        found: NDArray[np.float32] = self._signature(features=tf.constant(values, tf.float32))[
            "price"
        ].numpy()
        return found

    def invoke(self, body: str, kind: str = "text/csv", accept: str = "text/csv") -> tuple[bytes, str]:
        """Input handler, TensorFlow Serving's row format, output handler."""
        context = Context(kind, accept)
        request = json.loads(self.handlers.input_handler(io.BytesIO(body.encode()), context))
        predictions = self.prices(np.array(request["instances"])).tolist()
        answer: tuple[bytes, str] = self.handlers.output_handler(
            Response(json.dumps({"predictions": predictions}).encode()), context
        )
        return answer


@dataclass
class Chain:
    """One run of all jobs of both units below `root`: pca/, mlp/ and evaluation/."""

    root: Path
    logs: dict[str, str] = field(default_factory=dict)

    @property
    def pca(self) -> Path:
        return self.root / "pca" / "train" / "model"

    @property
    def preprocessed(self) -> Path:
        return self.root / "mlp" / "processing" / "output"

    @property
    def model(self) -> Path:
        return self.root / "mlp" / "train" / "model"

    @property
    def evaluation(self) -> Path:
        return self.root / "evaluation" / "output" / "evaluation"

    def preprocess(self, houses: Path, *arguments: object) -> None:
        """Both preprocessings and the training of the PCA model, on the files in `houses`."""
        pca, mlp = self.root / "pca", self.root / "mlp"
        for base in (pca, mlp):
            (base / "processing" / "input").mkdir(parents=True)
            (base / "processing" / "input" / "houses").symlink_to(houses, target_is_directory=True)
            (base / "train" / "input").mkdir(parents=True)
            data = base / "train" / "input" / "data"
            data.symlink_to(base / "processing" / "output", target_is_directory=True)
        Jobs(PCA).succeed("preprocess.py", "--base", pca / "processing", *arguments)
        Jobs(PCA).succeed("train.py", "--base", pca / "train")
        pack(self.pca, mlp / "processing" / "input" / "model" / "model.tar.gz")
        self.logs["preprocess"] = Jobs(UNIT).succeed(
            "preprocess.py", "--base", mlp / "processing", *arguments
        )

    def train(self, *hyperparameters: object) -> None:
        base = self.root / "mlp" / "train"
        self.logs["train"] = Jobs(UNIT).succeed("train.py", "--base", base, *hyperparameters)
        pack(self.model, self.root / "model.tar.gz")

    def evaluate(self) -> None:
        """The batch transform, line by line in several requests, and the evaluation of what it wrote."""
        served = Served(self.root / "model.tar.gz", self.root / "served")
        source = self.root / "evaluation" / "input"
        (source / "transform").mkdir(parents=True)
        lines = (self.preprocessed / "test_features" / "features.csv").read_text().splitlines(keepends=True)
        with (source / "transform" / "features.csv.out").open("wb") as file:
            for start in range(0, len(lines), 500):
                file.write(served.invoke("".join(lines[start : start + 500]))[0])
        for name in ("train", "test_features", "test_labels"):
            (source / name).symlink_to(self.preprocessed / name, target_is_directory=True)
        base = self.root / "evaluation"
        self.logs["evaluate"] = Jobs(UNIT).succeed("evaluate.py", "--base", base)


def pack(folder: Path, archive: Path) -> None:
    """As a training job packs its model folder."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, arcname=".")


def module(path: Path) -> ModuleType:
    """A single file as a module that nobody else imports."""
    spec = importlib.util.spec_from_file_location(f"{path.parent.parent.name}_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made  # dataclasses look their module up
    spec.loader.exec_module(made)
    return made


def load(*names: str) -> SimpleNamespace:
    """Modules of the unit, which leave nothing behind: other units have modules of the same names."""
    own = {path.stem for path in UNIT.glob("*.py")}
    hidden: dict[str, ModuleType] = {name: sys.modules.pop(name) for name in own & sys.modules.keys()}
    sys.path.insert(0, str(UNIT))
    try:
        return SimpleNamespace(**{name: importlib.import_module(name) for name in names})
    finally:
        sys.path.remove(str(UNIT))
        for name in own:
            sys.modules.pop(name, None)
        sys.modules.update(hidden)


@pytest.fixture(scope="session")
def jobs() -> Jobs:
    return Jobs(UNIT)


@pytest.fixture(scope="session")
def folders() -> tuple[Path, Path]:
    """The folder of this unit, and that of the PCA unit."""
    return UNIT, PCA


@pytest.fixture(scope="session")
def unit() -> SimpleNamespace:
    """All modules that need no TensorFlow."""
    light = ("components", "evaluate", "houses", "hyperparameters", "preprocess", "regression")
    return load(*light, "scaling", "simulate")


@pytest.fixture(scope="session")
def training() -> SimpleNamespace:
    """The modules of the training job."""
    return load("network", "scaling", "train")


@pytest.fixture(scope="session")
def tools() -> SimpleNamespace:
    return SimpleNamespace(
        pack=pack, module=module, Served=Served, Chain=Chain, Response=Response, Context=Context
    )


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """One run of everything on simulated houses, at the default size."""
    root = tmp_path_factory.mktemp("chain")
    Jobs(UNIT).succeed("simulate.py", "--out", root / "data")
    made = Chain(root)
    made.preprocess(root / "data" / "houses")
    made.train()
    made.evaluate()
    return made


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """Few houses, preprocessed only, for tests that train quickly or break something: copy it first."""
    root = tmp_path_factory.mktemp("small")
    Jobs(UNIT).succeed("simulate.py", "--out", root / "data", "--rows", 600)
    made = Chain(root)
    made.preprocess(root / "data" / "houses")
    return made


@pytest.fixture(scope="session")
def served(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> Served:
    return Served(chain.root / "model.tar.gz", tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="session")
def test_rows(chain: Chain) -> Any:
    """The features and components of the test rows, [n, F]."""
    return np.loadtxt(chain.preprocessed / "test_features" / "features.csv", delimiter=",")
