"""SageMaker processing job: score the test rows with every candidate and baseline; pack, compare, report.

Inputs under <base>/input/: model/model.tar.gz (the training job's artifact), test/{data,label}.csv,
train_data/ and train_label/ (for the baselines). Outputs under <base>/output/: candidates/<name>/model.tar.gz
(TensorFlow Serving layout: 1/, code/inference.py, code/scaler.json), and evaluation/ with evaluation.json
(the property file of the quality gate), metrics.csv, history.csv, model_quality/<candidate>.json, plots/ and
report.html.

Candidates are scored through their packed archive: what is measured is what will be served.
"""

import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import NDArray

import archive
import baselines
import candidates
import dataset
import failure
import inference
import measures
import model_quality
import plots
import report
import scaler
from dataset import Rows
from failure import ArgumentParser, InputError

DEFAULT_BASE = "/opt/ml/processing"
BATCH = 4096


@dataclass(frozen=True)
class Scored:
    """Scores [n] and predicted group codes [n] of the test rows, and the entry in candidates.json."""

    entry: dict[str, Any]
    scores: NDArray[np.float32]
    groups: NDArray[np.int64]

    @property
    def name(self) -> str:
        return str(self.entry["name"])


def read_listing(model: Path) -> list[dict[str, Any]]:
    """The candidates of an extracted model artifact. Raises InputError when it is none of train.py's."""
    try:
        listing = json.loads((model / "candidates.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"model.tar.gz: holds no candidates.json of train.py ({error})") from None
    if not listing:
        raise InputError("model.tar.gz: candidates.json lists no candidate")
    return list(listing)


def pack(model: Path, name: str, path: Path) -> None:
    """Pack one candidate for the TensorFlow Serving container: 1/ (the SavedModel) and code/."""
    folder = model / "candidates" / name
    if not (folder / "1" / "saved_model.pb").is_file():
        raise InputError(f"model.tar.gz: candidate {name!r} has no candidates/{name}/1/saved_model.pb")
    members = {str(file.relative_to(folder)): file for file in (folder / "1").rglob("*") if file.is_file()}
    members |= {"code/inference.py": Path(inference.__file__), "code/scaler.json": folder / "scaler.json"}
    archive.pack(members, path)


def score(packed: Path, values: NDArray[np.float64], entry: dict[str, Any]) -> Scored:
    """Score raw rows [n, F] with the SavedModel in a packed archive."""
    with tempfile.TemporaryDirectory() as folder:
        archive.extract(packed, Path(folder))
        serve = tf.saved_model.load(str(Path(folder) / "1")).signatures["serving_default"]
        parts = [
            serve(features=tf.constant(values[start : start + BATCH], tf.float32))
            for start in range(0, len(values), BATCH)
        ]
        scores = np.concatenate([part["score"].numpy() for part in parts])
        labels = np.concatenate([part["label"].numpy() for part in parts])
    code = {group.encode(): number for number, group in enumerate(entry["groups"])}
    return Scored(entry, scores, np.array([code[label] for label in labels], dtype=np.int64))


def row_of_metrics(
    kind: str,
    name: str,
    threshold: float,
    positive: NDArray[np.bool_],
    flagged: NDArray[np.bool_],
    scores: NDArray[np.floating],
) -> dict[str, Any]:
    """One row of metrics.csv: decisions are those of the model itself."""
    return (
        {"kind": kind, "name": name, "threshold": threshold}
        | measures.at_threshold(positive, flagged.astype(float), 0.5)
        | {
            "average_precision": measures.average_precision(positive, scores),
            "auc": measures.auc(positive, scores),
        }
        | {"rows": len(positive), "positives": int(positive.sum()), "flagged": int(flagged.sum())}
    )


def evaluation(table: pd.DataFrame, gate: str) -> dict[str, Any]:
    """The property file: `gate` is the first configured candidate, `best` the one with the highest F1."""
    keys = ("recall", "precision", "f1", "average_precision", "auc", "accuracy", "threshold")
    by_kind: dict[str, dict[str, Any]] = {"candidate": {}, "baseline": {}}
    for row in table.to_dict("records"):
        by_kind[row["kind"]][row["name"]] = {key: float(row[key]) for key in keys}
    found = by_kind["candidate"]
    best = max(found, key=lambda name: found[name]["f1"])
    return {
        "gate": {"candidate": gate} | {key: found[gate][key] for key in keys[:3]},
        "best": {"candidate": best} | {key: found[best][key] for key in keys[:3]},
        "candidates": found,
        "baselines": by_kind["baseline"],
    }


def quality(scored: Scored, test: Rows) -> dict[str, Any]:
    """The model-quality document of a candidate: scarce or not, and all groups."""
    positive = test.groups == 0
    return model_quality.document(
        len(positive),
        binary_classification_metrics=model_quality.binary_classification_metrics(
            positive, scored.groups == 0, scored.scores
        ),
        multiclass_classification_metrics=model_quality.multiclass_classification_metrics(
            test.groups, scored.groups, scored.entry["groups"]
        ),
    )


def draw(
    scored: list[Scored],
    fitted: list[baselines.Baseline],
    table: pd.DataFrame,
    test: Rows,
    history: pd.DataFrame,
    out: Path,
) -> None:
    """Write all pictures to `out`."""
    rows = {(row["kind"], row["name"]): row for row in table.to_dict("records")}
    curves = [
        plots.Curve(
            model.name,
            model.scores,
            rows[kind, model.name]["recall"],
            rows[kind, model.name]["precision"],
            baseline,
        )
        for kind, models, baseline in (("candidate", scored, False), ("baseline", fitted, True))
        for model in models
    ]
    plots.precision_recall(test.groups == 0, curves, out / "precision_recall.png")
    plots.loss_curves(
        history, {model.name: model.entry["epoch"] for model in scored}, out / "loss_curves.png"
    )
    first, groups = scored[0], scored[0].entry["groups"]
    plots.scores(first.scores, test.groups, groups, first.entry["threshold"], first.name, out / "scores.png")
    for model in scored:
        plots.confusion(test.groups, model.groups, groups, model.name, out / f"confusion_{model.name}.png")


def read_rows(source: Path, listing: list[dict[str, Any]]) -> tuple[Rows, Rows]:
    """The training and test rows. Raises InputError when they do not have the model's features and groups."""
    groups = listing[0]["groups"]
    train = dataset.read_labelled(
        source / "train_data" / "data.csv", source / "train_label" / "label.csv", groups
    )
    test = dataset.read_labelled(source / "test" / "data.csv", source / "test" / "label.csv", groups)
    for where, rows, least in (("train_data", train, 2), ("test", test, 1)):
        if rows.features != listing[0]["features"]:
            raise InputError(f"input {where}: its columns are not the features that the model was trained on")
        if np.bincount(rows.groups == 0, minlength=2).min() < least:
            raise InputError(f"input {where}: needs {least} row(s) of {groups[0]!r} and of the other groups")
    return train, test


def fit_baselines(model: Path, first: dict[str, Any], train: Rows, test: Rows) -> list[baselines.Baseline]:
    """The baselines, with the scaler of the model and the definition of the first candidate."""
    scale = scaler.load(model / "candidates" / first["name"] / "scaler.json")
    (definition,) = candidates.parse(json.dumps({first["name"]: first["definition"]}))
    return baselines.fit(
        scale.transform(train.values), train.groups == 0, scale.transform(test.values), definition
    )


def evaluate(source: Path, model: Path, out: Path) -> pd.DataFrame:
    """Evaluate the extracted artifact `model` on the inputs in `source`; fill the two folders of `out`."""
    listing = read_listing(model)
    train, test = read_rows(source, listing)
    positive, scored, rows = test.groups == 0, [], []
    for entry in listing:
        packed = out / "candidates" / entry["name"] / "model.tar.gz"
        pack(model, entry["name"], packed)
        one = score(packed, test.values, entry)
        scored.append(one)
        rows.append(
            row_of_metrics("candidate", one.name, entry["threshold"], positive, one.groups == 0, one.scores)
        )
        model_quality.write(quality(one, test), out / "evaluation" / "model_quality" / f"{one.name}.json")
    fitted = fit_baselines(model, listing[0], train, test)
    for baseline in fitted:
        flagged = baseline.scores >= baseline.threshold
        rows.append(
            row_of_metrics("baseline", baseline.name, baseline.threshold, positive, flagged, baseline.scores)
        )
    table = pd.DataFrame(rows)
    write(scored, fitted, table, test, model / "history.csv", out / "evaluation")
    return table


def write(
    scored: list[Scored],
    fitted: list[baselines.Baseline],
    table: pd.DataFrame,
    test: Rows,
    history: Path,
    out: Path,
) -> None:
    """Write the tables, pictures, page and property file to `out`."""
    draw(scored, fitted, table, test, pd.read_csv(history), out / "plots")
    shutil.copyfile(history, out / "history.csv")
    table.to_csv(out / "metrics.csv", index=False, lineterminator="\n")
    page = report.Report(
        table,
        {one.name: one.entry["definition"] for one in scored},
        scored[0].name,
        {group: int((test.groups == code).sum()) for code, group in enumerate(scored[0].entry["groups"])},
        out / "plots",
    )
    report.write(page, out / "report.html")
    content = json.dumps(evaluation(table, scored[0].name), indent=2, allow_nan=False)
    (out / "evaluation.json").write_text(content + "\n", encoding="utf-8")


def main(argv: list[str]) -> None:
    parser = ArgumentParser(allow_abbrev=False, description="Score, compare, pack and report.")
    parser.add_argument(
        "--base", type=Path, default=Path(DEFAULT_BASE), help="folder with input/ and output/"
    )
    base = parser.parse_args(argv).base
    with tempfile.TemporaryDirectory() as folder:
        archive.extract(base / "input" / "model" / "model.tar.gz", Path(folder))
        table = evaluate(base / "input", Path(folder), base / "output")
    shown = table.drop(columns=["rows", "positives", "flagged"]).round(4)
    print(shown.to_string(index=False))


if __name__ == "__main__":
    arguments = sys.argv[1:]
    base = failure.base_folder(arguments) or Path(DEFAULT_BASE)
    sys.exit(failure.run(lambda: main(arguments), base.parent / "output" / "message"))
