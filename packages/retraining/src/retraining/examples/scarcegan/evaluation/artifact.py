"""What train.py's model artifact holds: candidates, and where they were trained, ablations and folds."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

import candidates as definitions
import inference
import scaler
from evaluation import archive
from failure import InputError

FOLDS = (
    "fold", "candidate", "recall", "precision", "f1", "average_precision", "recall_at_1_percent", "auc",
    "threshold", "rows", "positives",
)  # fmt: skip
HISTORY = (
    "discriminator_supervised_loss", "discriminator_unsupervised_loss", "generator_loss", "validation_loss",
    "average_precision", "recall_at_1_percent", "recall", "precision", "f1",
)  # fmt: skip

Entry = dict[str, Any]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _are_numbers(value: Any, *keys: str) -> bool:
    return isinstance(value, dict) and all(_is_number(value.get(key)) for key in keys)


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value) and len(value) > 0


# What an entry of a listing must hold: the test of its value, and what that is.
ENTRY: dict[str, tuple[Callable[[Any], bool], str]] = {
    "name": (lambda value: isinstance(value, str) and bool(definitions.NAME.fullmatch(value)), "a name"),
    "definition": (lambda value: isinstance(value, dict), "a definition"),
    "definition_met": (lambda value: isinstance(value, bool), "true or false"),
    "epoch": (_is_number, "a number"),
    "threshold": (_is_number, "a number"),
    "calibration": (
        lambda value: _are_numbers(value, "slope", "intercept") and len(value) == 2 and value["slope"] > 0,
        "a slope above 0 and an intercept",
    ),
    "validation": (lambda value: _are_numbers(value, *definitions.METRICS), "metrics"),
    "groups": (lambda value: _are_names(value) and len(set(value)) == len(value) > 1, "names"),
    "features": (_are_names, "names"),
}


def candidates(model: Path) -> list[Entry]:
    """The candidates of an extracted model artifact. Raises InputError when it is none of train.py's."""
    return _listing(model, "candidates")


def ablations(model: Path) -> list[Entry]:
    """The ablations, in the same format; none where the training had none."""
    if not (model / "ablations.json").exists():
        return []
    return _listing(model, "ablations", candidates(model)[0])


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
        raise InputError(
            f"model.tar.gz: {what} {entry['name']!r} has no {place}/1/saved_model.pb; train again"
        )
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
    text = [name for name in columns if name != "candidate" and not is_numeric_dtype(table[name])]
    if text:
        raise InputError(f"model.tar.gz: {path.name}: column {text[0]!r} holds text; train.py writes it")
    return table


def _listing(model: Path, kind: str, first: Entry | None = None) -> list[Entry]:
    """The entries, which must have the groups and features of `first`, or else of the first of them."""
    what = kind.removesuffix("s")
    try:
        listing = json.loads((model / f"{kind}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"model.tar.gz: holds no {kind}.json of train.py ({error})") from None
    if not isinstance(listing, list) or not listing:
        raise InputError(f"model.tar.gz: {kind}.json lists no {what}")
    names: list[str] = []
    for number, entry in enumerate(listing, start=1):
        wrong = _wrong(entry, first or listing[0], names)
        if wrong:
            raise InputError(f"model.tar.gz: {kind}.json: {what} {number} {wrong}; train again with train.py")
        names.append(entry["name"])
    return listing


def _wrong(entry: Any, first: Entry, names: list[str]) -> str | None:
    if not isinstance(entry, dict):
        return "has no 'name'"
    for key, (is_fine, what) in ENTRY.items():
        if key not in entry:
            return f"has no {key!r}"
        if not is_fine(entry[key]):
            return f"has {key} {entry[key]!r}, where {what} should be"
    try:
        definitions.parse(json.dumps({entry["name"]: entry["definition"]}))
    except InputError as error:
        return str(error).removeprefix("hyperparameter candidates: ")
    if entry["name"] in names:
        return f"has the name {entry['name']!r}, as another one has"
    other = next((key for key in ("groups", "features") if entry[key] != first[key]), None)
    return f"has other {other} than {first['name']!r}" if other else None
