"""SageMaker training job: fit the PCA pipeline on the training rows' features.

Channels (SM_CHANNEL_<NAME>, or /opt/ml/input/data/<name>): train (train.csv, split.json) and validation
(validation.csv). The model folder (SM_MODEL_DIR, or /opt/ml/model) gets pca.joblib, model.json (features,
names of the components, scikit-learn's version), split.json and code/inference.py.
"""

import json
import os
import shutil
import sys
from pathlib import Path

import joblib
import sklearn
from sklearn.pipeline import Pipeline

import failure
import houses
import inference
import projection
import split
import table
from failure import ArgumentParser, InputError

DEFAULT_BASE = "/opt/ml"


def read(path: Path) -> table.Table:
    """Rows of features as preprocess.py writes them. Raises InputError for other columns."""
    rows = table.read(path)
    if rows.columns != houses.FEATURES:
        raise InputError(f"{path}: its columns are not {','.join(houses.FEATURES)}")
    return rows


def save(model: Pipeline, split_file: Path, out: Path) -> None:
    """Write the model folder; code/ is where the scikit-learn container looks for inference.py."""
    (out / "code").mkdir(parents=True, exist_ok=True)
    joblib.dump(model, out / "pca.joblib")
    shutil.copyfile(split_file, out / "split.json")
    shutil.copyfile(inference.__file__, out / "code" / "inference.py")
    pca = model.named_steps["pca"]
    content = {
        "features": houses.FEATURES,
        "components": [f"component{number}" for number in range(1, pca.n_components_ + 1)],
        "explained_variance_ratio": pca.explained_variance_ratio_.tolist(),
        "scikit_learn": sklearn.__version__,
    }
    (out / "model.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def channel(base: Path | None, name: str) -> Path:
    """A channel's folder: under `base` if given, else where SageMaker says it is."""
    fallback = (base or Path(DEFAULT_BASE)) / "input" / "data" / name
    return fallback if base else Path(os.environ.get(f"SM_CHANNEL_{name.upper()}", fallback))


def main(argv: list[str]) -> None:
    parser = ArgumentParser(allow_abbrev=False, description="Fit the PCA pipeline.")
    parser.add_argument("--base", type=Path, help="folder in place of /opt/ml")
    parser.add_argument("--components", type=_components, default=6)
    options = parser.parse_args(argv)
    split.load(channel(options.base, "train") / "split.json")
    train = read(channel(options.base, "train") / "train.csv")
    validation = read(channel(options.base, "validation") / "validation.csv")
    model = projection.fit(train.values, options.components)
    base: Path | None = options.base
    out = base / "model" if base else Path(os.environ.get("SM_MODEL_DIR", f"{DEFAULT_BASE}/model"))
    save(model, channel(base, "train") / "split.json", out)
    print(f"Train_Explained_Variance={projection.explained(model, train.values):.6f};")
    print(f"Validation_Explained_Variance={projection.explained(model, validation.values):.6f};")
    print(f"Saved {options.components} components of {len(train.values)} rows to {out}")


def _components(text: str) -> int:
    most = len(houses.FEATURES)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
        raise InputError(f"hyperparameter components: {text!r} is not a whole number between 1 and {most}")
    return int(text)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    reason = (failure.base_folder(arguments) or Path(DEFAULT_BASE)) / "output" / "failure"
    sys.exit(failure.run(lambda: main(arguments), reason))
