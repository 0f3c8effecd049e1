"""How the training went, epoch by epoch, as PNG files."""

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.ticker import MaxNLocator

from evaluation.plots import COLOURS, GREY, STYLE, legend, save

WIDTH, HEIGHT = 7.5, 4.2  # inches of a picture
ENTROPY = "entropy_"  # history.csv has a column of this prefix for each group


def loss_curves(history: pd.DataFrame, epochs: dict[str, int], path: Path) -> None:
    """Losses and validation metrics by epoch; `epochs` says which epoch each candidate is from."""
    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=(WIDTH, 2 * HEIGHT), layout="constrained")
        above, below = figure.subfigures(2, 1)
        losses = {
            "discriminator, supervised": "discriminator_supervised_loss",
            "discriminator, unsupervised": "discriminator_unsupervised_loss",
            "generator": "generator_loss",
            "validation": "validation_loss",
        }
        first = _lines(above, history, losses, "Losses", "loss")
        metrics = {
            "recall": "recall",
            "precision": "precision",
            "F1": "f1",
            "average precision": "average_precision",
            "recall at 1 % false positives": "recall_at_1_percent",
        }
        second = _lines(below, history, metrics, "Scarce group, validation rows (at highest F1)", "value")
        second.set_ylim(0, 1.02)
        by_epoch: dict[int, list[str]] = {}
        for name, epoch in epochs.items():
            by_epoch.setdefault(epoch, []).append(name)
        for epoch, names in by_epoch.items():
            for axes in (first, second):
                axes.axvline(epoch, color=GREY, linewidth=0.8, linestyle=":")
            second.text(
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
        figure = plt.figure(figsize=(WIDTH, HEIGHT), layout="constrained")
        axes = _lines(figure, history, columns, "Entropy by group, validation rows", "mean entropy, nats")
        axes.set_ylim(bottom=0)
        save(figure, path)


def _lines(figure: FigureBase, history: pd.DataFrame, columns: dict[str, str], title: str, unit: str) -> Axes:
    axes = figure.subplots()
    for number, (label, column) in enumerate(columns.items()):
        colour, marker = COLOURS[number % len(COLOURS)], "o" if len(history) == 1 else None
        axes.plot(history["epoch"], history[column], color=colour, lw=1.6, marker=marker, label=label)
    axes.set(xlabel="epoch", ylabel=unit, title=title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    legend(figure, axes.lines)
    return axes
