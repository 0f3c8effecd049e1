"""Choosing models by business definition: "the highest recall whose precision is at least 0.55".

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

import measures
from failure import InputError

THRESHOLD_METRICS = ("recall", "precision", "f1", "accuracy")
METRICS = (*THRESHOLD_METRICS, "average_precision", "recall_at_1_percent", "auc", "validation_loss")
MINIMUMS = tuple(f"min_{metric}" for metric in THRESHOLD_METRICS)
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")

DEFAULT: dict[str, dict[str, Any]] = {
    "best-recall": {"metric": "recall", "mode": "max", "min_precision": 0.55},
    "best-precision": {"metric": "precision", "mode": "max", "min_recall": 0.5},
    "best-f1": {"metric": "f1", "mode": "max"},
    "lowest-loss": {"metric": "validation_loss", "mode": "min"},
}


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


def parse(text: str) -> list[Definition]:
    """Read definitions from JSON text: {name: {"metric", "mode", "min_<metric>"...}}, at least one.

    Raises InputError naming the candidate, the key, and what is allowed.
    """
    try:
        document = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise InputError(f"hyperparameter candidates: not JSON ({error})") from None
    if not isinstance(document, dict) or not document:
        raise InputError(
            "hyperparameter candidates: must be a JSON object with at least one candidate definition"
        )
    return [_definition(name, entry) for name, entry in document.items()]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, in which no name may come twice: one of the two would be lost."""
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"hyperparameter candidates: {name!r} is named twice; keep one")
    return dict(pairs)


def _definition(name: str, entry: Any) -> Definition:
    where = f"hyperparameter candidates: {name!r}"
    if not NAME.fullmatch(name):
        raise InputError(
            f"{where} is no candidate name; use lower-case letters, digits and hyphens, at most 40"
        )
    if not isinstance(entry, dict):
        raise InputError(f"{where} must be an object with 'metric' and 'mode'")
    unknown = sorted(set(entry) - {"metric", "mode", *MINIMUMS})
    if unknown:
        raise InputError(
            f"{where} has an unknown key {unknown[0]!r}; allowed: metric, mode, {', '.join(MINIMUMS)}"
        )
    if entry.get("metric") not in METRICS:
        raise InputError(f"{where} has metric {entry.get('metric')!r}; allowed: {', '.join(METRICS)}")
    if entry.get("mode") not in ("max", "min"):
        raise InputError(f"{where} has mode {entry.get('mode')!r}; allowed: max, min")
    minimums = {}
    for key in sorted(set(entry) - {"metric", "mode"}):
        value = entry[key]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise InputError(f"{where} has {key} {value!r}; it must be a number between 0 and 1")
        minimums[key.removeprefix("min_")] = float(value)
    return Definition(name, entry["metric"], entry["mode"], minimums)


def choose(
    definition: Definition,
    positive: NDArray[np.bool_],
    scores: NDArray[np.floating],
    validation_loss: float = 0.0,
) -> Choice:
    """The threshold that serves the definition best on rows with truth `positive` [n] and `scores` [n].

    A metric that has no threshold takes the one with the highest F1. Where no threshold meets the minimums,
    the one that comes nearest is taken and `met` is False.
    """
    curve = measures.sweep(positive, scores)
    values = {metric: getattr(curve, metric) for metric in THRESHOLD_METRICS}
    shortfall = np.zeros(len(curve.thresholds))
    for metric, minimum in definition.minimums.items():
        shortfall += np.maximum(0.0, minimum - values[metric])
    goal = values.get(definition.metric, curve.f1)
    sign = -1.0 if definition.mode == "min" and definition.metric in values else 1.0
    best = np.lexsort((-curve.f1, -sign * goal, shortfall))[0]
    metrics = {metric: float(value[best]) for metric, value in values.items()}
    metrics |= measures.ranking(positive, scores) | {"validation_loss": float(validation_loss)}
    return Choice(float(curve.thresholds[best]), metrics, bool(shortfall[best] == 0))
