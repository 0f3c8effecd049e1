"""What train.py's model artifact holds: candidates, and where they were trained, ablations and folds."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

import inference
import scaler
from evaluation import archive
from failure import InputError

ENTRY = (
    "name", "definition", "definition_met", "epoch", "threshold", "calibration", "validation", "groups",
    "features",
)  # fmt: skip
FOLDS = (
    "fold", "candidate", "recall", "precision", "f1", "average_precision", "recall_at_1_percent", "auc",
    "threshold", "rows", "positives",
)  # fmt: skip
HISTORY = (
    "discriminator_supervised_loss", "discriminator_unsupervised_loss", "generator_loss", "validation_loss",
    "average_precision", "recall_at_1_percent", "recall", "precision", "f1",
)  # fmt: skip

Entry = dict[str, Any]


def candidates(model: Path) -> list[Entry]:
    """The candidates of an extracted model artifact. Raises InputError when it is none of train.py's."""
    return _listing(model, "candidates")


def ablations(model: Path) -> list[Entry]:
    """The ablations, in the same format; none where the training had none."""
    return _listing(model, "ablations") if (model / "ablations.json").exists() else []


def folds(model: Path) -> pd.DataFrame | None:
    """One row per fold and candidate, measured on the fold's held-out rows; None where there are no folds."""
    return _table(model / "folds.csv", FOLDS) if (model / "folds.csv").exists() else None


def history(model: Path) -> pd.DataFrame:
    """The training's metrics, one row per epoch."""
    groups = candidates(model)[0]["groups"]
    return _table(model / "history.csv", ("epoch", *HISTORY, *(f"entropy_{group}" for group in groups)))


def folder(model: Path, kind: str, entry: Entry) -> Path:
    """Of one model: 1/ (the SavedModel) and scaler.json. `kind` is candidates or ablations.

    Raises InputError where it is not there, or its scaler is of other features.
    """
    place = f"{kind}/{entry['name']}"
    if not (model / place / "1" / "saved_model.pb").is_file():
        what = "candidate" if kind == "candidates" else "ablation"
        raise InputError(f"model.tar.gz: {what} {entry['name']!r} has no {place}/1/saved_model.pb")
    found = scaler.load(model / place / "scaler.json").features
    if found != entry["features"]:
        odd = next((name for name in found if name not in entry["features"]), None)
        what = f"it has {odd!r}, the model has not" if odd else "their number or order differs"
        raise InputError(
            f"model.tar.gz: {place}/scaler.json is of another schema than the model ({what}); "
            "train again on the data of one preprocess.py run"
        )
    return model / place


def pack(folder: Path, path: Path) -> None:
    """Pack a model's folder for the TensorFlow Serving container: 1/ and code/."""
    members = {str(file.relative_to(folder)): file for file in (folder / "1").rglob("*") if file.is_file()}
    members |= {"code/inference.py": Path(inference.__file__), "code/scaler.json": folder / "scaler.json"}
    archive.pack(members, path)


def _table(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(f"model.tar.gz: {path.name} cannot be read ({error})") from None
    absent = [column for column in columns if column not in table]
    if absent or table.empty:
        what = f"has no column {absent[0]!r}" if absent else "has no rows"
        raise InputError(f"model.tar.gz: {path.name} {what}; train.py writes it")
    return table


def _listing(model: Path, kind: str) -> list[Entry]:
    what = kind.removesuffix("s")
    try:
        listing = json.loads((model / f"{kind}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"model.tar.gz: holds no {kind}.json of train.py ({error})") from None
    if not isinstance(listing, list) or not listing:
        raise InputError(f"model.tar.gz: {kind}.json lists no {what}")
    for number, entry in enumerate(listing, start=1):
        absent = [key for key in ENTRY if not isinstance(entry, dict) or key not in entry]
        if absent:
            raise InputError(
                f"model.tar.gz: {kind}.json: {what} {number} has no {absent[0]!r}; train again with train.py"
            )
    return listing
