"""Network connections in the format of KDD Cup 1999 and of NSL-KDD, by kind of attack.

A line has 41 features, the name of the attack or `normal` (in KDD Cup 1999 with a final dot), and in NSL-KDD
a difficulty. Source of the kinds: the attack types of KDD Cup 1999's training data, and for the attacks that
only its test data has, Tavallaee, Bagheri, Lu, Ghorbani: A detailed analysis of the KDD CUP 99 data set,
CISDA 2009.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data import scaler

Floats = NDArray[np.float32]

FEATURES = 41
SYMBOLIC = (1, 2, 3)  # protocol, service, flag
ATTACKS = {
    "dos": "back land neptune pod smurf teardrop apache2 mailbomb processtable udpstorm",
    "probe": "ipsweep nmap portsweep satan mscan saint",
    "r2l": "ftp_write guess_passwd imap multihop phf spy warezclient warezmaster named sendmail snmpgetattack"
    " snmpguess worm xlock xsnoop",
    "u2r": "buffer_overflow loadmodule perl rootkit httptunnel ps sqlattack xterm",
}
KINDS = {"normal": "normal"} | {name: kind for kind, names in ATTACKS.items() for name in names.split()}


class FormatError(Exception):
    """A file that is not in the format; the text is one line for the user."""


@dataclass(frozen=True)
class Connections:
    """The feature columns as they are, and the kind of each row."""

    table: pd.DataFrame
    kinds: NDArray[np.object_]


def read(path: Path) -> Connections:
    """Read a file, plain or gzip. Raises FormatError."""
    try:
        with path.open("rb") as opened:
            is_gzip = opened.read(2) == b"\x1f\x8b"
        table = pd.read_csv(path, header=None, compression="gzip" if is_gzip else None, low_memory=False)
    except (OSError, ValueError, EOFError) as error:
        raise FormatError(f"{path}: cannot be read as CSV ({str(error).strip()})") from None
    if table.shape[1] not in (FEATURES + 1, FEATURES + 2):
        raise FormatError(
            f"{path}: has {table.shape[1]} columns; it must have {FEATURES} features, the label, and perhaps"
            " the difficulty"
        )
    numeric = [column for column in range(FEATURES) if column not in SYMBOLIC]
    odd = [column for column in numeric if table[column].dtype.kind not in "iuf"]
    if not odd:
        odd = [column for column in numeric if not np.isfinite(table[column]).all()]
    if odd:
        raise FormatError(f"{path}: column {odd[0] + 1} holds something that is no number")
    labels = table[FEATURES].astype(str).str.strip().str.rstrip(".")
    unknown = sorted(set(labels) - set(KINDS))
    if unknown:
        raise FormatError(f"{path}: {unknown[0]!r} in column {FEATURES + 1} is no attack of KDD Cup 1999")
    return Connections(table[list(range(FEATURES))], labels.map(KINDS).to_numpy(object))


def check(train: Connections, test: Connections, scarce: str, positives: int, normals: int) -> None:
    """Raises FormatError where there are too few rows to learn or measure anything."""
    counts = [(train.kinds == scarce).sum(), (train.kinds == "normal").sum()]
    if min(counts[0], positives) + min(counts[1], normals) == len(train.kinds):
        raise FormatError("every row of the training file would have a label; lower --positives or --normals")
    for what, part in (("training", train), ("test", test)):
        for kind in (scarce, "normal"):
            if (part.kinds == kind).sum() < 2:
                raise FormatError(f"the {what} file has fewer than two rows of the kind {kind}")


def scaled(train: Connections, test: Connections) -> tuple[Floats, Floats]:
    """Both as scaled numbers [n, F]; symbols one-hot coded by the values that the training rows have.

    The scaler is the example's, fitted on the training rows. They are converted in blocks: there are many.
    """
    values = {column: sorted(train.table[column].astype(str).unique()) for column in SYMBOLIC}
    parts = [_statistics(block) for block in _numbers(train, values)]
    scale = functools.reduce(scaler.Statistics.merged, parts).scaler()
    rows, test_rows = (
        np.concatenate([scale.transform(block) for block in _numbers(part, values)]) for part in (train, test)
    )
    return rows, test_rows


def _statistics(block: NDArray[np.float64]) -> scaler.Statistics:
    return scaler.Statistics.of([str(number) for number in range(block.shape[1])], block)


def _numbers(part: Connections, values: dict[int, list[str]]) -> Iterator[NDArray[np.float64]]:
    for start in range(0, len(part.table), scaler.BLOCK):
        table = part.table.iloc[start : start + scaler.BLOCK]
        columns = [table.drop(columns=list(SYMBOLIC)).to_numpy(np.float64)]
        for column, known in values.items():
            columns.append(table[column].astype(str).to_numpy()[:, None] == np.array(known, object)[None])
        yield np.concatenate(columns, axis=1).astype(np.float64)
