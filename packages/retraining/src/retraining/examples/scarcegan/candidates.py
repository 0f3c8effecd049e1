"""Choosing models by business definition: "the highest recall whose precision is at least 0.65".

A definition names a metric of the scarce class on the validation rows, whether it should be high or low, and
optional minimums. Each definition keeps its own best epoch and decision threshold; several of them give
several candidates.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from job_toolkit.ranking import auc, average_precision, recall_at_false_positive_rate, sweep

THRESHOLD_METRICS = ("recall", "precision", "f1", "accuracy")
METRICS = (*THRESHOLD_METRICS, "average_precision", "recall_at_1_percent", "auc", "validation_loss")
MINIMUMS = tuple(f"min_{metric}" for metric in THRESHOLD_METRICS)
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")

Bools = NDArray[np.bool_]
Scores = NDArray[np.floating]


@dataclass(frozen=True)
class Definition:
    name: str
    metric: str
    mode: str
    minimums: dict[str, float]  # threshold metric -> the least it may be

    def document(self) -> dict[str, Any]:
        """The definition as it is written in the configuration, without its name."""
        return {"metric": self.metric, "mode": self.mode} | {
            f"min_{key}": value for key, value in self.minimums.items()
        }


@dataclass(frozen=True)
class Choice:
    """A decision threshold and the validation metrics at it; `met` says whether every minimum holds."""

    threshold: float
    metrics: dict[str, float]
    met: bool

    def rank(self, definition: Definition) -> tuple[bool, float, float]:
        """Larger is better: minimums first, then the metric, then F1."""
        value = self.metrics[definition.metric]
        return self.met, value if definition.mode == "max" else -value, self.metrics["f1"]


def choose(definition: Definition, positive: Bools, scores: Scores, validation_loss: float = 0.0) -> Choice:
    """The threshold that serves the definition best on rows with truth `positive` [n] and `scores` [n].

    A metric that has no threshold takes the one with the highest F1. Where no threshold meets the minimums,
    the one that comes nearest is taken and `met` is False.
    """
    curve = sweep(positive, scores)
    f1 = curve.f_beta()
    wrong = curve.flagged - curve.true_positives + curve.positives - curve.true_positives
    accuracy = (curve.rows - wrong) / curve.rows
    values = {"recall": curve.recall, "precision": curve.precision, "f1": f1, "accuracy": accuracy}
    shortfall = np.zeros(len(curve.thresholds))
    for metric, minimum in definition.minimums.items():
        shortfall += np.maximum(0.0, minimum - values[metric])
    goal = values.get(definition.metric, f1)
    sign = -1.0 if definition.mode == "min" and definition.metric in values else 1.0
    best = np.lexsort((-f1, -sign * goal, shortfall))[0]
    metrics = {metric: float(value[best]) for metric, value in values.items()}
    metrics |= rank_measures(positive, scores) | {"validation_loss": float(validation_loss)}
    return Choice(float(curve.thresholds[best]), metrics, bool(shortfall[best] == 0))


def rank_measures(positive: Bools, scores: Scores) -> dict[str, float]:
    """What needs no threshold; `recall_at_1_percent` is at a false-positive rate of at most 1 %."""
    return {
        "average_precision": average_precision(positive, scores),
        "recall_at_1_percent": recall_at_false_positive_rate(positive, scores, 0.01),
        "auc": auc(positive, scores),
    }


def parse(text: str) -> list[Definition]:
    """Read definitions from JSON text: {name: {"metric", "mode", "min_<metric>"...}}, at least one.

    Raises ValueError naming the candidate, the key, and what is allowed.
    """
    try:
        document = json.loads(text, object_pairs_hook=_without_repetition)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"not JSON ({error})") from None
    if not isinstance(document, dict) or not document:
        raise ValueError("must be a JSON object with at least one candidate definition")
    return [define(name, entry) for name, entry in document.items()]


def define(name: str, entry: Any) -> Definition:
    """A definition from its JSON. Raises ValueError as `parse` does."""
    if not NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} is no candidate name; use lower-case letters, digits, hyphens, at most 40"
        )
    if not isinstance(entry, dict):
        raise ValueError(f"{name!r} must be an object with 'metric' and 'mode'")
    allowed = {"metric": METRICS, "mode": ("max", "min")}
    for key, values in allowed.items():
        if entry.get(key) not in values:
            raise ValueError(f"{name!r} has {key} {entry.get(key)!r}; allowed: {', '.join(values)}")
    minimums = {}
    for key in sorted(set(entry) - set(allowed)):
        value = entry[key]
        if key not in MINIMUMS:
            known = ", ".join((*allowed, *MINIMUMS))
            raise ValueError(f"{name!r} has an unknown key {key!r}; allowed: {known}")
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise ValueError(f"{name!r} has {key} {value!r}; it must be a number between 0 and 1")
        minimums[key.removeprefix("min_")] = float(value)
    return Definition(name, entry["metric"], entry["mode"], minimums)


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, in which no name may come twice: one of the two would be lost."""
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{name!r} is named twice; keep one")
    return dict(pairs)


DEFAULT = [
    Definition("best-recall", "recall", "max", {"precision": 0.65}),
    Definition("best-precision", "precision", "max", {"recall": 0.5}),
    Definition("best-f1", "f1", "max", {}),
    Definition("lowest-loss", "validation_loss", "min", {}),
]
