"""The population stability index (PSI) of each feature against the rows that the last model was trained on.

A profile holds, per feature, the limits of bins and the rows in them: about a tenth of the rows in each, and
a bin of its own for a value that a tenth of the rows has. Profiles are kept as one JSON object in S3 (or a
file): those of the last two runs on different data, so that a run which is repeated on the same data is
compared with the run before, and not with itself.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from job_toolkit import strict_json
from job_toolkit.failure import InputError
from preparation import column_statistics
from preparation.column_statistics import BUCKETS, ColumnStatistics

BINS = 10
LEAST_SHARE = 1e-4  # in place of an empty bin's share, which has no logarithm
NOTHING_SHARED = "of the run before has none of these features; nothing to compare with"
Profile = dict[str, Any]


class Reference:
    """The profile of the run before. `where` is an s3:// URI or a path; None compares with nothing."""

    def __init__(self, where: str | None) -> None:
        self.where = where
        self._kept: dict[str, Any] = {}
        self._is_ours = True  # not the profile of one run, which a user has named: that one stays

    def read(self) -> None:
        """Read it; what cannot be reached ends no job: a line says that nothing is compared.

        Raises InputError when there is something that is no profile.
        """
        if self.where is None:
            return
        try:
            text = _get(self.where)
        except Exception as error:  # boto3's many, and the file system's
            print(f"Warning: reference {self.where}: cannot be read ({_short(error)}); no PSI")
            return
        if text is None:
            print(f"Reference: there is no {self.where}; this is the first run, nothing to compare with")
            return
        try:
            document = json.loads(text)
            self._is_ours = "current" in document
            self._kept = document if self._is_ours else {"current": document, "previous": None}
            for profile in (profile for profile in self._kept.values() if profile is not None):
                features, rows = profile["features"], profile["rows"]
                if not (features and rows and isinstance(features, dict) and isinstance(rows, int)):
                    raise ValueError("no features or rows")
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise self._refused(error) from None

    def compare(self, profile: Profile, rows: ColumnStatistics) -> dict[str, Any]:
        """What drift.json holds: the rows, which have this profile, against the last run's.

        The indices are null where nothing was compared: there was no reference, and `reference_rows` is null
        too, or it has none of the features. Raises InputError when it is broken.
        """
        before: Profile | None = self._kept.get("current")
        if before == profile and self._is_ours:
            before = self._kept.get("previous")
            if before is None:
                print(
                    "Reference: it is of the same data, and there is none before it; nothing to compare with"
                )
        try:
            indices = indices_against(before, rows) if before else {}
        except ValueError as error:
            raise self._refused(error) from None
        values = list(indices.values())
        return {
            "psi_max": round(max(values), 6) if values else None,
            "psi_mean": round(sum(values) / len(values), 6) if values else None,
            "psi": {name: round(value, 6) for name, value in indices.items()},
            "reference_rows": before["rows"] if before else None,
            "rows": rows.rows,
        }

    def publish(self, profile: Profile) -> None:
        """Keep the profile for the next run. A job does not end because it cannot: a line says so."""
        if self.where is None or self._kept.get("current") == profile or not self._is_ours:
            return
        text = strict_json.dumps({"current": profile, "previous": self._kept.get("current")}) + "\n"
        try:
            _put(self.where, text)
        except Exception as error:
            print(f"Warning: reference {self.where}: cannot be written ({_short(error)}); keeping none")

    def _refused(self, error: Exception) -> InputError:
        return InputError(f"reference {self.where}: no profile of preprocess.py ({error}); delete it")


def profile(rows: ColumnStatistics) -> Profile:
    """Bins and counts of each feature: {"rows": n, "features": {name: {"limits": [k], "counts": [k + 1]}}}.

    Bin i holds the values v, cut to eight significant bits, with limits[i - 1] <= v < limits[i].
    """
    features = {}
    deciles = rows.quantiles([step / BINS for step in range(1, BINS)])
    for name, counts, own in zip(rows.columns, rows.histogram, deciles, strict=True):
        heavy = np.flatnonzero(counts >= rows.rows / BINS)
        places = column_statistics.position(own.astype(np.float32)).astype(np.int64)
        limits = np.unique(np.concatenate([places, heavy, heavy + 1]))
        limits = limits[limits < BUCKETS]
        features[name] = {
            "limits": column_statistics.value(limits.astype(np.uint16)).tolist(),
            "counts": _counts(counts, limits).tolist(),
        }
    return {"rows": rows.rows, "features": features}


def indices_against(reference: Profile, rows: ColumnStatistics) -> dict[str, float]:
    """The index of each feature that both have. Raises ValueError when `reference` is no profile."""
    indices = {}
    try:
        for name, histogram in zip(rows.columns, rows.histogram, strict=True):
            if name in reference["features"]:
                bins = reference["features"][name]
                limits = column_statistics.position(np.array(bins["limits"], dtype=np.float32))
                counts = _counts(histogram, limits.astype(np.int64))
                expected = np.array(bins["counts"], dtype=np.int64)
                if expected.shape != counts.shape or expected.min() < 0 or counts.min() < 0:
                    raise ValueError("its counts are not those of its limits")
                indices[name] = index(expected, counts)
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise ValueError(f"{name!r}: {error!r}") from None
    return indices


def index(expected: NDArray[np.int64], actual: NDArray[np.int64]) -> float:
    """The population stability index of counts over the same bins [k]: sum of (a - e) ln(a / e) of shares.

    Formula: N. Siddiqi, "Credit Risk Scorecards", Wiley, 2006, chapter 9 (there: below 0.1 no change, above
    0.25 a major one). It is the symmetric Kullback-Leibler divergence of the two distributions.
    """
    e, a = (np.maximum(counts / max(1, counts.sum()), LEAST_SHARE) for counts in (expected, actual))
    return float(((a - e) * np.log(a / e)).sum())


def lines(document: dict[str, Any]) -> list[str]:
    """As metric lines: the largest and the mean index, and the five features that moved most."""
    if document["psi_max"] is None:
        return [] if document["reference_rows"] is None else [f"Reference: the profile {NOTHING_SHARED}"]
    moved = sorted(document["psi"].items(), key=lambda entry: (-entry[1], entry[0]))[:5]
    return [
        f"PSI_Max={document['psi_max']:.6f}; PSI_Mean={document['psi_mean']:.6f};",
        *(f"PSI_{name}={value:.6f};" for name, value in moved),
    ]


def _counts(histogram: NDArray[np.uint32], limits: NDArray[np.int64]) -> NDArray[np.int64]:
    below = np.concatenate([[0], histogram.cumsum(dtype=np.int64)])
    return np.asarray(np.diff(below[np.concatenate([[0], limits, [BUCKETS]])]))


def _get(where: str) -> str | None:
    if not where.startswith("s3://"):
        path = Path(where)
        return path.read_text(encoding="utf-8") if path.exists() else None
    client, place = _s3(where)
    try:
        return str(client.get_object(**place)["Body"].read().decode())
    except client.exceptions.NoSuchKey:
        return None


def _put(where: str, text: str) -> None:
    if where.startswith("s3://"):
        client, place = _s3(where)
        client.put_object(**place, Body=text.encode(), ContentType="application/json")
        return
    path = Path(where)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


def _s3(uri: str) -> tuple[Any, dict[str, str]]:
    import boto3  # SageMaker's containers have it; the places of its endpoints are in the environment
    from botocore.config import Config

    bucket, _, key = uri.removeprefix("s3://").partition("/")
    quick = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 3})
    return boto3.client("s3", config=quick), {"Bucket": bucket, "Key": key}


def _short(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
