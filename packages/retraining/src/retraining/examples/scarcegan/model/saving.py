"""What a training leaves in the model folder."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from model import export
from model.hyperparameters import Hyperparameters
from model.progress import Best, Progress
from model.training_data import Data, Part
from model.variants import Settings

FOLD_METRICS = ("recall", "precision", "f1", "average_precision", "recall_at_1_percent", "auc")


def save(options: Hyperparameters, settings: Settings, data: Data, progress: Progress, out: Path) -> None:
    """Write candidates/, candidates.json, history.csv and hyperparameters.json."""
    out.mkdir(parents=True, exist_ok=True)
    listing = []
    for best in progress.bests:
        entry = _save_model(best.definition.name, best, options, settings, data, out / "candidates")
        listing.append(entry)
        print(
            f"Candidate={entry['name']}; Epoch={entry['epoch']}; "
            f"Threshold={entry['threshold']:.6f}; Met={entry['definition_met']};"
        )
    _write_json(listing, out / "candidates.json")
    _write_json(options.document(), out / "hyperparameters.json")
    pd.DataFrame(progress.history).to_csv(out / "history.csv", index=False)


def save_ablations(
    options: Hyperparameters, data: Data, trained: list[tuple[Settings, Progress]], out: Path
) -> None:
    """Write ablations/ and ablations.json: of each variant the candidate of the first definition."""
    listing = [
        _save_model(settings.variant, progress.bests[0], options, settings, data, out / "ablations")
        for settings, progress in trained
    ]
    _write_json(listing, out / "ablations.json")


def save_folds(parts: list[Part], folds: list[Progress], epochs: dict[str, int], out: Path) -> None:
    """Write folds.csv: each definition at its epoch on the rows that each fold held out.

    The threshold is chosen on the same rows: recall, precision and F1 are a little too good. What needs no
    threshold is not.
    """
    rows = [
        {"fold": number, "candidate": best.definition.name, "epoch": epochs[best.definition.name]}
        | {metric: choice.metrics[metric] for metric in FOLD_METRICS}
        | {"threshold": choice.threshold, "rows": len(part.held_out)}
        | {"positives": int((part.held_out_groups == 0).sum())}
        for number, (part, fold) in enumerate(zip(parts, folds, strict=True))
        for best, choice in (
            (best, fold.choices[epochs[best.definition.name] - 1][index])
            for index, best in enumerate(fold.bests)
        )
    ]
    pd.DataFrame(rows).to_csv(out / "folds.csv", index=False)


def _save_model(
    name: str, best: Best, options: Hyperparameters, settings: Settings, data: Data, folder: Path
) -> dict[str, Any]:
    """Write the SavedModel; return its entry of the listing."""
    assert best.choice is not None
    serving = export.Serving(best.weights, settings.units, data.scaler, options.groups)
    calibration, choice = serving.decide(
        data.validation_raw,
        data.part.held_out_groups == 0,
        best.definition,
        best.choice.metrics["validation_loss"],
    )
    export.save(serving, data.scaler, folder / name)
    return {
        "name": name,
        "definition": best.definition.document(),
        "definition_met": choice.met,
        "epoch": best.epoch,
        "threshold": choice.threshold,
        "calibration": asdict(calibration),
        "validation": choice.metrics,
        "groups": options.groups,
        "features": data.scaler.features,
    }


def _write_json(content: Any, path: Path) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
