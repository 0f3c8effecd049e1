"""What data_quality.json says of the rows: per group and column, and how many of them went where."""

from dataclasses import dataclass
from typing import Any

from preparation.column_statistics import ColumnStatistics
from preparation.table_schema import Schema

QUANTILES = {"p01": 0.01, "p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True)
class Group:
    """A group's rows: per column what was found; rows per split; rows left out, whose key has a label."""

    statistics: ColumnStatistics
    splits: dict[str, int]
    left_out: int


def document(groups: dict[str, Group], schema: Schema, drift: dict[str, Any]) -> dict[str, Any]:
    """The report as JSON. Missing values, and values out of range, end a job before it: both are 0 here."""
    every = ColumnStatistics(schema.names)
    for group in groups.values():
        every.merge(group.statistics)
    return {
        "groups": {name: _group(group) for name, group in groups.items()},
        "ranges": {feature.name: [feature.minimum, feature.maximum] for feature in schema.features},
        "descriptions": {feature.name: feature.description for feature in schema.features},
        "constant": every.constant(),
        "drift": drift,
    }


def _group(group: Group) -> dict[str, Any]:
    found = group.statistics
    mean, std = found.moments.mean, found.moments.std
    quantiles = found.quantiles(list(QUANTILES.values()))
    columns = {
        name: {
            "count": found.rows,
            "missing": 0,
            "out_of_range": 0,
            "zeros": _round(found.zeros[number] / max(1, found.rows)),
            "min": _round(found.minimum[number]),
            "max": _round(found.maximum[number]),
            "mean": _round(mean[number]),
            "std": _round(std[number]),
        }
        | {share: _round(quantiles[number][place]) for place, share in enumerate(QUANTILES)}
        for number, name in enumerate(found.columns)
    }
    return {"rows": found.rows, "left_out": group.left_out, "splits": group.splits, "columns": columns}


def _round(value: float) -> float:
    return float(f"{value:.6g}") + 0.0  # -0 becomes 0: which of the two is the least is left to chance
