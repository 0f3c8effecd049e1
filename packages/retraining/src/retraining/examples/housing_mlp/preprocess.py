"""SageMaker processing job: validate the houses, split them, add the PCA components, write four outputs.

Inputs: <base>/input/houses/, any number of .csv or .data files (also .gz), or .parquet, and
<base>/input/model/model.tar.gz, the artifact of the PCA training step. Outputs, under <base>/output/: train
(train.csv: features, components, price), validation (validation.csv, likewise), test_features (features.csv
without header, for the batch transform) and test_labels (labels.csv).

No test row leaks into what is fitted: both models of the pipeline split by the same rule (houses.split), and
this job refuses a PCA model that was trained under another seed or other fractions. Scaling is not fitted
here: it is part of the trained network, from training rows alone.
"""

import sys
import tempfile
from pathlib import Path

import pandas as pd

import components
import houses
from components import Components
from houses import Rows
from job_toolkit import processing, splits, tables
from job_toolkit.failure import InputError
from job_toolkit.splits import Fractions


def with_components(parts: dict[str, Rows], added: Components) -> dict[str, pd.DataFrame]:
    """The tables to write, by their path under the output folder."""
    width = len(houses.FEATURES)
    columns = [*houses.FEATURES, *added.names]
    whole = {}
    for name, rows in parts.items():
        whole[name] = pd.DataFrame(added.add(rows[:, :width]), columns=columns)
        whole[name][houses.PRICE] = rows[:, width]
    return {
        "train/train.csv": whole["train"],
        "validation/validation.csv": whole["validation"],
        "test_features/features.csv": whole["test"][columns],
        "test_labels/labels.csv": whole["test"][[houses.PRICE]],
    }


def check(added: Components, wanted: Fractions) -> None:
    """Raises InputError when the PCA model may have been fitted on test rows of this split."""
    if added.split != wanted:
        raise InputError(
            f"model.tar.gz: the PCA model was trained under another split ({added.split}) than this job's "
            f"({wanted}), and may have seen test rows; give both preprocessings the same arguments"
        )


def main(argv: list[str]) -> None:
    parser = processing.parser("Validate, split and add components.")
    houses.add_arguments(parser)
    options = parser.parse_args(argv)
    fractions = splits.from_arguments(options)
    source = options.base / "input"
    with tempfile.TemporaryDirectory() as folder:
        added = components.load(source / "model" / "model.tar.gz", Path(folder))
    check(added, fractions)
    parts = houses.split(houses.read(source / houses.CHANNEL), fractions)
    for path, rows in with_components(parts, added).items():
        tables.write(rows, options.base / "output" / path, header=not path.startswith("test_features"))
    print(", ".join(f"{len(rows)} {name} rows" for name, rows in parts.items()) + f"; {fractions}")
    print(f"{len(houses.FEATURES)} features and {len(added.names)} components")


if __name__ == "__main__":
    sys.exit(processing.run(main))
