"""Training job: fit a random forest."""

import sys
from dataclasses import dataclass
from pathlib import Path

import joblib
from sklearn.ensemble import RandomForestClassifier

from columns import COLUMNS, FEATURES, LABEL
from job_toolkit import imports, tables, training
from job_toolkit.hyperparameters import integer, parse


@dataclass(frozen=True)
class Hyperparameters:
    """Fit a random forest."""

    trees: int = integer(100, 1, 10_000, "trees in the forest")


def main(argv):
    options, folders = parse(Hyperparameters, argv), training.folders(argv)
    rows = tables.read_numbers(folders.channel("train") / "train.csv", COLUMNS)
    model = RandomForestClassifier(options.trees, min_samples_leaf=20, random_state=7)
    model.fit(rows[FEATURES].to_numpy(), rows[LABEL])
    joblib.dump(model, folders.model / "model.joblib")
    # ModelRepack is "False": the inference code, and what it imports, is put into the model here
    imports.copy(Path(__file__).with_name("inference.py"), folders.model / "code")


if __name__ == "__main__":
    sys.exit(training.run(main))
