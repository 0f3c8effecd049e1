"""Which pictures the evaluation draws."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evaluation import plots, training_plots
from evaluation.scoring import Scored


def draw(models: list[Scored], actual: NDArray[np.int64], history: pd.DataFrame, out: Path) -> None:
    """Write all pictures to `out`: `models` answer for test rows whose group codes are `actual` [n]."""
    chosen = [model for model in models if model.kind == "candidate"]
    first, groups, positive = chosen[0], chosen[0].entry["groups"], actual == 0
    plots.precision_recall(positive, models, out / "precision_recall.png")
    plots.calibration(positive, chosen, out / "calibration.png")
    plots.verbosity(models, out / "verbosity.png")
    plots.scores(first.scores, actual, groups, first.threshold, first.name, out / "scores.png")
    for model in chosen:
        plots.confusion(actual, model.groups, groups, model.name, out / f"confusion_{model.name}.png")
    epochs = {model.name: model.entry["epoch"] for model in chosen}
    training_plots.loss_curves(history, epochs, out / "loss_curves.png")
    training_plots.entropies(history, groups, out / "entropy.png")
