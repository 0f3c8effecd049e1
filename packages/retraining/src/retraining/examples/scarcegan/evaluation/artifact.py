"""What train.py's model artifact holds: candidates, and where they were trained, ablations and folds."""

import errno
import gzip
import io
import json
import math
import shutil
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

import candidates as definitions
import inference
from data import scaler
from job_toolkit.failure import InputError

FOLDS = (
    "fold", "candidate", "recall", "precision", "f1", "average_precision", "recall_at_1_percent", "auc",
    "threshold", "rows", "positives",
)  # fmt: skip
HISTORY = (
    "discriminator_supervised_loss", "discriminator_unsupervised_loss", "generator_loss", "validation_loss",
    "average_precision", "recall_at_1_percent", "recall", "precision", "f1",
)  # fmt: skip

Entry = dict[str, Any]


def extract(path: Path, folder: Path) -> None:
    """Extract a .tar.gz. Raises InputError when it is missing or broken, or a member leaves `folder`."""
    try:
        with tarfile.open(path, "r:gz") as tar:
            for member in tar:
                _extract_member(tar, member, path, folder)
            while tar.fileobj and tar.fileobj.read(1 << 20):
                pass  # to the end, where the checksum is
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; it is the training job's model artifact") from None
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise  # there is no room for what is in it
        raise InputError(f"{path}: not a complete .tar.gz archive ({error})") from None


def _extract_member(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path, folder: Path) -> None:
    """By hand: tarfile's own filters are missing in Python 3.11.2, which Debian 12 has."""
    name = PurePosixPath(member.name)
    inside = not name.is_absolute() and ".." not in name.parts
    if not inside or not (member.isfile() or member.isdir()):
        raise InputError(
            f"{path}: refused, a member is not a plain file inside the archive ({member.name!r})"
        )
    target = folder / name
    content = tar.extractfile(member)
    (target.parent if content else target).mkdir(parents=True, exist_ok=True)
    if content:
        with target.open("wb") as file:
            shutil.copyfileobj(content, file)


def pack(folder: Path, path: Path) -> None:
    """Pack a model's folder for the TensorFlow Serving container, as 1/ and code/.

    The same files give the same bytes: members are sorted, without times or owners.
    """
    members = {str(file.relative_to(folder)): file for file in (folder / "1").rglob("*") if file.is_file()}
    members |= {"code/inference.py": Path(inference.__file__), "code/scaler.json": folder / "scaler.json"}
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for name, file in sorted(members.items()):
            content = file.read_bytes()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))


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
    place, what = f"{kind}/{entry['name']}", kind.removesuffix("s")
    if not (model / place / "1" / "saved_model.pb").is_file():
        raise InputError(
            f"model.tar.gz: {what} {entry['name']!r} has no {place}/1/saved_model.pb; train again"
        )
    features = scaler.load(model / place / "scaler.json").features
    if features != entry["features"]:
        odd = next((name for name in features if name not in entry["features"]), None)
        why = f"it has {odd!r}, the model has not" if odd else "their number or order differs"
        raise InputError(
            f"model.tar.gz: {place}/scaler.json is of another schema than the model ({why}); "
            "train again on the data of one preprocess.py run"
        )
    return model / place


def _table(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(f"model.tar.gz: {path.name} cannot be read ({error})") from None
    absent = [column for column in columns if column not in table]
    text = [name for name in columns if name != "candidate" and not is_numeric_dtype(table.get(name))]
    if absent:
        raise InputError(f"model.tar.gz: {path.name} has no column {absent[0]!r}; train.py writes it")
    if table.empty:
        raise InputError(f"model.tar.gz: {path.name} has no rows; train.py writes it")
    if text:
        raise InputError(f"model.tar.gz: {path.name}: column {text[0]!r} holds text; train.py writes it")
    return table


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _are_numbers(value: Any, *keys: str) -> bool:
    return isinstance(value, dict) and all(_is_number(value.get(key)) for key in keys)


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value) and len(value) > 0


# What an entry of a listing must hold: the test of its value, and what that is.
ENTRY: dict[str, tuple[Callable[[Any], bool], str]] = {
    "name": (lambda value: isinstance(value, str), "a name"),
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
        try:
            _check(entry, first or listing[0], names)
        except ValueError as error:
            raise InputError(
                f"model.tar.gz: {kind}.json: {what} {number} {error}; train again with train.py"
            ) from None
        names.append(entry["name"])
    return listing


def _check(entry: Any, first: Entry, names: list[str]) -> None:
    for key, (is_fine, what) in ENTRY.items():
        if not isinstance(entry, dict) or key not in entry:
            raise ValueError(f"has no {key!r}")
        if not is_fine(entry[key]):
            raise ValueError(f"has {key} {entry[key]!r}, where {what} should be")
    definitions.define(entry["name"], entry["definition"])
    if entry["name"] in names:
        raise ValueError(f"has the name {entry['name']!r}, as another one has")
    for key in ("groups", "features"):
        if entry[key] != first[key]:
            raise ValueError(f"has other {key} than {first['name']!r}")
