"""SageMaker processing job: validate the houses, split them, add the PCA components, write four outputs.

Inputs: <base>/input/houses/, any number of .csv or .data files (also .gz), and
<base>/input/model/model.tar.gz, the artifact of the PCA training step. Outputs, under <base>/output/: train
(train.csv: features, components, price), validation (validation.csv, likewise), test_features (features.csv
without header, for the batch transform) and test_labels (labels.csv).

No test row leaks into what is fitted: both models of the pipeline split by the same rule (split.py), and this
job refuses a PCA model that was trained under another seed or other fractions. Scaling is not fitted here: it
is part of the trained network, from training rows alone.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import components
import failure
import houses
import split
import table
from components import Components
from failure import ArgumentParser, InputError
from split import Parts, Split
from table import Table

DEFAULT_BASE = "/opt/ml/processing"


def tables(parts: Parts, added: Components) -> dict[str, Table]:
    """The tables to write, by their path under the output folder."""
    width = len(houses.FEATURES)
    columns = [*houses.FEATURES, *added.names]
    written = {}
    for name, rows in (("train", parts.train), ("validation", parts.validation)):
        values = np.hstack([added.add(rows[:, :width]), rows[:, width:]])
        written[f"{name}/{name}.csv"] = Table([*columns, houses.PRICE], values)
    written["test_features/features.csv"] = Table(columns, added.add(parts.test[:, :width]))
    written["test_labels/labels.csv"] = Table([houses.PRICE], parts.test[:, width:])
    return written


def check(added: Components, wanted: Split) -> None:
    """Raises InputError when the PCA model may have been fitted on test rows of this split."""
    if added.split != wanted:
        raise InputError(
            f"model.tar.gz: the PCA model was trained under another split ({added.split}) than this job's "
            f"({wanted}), and may have seen test rows; give both preprocessings the same arguments"
        )


def main(argv: list[str]) -> None:
    parser = ArgumentParser(allow_abbrev=False, description="Validate, split and add components.")
    parser.add_argument(
        "--base", type=Path, default=Path(DEFAULT_BASE), help="folder with input/ and output/"
    )
    split.add_arguments(parser)
    options = parser.parse_args(argv)
    wanted = split.from_options(options)
    source = options.base / "input"
    with tempfile.TemporaryDirectory() as folder:
        added = components.load(source / "model" / "model.tar.gz", Path(folder))
    check(added, wanted)
    parts = wanted.apply(houses.read(source / houses.CHANNEL))
    for path, content in tables(parts, added).items():
        table.write(content, options.base / "output" / path, header=not path.startswith("test_features"))
    print(", ".join(f"{len(rows)} {name} rows" for name, rows in vars(parts).items()) + f"; {wanted}")
    print(f"{len(houses.FEATURES)} features and {len(added.names)} components")


if __name__ == "__main__":
    arguments = sys.argv[1:]
    base = failure.base_folder(arguments) or Path(DEFAULT_BASE)
    sys.exit(failure.run(lambda: main(arguments), base.parent / "output" / "message"))
