"""SageMaker training job: fit the PCA pipeline on the training rows' features.

Channels (SM_CHANNEL_<NAME>, or /opt/ml/input/data/<name>): train (train.csv, split.json) and validation
(validation.csv). The model folder (SM_MODEL_DIR, or /opt/ml/model) gets pca.joblib, model.json (features,
names of the components, scikit-learn's version), split.json and code/inference.py. The output folder
(SM_OUTPUT_DATA_DIR) gets history.csv, what each further component explains, and plots/.
"""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import sklearn
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

import houses
import inference
import projection
from job_toolkit import imports, splits, strict_json, tables, training
from job_toolkit.failure import InputError
from job_toolkit.hyperparameters import integer, parse
from job_toolkit.pages import charts


@dataclass(frozen=True)
class Hyperparameters:
    """Fit the PCA pipeline."""

    components: int = integer(6, 1, len(houses.FEATURES), "directions that are kept")


def read(path: Path) -> NDArray[np.float64]:
    """Rows of features [n, 8] as preprocess.py writes them. Raises InputError for other columns."""
    rows = tables.read_numbers(path)
    if list(rows.columns) != houses.FEATURES:
        raise InputError(f"{path}: its columns are not {','.join(houses.FEATURES)}")
    return rows.to_numpy()


def save(model: Pipeline, split_file: Path, out: Path) -> None:
    """Write the model folder; code/ is where the scikit-learn container looks for inference.py."""
    imports.copy(Path(inference.__file__), out / "code")
    joblib.dump(model, out / "pca.joblib")
    shutil.copyfile(split_file, out / "split.json")
    pca = model.named_steps["pca"]
    content = {
        "features": houses.FEATURES,
        "components": [f"component{number}" for number in range(1, pca.n_components_ + 1)],
        "explained_variance_ratio": pca.explained_variance_ratio_.tolist(),
        "scikit_learn": sklearn.__version__,
    }
    strict_json.write(content, out / "model.json", indent=2)


def explain(model: Pipeline, train: NDArray[np.float64], validation: NDArray[np.float64], out: Path) -> None:
    """Write which share of the variance the first 1, 2, ... components keep, and draw it."""
    counts = list(range(1, model.named_steps["pca"].n_components_ + 1))
    kept = {
        name: [projection.explained(model, rows, count) for count in counts]
        for name, rows in (("train", train), ("validation", validation))
    }
    columns = {f"{name}_explained_variance": shares for name, shares in kept.items()}
    tables.write(pd.DataFrame({"components": counts, **columns}), out / "history.csv")
    chart = charts.training("components", "share of the variance", counts, kept)
    charts.write({"explained_variance": chart}, out / "plots")


def main(argv: list[str]) -> None:
    options, folders = parse(Hyperparameters, argv), training.folders(argv)
    split_file = folders.channel("train") / "split.json"
    splits.load(split_file)
    train = read(folders.channel("train") / "train.csv")
    validation = read(folders.channel("validation") / "validation.csv")
    model = projection.fit(train, options.components)
    save(model, split_file, folders.model)
    explain(model, train, validation, folders.output_data)
    print(f"Train_Explained_Variance={projection.explained(model, train):.6f};")
    print(f"Validation_Explained_Variance={projection.explained(model, validation):.6f};")
    print(f"Saved {options.components} components of {len(train)} rows to {folders.model}")


if __name__ == "__main__":
    sys.exit(training.run(main))
