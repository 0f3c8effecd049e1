"""The scaler: fitted on the training rows by preprocess.py, built into the exported model by export.py.

Per feature: signed log1p where the feature is heavy-tailed, then standardisation, then clipping to +-CLIP
deviations. The arithmetic is float32; the exported model does the same in float64.

It is made from statistics that can be merged: each of several preprocessing instances writes its own, and
the training merges them.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import moments
import part_files
from failure import InputError
from moments import Moments

CLIP = 6.0
HEAVY_TAIL = 20.0  # a feature whose largest absolute training value exceeds this is compressed by log1p
BLOCK = 65_536  # rows that are scaled at a time
STATISTICS = "statistics.json"

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
        """Scale raw features, [n, F] -> [n, F] float32; beside the result it needs memory for BLOCK rows."""
        scaled = np.empty(raw.shape, dtype=np.float32)
        for start in range(0, len(raw), BLOCK):
            scaled[start : start + BLOCK] = self._block(raw[start : start + BLOCK])
        return scaled

    def _block(self, raw: NDArray[np.generic]) -> Floats:
        values = np.asarray(raw, dtype=np.float32)
        values = np.where(self.log, np.sign(values) * np.log1p(np.abs(values)), values).astype(np.float32)
        values = (values - np.float32(self.mean)) / np.float32(self.std)
        return np.clip(values, np.float32(-self.clip), np.float32(self.clip))

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Statistics:
    """Of training rows with F features: the largest absolute values [F]; moments of values and log1p."""

    features: list[str]
    largest: NDArray[np.float64]
    raw: Moments
    log: Moments

    def merged(self, other: "Statistics") -> "Statistics":
        """Of the rows of both."""
        largest = np.maximum(self.largest, other.largest)
        return Statistics(self.features, largest, self.raw.merged(other.raw), self.log.merged(other.log))

    def scaler(self) -> Scaler:
        """A constant feature keeps its deviation at 1, so it becomes 0.

        The numbers are rounded to the eight digits that float32 has: how the rows were cut into parts, which
        shows in the last bits of the sums, does not show in the scaler.
        """
        log = self.largest > HEAVY_TAIL
        mean = np.where(log, self.log.mean, self.raw.mean)
        std = np.where(log, self.log.std, self.raw.std)
        std = np.where(std > 1e-9, std, 1.0)
        return Scaler(self.features, log.tolist(), [_rounded(x) for x in mean], [_rounded(x) for x in std])

    def save(self, path: Path) -> None:
        document = {"features": self.features, "largest": self.largest.tolist(), "count": self.raw.count}
        for name, part in (("raw", self.raw), ("log", self.log)):
            document[name] = {"mean": part.mean.tolist(), "squares": part.squares.tolist()}
        path.write_text(json.dumps(document) + "\n", encoding="utf-8")


def _rounded(value: float) -> float:
    return float(f"{value:.8g}")


def statistics(features: list[str], raw: NDArray[np.float64]) -> Statistics:
    """Of the rows [n, F]."""
    absolute = np.abs(raw)
    largest = absolute.max(axis=0, initial=0.0)
    return Statistics(features, largest, moments.of(raw), moments.of(np.sign(raw) * np.log1p(absolute)))


def fit(features: list[str], raw: NDArray[np.float64]) -> Scaler:
    """Fit on the training rows, [n, F]."""
    return statistics(features, raw).scaler()


def load(path: Path) -> Scaler:
    """Read scaler.json, or merge the statistics of several instances beside it.

    Raises InputError when both are missing or are none of preprocess.py's, or the instances' features differ.
    """
    if path.exists() or not list(path.parent.glob(f"{Path(STATISTICS).stem}-*.json")):
        return _scaler(path)
    parts = [(part, _statistics(part)) for part in part_files.find(path.with_name(STATISTICS))]
    (first, merged), *others = parts
    for part, statistics in others:
        if statistics.features != merged.features:
            raise InputError(
                f"scaler {part}: its features are not those of {first.name}; use one schema.json"
            )
        merged = merged.merged(statistics)
    return merged.scaler()


def _scaler(path: Path) -> Scaler:
    try:
        scaler = Scaler(**_document(path))
    except TypeError as error:
        raise InputError(f"scaler {path}: not a scaler.json of preprocess.py ({error})") from None
    lists = (scaler.features, scaler.log, scaler.mean, scaler.std)
    if not all(isinstance(one, list) for one in lists) or len({len(one) for one in lists}) != 1:
        raise InputError(f"scaler {path}: features, log, mean and std differ in length")
    if not all(isinstance(name, str) for name in scaler.features) or not {*map(type, scaler.log)} <= {bool}:
        raise InputError(
            f"scaler {path}: features must be names, and log true or false; run preprocess.py again"
        )
    try:
        numbers = np.array([*scaler.mean, *scaler.std, scaler.clip], np.float64)
    except (TypeError, ValueError, OverflowError):
        numbers = np.array([np.nan])
    if numbers.ndim != 1 or not np.isfinite(numbers).all() or min(*scaler.std, scaler.clip) <= 0:
        raise InputError(
            f"scaler {path}: mean, std and clip must be finite numbers, std and clip above 0;"
            " run preprocess.py again"
        )
    return scaler


def _statistics(path: Path) -> Statistics:
    document = _document(path)
    try:
        raw, log = (
            Moments(int(document["count"]), np.array(part["mean"], float), np.array(part["squares"], float))
            for part in (document["raw"], document["log"])
        )
        found = Statistics(document["features"], np.array(document["largest"], float), raw, log)
        if not all(isinstance(name, str) for name in found.features) or int(document["count"]) < 0:
            raise ValueError("its features are no names, or its count no number of rows")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"scaler {path}: not statistics of preprocess.py ({error!r})") from None
    shapes = {part.shape for part in (found.largest, raw.mean, raw.squares, log.mean, log.squares)}
    if shapes != {(len(found.features),)}:
        raise InputError(f"scaler {path}: its lists differ in length")
    if not all(
        np.isfinite(part).all() for part in (found.largest, raw.mean, raw.squares, log.mean, log.squares)
    ):
        raise InputError(f"scaler {path}: a number is not finite; run preprocess.py again")
    return found


def _document(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"scaler {path}: cannot be read ({error.strerror}); preprocess.py writes it"
        ) from None
    except ValueError as error:
        raise InputError(f"scaler {path}: not a scaler.json of preprocess.py ({error})") from None
