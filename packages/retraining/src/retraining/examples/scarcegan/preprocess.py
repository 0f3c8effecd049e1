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
from pathlib import Path

import dataset
import failure
import part_files
from failure import ArgumentParser, InputError
from preparation import labelled_rows, parallel, reading, reports, splits, table_schema, unlabelled_rows
from preparation.column_statistics import ColumnStatistics
from preparation.data_quality import Group
from preparation.drift import Profile
from preparation.outputs import Outputs
from preparation.problems import Problems
from preparation.reference import Reference
from preparation.splits import Fractions
from preparation.table import Source
from preparation.table_schema import Schema
from preparation.unlabelled_rows import UNLABELLED

DEFAULT_BASE = "/opt/ml/processing"


def main(argv: list[str]) -> None:
    parallel.keep_memory()
    options = _arguments(argv)
    groups = dataset.parse_groups(options.groups)
    schema = table_schema.load(_schema_path(options.schema))
    cluster = part_files.cluster(options.base.parent / "config" / "resourceconfig.json")
    wanted = Fractions(options.validation_fraction, options.test_fraction, options.folds, options.seed)
    reference = Reference(cluster.name_in(options.reference))
    reference.read()
    with tempfile.TemporaryDirectory(dir=options.base, prefix=".partial-") as name:
        problems = Problems()
        sources = reading.sources(options.base / "input", [*groups, UNLABELLED], schema, cluster, problems)
        problems.end()
        if not any(sources.values()):
            print(f"Host {cluster.host} of {len(cluster.hosts)}: its shard has no files; it writes nothing")
            return
        outputs = Outputs(Path(name) / "output", schema, wanted.folds, cluster)
        profile = prepare(sources, schema, wanted, outputs, Path(name) / "rows", reference)
        if profile is None:
            print(f"Host {cluster.host} of {len(cluster.hosts)}: its shard has no rows; it writes nothing")
            return
        outputs.publish(options.base / "output")
    reference.publish(profile)


def prepare(
    sources: dict[str, list[Source]],
    schema: Schema,
    wanted: Fractions,
    outputs: Outputs,
    spill: Path,
    reference: Reference,
) -> Profile | None:
    """Read the sources and fill the outputs; the profile of the rows that the model is trained on.

    None where there is no row, as one of several hosts may have files with a header alone.
    Raises InputError for whatever is wrong with the data, the first of it, after all of it was printed.
    """
    problems = Problems()
    files = dict(sources)
    rest = files.pop(UNLABELLED)
    labelled = labelled_rows.read(files, schema, wanted.seed, spill, problems)
    labelled_rows.check_keys(labelled, schema, problems)
    unlabelled = unlabelled_rows.write(rest, schema, labelled.hashes(), wanted, outputs, problems)
    if unlabelled.left_out and not sum(unlabelled.counts):
        problems.add(f"group {UNLABELLED!r}: the {schema.key} of every row has a label; none is left")
    if not outputs.cluster.several:
        _check_none_empty(
            sources, {*labelled.buckets, *([UNLABELLED] if sum(unlabelled.counts) else [])}, problems
        )
    problems.end()
    if not labelled.buckets and not sum(unlabelled.counts):
        return None
    training, statistics, groups = ColumnStatistics(schema.names), [], {}
    for group, rows in labelled.buckets.items():
        sizes, trained, parts = labelled_rows.write(group, rows, schema, wanted, outputs)
        training.merge(trained)
        statistics += parts
        groups[group] = Group(labelled.statistics[group], sizes, 0)
    if sum(unlabelled.counts):
        ranges = splits.unlabelled(UNLABELLED, unlabelled.counts)
        training.merge(unlabelled.statistics)
        groups[UNLABELLED] = Group(unlabelled.statistics, splits.sizes(ranges), unlabelled.left_out)
    if unlabelled.left_out:
        print(f"{UNLABELLED}: left out {unlabelled.left_out} rows whose {schema.key} has a label")
    reports.write_scaler(statistics, outputs)
    dataset.Splits(list(files), wanted.folds).save(outputs.path(f"train_data/{dataset.SPLITS}"))
    profile = reports.write(groups, schema, training, reference, outputs)
    print(reports.summary(groups, wanted.folds))
    return profile


def _check_none_empty(sources: dict[str, list[Source]], filled: set[str], problems: Problems) -> None:
    for group, found in sources.items():
        if group not in filled and not problems.lines:
            folder = found[0].path.parent
            problems.add(f"group {group!r}: no rows in {folder} ({len(found)} file(s) with a header alone)")


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = ArgumentParser(allow_abbrev=False, description="Validate, split and scale.")
    parser.add_argument(
        "--base", type=Path, default=Path(DEFAULT_BASE), help="folder with input/ and output/"
    )
    parser.add_argument(
        "--groups", default="risky,dormant,normal,heavy", help="label groups, the scarce one first"
    )
    parser.add_argument("--schema", type=Path, default=Path("schema.json"))
    parser.add_argument("--validation-fraction", type=float, default=0.2)
    parser.add_argument("--test-fraction", type=float, default=0.2)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--reference", help="s3:// URI or path of the last run's profile: compared with, then replaced"
    )
    options = parser.parse_args(argv)
    for name in ("validation_fraction", "test_fraction"):
        if not 0 < getattr(options, name) < 1:
            raise InputError(f"arguments: --{name.replace('_', '-')} must be between 0 and 1")
    if not options.base.is_dir():
        raise InputError(f"arguments: --base {options.base} is no folder; it must hold input/")
    if options.validation_fraction + options.test_fraction >= 1:
        raise InputError("arguments: --validation-fraction and --test-fraction together must be less than 1")
    if not 2 <= options.folds <= 100:
        raise InputError(f"arguments: --folds must be between 2 and 100, not {options.folds}")
    if not 0 <= options.seed < 1 << 63:
        raise InputError("arguments: --seed must not be negative, nor have more than 63 bits")
    return options


def _schema_path(path: Path) -> Path:
    """As given, or beside this script, where the job's code package holds it."""
    return path if path.is_absolute() or path.exists() else Path(__file__).parent / path


if __name__ == "__main__":
    arguments = sys.argv[1:]
    base = failure.base_folder(arguments) or Path(DEFAULT_BASE)
    sys.exit(failure.run(lambda: main(arguments), base.parent / "output" / "message"))
