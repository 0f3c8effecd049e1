"""What an evaluation found: the rows of metrics.csv, the property file, and the verdict in words."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import measures
from evaluation import bootstrap, reliability
from evaluation.scoring import Scored

RATES = {
    "average_precision": "average precision",
    "recall_at_1_percent": "recall at 1 % false positives",
}
KEYS = (
    "recall", "precision", "f1", "average_precision", "recall_at_1_percent", "auc", "accuracy", "brier",
    "calibration_error", "verbosity", "threshold",
)  # fmt: skip
RIVALS = {"baseline": "baselines", "ablation": "ablations"}


def table(models: list[Scored], positive: NDArray[np.bool_]) -> pd.DataFrame:
    """One row per model: decisions are those of the model itself."""
    return pd.DataFrame(
        {"kind": model.kind, "name": model.name, "threshold": model.threshold}
        | measures.at_threshold(positive, model.flagged.astype(float), 0.5)
        | measures.ranking(positive, model.scores)
        | {
            "brier": reliability.brier(positive, model.scores),
            "calibration_error": reliability.calibration_error(positive, model.scores),
            "verbosity": model.verbosity,
            "rows": len(positive),
            "positives": int(positive.sum()),
            "flagged": int(model.flagged.sum()),
        }
        for model in models
    )


def evaluation(metrics: pd.DataFrame, gate: str) -> dict[str, Any]:
    """The property file: `gate` is the first configured candidate, `best` the one with the highest F1."""
    by_kind: dict[str, dict[str, Any]] = {"candidate": {}, "ablation": {}, "baseline": {}}
    for row in metrics.to_dict("records"):
        by_kind[row["kind"]][row["name"]] = {key: float(row[key]) for key in KEYS}
    found = by_kind["candidate"]
    best = max(found, key=lambda name: found[name]["f1"])
    return {
        "gate": {"candidate": gate} | {key: found[gate][key] for key in KEYS[:5]},
        "best": {"candidate": best} | {key: found[best][key] for key in KEYS[:5]},
        "candidates": found,
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


def chance(models: list[Scored], positive: NDArray[np.bool_], kind: str) -> str:
    """How far the first model's lead in average precision over the best rival of a kind may be chance."""
    rivals = [model for model in models if model.kind == kind]
    best = max(rivals, key=lambda model: measures.average_precision(positive, model.scores))
    low, high = bootstrap.interval(positive, models[0].scores, best.scores)
    return (
        f"The difference in average precision to {best.name} has a 95 % interval of {low:+.3f} to "
        f"{high:+.3f}, by bootstrap of the test rows: it is "
        f"{'more than' if low > 0 or high < 0 else 'within'} chance."
    )
