"""SageMaker processing job: measure the batch transform's predictions, beside baselines on the same rows.

Inputs under <base>/input/: transform/features.csv.out (lines `probability,label`), test_labels/labels.csv,
test_features/features.csv, train/ and validation/ (for the baselines), model/model.tar.gz (for the report).
Outputs under <base>/output/evaluation/: evaluation.json (the property file of the quality gate),
model_quality.json (for the model registry) and report.html.

What is measured is what was served: probabilities and decisions are those of the transform's output.
"""

import io
import json
import sys
import tarfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import baselines
import failure
import inference
import measures
import model_quality
import report
import schema
import table
from failure import ArgumentParser, InputError
from measures import Bools, Floats, Labels
from report import Scored

DEFAULT_BASE = "/opt/ml/processing"


def read_labels(folder: Path) -> Labels:
    """The labels of the test rows. Raises InputError unless both classes occur."""
    path = folder / "labels.csv"
    rows = table.read_text(path)
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
    try:
        values = np.array(lines, dtype=np.float64)
        known = values.shape == (rows, 2) and ((values >= 0) & (values <= 1)).all()
    except ValueError:
        known = False
    if not known:
        raise InputError(f"{paths[0]}: its lines are not `probability,label`, as inference.py writes them")
    return values[:, 0], values[:, 1] == 1


def read_model(path: Path) -> tuple[dict[str, Any], pd.DataFrame]:
    """model.json and history.csv of a model artifact. Raises InputError when they are not in it."""
    try:
        with tarfile.open(path, "r:gz") as archive:
            found = {Path(member.name).as_posix(): member for member in archive if member.isfile()}
            texts = [archive.extractfile(found[name]).read() for name in ("model.json", "history.csv")]
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


def evaluate(source: Path, out: Path) -> dict[str, Any]:
    """Measure the inputs in `source`; write the three files to `out`; return what evaluation.json holds."""
    labels = read_labels(source / "test_labels")
    scores, decisions = read_predictions(source / "transform", len(labels))
    document, history = read_model(source / "model" / "model.tar.gz")
    model = Scored("LightGBM", document["threshold"], scores, decisions)
    others = fit_baselines(source, document["hyperparameters"]["beta"], len(labels))
    result = {
        "gate": measures.at_threshold(labels, decisions, scores),
        "baselines": {
            other.name.replace(" ", "_"): measures.at_threshold(labels, other.decisions, other.scores)
            for other in others
        },
        "threshold": model.threshold,
        "rows": len(labels),
        "purchases": int(labels.sum()),
    }
    out.mkdir(parents=True, exist_ok=True)
    quality = model_quality.document(labels, decisions, scores)
    for name, content in (("evaluation.json", result), ("model_quality.json", quality)):
        (out / name).write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    report.write(report.Report(labels, [model, *others], document, history), out / "report.html")
    return result


def main(argv: list[str]) -> None:
    parser = ArgumentParser(allow_abbrev=False, description="Measure, compare and report.")
    parser.add_argument(
        "--base", type=Path, default=Path(DEFAULT_BASE), help="folder with input/ and output/"
    )
    base = parser.parse_args(argv).base
    result = evaluate(base / "input", base / "output" / "evaluation")
    print(pd.DataFrame({"LightGBM": result["gate"], **result["baselines"]}).T.round(4).to_string())


if __name__ == "__main__":
    arguments = sys.argv[1:]
    base = failure.base_folder(arguments) or Path(DEFAULT_BASE)
    sys.exit(failure.run(lambda: main(arguments), base.parent / "output" / "message"))
