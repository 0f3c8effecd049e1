"""Models that answer for rows: scores and decisions of a SavedModel, and what each model is judged by."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from job_toolkit.failure import InputError

BATCH = 8192


@dataclass(frozen=True)
class Answer:
    """Scores [n] and predicted group codes [n] of n rows."""

    scores: NDArray[np.float32]
    groups: NDArray[np.int64]


@dataclass(frozen=True)
class Scored:
    """A model and its answer for the test rows [n].

    `kind` is candidate, ablation or baseline. `verbosity` is the share of unlabelled rows that it flags.
    `entry` is that of candidates.json; a baseline has none, and predicts no groups.
    """

    kind: str
    name: str
    threshold: float
    scores: NDArray[np.floating]
    flagged: NDArray[np.bool_]
    verbosity: float
    groups: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    entry: dict[str, Any] = field(default_factory=dict)


class Model:
    """The SavedModel in folder/1/, whose entry in candidates.json is `entry`."""

    def __init__(self, folder: Path, entry: dict[str, Any]) -> None:
        self.entry = entry
        self._code = {group.encode(): number for number, group in enumerate(entry["groups"])}
        try:
            self._serve = tf.saved_model.load(str(folder / "1")).signatures["serving_default"]
        except Exception as error:  # of whatever kind, as the bytes happen to be
            raise self._refused("its SavedModel is damaged", error) from None

    def answer(self, rows: NDArray[np.floating]) -> Answer:
        """Score raw rows [n, F]. The parts that they are sent in do not matter: see export.Serving.

        Raises InputError where the model is not that of its entry.
        """
        try:
            parts = [
                self._serve(features=tf.constant(rows[start : start + BATCH], tf.float32))
                for start in range(0, len(rows), BATCH)
            ]
            scores, labels = (
                np.concatenate([part[name].numpy() for part in parts]) for name in ("score", "label")
            )
            groups = np.array([self._code[label] for label in labels], dtype=np.int64)
        except (tf.errors.OpError, TypeError, ValueError, KeyError) as error:
            raise self._refused("its SavedModel does not fit its entry of the listing", error) from None
        threshold = self.entry["threshold"]
        if ((groups == 0) != (scores.astype(np.float64) >= threshold)).any():
            raise self._refused(f"its SavedModel has not the threshold {threshold} of its entry")
        return Answer(scores, groups)

    def _refused(self, what: str, error: Exception | None = None) -> InputError:
        because = f" ({type(error).__name__}: {str(error)[:200]})" if error else ""
        return InputError(f"model.tar.gz: {self.entry['name']!r}: {what}{because}; train again")


def scored(kind: str, model: Model, test: NDArray[np.floating], unlabelled: NDArray[np.floating]) -> Scored:
    """Ask a model for the raw test rows [n, F] and the unlabelled ones [m, F].

    Raises InputError where a candidate gives all test rows the same score.
    """
    answer, entry = model.answer(test), model.entry
    if kind == "candidate" and np.ptp(answer.scores) == 0 and len(test) > 1:
        raise InputError(
            f"candidate {entry['name']!r}: every test row has the same score {answer.scores[0]:g}, so it "
            "tells nothing apart; train for more epochs or with lower learning rates"
        )
    verbosity = float((model.answer(unlabelled).groups == 0).mean())
    name, threshold, flagged = entry["name"], entry["threshold"], answer.groups == 0
    return Scored(kind, name, threshold, answer.scores, flagged, verbosity, answer.groups, entry)
