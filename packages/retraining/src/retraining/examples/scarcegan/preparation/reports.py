"""What train_data holds beside the rows: the scaler, the profile, the drift and the data-quality report."""

import json
from functools import reduce

from failure import InputError
from preparation import data_quality, data_quality_page, drift
from preparation.column_statistics import ColumnStatistics
from preparation.data_quality import Group
from preparation.drift import Profile
from preparation.outputs import Outputs
from preparation.reference import Reference
from preparation.table_schema import Schema
from preparation.unlabelled_rows import UNLABELLED
from scaler import STATISTICS, Statistics


def write_scaler(parts: list[Statistics], outputs: Outputs) -> None:
    """The scaler; on one of several hosts the statistics, of which the training makes it."""
    if not parts:
        return
    found = reduce(Statistics.merged, parts)
    if outputs.cluster.several:
        found.save(outputs.path(f"train_data/{STATISTICS}"))
    else:
        found.scaler().save(outputs.path("train_data/scaler.json"))


def write(
    groups: dict[str, Group],
    schema: Schema,
    training: ColumnStatistics,
    reference: Reference,
    outputs: Outputs,
) -> Profile:
    """Write all but the scaler; the profile of the rows that the model is trained on.

    Raises InputError when every feature is constant; of one that is, a line warns, and so it does where the
    first group is not the scarcest. A host that has a shard alone cannot tell that.
    """
    profile = drift.profile(training)
    before = reference.before(profile)
    try:
        found = drift.against(before, training) if before else {}
    except ValueError as error:
        raise reference.refused(error) from None
    moved = drift.document(found, before["rows"] if before else None, training.rows)
    quality = data_quality.document(groups, schema, moved)
    _warn(quality["constant"], schema)
    if not outputs.cluster.several:
        _warn_of_order(
            {group: found.statistics.rows for group, found in groups.items() if group != UNLABELLED}
        )
    for name, content in (("profile", profile), ("drift", moved), ("data_quality", quality)):
        text = json.dumps(content, indent=2, allow_nan=False) + "\n"
        outputs.path(f"train_data/{name}.json").write_text(text, encoding="utf-8")
    page = data_quality_page.page(quality)
    outputs.path("train_data/data_quality.html").write_text(page, encoding="utf-8")
    for line in drift.lines(moved):
        print(line)
    return profile


def summary(groups: dict[str, Group], folds: int) -> str:
    """Rows per group and split, as a small table."""
    names = ("train", "validation", "test", "unlabelled")
    lines = ["rows".ljust(14) + "".join(name.rjust(12) for name in names)]
    for name, group in groups.items():
        lines.append(name.ljust(14) + "".join(f"{group.splits.get(split, 0):12d}" for split in names))
    return "\n".join([*lines, f"{folds} folds"])


def _warn(constant: list[str], schema: Schema) -> None:
    if len(constant) == len(schema.features):
        raise InputError(
            f"every feature has the same value in all rows ({constant[0]!r} first); look at the data's export"
        )
    if constant:
        print(f"Warning: the same value in all rows, nothing to learn from: {', '.join(constant)}")


def _warn_of_order(rows: dict[str, int]) -> None:
    """`rows` of each labelled group, in the order given. In a wrong order all else would pass."""
    first, fewest = next(iter(rows)), min(rows, key=rows.__getitem__)
    if rows[first] > rows[fewest]:
        print(
            f"Warning: the first group is the scarce class, but {first!r} has {rows[first]} rows and "
            f"{fewest!r} {rows[fewest]}; if {fewest!r} is the scarce one, write it first in groups, of "
            "preprocess and of train"
        )
