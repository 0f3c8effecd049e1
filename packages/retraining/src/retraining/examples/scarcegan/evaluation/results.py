"""What an evaluation found: each model's measures on the test rows, the property file, the verdict."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import candidates
from evaluation.scoring import Scored
from job_toolkit import measures, ranking
from job_toolkit.metrics import Model

RATES = {
    "average_precision": "average precision",
    "recall_at_1_percent": "recall at 1 % false positives",
}
KEYS = (
    "recall", "precision", "f1", "average_precision", "recall_at_1_percent", "auc", "accuracy", "brier",
    "calibration_error", "verbosity", "threshold",
)  # fmt: skip
RIVALS = {"baseline": "baselines", "ablation": "ablations"}
BINS = 10
DRAWS, SEED = 200, 7  # of the bootstrap

Bools = NDArray[np.bool_]
Floats = NDArray[np.floating]


class Reliability(NamedTuple):
    """How far probabilities can be taken at their word: of the rows scored 0.3, are three in ten scarce?

    Per bin of equal width that holds a row: mean probability, share of positives, and rows.
    """

    predicted: NDArray[np.float64]
    observed: NDArray[np.float64]
    rows: NDArray[np.float64]


def reliability(positive: Bools, probabilities: Floats) -> Reliability:
    """Of n >= 1 rows with truth `positive` [n] and `probabilities` [n] in [0, 1]."""
    values = np.asarray(probabilities, np.float64)
    number = np.minimum((values * BINS).astype(int), BINS - 1)
    weights = (np.ones(len(values)), values, positive.astype(float))
    rows, sums, hits = (np.bincount(number, weight, minlength=BINS) for weight in weights)
    held = rows > 0
    return Reliability(sums[held] / rows[held], hits[held] / rows[held], rows[held])


def calibration_measures(positive: Bools, probabilities: Floats) -> dict[str, float]:
    """`brier` (Brier 1950), the mean squared difference of probability and truth; `calibration_error`
    (Naeini, Cooper & Hauskrecht 2015), the mean gap of the bins, by rows."""
    predicted, observed, rows = reliability(positive, probabilities)
    return {
        "brier": float(np.mean((np.asarray(probabilities, np.float64) - positive) ** 2)),
        "calibration_error": float(np.average(np.abs(predicted - observed), weights=rows)),
    }


def measured(model: Scored, positive: Bools) -> Model:
    """The line of metrics.csv: decisions are those of the model itself."""
    line = measures.binary_classification(positive, model.flagged, model.scores, model.name)
    own = candidates.rank_measures(positive, model.scores) | calibration_measures(positive, model.scores)
    own |= {"threshold": model.threshold, "verbosity": model.verbosity}
    own |= {"positives": int(positive.sum()), "flagged": int(model.flagged.sum())}
    values = {**line.metrics, **own}
    if model.kind == "candidate":
        return Model(model.kind, model.name, line.problem, values, line.deviations, line.objects)
    return Model(model.kind, model.name, "", values, line.deviations)


def table(models: list[Model]) -> pd.DataFrame:
    """One row per model: `kind`, `name` and its measures."""
    return pd.DataFrame({"kind": model.kind, "name": model.name, **model.metrics} for model in models)


def evaluation(metrics: pd.DataFrame, gate: str) -> dict[str, Any]:
    """The property file: `gate` is the first configured candidate, `best` the one with the highest F1."""
    by_kind: dict[str, dict[str, Any]] = {"candidate": {}, "ablation": {}, "baseline": {}}
    for row in metrics.to_dict("records"):
        by_kind[row["kind"]][row["name"]] = {key: float(row[key]) for key in KEYS}
    every = by_kind["candidate"]
    best = max(every, key=lambda name: every[name]["f1"])
    return {
        "gate": {"candidate": gate} | {key: every[gate][key] for key in KEYS[:5]},
        "best": {"candidate": best} | {key: every[best][key] for key in KEYS[:5]},
        "candidates": every,
        "ablations": by_kind["ablation"],
        "baselines": by_kind["baseline"],
        "verdict": {plural: verdict(metrics, gate, kind) for kind, plural in RIVALS.items() if by_kind[kind]},
    }


def verdict(metrics: pd.DataFrame, gate: str, kind: str) -> str:
    """Whether the candidate `gate` ranks the test rows better than each baseline, or ablation, does.

    A tie is no win. The numbers are those of the best rival in each measure.
    """
    model = metrics[(metrics["kind"] == "candidate") & (metrics["name"] == gate)].iloc[0]
    rivals = metrics[metrics["kind"] == kind]
    won: list[str] = []
    lost: list[str] = []
    for measure, label in RATES.items():
        rival = rivals.loc[rivals[measure].idxmax()]
        clause = f"{label} is {model[measure]:.3f} against {rival[measure]:.3f} of {rival['name']}"
        (won if model[measure] > rival[measure] else lost).append(clause)
    if not lost:
        return f"{gate} beats every {kind}: its {' and its '.join(won)}, the best of them."
    text = f"{gate} does not beat every {kind}: its {' and its '.join(lost)}."
    return f"{text} It is ahead of all in one measure: its {won[0]}." if won else text


def chance(models: list[Scored], positive: Bools, kind: str) -> str:
    """How far the first model's lead in average precision over the best rival of a kind may be chance."""
    rivals = [model for model in models if model.kind == kind]
    best = max(rivals, key=lambda model: ranking.average_precision(positive, model.scores))
    low, high = interval(positive, models[0].scores, best.scores)
    return (
        f"The difference in average precision to {best.name} has a 95 % interval of {low:+.3f} to "
        f"{high:+.3f}, by bootstrap of the test rows: it is "
        f"{'more than' if low > 0 or high < 0 else 'within'} chance."
    )


def interval(positive: Bools, scores: Floats, rival: Floats) -> tuple[float, float]:
    """The middle 95 % of the difference in average precision between `scores` [n] and `rival` [n].

    Both are measured on the same rows: n >= 1 drawn with replacement, DRAWS times (Efron 1979).
    """
    rng, rows = np.random.default_rng(SEED), len(positive)
    ours, theirs = average_precision_of_draws(positive, scores), average_precision_of_draws(positive, rival)
    draws = (np.bincount(rng.integers(rows, size=rows), minlength=rows) for _ in range(DRAWS))
    low, high = np.quantile([ours(counts) - theirs(counts) for counts in draws], [0.025, 0.975])
    return float(low), float(high)


def average_precision_of_draws(positive: Bools, scores: Floats) -> Callable[[NDArray[np.int64]], float]:
    """A function of counts [n]: the average precision where row i is there counts[i] times.

    The rows are sorted once, which is most of the work.
    """
    order = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))  # of each distinct score

    def average_precision(counts: NDArray[np.int64]) -> float:
        drawn = counts[order]
        hits, flagged = np.cumsum(drawn * positive[order])[last], np.cumsum(drawn)[last]
        return float(np.sum(np.diff(hits, prepend=0) * (hits / np.maximum(flagged, 1))) / max(1, hits[-1]))

    return average_precision
