"""The trained PCA model, read from its artifact: it adds the components to the features."""

import json
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import joblib
import numpy as np
import sklearn
from numpy.typing import NDArray

from houses import FEATURES
from job_toolkit import splits
from job_toolkit.failure import InputError
from job_toolkit.splits import Fractions

MEMBERS = ("model.json", "pca.joblib", "split.json")

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Components:
    """The fitted pipeline, the names of its K components, and the split that it was trained on."""

    pipeline: Any
    names: list[str]
    split: Fractions

    def add(self, features: Values) -> Values:
        """Features [n, 8] -> features and components [n, 8 + K]."""
        return np.hstack([features, self.pipeline.transform(features)])


def load(archive: Path, folder: Path) -> Components:
    """Read model.tar.gz of the PCA training step; `folder` is an empty one to extract to.

    Raises InputError when it is missing, broken, not of that step, or of another scikit-learn than this
    job's: a fitted pipeline is not portable between versions.
    """
    _extract(archive, folder)
    try:
        content = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        features, names, version = (content[key] for key in ("features", "components", "scikit_learn"))
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{archive}: its model.json is not of the PCA training step ({error!r})") from None
    if features != FEATURES:
        raise InputError(f"{archive}: the PCA model takes {','.join(features)}, not {','.join(FEATURES)}")
    if version != sklearn.__version__:
        raise InputError(
            f"{archive}: the PCA model was trained with scikit-learn {version}, and this job has "
            f"{sklearn.__version__}; use the same image for both"
        )
    try:
        pipeline = joblib.load(folder / "pca.joblib")
    except Exception as error:  # what a broken pickle raises can be anything
        raise InputError(f"{archive}: pca.joblib cannot be loaded ({error!r})") from None
    return Components(pipeline, names, splits.load(folder / "split.json"))


def _extract(archive: Path, folder: Path) -> None:
    """The three files that are needed, by name: nothing else of the archive is written anywhere."""
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                name = str(PurePosixPath(member.name))
                content = tar.extractfile(member) if name in MEMBERS and member.isfile() else None
                if content is not None:
                    (folder / name).write_bytes(content.read())
    except FileNotFoundError:
        raise InputError(
            f"{archive}: there is no such file; chain the PCA training step to fill the channel `model`"
        ) from None
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise InputError(f"{archive}: not a complete .tar.gz archive ({error})") from None
    missing = [name for name in MEMBERS if not (folder / name).exists()]
    if missing:
        raise InputError(f"{archive}: holds no {missing[0]}; it is not the PCA training step's")
