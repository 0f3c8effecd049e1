"""SageMaker processing job: score the test rows with every candidate and baseline; pack, compare, report.

Inputs under <base>/input/: model/model.tar.gz (the training job's artifact), test/{data,label}.csv,
train_data/ and train_label/ (for the baselines), unlabelled_folds/fold_*.csv (for the verbosity). Outputs
under <base>/output/: candidates/<name>/model.tar.gz (TensorFlow Serving layout: 1/, code/inference.py,
code/scaler.json), and evaluation/ with evaluation.json (the property file of the quality gate), metrics.csv,
history.csv, model_quality/<candidate>.json, plots/ and report.html.

Candidates are scored through their packed archive: what is measured is what will be served. No threshold, no
calibration and no model depends on the labels of the test rows.
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
from numpy.typing import NDArray

import candidates
import dataset
import failure
import scaler
from dataset import Rows
from evaluation import (
    archive,
    artifact,
    baselines,
    model_quality,
    pictures,
    report,
    results,
    scoring,
    unlabelled,
)
from evaluation.artifact import Entry
from evaluation.scoring import Answer, Scored
from failure import ArgumentParser, InputError

DEFAULT_BASE = "/opt/ml/processing"


@dataclass(frozen=True)
class Data:
    """Training and test rows, and a sample of the unlabelled ones, raw [m, F]."""

    train: Rows
    test: Rows
    unlabelled: NDArray[np.float64]


def read(source: Path, first: Entry) -> Data:
    """Read the inputs. Raises InputError when they do not have the model's features and groups."""
    groups, found = first["groups"], {}
    if splits := dataset.splits(source / "train_data"):
        splits.check_groups(groups)
    for data, label, least in (("train_data", "train_label", 2), ("test", "test", 1)):
        rows = dataset.read_labelled(source / data / "data.csv", source / label / "label.csv", groups)
        if rows.features != first["features"]:
            raise InputError(f"input {data}: its columns are not the features that the model was trained on")
        if np.bincount(rows.groups == 0, minlength=2).min() < least:
            raise InputError(f"input {data}: needs {least} row(s) of {groups[0]!r} and of the other groups")
        found[data] = rows
    dataset.check_apart(found)
    sample = unlabelled.sample(source / "unlabelled_folds", first["features"])
    return Data(found["train_data"], found["test"], sample)


def score(packed: Path, rows: NDArray[np.floating], entry: Entry) -> Answer:
    """Score raw rows [n, F] with the SavedModel in a packed archive."""
    with tempfile.TemporaryDirectory() as folder:
        archive.extract(packed, Path(folder))
        return scoring.Model(Path(folder), entry).answer(rows)


def score_candidates(model: Path, listing: list[Entry], data: Data, out: Path) -> list[Scored]:
    """Pack each candidate to `out`/<name>/model.tar.gz, and score with what was packed."""
    found = []
    for entry in listing:
        packed = out / entry["name"] / "model.tar.gz"
        artifact.pack(artifact.folder(model, "candidates", entry), packed)
        with tempfile.TemporaryDirectory(dir=out) as folder:
            archive.extract(packed, Path(folder))
            served = scoring.Model(Path(folder), entry)
            found.append(scoring.scored("candidate", served, data.test.values, data.unlabelled))
    return found


def score_ablations(model: Path, listing: list[Entry], data: Data) -> list[Scored]:
    """Score the ablations; nobody serves them, so they are not packed."""
    return [
        scoring.scored(
            "ablation",
            scoring.Model(artifact.folder(model, "ablations", entry), entry),
            data.test.values,
            data.unlabelled,
        )
        for entry in listing
    ]


def score_baselines(model: Path, first: Entry, data: Data) -> list[Scored]:
    """Fit the baselines, with the scaler of the model and the definition of the first candidate."""
    scale = scaler.load(model / "candidates" / first["name"] / "scaler.json")
    (definition,) = candidates.parse(json.dumps({first["name"]: first["definition"]}))
    rows = baselines.Data(
        scale.transform(data.train.values),
        data.train.groups == 0,
        scale.transform(data.unlabelled),
        scale.transform(data.test.values),
    )
    return baselines.fit(rows, definition)


def quality(scored: Scored, test: Rows) -> dict[str, Any]:
    """The model-quality document of a candidate: scarce or not, and all groups."""
    positive = test.groups == 0
    return model_quality.document(
        len(positive),
        binary_classification_metrics=model_quality.binary_classification_metrics(
            positive, scored.flagged, scored.scores
        ),
        multiclass_classification_metrics=model_quality.multiclass_classification_metrics(
            test.groups, scored.groups, scored.entry["groups"]
        ),
    )


def evaluate(source: Path, model: Path, out: Path) -> pd.DataFrame:
    """Evaluate an extracted model artifact; write everything to `out`; return the metrics table."""
    listing, ablations = artifact.candidates(model), artifact.ablations(model)
    folds, history = artifact.folds(model), artifact.history(model)
    data = read(source, listing[0])
    scored = score_candidates(model, listing, data, out / "candidates")
    rivals = score_ablations(model, ablations, data)
    rivals += score_baselines(model, listing[0], data)
    metrics = results.table([*scored, *rivals], data.test.groups == 0)
    folder = out / "evaluation"
    for one in scored:
        model_quality.write(quality(one, data.test), folder / "model_quality" / f"{one.name}.json")
    shutil.copyfile(model / "history.csv", folder / "history.csv")
    metrics.to_csv(folder / "metrics.csv", index=False, lineterminator="\n")
    pictures.draw([*scored, *rivals], data.test.groups, history, folder / "plots")
    counts = np.bincount(data.test.groups, minlength=len(listing[0]["groups"])).tolist()
    page = report.Report(
        metrics,
        [*scored, *rivals],
        data.test.groups == 0,
        folds,
        dict(zip(listing[0]["groups"], counts, strict=True)),
        len(data.unlabelled),
        folder / "plots",
    )
    report.write(page, folder / "report.html")
    content = json.dumps(results.evaluation(metrics, listing[0]["name"]), indent=2, allow_nan=False)
    (folder / "evaluation.json").write_text(content + "\n", encoding="utf-8")
    return metrics


def publish(staging: Path, out: Path) -> None:
    """Move the outputs to `out`, in place of what an earlier run left there."""
    folders = sorted(staging.iterdir())
    for folder in folders:
        (out / folder.name).mkdir(parents=True, exist_ok=True)
    for folder in folders:
        for old in (out / folder.name).iterdir():
            shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
        for new in sorted(folder.iterdir()):
            shutil.move(new, out / folder.name / new.name)


def main(argv: list[str]) -> None:
    parser = ArgumentParser(allow_abbrev=False, description="Score, compare, pack and report.")
    parser.add_argument(
        "--base", type=Path, default=Path(DEFAULT_BASE), help="folder with input/ and output/"
    )
    base = parser.parse_args(argv).base
    if not base.is_dir():
        raise InputError(f"arguments: --base {base} is no folder; it must hold input/")
    with tempfile.TemporaryDirectory(dir=base, prefix=".partial-") as name:
        model, staging = Path(name) / "model", Path(name) / "output"
        archive.extract(base / "input" / "model" / "model.tar.gz", model)
        table = evaluate(base / "input", model, staging)
        publish(staging, base / "output")
    shown = table.drop(columns=["rows", "positives", "flagged"]).round(4)
    print(shown.to_string(index=False))


if __name__ == "__main__":
    arguments = sys.argv[1:]
    base = failure.base_folder(arguments) or Path(DEFAULT_BASE)
    sys.exit(failure.run(lambda: main(arguments), base.parent / "output" / "message"))
