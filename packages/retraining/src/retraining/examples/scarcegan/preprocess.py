"""SageMaker processing job: check the groups' files, split them, fit the scaler, write ten outputs.

Inputs: <base>/input/<group>/ and <base>/input/unlabelled/, any number of .csv, .csv.gz or .parquet files. The
label of a row is the name of its folder. Outputs, under <base>/output/: train_data (data.csv, scaler.json,
splits.json, profile.json, drift.json, data_quality.json and .html), train_label (label.csv), validation_data,
validation_label, test (data.csv, label.csv), kfold_{train,validation}_{data,label} and unlabelled_folds
(fold_<i>.csv). Data are raw: the scaler is part of the exported model, so that training and serving cannot
differ.

Rules: a value that is no finite number within the schema's range ends the job. So does a key that occurs
twice in a group or in two labelled groups. A labelled key that is also among the unlabelled stays labelled
and leaves the unlabelled. Hidden files and markers such as _SUCCESS are none of the data; any other file of
another kind ends the job.

Files are read in blocks, and a hash of its key says where a row goes. With several instances each works on
its shard alone (ShardedByS3Key), and its files carry its host's name; the training reads them together.
"""

import argparse
import sys
import tempfile
from functools import reduce
from pathlib import Path

import job_toolkit.splits
from data import dataset, part_files
from data.scaler import STATISTICS, Statistics
from job_toolkit import processing, strict_json
from job_toolkit.failure import InputError
from preparation import data_quality, drift, labelled_rows, reading, schema, splits, unlabelled_rows
from preparation.column_statistics import ColumnStatistics
from preparation.data_quality import Group
from preparation.drift import Profile, Reference
from preparation.outputs import Outputs
from preparation.schema import Schema
from preparation.splits import Fractions
from preparation.table import Source
from preparation.unlabelled_rows import UNLABELLED


def main(argv: list[str]) -> None:
    reading.keep_memory()
    options = _arguments(argv)
    groups = dataset.parse_groups(options.groups)
    columns = schema.load(_schema_path(options.schema))
    cluster = part_files.cluster(options.base.parent / "config" / "resourceconfig.json")
    shares = job_toolkit.splits.from_arguments(options)
    wanted = Fractions(shares.validation, shares.test, options.folds, shares.seed)
    reference = Reference(options.reference and cluster.name(options.reference))
    reference.read()
    with tempfile.TemporaryDirectory(dir=options.base, prefix=".partial-") as name:
        problems: list[str] = []
        folder, every = options.base / "input", [*groups, UNLABELLED]
        sources = reading.open_sources(folder, every, columns, cluster, problems)
        reading.refuse(problems)
        profile, missing = None, "files"
        if any(sources.values()):
            outputs, missing = Outputs(Path(name) / "output", columns, wanted.folds, cluster), "rows"
            profile = prepare(sources, columns, wanted, outputs, Path(name) / "rows", reference)
        if profile is None:
            host = f"Host {cluster.host} of {len(cluster.hosts)}"
            print(f"{host}: its shard has no {missing}; it writes nothing")
            return
        outputs.publish(options.base / "output")
    reference.publish(profile)


def prepare(
    sources: dict[str, list[Source]],
    columns: Schema,
    wanted: Fractions,
    outputs: Outputs,
    spill: Path,
    reference: Reference,
) -> Profile | None:
    """Read the sources and fill the outputs; the profile of the rows that the model is trained on.

    None where there is no row, as one of several hosts may have files with a header alone.
    Raises InputError for whatever is wrong with the data, the first of it, after all of it was printed.
    """
    problems: list[str] = []
    files = {group: own for group, own in sources.items() if group != UNLABELLED}
    labelled = labelled_rows.read(files, columns, wanted.seed, spill, problems)
    unlabelled = unlabelled_rows.write(
        sources[UNLABELLED], columns, labelled.hashes(), wanted, outputs, problems
    )
    rest = sum(unlabelled.counts)
    if unlabelled.left_out and not rest:
        problems.append(f"group {UNLABELLED!r}: the {columns.key} of every row has a label; none is left")
    if not outputs.cluster.several:
        _check_none_empty(sources, {*labelled.buckets, *([UNLABELLED] if rest else [])}, problems)
    reading.refuse(problems)
    if not labelled.buckets and not rest:
        return None
    training, statistics, groups = ColumnStatistics(columns.names), [], {}
    for group, rows in labelled.buckets.items():
        sizes, trained, parts = labelled_rows.write(group, rows, columns, wanted, outputs)
        training.merge(trained)
        statistics += parts
        groups[group] = Group(labelled.statistics[group], sizes)
    if rest:
        sizes = splits.sizes(splits.unlabelled(UNLABELLED, unlabelled.counts))
        training.merge(unlabelled.statistics)
        groups[UNLABELLED] = Group(unlabelled.statistics, sizes, unlabelled.left_out)
    if unlabelled.left_out:
        print(f"{UNLABELLED}: left out {unlabelled.left_out} rows whose {columns.key} has a label")
    _write_scaler(statistics, outputs)
    dataset.record_splits(outputs.path("train_data/splits.json"), list(files), wanted.folds)
    profile = _report(groups, columns, training, reference, outputs)
    print(_summary(groups, wanted.folds))
    return profile


def _check_none_empty(sources: dict[str, list[Source]], filled: set[str], problems: list[str]) -> None:
    for group, files in sources.items():
        if group not in filled and not problems:
            folder = files[0].path.parent
            problems.append(
                f"group {group!r}: no rows in {folder} ({len(files)} file(s) with a header alone)"
            )


def _write_scaler(parts: list[Statistics], outputs: Outputs) -> None:
    """The scaler; on one of several hosts the statistics, of which the training makes it."""
    if parts and outputs.cluster.several:
        reduce(Statistics.merged, parts).save(outputs.path(f"train_data/{STATISTICS}"))
    elif parts:
        reduce(Statistics.merged, parts).scaler().save(outputs.path("train_data/scaler.json"))


def _report(
    groups: dict[str, Group],
    columns: Schema,
    training: ColumnStatistics,
    reference: Reference,
    outputs: Outputs,
) -> Profile:
    """Write the reports on the data; the profile of the rows that the model is trained on.

    Raises InputError when every feature is constant.
    """
    profile = drift.profile(training)
    moved = reference.compare(profile, training)
    quality = data_quality.document(groups, columns, moved)
    constant = quality["constant"]
    if len(constant) == len(columns.features):
        raise InputError(
            f"every feature has the same value in all rows ({constant[0]!r} first); look at the data's export"
        )
    if constant:
        print(f"Warning: the same value in all rows, nothing to learn from: {', '.join(constant)}")
    if not outputs.cluster.several:  # a host that has a shard alone cannot tell
        _warn_of_order({name: one.statistics.rows for name, one in groups.items() if name != UNLABELLED})
    for name, content in (("profile", profile), ("drift", moved), ("data_quality", quality)):
        strict_json.write(content, outputs.path(f"train_data/{name}.json"), indent=2)
    page = data_quality.page(quality)
    outputs.path("train_data/data_quality.html").write_text(page, encoding="utf-8")
    for line in drift.lines(moved):
        print(line)
    return profile


def _warn_of_order(rows: dict[str, int]) -> None:
    """`rows` of each labelled group, in the order given. In a wrong order all else would pass."""
    first, fewest = next(iter(rows)), min(rows, key=rows.__getitem__)
    if rows[first] > rows[fewest]:
        print(
            f"Warning: the first group is the scarce class, but {first!r} has {rows[first]} rows and "
            f"{fewest!r} {rows[fewest]}; if {fewest!r} is the scarce one, write it first in groups, of "
            "preprocess and of train"
        )


def _summary(groups: dict[str, Group], folds: int) -> str:
    """Rows per group and split, as a small table."""
    lines = ["rows".ljust(14) + "".join(name.rjust(12) for name in data_quality.SPLITS)]
    for name, group in groups.items():
        counts = (group.splits.get(split, 0) for split in data_quality.SPLITS)
        lines.append(name.ljust(14) + "".join(f"{count:12d}" for count in counts))
    return "\n".join([*lines, f"{folds} folds"])


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = processing.parser("Check, split and describe the groups' files.")
    parser.add_argument(
        "--groups", default="risky,dormant,normal,heavy", help="label groups, the scarce one first"
    )
    parser.add_argument("--schema", type=Path, default=Path("schema.json"))
    job_toolkit.splits.add_arguments(parser)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument(
        "--reference", help="s3:// URI or path of the last run's profile: compared with, then replaced"
    )
    options = parser.parse_args(argv)
    if not options.base.is_dir():
        raise InputError(f"arguments: --base {options.base} is no folder; it must hold input/")
    if not 2 <= options.folds <= 100:
        raise InputError(f"arguments: --folds must be between 2 and 100, not {options.folds}")
    return options


def _schema_path(path: Path) -> Path:
    """As given, or next to this script, where the job's code package holds it."""
    return path if path.is_absolute() or path.exists() else Path(__file__).parent / path


if __name__ == "__main__":
    sys.exit(processing.run(main))
