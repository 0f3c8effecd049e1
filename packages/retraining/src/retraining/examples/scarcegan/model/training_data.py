"""What the training reads: the channels that preprocess.py fills, scaled."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import dataset
import part_files
import scaler
from failure import InputError

DEFAULT_BASE = "/opt/ml"
CHANNELS = ("train_data", "train_label", "validation_data", "validation_label", "unlabelled_folds")
FOLD_CHANNELS = (
    "kfold_train_data", "kfold_train_label", "kfold_validation_data", "kfold_validation_label",
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    """Scaled rows: labelled ones by group [n_k, F], and held-out ones [v, F] with group codes [v]."""

    labelled: list[NDArray[np.float32]]
    held_out: NDArray[np.float32]
    held_out_groups: NDArray[np.int64]


@dataclass(frozen=True)
class Data:
    """The training rows with the validation rows held out, and the unlabelled rows [m, F]."""

    scaler: scaler.Scaler
    part: Part
    unlabelled: NDArray[np.float32]
    validation_raw: NDArray[np.float32]  # [v, F], as the exported model takes them


def load(channel: dict[str, Path], groups: list[str]) -> Data:
    """Read the channels. Raises InputError when a channel is absent or its content is not preprocess.py's."""
    scale = scaler.load(channel["train_data"] / "scaler.json")
    if splits := dataset.splits(channel["train_data"]):
        splits.check_groups(groups)
    train, validation = (
        _labelled(channel, name, "data.csv", "label.csv", groups, scale) for name in ("train", "validation")
    )
    folds = _fold_files(channel, "unlabelled_folds")
    unlabelled = dataset.read_features(folds, scale)
    parts = {"train_data": train, "validation_data": validation, "unlabelled_folds": unlabelled}
    dataset.check_apart(parts)
    return Data(
        scale,
        _part(train, validation, scale, len(groups)),
        unlabelled.values,
        validation.values,
    )


def load_folds(channel: dict[str, Path], groups: list[str], scale: scaler.Scaler) -> list[Part]:
    """The folds of the labelled rows, each with its held-out rows. Raises InputError as `load` does."""
    parts = []
    for path in _fold_files(channel, "kfold_train_data"):
        train, held_out = (
            _labelled(channel, f"kfold_{name}", path.name, path.name, groups, scale)
            for name in ("train", "validation")
        )
        dataset.check_apart({"kfold_train_data": train, "kfold_validation_data": held_out})
        parts.append(_part(train, held_out, scale, len(groups)))
    return parts


def channels(base: Path | None) -> dict[str, Path]:
    """Channel folders: under `base` if given, else where SageMaker says they are."""
    names = (*CHANNELS, *FOLD_CHANNELS)
    if base is not None:
        return {name: base / "input" / "data" / name for name in names}
    fallback = Path(DEFAULT_BASE) / "input" / "data"
    return {name: Path(os.environ.get(f"SM_CHANNEL_{name.upper()}", fallback / name)) for name in names}


def _part(train: dataset.Rows, held_out: dataset.Rows, scale: scaler.Scaler, groups: int) -> Part:
    values = scale.transform(train.values)
    labelled = [values[train.groups == code] for code in range(groups)]
    return Part(labelled, scale.transform(held_out.values), held_out.groups)


def _labelled(
    channel: dict[str, Path],
    name: str,
    data: str,
    label: str,
    groups: list[str],
    scale: scaler.Scaler,
) -> dataset.Rows:
    rows = dataset.read_labelled(channel[f"{name}_data"] / data, channel[f"{name}_label"] / label, groups)
    _check_features(f"{name}_data", rows.features, scale)
    absent = [group for code, group in enumerate(groups) if code not in rows.groups]
    if absent:
        raise InputError(f"channel {name}_label: group {absent[0]!r} has no rows")
    return rows


def _fold_files(channel: dict[str, Path], name: str) -> list[Path]:
    files = part_files.folds(channel[name])
    if not files:
        raise InputError(f"channel {name}: no fold_*.csv in {channel[name]}")
    if splits := dataset.splits(channel["train_data"]):
        splits.check_folds(channel[name], len(files))
    return files


def _check_features(channel: str, features: list[str], scale: scaler.Scaler) -> None:
    if features != scale.features:
        raise InputError(
            f"channel {channel}: its columns are not the features of scaler.json in the same order"
        )
