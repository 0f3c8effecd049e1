"""What the models make of the rows, as PNG files."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.patches import Patch
from numpy.typing import NDArray

import measures
from calibration import Calibration
from evaluation import reliability
from evaluation.scoring import Scored

COLOURS = ("#0b6e99", "#d9730d", "#0f7b6c", "#ad1a72", "#6940a5", "#64473a", "#dfab01", "#9b9a97")
GREY = "#787774"
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


def precision_recall(positive: NDArray[np.bool_], models: list[Scored], path: Path) -> None:
    """Precision against recall of every model on the test rows; a dot marks the chosen decision threshold.

    Ablations have a panel of their own, with the first candidate.
    """
    panels = {"Candidates and baselines": [model for model in models if model.kind != "ablation"]}
    if ablations := [model for model in models if model.kind == "ablation"]:
        panels["First candidate and ablations"] = [models[0], *ablations]
    with plt.rc_context(STYLE):
        lines = max(map(len, panels.values())) // 2 + 1  # of the legend
        figure = plt.figure(figsize=(7.5, (4.8 + 0.2 * lines) * len(panels)), layout="constrained")
        places = figure.subfigures(len(panels), 1, squeeze=False)[:, 0]
        for place, (title, shown) in zip(places, panels.items(), strict=True):
            axes = place.subplots()
            for number, model in enumerate(shown):
                _precision_recall(axes, positive, model, COLOURS[number % len(COLOURS)])
            share = float(positive.mean())
            random = f"flagging at random (precision {share:.3f})"
            axes.axhline(share, color=GREY, linewidth=0.8, label=random)
            axes.set(xlim=(0, 1.02), ylim=(0, 1.04), xlabel="recall", ylabel="precision", title=title)
            legend(place, axes.lines)
        save(figure, path)


def _precision_recall(axes: Axes, positive: NDArray[np.bool_], model: Scored, colour: str) -> None:
    swept = measures.sweep(positive, model.scores)
    area = measures.average_precision(positive, model.scores)
    style = {"candidate": "-", "baseline": "--", "ablation": "-."}[model.kind]
    label = f"{model.name} (average precision {area:.3f})"
    axes.plot(swept.recall, swept.precision, color=colour, linewidth=1.4, linestyle=style, label=label)
    at = measures.at_threshold(positive, model.flagged.astype(float), 0.5)
    axes.plot(at["recall"], at["precision"], "o", color=colour, markersize=8, markeredgecolor="white")


def calibration(positive: NDArray[np.bool_], models: list[Scored], path: Path) -> None:
    """Reliability of each candidate on the test rows, before and after calibration.

    A dot is a tenth of the scale; the larger, the more rows it holds.
    """
    columns = min(4, len(models))
    rows = -(-len(models) // columns)
    with plt.rc_context(STYLE):
        figure, grid = plt.subplots(
            rows, columns, figsize=(3.1 * columns, 3.5 * rows + 0.3), squeeze=False, layout="constrained"
        )
        for axes, model in zip(grid.flat, models, strict=False):
            calibrated = Calibration(**model.entry["calibration"])
            _reliability(axes, positive, calibrated.undo(model.scores), GREY, "before")
            _reliability(axes, positive, model.scores, COLOURS[0], "after")
            axes.plot([0, 1], [0, 1], color="#37352f", linewidth=0.8, linestyle=":")
            axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xlabel="mean score", title=model.name)
            axes.set_aspect("equal")
        for axes in grid[:, 0]:
            axes.set_ylabel("share that is scarce")
        for axes in list(grid.flat)[len(models) :]:
            axes.set_visible(False)
        legend(figure, grid[0, 0].lines)
        save(figure, path)


def _reliability(
    axes: Axes, positive: NDArray[np.bool_], probabilities: NDArray[np.floating], colour: str, label: str
) -> None:
    found = reliability.reliability(positive, probabilities)
    axes.plot(found.predicted, found.observed, color=colour, linewidth=1.2, label=label)
    sizes = 8 + 14 * np.log10(found.rows)
    axes.scatter(found.predicted, found.observed, s=sizes, color=colour, edgecolor="white", zorder=3)


def verbosity(models: list[Scored], path: Path) -> None:
    """The share of unlabelled rows that each model flags."""
    colours = {"candidate": COLOURS[0], "ablation": COLOURS[4], "baseline": GREY}
    with plt.rc_context(STYLE | {"axes.grid": False}):
        figure, axes = plt.subplots(figsize=(7.5, 0.8 + 0.34 * len(models)), layout="constrained")
        shares = [100 * model.verbosity for model in models]
        bars = axes.barh(
            [model.name for model in models], shares, color=[colours[model.kind] for model in models]
        )
        axes.bar_label(bars, [f"{share:.2f} %" for share in shares], padding=4, fontsize=9)
        axes.invert_yaxis()
        axes.set(xlabel="unlabelled rows flagged as scarce, %", xlim=(0, max([*shares, 0.01]) * 1.15))
        axes.set_title("Verbosity in the unknown space")
        handles = [Patch(color=colours[kind], label=kind) for kind in dict.fromkeys(m.kind for m in models)]
        legend(figure, handles)
        save(figure, path)


def confusion(
    actual: NDArray[np.int64], predicted: NDArray[np.int64], groups: list[str], name: str, path: Path
) -> None:
    """Actual group against predicted group: counts, coloured by the share of the actual group."""
    counts = np.zeros((len(groups), len(groups)), dtype=int)
    np.add.at(counts, (actual, predicted), 1)
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    size = 2.6 + 0.75 * len(groups)
    with plt.rc_context(STYLE | {"axes.grid": False}):
        figure, axes = plt.subplots(figsize=(size + 0.8, size), layout="constrained")
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
        save(figure, path)


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
        figure, axes = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
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
        legend(figure, [*axes.patches, *axes.lines])
        save(figure, path)


def legend(figure: FigureBase, handles: Iterable[Artist]) -> None:
    """The legend below the figure, where it lies over nothing that is drawn; of `handles` with a label."""
    named = [handle for handle in handles if not str(handle.get_label()).startswith("_")]
    longest = max(len(str(handle.get_label())) for handle in named)
    # An inch holds about 15 characters; the line or patch of a label takes the room of nine.
    fitting = int(15 * figure.bbox.width / figure.dpi) // (longest + 9)
    columns = max(1, min(fitting, len(named)))
    figure.legend(handles=named, loc="outside lower center", ncols=columns, fontsize=8.5)


def save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Without the software version in the file, the same picture is the same bytes.
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)
