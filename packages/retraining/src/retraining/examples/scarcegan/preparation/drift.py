"""The population stability index (PSI) of each feature against the rows that the last model was trained on.

A profile holds, per feature, the limits of bins and the rows in them: about a tenth of the rows in each, and
a bin of its own for a value that a tenth of the rows has.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from preparation import column_statistics
from preparation.column_statistics import ColumnStatistics

BINS = 10
LEAST_SHARE = 1e-4  # in place of an empty bin's share, whose logarithm is none
NOTHING_SHARED = "of the run before has none of these features; nothing to compare with"
Profile = dict[str, Any]


def profile(rows: ColumnStatistics) -> Profile:
    """Bins and counts of each feature: {"rows": n, "features": {name: {"limits": [k], "counts": [k + 1]}}}.

    Bin i holds the values v, cut to eight significant bits, with limits[i - 1] <= v < limits[i].
    """
    features = {}
    histogram = rows.histogram
    deciles = rows.quantiles([step / BINS for step in range(1, BINS)])
    for number, name in enumerate(rows.columns):
        counts = histogram[number]
        heavy = np.flatnonzero(counts >= rows.rows / BINS)
        places = column_statistics.position(deciles[number].astype(np.float32)).astype(np.int64)
        limits = np.unique(np.concatenate([places, heavy, heavy + 1]))
        limits = limits[limits < column_statistics.BUCKETS]
        features[name] = {
            "limits": column_statistics.value(limits.astype(np.uint16)).tolist(),
            "counts": _counts(counts, limits).tolist(),
        }
    return {"rows": rows.rows, "features": features}


def against(reference: Profile, rows: ColumnStatistics) -> dict[str, float]:
    """The index of each feature that both have. Raises ValueError when `reference` is no profile."""
    found, histogram = {}, rows.histogram
    try:
        for number, name in enumerate(rows.columns):
            if name in reference["features"]:
                bins = reference["features"][name]
                limits = column_statistics.position(np.array(bins["limits"], dtype=np.float32))
                counts = _counts(histogram[number], limits.astype(np.int64))
                expected = np.array(bins["counts"], dtype=np.int64)
                if expected.shape != counts.shape or expected.min() < 0 or counts.min() < 0:
                    raise ValueError("its counts are not those of its limits")
                found[name] = index(expected, counts)
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise ValueError(f"{name!r}: {error!r}") from None
    return found


def index(expected: NDArray[np.int64], actual: NDArray[np.int64]) -> float:
    """The population stability index of counts over the same bins [k]: sum of (a - e) ln(a / e) of shares.

    Formula: N. Siddiqi, "Credit Risk Scorecards", Wiley, 2006, chapter 9 (there: below 0.1 no change, above
    0.25 a major one). It is the symmetric Kullback-Leibler divergence of the two distributions.
    """
    e, a = (np.maximum(counts / max(1, counts.sum()), LEAST_SHARE) for counts in (expected, actual))
    return float(((a - e) * np.log(a / e)).sum())


def document(found: dict[str, float], reference_rows: int | None, rows: int) -> dict[str, Any]:
    """What drift.json holds. The indices are null where nothing was compared: there was no reference, and
    `reference_rows` is null too, or it has none of the features."""
    values = list(found.values())
    return {
        "psi_max": round(max(values), 6) if values else None,
        "psi_mean": round(sum(values) / len(values), 6) if values else None,
        "psi": {name: round(value, 6) for name, value in found.items()},
        "reference_rows": reference_rows,
        "rows": rows,
    }


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
    return np.asarray(np.diff(below[np.concatenate([[0], limits, [column_statistics.BUCKETS]])]))
