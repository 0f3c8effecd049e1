"""How the training went, epoch by epoch, as PNG files."""

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from evaluation.plots import COLOURS, GREY, STYLE, save

ENTROPY = "entropy_"  # history.csv has a column of this prefix for each group


def loss_curves(history: pd.DataFrame, epochs: dict[str, int], path: Path) -> None:
    """Losses and validation metrics by epoch; `epochs` says which epoch each candidate is from."""
    with plt.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
        losses = {
            "discriminator, supervised": "discriminator_supervised_loss",
            "discriminator, unsupervised": "discriminator_unsupervised_loss",
            "generator": "generator_loss",
            "validation": "validation_loss",
        }
        _lines(left, history, losses, "Losses", "loss")
        metrics = {
            "recall": "recall",
            "precision": "precision",
            "F1": "f1",
            "average precision": "average_precision",
            "recall at 1 % false positives": "recall_at_1_percent",
        }
        _lines(right, history, metrics, "Scarce group, validation rows (at highest F1)", "value")
        right.set_ylim(0, 1.02)
        by_epoch: dict[int, list[str]] = {}
        for name, epoch in epochs.items():
            by_epoch.setdefault(epoch, []).append(name)
        for epoch, names in by_epoch.items():
            for axes in (left, right):
                axes.axvline(epoch, color=GREY, linewidth=0.8, linestyle=":")
            right.text(
                epoch,
                0.02,
                " " + ", ".join(names),
                rotation=90,
                fontsize=8,
                color=GREY,
                va="bottom",
                ha="right",
            )
        save(figure, path)


def entropies(history: pd.DataFrame, groups: list[str], path: Path) -> None:
    """How unsure the model is of each group's validation rows: mean entropy over all classes, in nats."""
    columns = {group: ENTROPY + group for group in groups}
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
        _lines(axes, history, columns, "Entropy by group, validation rows", "mean entropy, nats")
        axes.set_ylim(bottom=0)
        save(figure, path)


def _lines(axes: Axes, history: pd.DataFrame, columns: dict[str, str], title: str, unit: str) -> None:
    for number, (label, column) in enumerate(columns.items()):
        axes.plot(history["epoch"], history[column], color=COLOURS[number], linewidth=1.6, label=label)
    axes.set(xlabel="epoch", ylabel=unit)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title(title)
    axes.legend(fontsize=9)
