"""The scaler: fitted on the training rows by preprocess.py, built into the exported model by export.py.

Per feature: signed log1p where the feature is heavy-tailed, then standardisation, then clipping to +-CLIP
deviations. All arithmetic is float32, so that numpy here and the graph of the exported model agree.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from failure import InputError

CLIP = 6.0
HEAVY_TAIL = 20.0  # a feature whose largest absolute training value exceeds this is compressed by log1p

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Scaler:
    """F features, in serving order; every list has length F."""

    features: list[str]
    log: list[bool]
    mean: list[float]
    std: list[float]
    clip: float = CLIP

    def transform(self, raw: NDArray[np.generic]) -> Floats:
        """Scale raw features, [n, F] -> [n, F] float32."""
        values = np.asarray(raw, dtype=np.float32)
        values = np.where(self.log, np.sign(values) * np.log1p(np.abs(values)), values).astype(np.float32)
        values = (values - np.float32(self.mean)) / np.float32(self.std)
        return np.clip(values, np.float32(-self.clip), np.float32(self.clip))

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def fit(features: list[str], raw: NDArray[np.float64]) -> Scaler:
    """Fit on the training rows, [n, F]. A constant feature keeps its deviation at 1, so it becomes 0."""
    log = np.abs(raw).max(axis=0) > HEAVY_TAIL
    values = np.where(log, np.sign(raw) * np.log1p(np.abs(raw)), raw)
    std = values.std(axis=0)
    return Scaler(
        features, log.tolist(), values.mean(axis=0).tolist(), np.where(std > 1e-9, std, 1.0).tolist()
    )


def load(path: Path) -> Scaler:
    """Read scaler.json. Raises InputError when it is missing or is not one."""
    try:
        scaler = Scaler(**json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InputError(
            f"scaler {path}: cannot be read ({error.strerror}); preprocess.py writes it"
        ) from None
    except (ValueError, TypeError) as error:
        raise InputError(f"scaler {path}: not a scaler.json of preprocess.py ({error})") from None
    lengths = {len(scaler.features), len(scaler.log), len(scaler.mean), len(scaler.std)}
    if len(lengths) != 1:
        raise InputError(f"scaler {path}: features, log, mean and std differ in length")
    return scaler
