"""The pictures of the report, as PNG files: what the models make of the rows, and how the training went."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from calibration import Calibration
from evaluation import results
from evaluation.scoring import Scored
from job_toolkit import ranking

COLOURS = ("#0b6e99", "#d9730d", "#0f7b6c", "#ad1a72", "#6940a5", "#64473a", "#dfab01", "#9b9a97")
GREY, DARK = "#787774", "#37352f"
WIDTH, HEIGHT = 7.5, 4.2  # inches of a picture
STYLE: dict[Any, Any] = {
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
}

Bools = NDArray[np.bool_]
Codes = NDArray[np.int64]


def draw(models: list[Scored], actual: Codes, history: pd.DataFrame, out: Path) -> None:
    """Write all pictures to `out`: `models` answer for test rows whose group codes are `actual` [n]."""
    out.mkdir(parents=True, exist_ok=True)
    chosen = [model for model in models if model.kind == "candidate"]
    groups, positive = chosen[0].entry["groups"], actual == 0
    with plt.rc_context(STYLE):
        precision_recall(positive, models, out / "precision_recall.png")
        calibration(positive, chosen, out / "calibration.png")
        verbosity(models, out / "verbosity.png")
        scores(chosen[0], actual, groups, out / "scores.png")
        for model in chosen:
            confusion(model, actual, groups, out / f"confusion_{model.name}.png")
        loss_curves(history, {model.name: model.entry["epoch"] for model in chosen}, out / "loss_curves.png")
        entropies(history, groups, out / "entropy.png")


def precision_recall(positive: Bools, models: list[Scored], path: Path) -> None:
    """Precision against recall of every model on the test rows; a dot marks the chosen decision threshold.

    Ablations have a panel of their own, with the first candidate.
    """
    panels = {"Candidates and baselines": [model for model in models if model.kind != "ablation"]}
    if ablations := [model for model in models if model.kind == "ablation"]:
        panels["First candidate and ablations"] = [models[0], *ablations]
    lines = max(map(len, panels.values())) // 2 + 1  # of the legend
    with _figure(path, WIDTH, (4.8 + 0.2 * lines) * len(panels)) as figure:
        places = figure.subfigures(len(panels), 1, squeeze=False)[:, 0]
        for place, (title, shown) in zip(places, panels.items(), strict=True):
            axes = place.subplots()
            for number, model in enumerate(shown):
                _precision_recall(axes, positive, model, COLOURS[number % len(COLOURS)])
            share = float(positive.mean())
            random = f"flagging at random (precision {share:.3f})"
            axes.axhline(share, color=GREY, linewidth=0.8, label=random)
            axes.set(xlim=(0, 1.02), ylim=(0, 1.04), xlabel="recall", ylabel="precision", title=title)
            _legend(place, axes.lines)


def _precision_recall(axes: Axes, positive: Bools, model: Scored, colour: str) -> None:
    curve = ranking.sweep(positive, model.scores)
    area = ranking.average_precision(positive, model.scores)
    style = {"candidate": "-", "baseline": "--", "ablation": "-."}[model.kind]
    label = f"{model.name} (average precision {area:.3f})"
    axes.plot(curve.recall, curve.precision, color=colour, linewidth=1.4, linestyle=style, label=label)
    precision = positive[model.flagged].mean() if model.flagged.any() else 0.0
    recall = model.flagged[positive].mean() if positive.any() else 0.0
    axes.plot(recall, precision, "o", color=colour, markersize=8, markeredgecolor="white")


def calibration(positive: Bools, models: list[Scored], path: Path) -> None:
    """Reliability of each candidate on the test rows, before and after calibration.

    A dot is a tenth of the scale; the larger, the more rows it holds.
    """
    columns = min(4, len(models))
    rows = -(-len(models) // columns)
    with _figure(path, 3.1 * columns, 3.5 * rows + 0.3) as figure:
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes, model in zip(grid.flat, models, strict=False):
            before = Calibration(**model.entry["calibration"]).undo(model.scores)
            for values, colour, label in ((before, GREY, "before"), (model.scores, COLOURS[0], "after")):
                predicted, observed, held = results.reliability(positive, values)
                axes.plot(predicted, observed, color=colour, linewidth=1.2, label=label)
                sizes = 8 + 14 * np.log10(held)
                axes.scatter(predicted, observed, s=sizes, color=colour, edgecolor="white", zorder=3)
            axes.plot([0, 1], [0, 1], color=DARK, linewidth=0.8, linestyle=":")
            axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xlabel="mean score", title=model.name)
            axes.set_aspect("equal")
        for axes in grid[:, 0]:
            axes.set_ylabel("share that is scarce")
        for axes in list(grid.flat)[len(models) :]:
            axes.set_visible(False)
        _legend(figure, grid[0, 0].lines)


def verbosity(models: list[Scored], path: Path) -> None:
    """The share of unlabelled rows that each model flags."""
    colours = {"candidate": COLOURS[0], "ablation": COLOURS[4], "baseline": GREY}
    names, shares = [model.name for model in models], [100 * model.verbosity for model in models]
    with _figure(path, WIDTH, 0.8 + 0.34 * len(models)) as figure:
        axes = figure.subplots()
        bars = axes.barh(names, shares, color=[colours[model.kind] for model in models])
        axes.bar_label(bars, [f"{share:.2f} %" for share in shares], padding=4, fontsize=9)
        axes.invert_yaxis()
        axes.grid(visible=False)
        axes.set(xlabel="unlabelled rows flagged as scarce, %", xlim=(0, max([*shares, 0.01]) * 1.15))
        axes.set_title("Verbosity in the unknown space")
        kinds = dict.fromkeys(model.kind for model in models)
        _legend(figure, [Patch(color=colours[kind], label=kind) for kind in kinds])


def confusion(model: Scored, actual: Codes, groups: list[str], path: Path) -> None:
    """Actual group against predicted group: counts, coloured by the share of the actual group."""
    counts = np.zeros((len(groups), len(groups)), dtype=int)
    np.add.at(counts, (actual, model.groups), 1)
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    size = 2.6 + 0.75 * len(groups)
    with _figure(path, size + 0.8, size) as figure:
        axes = figure.subplots()
        image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for row, column in np.ndindex(counts.shape):
            colour = "white" if shares[row, column] > 0.55 else DARK
            text = f"{counts[row, column]}\n{shares[row, column]:.0%}"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=9)
        axes.grid(visible=False)
        axes.set_xticks(range(len(groups)), groups, rotation=25, ha="right")
        axes.set_yticks(range(len(groups)), groups)
        axes.set(xlabel="predicted group", ylabel="labelled group", title=model.name)
        figure.colorbar(image, ax=axes, label="share of the labelled group", shrink=0.8)


def scores(model: Scored, actual: Codes, groups: list[str], path: Path) -> None:
    """How a candidate's scores of the test rows are distributed, by labelled group."""
    with _figure(path, WIDTH, HEIGHT) as figure:
        axes, bins = figure.subplots(), np.linspace(0, 1, 21)
        for code, group in enumerate(groups):
            heights, _ = np.histogram(model.scores[actual == code], bins)
            shares = heights / max(1, heights.sum())
            axes.stairs(shares, bins, color=COLOURS[code % len(COLOURS)], linewidth=1.8, label=group)
        label = f"threshold {model.threshold:.3f}"
        axes.axvline(model.threshold, color=GREY, linestyle=":", label=label)
        axes.set_yscale("symlog", linthresh=0.01)
        axes.set_yticks([0, 0.01, 0.1, 1], ["0", "1 %", "10 %", "100 %"])
        axes.set(xlabel=f"score of {model.name}", ylabel="share of the group", xlim=(0, 1), ylim=(0, 1.2))
        axes.set_title("Scores by labelled group, test rows")
        _legend(figure, [*axes.patches, *axes.lines])


def loss_curves(history: pd.DataFrame, epochs: dict[str, int], path: Path) -> None:
    """Losses and validation metrics by epoch; `epochs` says which epoch each candidate is from."""
    losses = {
        "discriminator, supervised": "discriminator_supervised_loss",
        "discriminator, unsupervised": "discriminator_unsupervised_loss",
        "generator": "generator_loss",
        "validation": "validation_loss",
    }
    metrics = {
        "recall": "recall",
        "precision": "precision",
        "F1": "f1",
        "average precision": "average_precision",
        "recall at 1 % false positives": "recall_at_1_percent",
    }
    with _figure(path, WIDTH, 2 * HEIGHT) as figure:
        above, below = figure.subfigures(2, 1)
        first = _by_epoch(above, history, losses, "Losses", "loss")
        second = _by_epoch(below, history, metrics, "Scarce group, validation rows (at highest F1)", "value")
        second.set_ylim(0, 1.02)
        for epoch in dict.fromkeys(epochs.values()):
            for axes in (first, second):
                axes.axvline(epoch, color=GREY, linewidth=0.8, linestyle=":")
            names = " " + ", ".join(name for name, own in epochs.items() if own == epoch)
            style = {"rotation": 90, "fontsize": 8, "color": GREY}
            second.text(epoch, 0.02, names, va="bottom", ha="right", **style)


def entropies(history: pd.DataFrame, groups: list[str], path: Path) -> None:
    """How unsure the model is of each group's validation rows: mean entropy over all classes, in nats."""
    columns = {group: f"entropy_{group}" for group in groups}
    with _figure(path, WIDTH, HEIGHT) as figure:
        title = "Entropy by group, validation rows"
        _by_epoch(figure, history, columns, title, "mean entropy, nats").set_ylim(bottom=0)


def _by_epoch(
    figure: FigureBase, history: pd.DataFrame, columns: dict[str, str], title: str, unit: str
) -> Axes:
    axes: Axes = figure.subplots()
    for number, (label, column) in enumerate(columns.items()):
        colour, marker = COLOURS[number % len(COLOURS)], "o" if len(history) == 1 else None
        axes.plot(history["epoch"], history[column], color=colour, lw=1.6, marker=marker, label=label)
    axes.set(xlabel="epoch", ylabel=unit, title=title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    _legend(figure, axes.lines)
    return axes


def _legend(figure: FigureBase, handles: Iterable[Artist]) -> None:
    """The legend below the figure, where it covers nothing that is drawn; of `handles` with a label."""
    named = [handle for handle in handles if not str(handle.get_label()).startswith("_")]
    longest = max(len(str(handle.get_label())) for handle in named)
    # An inch holds about 15 characters; the line or patch of a label takes the room of nine.
    fitting = int(15 * figure.bbox.width / figure.dpi) // (longest + 9)
    columns = max(1, min(fitting, len(named)))
    figure.legend(handles=named, loc="outside lower center", ncols=columns, fontsize=8.5)


@contextmanager
def _figure(path: Path, width: float, height: float) -> Iterator[Any]:
    """A figure of this size, in inches, which is saved when it is drawn."""
    figure = plt.figure(figsize=(width, height), layout="constrained")
    yield figure
    # Without the software version in the file, the same picture is the same bytes.
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)
