"""What a training leaves in the model folder."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from job_toolkit import strict_json
from model import export
from model.hyperparameters import Hyperparameters
from model.training import Best, Progress
from model.training_data import Data, Part
from model.variants import Settings

FOLD_METRICS = ("recall", "precision", "f1", "average_precision", "recall_at_1_percent", "auc")


def save(options: Hyperparameters, settings: Settings, data: Data, progress: Progress, out: Path) -> None:
    """Write candidates/, candidates.json, history.csv and hyperparameters.json."""
    out.mkdir(parents=True, exist_ok=True)
    listing = []
    for best in progress.bests:
        folder = out / "candidates" / best.definition.name
        entry = _save_model(best, progress, options, settings, data, folder)
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
    listing = []
    for settings, progress in trained:
        folder = out / "ablations" / settings.variant
        listing.append(_save_model(progress.bests[0], progress, options, settings, data, folder))
    _write_json(listing, out / "ablations.json")


def save_folds(parts: list[Part], folds: list[Progress], epochs: dict[str, int], out: Path) -> None:
    """Write folds.csv: each definition at its epoch on the rows that each fold held out.

    The threshold is chosen on the same rows: recall, precision and F1 are a little too good. What needs no
    threshold is not.
    """
    rows = []
    for number, (part, fold) in enumerate(zip(parts, folds, strict=True)):
        for index, (name, epoch) in enumerate(epochs.items()):
            choice = fold.choices[epoch - 1][index]
            rows.append(
                {"fold": number, "candidate": name, "epoch": epoch}
                | {metric: choice.metrics[metric] for metric in FOLD_METRICS}
                | {"threshold": choice.threshold, "rows": len(part.held_out)}
                | {"positives": int((part.held_out_groups == 0).sum())}
            )
    pd.DataFrame(rows).to_csv(out / "folds.csv", index=False)


def _save_model(
    best: Best, progress: Progress, options: Hyperparameters, settings: Settings, data: Data, folder: Path
) -> dict[str, Any]:
    """Write the SavedModel; return its entry of the listing."""
    serving = export.Serving(best.weights, settings.units, data.scaler, options.groups)
    loss = progress.history[best.epoch - 1]["validation_loss"]
    positive = data.part.held_out_groups == 0
    calibration, choice = serving.decide(data.validation_raw, positive, best.definition, loss)
    export.save(serving, data.scaler, folder)
    return {
        "name": folder.name,
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
    strict_json.write(content, path, indent=2)
