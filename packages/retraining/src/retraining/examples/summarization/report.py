"""The training and its evaluation for people: history.csv, plots/, and one self-contained HTML page."""

import csv
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from finetuning import Epoch
from job_toolkit.metrics import DEVIATION, Model
from job_toolkit.pages import charts
from job_toolkit.pages.report import Html, figure, page, paragraph, section, table, tiles

STYLE = ".samples td, .samples th { text-align: left; vertical-align: top }"
SHOWN = {"eval_loss": "evaluation loss", "perplexity": "perplexity", "rouge_l": "ROUGE-L"}


def write(epochs: Sequence[Epoch], document: dict[str, Any], model: Model, folder: Path) -> None:
    """Write the files; `document` is what evaluation.json holds, `model` the line of metrics.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "history.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(Epoch.__dataclass_fields__), lineterminator="\n")
        writer.writeheader()
        for epoch in epochs:
            # An empty cell is no number: a resumed training knows no loss of an epoch that was cut off.
            writer.writerow(
                {name: value if math.isfinite(value) else "" for name, value in asdict(epoch).items()}
            )
    pictures = {"loss_curves": _losses(epochs)} if epochs else {}
    charts.write(pictures, folder / "plots")
    gate = document["gate"]
    text = page(
        "Summaries of dialogues: evaluation",
        tiles(
            {label: f"{model.metrics[name]:.3f}" for name, label in SHOWN.items() if name in model.metrics}
        ),
        paragraph(
            f"The gatekeeper takes an evaluation loss of at most {gate['max_eval_loss']:g}: the model "
            f"{'passes' if gate['passed'] else 'does not pass'}."
        ),
        section("Metrics", _table(model)),
        section(
            "Training", *(figure(svg, "The ring is the epoch that was kept.") for svg in pictures.values())
        ),
        section("A few summaries", _samples(document["samples"])),
        lead=f"{document['dialogues']:,} validation dialogues, {document['summary_tokens']:,} tokens of "
        f"their summaries. For ROUGE-L, {document['summaries_generated']:,} summaries were generated.",
        style=STYLE,
    )
    (folder / "report.html").write_text(text, encoding="utf-8")


def _losses(epochs: Sequence[Epoch]) -> Html:
    losses = {
        "training": [epoch.train_loss for epoch in epochs],
        "evaluation": [epoch.eval_loss for epoch in epochs],
    }
    finite = [number for number, loss in enumerate(losses["evaluation"]) if math.isfinite(loss)]
    best = min(finite, key=lambda number: losses["evaluation"][number], default=None)
    return charts.training("epoch", "loss, nats per token", [epoch.epoch for epoch in epochs], losses, best)


def _table(model: Model) -> Html:
    rows = []
    for name, value in model.metrics.items():
        spread = model.deviations.get(name)
        shown = f"{value:,.0f}" if name == "rows" else f"{value:.4f}"
        rows.append([SHOWN.get(name, name), shown, "" if spread is None else f"{spread:.4f}"])
    return table(["", "value", DEVIATION.strip("_").replace("_", " ")], rows)


def _samples(samples: list[dict[str, str]]) -> Html:
    if not samples:
        return paragraph("None were generated: rouge_examples is 0.")
    rows = [[row["id"], row["summary"], row["generated"]] for row in samples]
    return Html(f'<div class="samples">{table(["dialogue", "summary", "generated"], rows)}</div>')
