"""SageMaker processing job: validate the groups' CSV files, split them, fit the scaler, write ten outputs.

Inputs: <base>/input/<group>/ and <base>/input/unlabelled/, any number of .csv or .csv.gz files. The label of
a row is the name of its folder. Outputs, under <base>/output/: train_data (data.csv, scaler.json),
train_label (label.csv), validation_data, validation_label, test (data.csv, label.csv),
kfold_{train,validation}_{data,label} and unlabelled_folds (fold_<i>.csv). Data are raw: the scaler is part of
the exported model, so that training and serving cannot differ.

Rules: a value that is no finite number within the schema's range ends the job. So does a key that occurs
twice in the labelled groups. A labelled key that is also among the unlabelled stays labelled and leaves the
unlabelled.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import pandas as pd

import dataset
import failure
import scaler
import splits
import table
import table_schema
from failure import ArgumentParser, InputError
from splits import Fractions, Splits
from table_schema import Schema

DEFAULT_BASE = "/opt/ml/processing"
UNLABELLED = "unlabelled"
OUTPUTS = (
    "train_data", "train_label", "validation_data", "validation_label", "kfold_train_data",
    "kfold_train_label", "kfold_validation_data", "kfold_validation_label", "unlabelled_folds", "test",
)  # fmt: skip


def read(folder: Path, groups: list[str], columns: Schema) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Read all groups; return the labelled ones by name, and the unlabelled rows without a label."""
    labelled = {name: table.read_group(folder / name, name, columns) for name in groups}
    unlabelled = table.read_group(folder / UNLABELLED, UNLABELLED, columns)
    seen: dict[str, str] = {}
    for name, rows in labelled.items():
        for key in rows[columns.key]:
            if key in seen:
                raise InputError(
                    f"{columns.key} {key!r} is in the groups {seen[key]!r} and {name!r}; keep it in one"
                )
            seen[key] = name
    known = unlabelled[columns.key].isin(seen.keys())
    if known.any():
        print(f"{UNLABELLED}: left out {int(known.sum())} rows whose {columns.key} has a label")
    return labelled, unlabelled[~known]


def files(parts: Splits, columns: Schema) -> dict[str, pd.DataFrame]:
    """The CSV files to write, by their path under the output folder."""
    labels = [columns.key, "label"]
    written = {
        f"unlabelled_folds/fold_{i}.csv": part[columns.columns] for i, part in enumerate(parts.unlabelled)
    }
    for name, part in (("train", parts.train), ("validation", parts.validation)):
        written[f"{name}_data/data.csv"], written[f"{name}_label/label.csv"] = (
            part[columns.columns],
            part[labels],
        )
    written["test/data.csv"], written["test/label.csv"] = parts.test[columns.columns], parts.test[labels]
    for i, pair in enumerate(parts.folds):
        for name, part in zip(("train", "validation"), pair, strict=True):
            written[f"kfold_{name}_data/fold_{i}.csv"] = part[columns.columns]
            written[f"kfold_{name}_label/fold_{i}.csv"] = part[labels]
    return written


def write(tables: dict[str, pd.DataFrame], fitted: scaler.Scaler, out: Path) -> None:
    """Write everything beside the outputs first, then move it in: a job that fails leaves no half of them."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".partial-") as name:
        staging = Path(name)
        for folder in OUTPUTS:
            (staging / folder).mkdir()
        for path, rows in tables.items():
            rows.to_csv(staging / path, index=False, lineterminator="\n")
        fitted.save(staging / "train_data" / "scaler.json")
        for folder in OUTPUTS:
            target = out / folder
            target.mkdir(exist_ok=True)
            for old in (*target.glob("*.csv"), *target.glob("scaler.json")):
                old.unlink()
            for file in sorted((staging / folder).iterdir()):
                shutil.move(file, target / file.name)


def summarise(parts: Splits, groups: list[str]) -> str:
    """Rows per group and split, as a small table."""
    named = {"train": parts.train, "validation": parts.validation, "test": parts.test}
    lines = ["rows".ljust(14) + "".join(name.rjust(12) for name in named)]
    for group in groups:
        counts = [int((rows["label"] == group).sum()) for rows in named.values()]
        lines.append(group.ljust(14) + "".join(f"{count:12d}" for count in counts))
    lines.append(f"{UNLABELLED.ljust(14)}{sum(len(part) for part in parts.unlabelled):12d}")
    sizes = ", ".join(str(len(held_out)) for _, held_out in parts.folds)
    lines.append(f"{len(parts.folds)} folds of {sizes} labelled rows")
    return "\n".join(lines)


def main(argv: list[str]) -> None:
    options = _arguments(argv)
    groups = dataset.parse_groups(options.groups)
    columns = table_schema.load(_schema_path(options.schema))
    labelled, unlabelled = read(options.base / "input", groups, columns)
    wanted = Fractions(options.validation_fraction, options.test_fraction, options.folds, options.seed)
    parts = splits.split(labelled, unlabelled, columns, wanted)
    fitted = scaler.fit(columns.names, parts.train[columns.names].to_numpy())
    write(files(parts, columns), fitted, options.base / "output")
    print(summarise(parts, groups))


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
    options = parser.parse_args(argv)
    for name in ("validation_fraction", "test_fraction"):
        if not 0 < getattr(options, name) < 1:
            raise InputError(f"arguments: --{name.replace('_', '-')} must be between 0 and 1")
    if options.validation_fraction + options.test_fraction >= 1:
        raise InputError("arguments: --validation-fraction and --test-fraction together must be less than 1")
    if not 2 <= options.folds <= 100:
        raise InputError(f"arguments: --folds must be between 2 and 100, not {options.folds}")
    if options.seed < 0:
        raise InputError("arguments: --seed must not be negative")
    return options


def _schema_path(path: Path) -> Path:
    """As given, or beside this script, where the job's code package holds it."""
    return path if path.is_absolute() or path.exists() else Path(__file__).parent / path


if __name__ == "__main__":
    arguments = sys.argv[1:]
    base = failure.base_folder(arguments) or Path(DEFAULT_BASE)
    sys.exit(failure.run(lambda: main(arguments), base.parent / "output" / "message"))
