"""SageMaker processing job: measure the batch transform's predictions, beside baselines on the same rows.

Inputs under <base>/input/: transform/features.csv.out (lines `probability,label`), test_labels/labels.csv,
test_features/features.csv, train/ and validation/ (for the baselines), model/model.tar.gz (for the report).
Outputs under <base>/output/evaluation/: evaluation.json (the property file of the quality gate), metrics.csv,
model_quality.json (for the model registry), history.csv (of the training), plots/ and report.html.

What is measured is what was served: probabilities and decisions are those of the transform's output.
"""

import io
import json
import sys
import tarfile
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import baselines
import classification
import inference
import report
import schema
import table
from classification import Labels
from job_toolkit import measures, metrics, model_quality, processing, strict_json, tables
from job_toolkit.failure import InputError
from job_toolkit.metrics import Model
from job_toolkit.pages import charts
from job_toolkit.ranking import Bools, Floats
from report import Scored


def read_labels(folder: Path) -> Labels:
    """The labels of the test rows. Raises InputError unless both classes occur."""
    path = folder / "labels.csv"
    rows = tables.read_text(path)
    if schema.TARGET not in rows.columns:
        raise InputError(f"{path}: column {schema.TARGET!r} is missing")
    try:
        labels = schema.parse_target(rows[schema.TARGET]).to_numpy()
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None
    if len(np.unique(labels)) < 2:
        raise InputError(f"{path}: needs rows of both classes")
    return labels


def read_predictions(folder: Path, rows: int) -> tuple[Floats, Bools]:
    """Probabilities and decisions [rows] of the batch transform. Raises InputError for any other content."""
    paths = sorted(folder.glob("**/*.out"))
    if len(paths) != 1:
        raise InputError(f"channel transform: {len(paths)} .out files in {folder}; one is expected")
    lines = [line.split(",") for line in paths[0].read_text(encoding="utf-8").splitlines() if line.strip()]
    if len(lines) != rows:
        raise InputError(f"{paths[0]}: {len(lines)} predictions for {rows} labels")
    form = "`probability,label` is expected, as inference.py writes it"
    for number, line in enumerate(lines, start=1):
        if len(line) != 2 or line[1] not in ("0", "1"):
            raise InputError(f"{paths[0]}: row {number} is {','.join(line)[:60]!r}; {form}")
    try:
        probabilities = tables.numbers(pd.Series([line[0] for line in lines], name="probability"), 0, 1)
    except ValueError as error:
        raise InputError(f"{paths[0]}: {error}; {form}") from None
    return probabilities.to_numpy(), np.array([line[1] == "1" for line in lines])


def read_model(path: Path) -> tuple[dict[str, Any], pd.DataFrame]:
    """model.json and history.csv of a model artifact. Raises InputError when they are not in it."""
    try:
        with tarfile.open(path, "r:gz") as archive:
            members = {Path(member.name).as_posix(): member for member in archive if member.isfile()}
            texts = [archive.extractfile(members[name]).read() for name in ("model.json", "history.csv")]
        return json.loads(texts[0]), pd.read_csv(io.BytesIO(texts[1]))
    except (tarfile.TarError, OSError, EOFError, zlib.error, KeyError, ValueError) as error:
        raise InputError(f"{path}: no model artifact of train.py ({error})") from None


def read_features(path: Path) -> pd.DataFrame:
    """The parsed test rows, read as the model reads them."""
    try:
        return inference.input_fn(path.read_bytes(), "text/csv")
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {error}") from None


def fit_baselines(source: Path, beta: float, rows: int) -> list[Scored]:
    """The baselines, fitted on the training rows, on the test rows."""
    train, validation = (table.read_parsed(source / name) for name in ("train", "validation"))
    test = read_features(source / "test_features" / "features.csv")
    if len(test) != rows:
        raise InputError(f"channel test_features: {len(test)} rows for {rows} labels")
    return [
        baselines.logistic_regression(train, validation, test, beta),
        baselines.majority_class(train, test),
    ]


def measured(model: Scored, others: list[Scored], labels: Labels) -> list[Model]:
    """The rows of metrics.csv: what SageMaker's model quality has of the model, and of all the same few."""
    few = [
        {"threshold": one.threshold, **classification.at_threshold(labels, one.decisions, one.scores)}
        for one in (model, *others)
    ]
    candidate = measures.binary_classification(labels == 1, model.decisions, model.scores)
    return [
        replace(candidate, metrics={**few[0], **candidate.metrics}),
        *(Model("baseline", one.name, metrics=values) for one, values in zip(others, few[1:], strict=True)),
    ]


def evaluate(source: Path, out: Path) -> dict[str, Any]:
    """Measure the inputs in `source`; write all files to `out`; return what evaluation.json holds."""
    labels = read_labels(source / "test_labels")
    scores, decisions = read_predictions(source / "transform", len(labels))
    document, history = read_model(source / "model" / "model.tar.gz")
    model = Scored("LightGBM", document["threshold"], scores, decisions)
    others = fit_baselines(source, document["hyperparameters"]["beta"], len(labels))
    result = {
        "gate": classification.at_threshold(labels, decisions, scores),
        "baselines": {
            other.name.replace(" ", "_"): classification.at_threshold(labels, other.decisions, other.scores)
            for other in others
        },
        "threshold": model.threshold,
        "rows": len(labels),
        "purchases": int(labels.sum()),
    }
    metrics.write(measured(model, others, labels), out / "metrics.csv")
    model_quality.write(model_quality.from_csv(out / "metrics.csv"), out)
    strict_json.write(result, out / "evaluation.json", indent=2)
    history.to_csv(out / "history.csv", index=False, lineterminator="\n")
    shown = report.Report(labels, [model, *others], document, history)
    pictures = report.plots(shown)
    charts.write(pictures, out / "plots")
    report.write(shown, pictures, out / "report.html")
    return result


def main(argv: list[str]) -> None:
    base = processing.parser("Measure, compare and report.").parse_args(argv).base
    result = evaluate(base / "input", base / "output" / "evaluation")
    print(pd.DataFrame({"LightGBM": result["gate"], **result["baselines"]}).T.round(4).to_string())


if __name__ == "__main__":
    sys.exit(processing.run(main))
