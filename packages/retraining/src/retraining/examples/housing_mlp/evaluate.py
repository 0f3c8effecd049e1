"""SageMaker processing job: measure the transformed test rows, beside baselines; model quality, and a report.

Inputs under <base>/input/: transform/features.csv.out (one predicted price per line, from the batch
transform), test_labels/labels.csv, and for the baselines test_features/features.csv and train/train.csv.
Output under <base>/output/evaluation/: evaluation.json (the property file of the quality gate), metrics.csv,
model_quality.json, predictions.csv, plots/ and report.html.

The predictions are those of the served model: the batch transform runs the SavedModel behind its handlers.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression

import houses
import regression
import report
from job_toolkit import metrics, model_quality, processing, strict_json, tables
from job_toolkit.failure import InputError
from job_toolkit.metrics import Model
from job_toolkit.pages import charts

Values = NDArray[np.float64]


def read_predictions(folder: Path) -> Values:
    """The predicted prices [n]. Raises InputError unless there is one file of one number per line."""
    files = sorted(folder.glob("*.out"))
    if len(files) != 1:
        names = ", ".join(path.name for path in files) or "none"
        raise InputError(f"channel transform: one .out file of the batch transform is expected, not {names}")
    return tables.read_numbers(files[0], ["price"])["price"].to_numpy()


def baselines(train: pd.DataFrame, features: Values) -> dict[str, Values]:
    """What a linear regression and the mean predict, fitted on the training rows, for features [n, F]."""
    values = train.to_numpy()
    prices = values[:, -1]
    centre, spread = values[:, :-1].mean(axis=0), values[:, :-1].std(axis=0)
    scale = np.where(spread > 0, spread, 1)
    fitted = LinearRegression().fit((values[:, :-1] - centre) / scale, prices)
    return {
        "linear regression": fitted.predict((features - centre) / scale),
        "mean": np.full(len(features), prices.mean()),
    }


def evaluate(source: Path, out: Path) -> list[Model]:
    """Write the evaluation of the inputs in `source`; return the measures of the model and the baselines."""
    train = tables.read_numbers(source / "train" / "train.csv")
    names = list(train.columns[:-1])
    features = tables.read_numbers(source / "test_features" / "features.csv", names).to_numpy()
    labels = tables.read_numbers(source / "test_labels" / "labels.csv")
    predicted = read_predictions(source / "transform")
    actual = labels.iloc[:, 0].to_numpy()
    if list(labels.columns) != [houses.PRICE] or not (actual > 0).all():
        raise InputError(f"channel test_labels: {houses.PRICE} must be its only column, every price above 0")
    for name, rows in (("transform", predicted), ("test_features", features)):
        if len(rows) != len(actual):
            raise InputError(f"channel {name}: {len(rows)} rows, but test_labels has {len(actual)}")
    measured = [
        regression.candidate(actual, predicted),
        *(
            Model("baseline", name, metrics=regression.measure(actual, guess))
            for name, guess in baselines(train, features).items()
        ),
    ]
    write(actual, predicted, measured, out)
    return measured


def write(actual: Values, predicted: Values, measured: list[Model], out: Path) -> None:
    """Write the documents, the tables and the page."""
    model, *others = measured
    metrics.write(measured, out / "metrics.csv")
    model_quality.write(model_quality.from_csv(out / "metrics.csv"), out)
    tables.write(pd.DataFrame({"actual": actual, "predicted": predicted}), out / "predictions.csv")
    evaluation = {
        "gate": {name: value for name, value in model.metrics.items() if name != "rows"},
        "baselines": {other.name.replace(" ", "_"): other.metrics for other in others},
        "rows": len(actual),
    }
    strict_json.write(evaluation, out / "evaluation.json", indent=2)
    pictures = report.plots(actual, predicted)
    charts.write(pictures, out / "plots")
    report.write(pictures, measured, out / "report.html")


def main(argv: list[str]) -> None:
    base = processing.parser("Measure, compare and report.").parse_args(argv).base
    for model in evaluate(base / "input", base / "output" / "evaluation"):
        values = (f"{key} {value:.4g}" for key, value in model.metrics.items() if key != "rows")
        print(f"{model.name or report.MODEL}: " + ", ".join(values))


if __name__ == "__main__":
    sys.exit(processing.run(main))
