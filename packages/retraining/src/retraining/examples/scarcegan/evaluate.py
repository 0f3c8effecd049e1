"""SageMaker processing job: score the test rows with every candidate and baseline; pack, compare, report.

Inputs under <base>/input/: model/model.tar.gz (the training job's artifact), test/{data,label}.csv,
train_data/ and train_label/ (for the baselines), unlabelled_folds/fold_*.csv (for the verbosity). Outputs
under <base>/output/: candidates/<name>/model.tar.gz (TensorFlow Serving layout: 1/, code/inference.py,
code/scaler.json), and evaluation/ with evaluation.json (the property file of the quality gate), metrics.csv
(scarce or not), groups.csv (all groups), of both model_quality/<candidate>.json; history.csv, plots/ and
report.html.

Candidates are scored through their packed archive: what is measured is what will be served. No threshold, no
calibration and no model depends on the labels of the test rows.
"""

import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import numpy as np
import pandas as pd

import candidates
from data import dataset, scaler
from data.dataset import Floats, Rows
from evaluation import artifact, baselines, plots, report, results, scoring
from evaluation.artifact import Entry
from evaluation.scoring import Answer, Scored
from job_toolkit import measures, metrics, model_quality, processing, strict_json
from job_toolkit.failure import InputError

SAMPLE = 50_000  # unlabelled rows


@dataclass(frozen=True)
class Data:
    """Training and test rows, and a sample of the unlabelled ones, raw [m, F]."""

    train: Rows
    test: Rows
    unlabelled: Floats


def read(source: Path, first: Entry) -> Data:
    """Read the inputs. Raises InputError when they do not have the model's features and groups."""
    groups, features = first["groups"], first["features"]
    dataset.check_groups(source / "train_data", groups)
    rows = {
        data: dataset.read_labelled(
            source / data / "data.csv", source / label / "label.csv", features, groups
        )
        for data, label in (("train_data", "train_label"), ("test", "test"))
    }
    for name, least in (("train_data", 2), ("test", 1)):
        if np.bincount(rows[name].groups == 0, minlength=2).min() < least:
            raise InputError(f"input {name}: needs {least} row(s) of {groups[0]!r} and of the other groups")
    dataset.check_apart(rows)
    folds = dataset.folds(source / "unlabelled_folds", source / "train_data")
    return Data(rows["train_data"], rows["test"], dataset.sample(folds, features, SAMPLE))


def score(packed: Path, rows: Floats, entry: Entry) -> Answer:
    """Score raw rows [n, F] with the SavedModel in a packed archive."""
    with tempfile.TemporaryDirectory() as folder:
        artifact.extract(packed, Path(folder))
        return scoring.Model(Path(folder), entry).answer(rows)


def score_candidates(model: Path, listing: list[Entry], data: Data, out: Path) -> list[Scored]:
    """Pack each candidate to `out`/<name>/model.tar.gz, and score with what was packed."""
    scored = []
    for entry in listing:
        packed = out / entry["name"] / "model.tar.gz"
        artifact.pack(artifact.folder(model, "candidates", entry), packed)
        with tempfile.TemporaryDirectory(dir=out) as folder:
            artifact.extract(packed, Path(folder))
            served = scoring.Model(Path(folder), entry)
            scored.append(scoring.scored("candidate", served, data.test.values, data.unlabelled))
    return scored


def score_ablations(model: Path, listing: list[Entry], data: Data) -> list[Scored]:
    """Score the ablations; nobody serves them, so they are not packed."""
    models = (scoring.Model(artifact.folder(model, "ablations", entry), entry) for entry in listing)
    return [scoring.scored("ablation", one, data.test.values, data.unlabelled) for one in models]


def score_baselines(model: Path, first: Entry, data: Data) -> list[Scored]:
    """Fit the baselines, with the scaler of the model and the definition of the first candidate."""
    scale = scaler.load(model / "candidates" / first["name"] / "scaler.json")
    rows = baselines.Data(
        scale.transform(data.train.values),
        data.train.groups == 0,
        scale.transform(data.unlabelled),
        scale.transform(data.test.values),
    )
    return baselines.fit(rows, candidates.define(first["name"], first["definition"]))


def evaluate(source: Path, model: Path, out: Path) -> pd.DataFrame:
    """Evaluate an extracted model artifact; write everything to `out`; return a table of the metrics."""
    listing, ablations = artifact.candidates(model), artifact.ablations(model)
    folds, history = artifact.folds(model), artifact.history(model)
    gate, groups = listing[0]["name"], listing[0]["groups"]
    data = read(source, listing[0])
    actual, positive, folder = data.test.groups, data.test.groups == 0, out / "evaluation"
    scored = score_candidates(model, listing, data, out / "candidates")
    rivals = score_ablations(model, ablations, data) + score_baselines(model, listing[0], data)
    models = [*scored, *rivals]
    measured = [results.measured(one, positive) for one in models]
    of_groups = [measures.multiclass_classification(actual, one.groups, groups, one.name) for one in scored]
    metrics.write(measured, folder / "metrics.csv")
    metrics.write(of_groups, folder / "groups.csv")
    documents = model_quality.from_csv(folder / "metrics.csv", folder / "groups.csv")
    model_quality.write(documents, folder)
    shutil.copyfile(model / "history.csv", folder / "history.csv")
    plots.draw(models, actual, history, folder / "plots")
    table = results.table(measured)
    counts = np.bincount(actual, minlength=len(groups)).tolist()
    rows = dict(zip(groups, counts, strict=True))
    page = report.Report(table, models, positive, folds, rows, len(data.unlabelled), folder / "plots")
    report.write(page, folder / "report.html")
    strict_json.write(results.evaluation(table, gate), folder / "evaluation.json", indent=2)
    return table


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
    base = processing.parser("Score, compare, pack and report.").parse_args(argv).base
    if not base.is_dir():
        raise InputError(f"arguments: --base {base} is no folder; it must hold input/")
    with tempfile.TemporaryDirectory(dir=base, prefix=".partial-") as name:
        model, staging = Path(name) / "model", Path(name) / "output"
        artifact.extract(base / "input" / "model" / "model.tar.gz", model)
        table = evaluate(base / "input", model, staging)
        publish(staging, base / "output")
    print(table[["kind", "name", *results.KEYS]].round(4).to_string(index=False))


if __name__ == "__main__":
    sys.exit(processing.run(main))
