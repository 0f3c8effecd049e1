"""The evaluation's pictures, as PNG files."""

from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

import measures

COLOURS = ("#0b6e99", "#d9730d", "#0f7b6c", "#ad1a72", "#6940a5", "#64473a")
GREY = "#787774"
STYLE = {
    "figure.dpi": 130,
    "font.size": 10,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e9e9e7",
    "legend.frameon": False,
    "savefig.bbox": "tight",
}


@dataclass(frozen=True)
class Curve:
    """A model's scores of the test rows [n], and the recall and precision it works at."""

    name: str
    scores: NDArray[np.floating]
    recall: float
    precision: float
    baseline: bool


def loss_curves(history: pd.DataFrame, epochs: dict[str, int], path: Path) -> None:
    """Losses and validation metrics by epoch; `epochs` says which epoch each candidate is from."""
    with plt.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), constrained_layout=True)
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
        _save(figure, path)


def precision_recall(positive: NDArray[np.bool_], curves: list[Curve], path: Path) -> None:
    """Precision against recall of every model on the test rows; a dot marks the chosen decision threshold."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(7.5, 5.2), constrained_layout=True)
        for number, curve in enumerate(curves):
            swept = measures.sweep(positive, curve.scores)
            colour = COLOURS[number % len(COLOURS)]
            area = measures.average_precision(positive, curve.scores)
            axes.plot(
                swept.recall,
                swept.precision,
                color=colour,
                linewidth=1.4,
                linestyle="--" if curve.baseline else "-",
                label=f"{curve.name} (average precision {area:.2f})",
            )
            axes.plot(curve.recall, curve.precision, "o", color=colour, markersize=8, markeredgecolor="white")
        share = float(positive.mean())
        axes.axhline(share, color=GREY, linewidth=0.8)
        axes.text(0.01, share + 0.015, f"flagging at random ({share:.1%})", color=GREY, fontsize=8)
        axes.set(xlim=(0, 1.02), ylim=(0, 1.04), xlabel="recall", ylabel="precision")
        axes.set_title("Precision and recall of the scarce group, test rows")
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 0.06), fontsize=9)
        _save(figure, path)


def confusion(
    actual: NDArray[np.int64], predicted: NDArray[np.int64], groups: list[str], name: str, path: Path
) -> None:
    """Actual group against predicted group: counts, coloured by the share of the actual group."""
    counts = np.zeros((len(groups), len(groups)), dtype=int)
    np.add.at(counts, (actual, predicted), 1)
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    size = 2.6 + 0.75 * len(groups)
    with plt.rc_context(STYLE | {"axes.grid": False}):
        figure, axes = plt.subplots(figsize=(size + 0.8, size), constrained_layout=True)
        image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for row, column in np.ndindex(counts.shape):
            colour = "white" if shares[row, column] > 0.55 else "#37352f"
            text = f"{counts[row, column]}\n{shares[row, column]:.0%}"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=9)
        axes.set_xticks(range(len(groups)), groups, rotation=25, ha="right")
        axes.set_yticks(range(len(groups)), groups)
        axes.set(xlabel="predicted group", ylabel="labelled group")
        axes.set_title(name)
        figure.colorbar(image, ax=axes, label="share of the labelled group", shrink=0.8)
        _save(figure, path)


def scores(
    values: NDArray[np.floating],
    actual: NDArray[np.int64],
    groups: list[str],
    threshold: float,
    name: str,
    path: Path,
) -> None:
    """How a candidate's scores of the test rows are distributed, by labelled group."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(7.5, 4.2), constrained_layout=True)
        bins = np.linspace(0, 1, 21)
        for code, group in enumerate(groups):
            heights, _ = np.histogram(values[actual == code], bins)
            shares = heights / max(1, heights.sum())
            axes.stairs(shares, bins, color=COLOURS[code % len(COLOURS)], linewidth=1.8, label=group)
        axes.axvline(threshold, color=GREY, linestyle=":", label=f"threshold {threshold:.3f}")
        axes.set_yscale("symlog", linthresh=0.01)
        axes.set_yticks([0, 0.01, 0.1, 1], ["0", "1 %", "10 %", "100 %"])
        axes.set(xlabel=f"score of {name}", ylabel="share of the group", xlim=(0, 1), ylim=(0, 1.2))
        axes.set_title("Scores by labelled group, test rows")
        axes.legend(loc="upper center", ncols=3)
        _save(figure, path)


def _lines(axes: Axes, history: pd.DataFrame, columns: dict[str, str], title: str, unit: str) -> None:
    for number, (label, column) in enumerate(columns.items()):
        axes.plot(history["epoch"], history[column], color=COLOURS[number], linewidth=1.6, label=label)
    axes.set(xlabel="epoch", ylabel=unit)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title(title)
    axes.legend(fontsize=9)


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Without the software version in the file, the same picture is the same bytes.
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)
