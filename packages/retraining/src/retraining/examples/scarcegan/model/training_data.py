"""What the training reads: the channels that preprocess.py fills, scaled."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data import dataset, scaler
from data.dataset import Rows
from data.scaler import Scaler
from job_toolkit.failure import InputError
from job_toolkit.training import Folders

CHANNELS = ("train_data", "train_label", "validation_data", "validation_label", "unlabelled_folds")
FOLD_CHANNELS = (
    "kfold_train_data", "kfold_train_label", "kfold_validation_data", "kfold_validation_label",
)  # fmt: skip

Channels = dict[str, Path]  # the folder of each channel


@dataclass(frozen=True)
class Part:
    """Scaled rows: labelled ones by group [n_k, F], and held-out ones [v, F] with group codes [v]."""

    labelled: list[NDArray[np.float32]]
    held_out: NDArray[np.float32]
    held_out_groups: NDArray[np.int64]


@dataclass(frozen=True)
class Data:
    """The training rows with the validation rows held out, and the unlabelled rows [m, F]."""

    scaler: Scaler
    part: Part
    unlabelled: NDArray[np.float32]
    validation_raw: NDArray[np.float32]  # [v, F], as the exported model takes them


def channels(folders: Folders) -> Channels:
    return {name: folders.channel(name) for name in (*CHANNELS, *FOLD_CHANNELS)}


def load(channel: Channels, groups: list[str]) -> Data:
    """Read the channels. Raises InputError when a channel is absent or its content is not preprocess.py's."""
    scale = scaler.load(channel["train_data"] / "scaler.json")
    dataset.check_groups(channel["train_data"], groups)
    train = _labelled(channel, "train", "data.csv", "label.csv", groups, scale)
    validation = _labelled(channel, "validation", "data.csv", "label.csv", groups, scale)
    folds = dataset.folds(channel["unlabelled_folds"], channel["train_data"])
    unlabelled = dataset.read_features(folds, scale.features, scale)
    dataset.check_apart({"train_data": train, "validation_data": validation, "unlabelled_folds": unlabelled})
    part = _part(train, validation, scale, len(groups))
    return Data(scale, part, unlabelled.values, validation.values)


def load_folds(channel: Channels, groups: list[str], scale: Scaler) -> list[Part]:
    """The folds of the labelled rows, each with its held-out rows. Raises InputError as `load` does."""
    parts = []
    for path in dataset.folds(channel["kfold_train_data"], channel["train_data"]):
        train = _labelled(channel, "kfold_train", path.name, path.name, groups, scale)
        held_out = _labelled(channel, "kfold_validation", path.name, path.name, groups, scale)
        dataset.check_apart({"kfold_train_data": train, "kfold_validation_data": held_out})
        parts.append(_part(train, held_out, scale, len(groups)))
    return parts


def _part(train: Rows, held_out: Rows, scale: Scaler, groups: int) -> Part:
    values = scale.transform(train.values)
    labelled = [values[train.groups == code] for code in range(groups)]
    return Part(labelled, scale.transform(held_out.values), held_out.groups)


def _labelled(channel: Channels, name: str, data: str, label: str, groups: list[str], scale: Scaler) -> Rows:
    files = channel[f"{name}_data"] / data, channel[f"{name}_label"] / label
    rows = dataset.read_labelled(*files, scale.features, groups)
    absent = [group for code, group in enumerate(groups) if code not in rows.groups]
    if absent:
        raise InputError(f"channel {name}_label: group {absent[0]!r} has no rows")
    return rows
