"""SageMaker processing job: measure the transformed test rows, beside baselines; model quality, and a report.

Inputs under <base>/input/: transform/features.csv.out (one predicted price per line, from the batch
transform), test_labels/labels.csv, and for the baselines test_features/features.csv and train/train.csv.
Output under <base>/output/evaluation/: evaluation.json (the property file of the quality gate),
model_quality.json, predictions.csv and report.html.

The predictions are those of the served model: the batch transform runs the SavedModel behind its handlers.
"""

import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression

import failure
import houses
import regression
import report
import table
from failure import ArgumentParser, InputError
from table import Table

DEFAULT_BASE = "/opt/ml/processing"

Values = NDArray[np.float64]


def read_predictions(folder: Path) -> Values:
    """The predicted prices [n]. Raises InputError unless there is one file of one number per line."""
    files = sorted(folder.glob("*.out"))
    if len(files) != 1:
        found = ", ".join(path.name for path in files) or "none"
        raise InputError(f"channel transform: one .out file of the batch transform is expected, not {found}")
    return table.read(files[0], ["price"]).values[:, 0]


def baselines(train: Table, features: Values) -> dict[str, Values]:
    """What a linear regression and the mean predict, fitted on the training rows, for features [n, F]."""
    prices = train.values[:, -1]
    centre, spread = train.values[:, :-1].mean(axis=0), train.values[:, :-1].std(axis=0)
    scale = np.where(spread > 0, spread, 1)
    fitted = LinearRegression().fit((train.values[:, :-1] - centre) / scale, prices)
    return {
        "linear_regression": fitted.predict((features - centre) / scale),
        "mean": np.full(len(features), prices.mean()),
    }


def evaluate(source: Path, out: Path) -> dict[str, dict[str, float]]:
    """Write the evaluation of the inputs in `source`; return the measures of the model and the baselines."""
    train = table.read(source / "train" / "train.csv")
    features = table.read(source / "test_features" / "features.csv", train.columns[:-1]).values
    labels = table.read(source / "test_labels" / "labels.csv")
    predicted = read_predictions(source / "transform")
    actual = labels.values[:, 0]
    if labels.columns != [houses.PRICE] or not (actual > 0).all():
        raise InputError(f"channel test_labels: {houses.PRICE} must be its only column, every price above 0")
    for name, rows in (("transform", predicted), ("test_features", features)):
        if len(rows) != len(actual):
            raise InputError(f"channel {name}: {len(rows)} rows, but test_labels has {len(actual)}")
    measured = {report.MODEL: regression.measure(actual, predicted)}
    for name, guess in baselines(train, features).items():
        measured[name] = regression.measure(actual, guess)
    write(actual, predicted, measured, out)
    return measured


def write(actual: Values, predicted: Values, measured: dict[str, dict[str, float]], out: Path) -> None:
    """Write the documents, the table and the page."""
    quality = regression.model_quality(actual, predicted)
    found = {name: dict(row) for name, row in measured.items()}
    evaluation = {"gate": found.pop(report.MODEL), "baselines": found, "rows": len(actual)}
    rows = Table(["actual", "predicted"], np.column_stack([actual, predicted]))
    table.write(rows, out / "predictions.csv")
    for name, content in (("evaluation", evaluation), ("model_quality", quality)):
        text = json.dumps(content, indent=2, allow_nan=False) + "\n"
        (out / f"{name}.json").write_text(text, encoding="utf-8")
    metrics = quality["regression_metrics"]
    spread = {name: metric["standard_deviation"] for name, metric in metrics.items()}
    report.write(actual, predicted, measured, spread, out / "report.html")


def main(argv: list[str]) -> None:
    parser = ArgumentParser(allow_abbrev=False, description="Measure, compare and report.")
    parser.add_argument(
        "--base", type=Path, default=Path(DEFAULT_BASE), help="folder with input/ and output/"
    )
    base = parser.parse_args(argv).base
    for name, row in evaluate(base / "input", base / "output" / "evaluation").items():
        print(f"{name}: " + ", ".join(f"{key} {value:.4g}" for key, value in row.items()))


if __name__ == "__main__":
    arguments = sys.argv[1:]
    base = failure.base_folder(arguments) or Path(DEFAULT_BASE)
    sys.exit(failure.run(lambda: main(arguments), base.parent / "output" / "message"))
