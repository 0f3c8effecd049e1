"""The evaluation as one self-contained HTML page: the model next to its baselines, and where it errs."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import pictures
from job_toolkit.metrics import Model
from job_toolkit.pages.report import Html, figure, page, paragraph, section, side_by_side, table

MODEL = "model"
MEASURES = ("rmse", "mae", "r2", "mape")


def plots(actual: NDArray[np.float64], predicted: NDArray[np.float64]) -> dict[str, Html]:
    """The pictures by name, as SVG, of prices [n]."""
    return {
        "predicted_by_actual": pictures.predicted_by_actual(actual, predicted),
        "errors_by_price": pictures.errors_by_price(actual, predicted),
        "errors": pictures.residuals(predicted - actual),
    }


def write(shown: dict[str, Html], measured: list[Model], path: Path) -> None:
    """Write the page with the pictures that `plots` gives; `measured` holds the model, then the baselines."""
    values = measured[0].metrics
    text = page(
        "House prices: evaluation",
        _table(measured),
        paragraph(
            f"A prediction of the model is off by {values['mae']:,.0f} dollars, or {values['mape']:.1%}, on "
            "average. Baselines: a linear regression on the same columns, and the mean price of the training "
            "rows. \u00b1 is the standard deviation over bootstrap samples of the test rows."
        ),
        section(
            "Predicted and actual price",
            side_by_side(
                figure(shown["predicted_by_actual"]),
                figure(
                    shown["errors_by_price"],
                    "Per tenth of the rows: median error, and the middle four fifths.",
                ),
            ),
        ),
        section("Errors", figure(shown["errors"])),
        lead=f"{values['rows']:,.0f} test rows that neither the PCA model nor the network has seen.",
        footer="Test rows are drawn at random: most of them have training rows in their neighbourhood. In a "
        "place from which there are no training rows, errors are larger than these.",
    )
    path.write_text(text, encoding="utf-8")


def _table(measured: list[Model]) -> Html:
    rows = [
        [
            model.name or MODEL,
            *(_shown(key, model.metrics[key], model.deviations.get(key)) for key in MEASURES),
        ]
        for model in measured
    ]
    return table(["", *(name.upper() for name in MEASURES)], [rows[0], "baselines", *rows[1:]])


def _shown(name: str, value: float, spread: float | None) -> str:
    form = {"r2": ".3f", "mape": ".1%"}.get(name, ",.0f")
    value = round(value, 6) if abs(value) > 5e-4 else 0.0  # no "-0.000"
    return f"{value:{form}}" + (f" \u00b1 {spread:{form}}" if spread is not None else "")
