"""The scaler: fitted on the training rows by preprocess.py, built into the exported model by export.py.

Per feature: signed log1p where the feature is heavy-tailed, then standardisation, then clipping to +-CLIP
deviations. The arithmetic is float32; the exported model does the same in float64.

It is made from statistics that can be merged: each of several preprocessing instances writes its own, and
the training merges them.
"""

import json
from dataclasses import asdict, dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data import part_files
from job_toolkit import strict_json
from job_toolkit.failure import InputError

CLIP = 6.0
HEAVY_TAIL = 20.0  # a feature whose largest absolute training value exceeds this is compressed by log1p
BLOCK = 65_536  # rows that are scaled at a time
STATISTICS = "statistics.json"

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """Of `count` rows with F features: the means [F] and the sums of squared deviations from them [F]."""

    count: int
    mean: Doubles
    squares: Doubles

    @classmethod
    def of(cls, values: Doubles) -> "Moments":
        """The moments of rows [n, F]."""
        mean = values.mean(axis=0) if len(values) else np.zeros(values.shape[1])
        return cls(len(values), mean, ((values - mean) ** 2).sum(axis=0))

    @property
    def std(self) -> Doubles:
        """The deviation over all rows (no correction for a sample), [F]."""
        return np.sqrt(self.squares / max(1, self.count))

    def merged(self, other: "Moments") -> "Moments":
        """Of the rows of both.

        Formula: Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing sample
        variances", 1979, equation 1.5.
        """
        count, apart = self.count + other.count, other.mean - self.mean
        both = max(1, count)
        squares = self.squares + other.squares + apart**2 * (self.count * other.count / both)
        return Moments(count, self.mean + apart * (other.count / both), squares)


@dataclass(frozen=True)
class Scaler:
    """F features, in serving order; every list has length F."""

    features: list[str]
    log: list[bool]
    mean: list[float]
    std: list[float]
    clip: float = CLIP

    def transform(self, raw: NDArray[np.generic]) -> NDArray[np.float32]:
        """Scale raw features, [n, F] -> [n, F]; apart from the result it needs memory for BLOCK rows."""
        scaled = np.empty(raw.shape, dtype=np.float32)
        for start in range(0, len(raw), BLOCK):
            values = np.asarray(raw[start : start + BLOCK], dtype=np.float32)
            values = np.where(self.log, np.sign(values) * np.log1p(np.abs(values)), values)
            values = (values.astype(np.float32) - np.float32(self.mean)) / np.float32(self.std)
            scaled[start : start + BLOCK] = np.clip(values, np.float32(-self.clip), np.float32(self.clip))
        return scaled

    def save(self, path: Path) -> None:
        strict_json.write(asdict(self), path, indent=2)


@dataclass(frozen=True)
class Statistics:
    """Of training rows with F features: the largest absolute values [F]; moments of values and log1p."""

    features: list[str]
    largest: Doubles
    raw: Moments
    log: Moments

    @classmethod
    def of(cls, features: list[str], values: Doubles) -> "Statistics":
        """The statistics of raw rows [n, F]."""
        size = np.abs(values)
        log = Moments.of(np.sign(values) * np.log1p(size))
        return cls(features, size.max(axis=0, initial=0.0), Moments.of(values), log)

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
        rounded = ([float(f"{value:.8g}") for value in values] for values in (mean, std))
        return Scaler(self.features, log.tolist(), *rounded)

    def save(self, path: Path) -> None:
        document = {"features": self.features, "largest": self.largest.tolist(), "count": self.raw.count}
        for name, part in (("raw", self.raw), ("log", self.log)):
            document[name] = {"mean": part.mean.tolist(), "squares": part.squares.tolist()}
        strict_json.write(document, path)


def load(path: Path) -> Scaler:
    """Read scaler.json, or merge the statistics of several instances next to it.

    Raises InputError when both are missing or are none of preprocess.py's, or the instances' features differ.
    """
    if path.exists() or not list(path.parent.glob(f"{Path(STATISTICS).stem}-*.json")):
        return _scaler(path)
    paths = part_files.find(path.with_name(STATISTICS))
    parts = [_statistics(part) for part in paths]
    for part, statistics in zip(paths, parts, strict=True):
        if statistics.features != parts[0].features:
            raise InputError(
                f"scaler {part}: its features are not those of {paths[0].name}; use one schema.json"
            )
    return reduce(Statistics.merged, parts).scaler()


def _scaler(path: Path) -> Scaler:
    try:
        scaler = Scaler(**_document(path))
        _check_names(scaler.features)
        lengths = {len(column) for column in (scaler.features, scaler.log, scaler.mean, scaler.std)}
        if len(lengths) != 1 or not {*map(type, scaler.log)} <= {bool}:
            raise ValueError("features, log, mean and std must be lists of one length, log of true or false")
        numbers = np.array([*scaler.mean, *scaler.std, scaler.clip], np.float64)
        if not np.isfinite(numbers).all() or min(*scaler.std, scaler.clip) <= 0:
            raise ValueError("mean, std and clip must be finite numbers, std and clip above 0")
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(
            f"scaler {path}: not a scaler.json of preprocess.py ({error}); run it again"
        ) from None
    return scaler


def _statistics(path: Path) -> Statistics:
    document = _document(path)
    try:
        features, count = document["features"], int(document["count"])
        _check_names(features)
        lists = [document[kind][name] for kind in ("raw", "log") for name in ("mean", "squares")]
        columns = np.array([document["largest"], *lists], np.float64)
        if columns.shape != (5, len(features)) or not np.isfinite(columns).all() or count < 0:
            raise ValueError("each list must hold as many finite numbers as there are features")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(
            f"scaler {path}: not statistics of preprocess.py ({error!r}); run it again"
        ) from None
    return Statistics(features, columns[0], Moments(count, *columns[1:3]), Moments(count, *columns[3:]))


def _check_names(features: Any) -> None:
    if not isinstance(features, list) or not all(isinstance(name, str) for name in features):
        raise ValueError("features must be a list of names")


def _document(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"scaler {path}: cannot be read ({error.strerror}); preprocess.py writes it"
        ) from None
    except ValueError as error:
        raise InputError(f"scaler {path}: not a scaler.json of preprocess.py ({error})") from None
