"""SageMaker's model-quality documents, ``{"regression_metrics": {"rmse": {"value": 3.1, ...}, ...}}``."""

import math
from typing import Any


def numbers(document: Any) -> dict[str, float]:
    """The single numbers of a document by metric; curves and matrices are left out, and so is what is
    no such document."""
    sections = document.items() if isinstance(document, dict) else ()
    entries = [
        (name, entry["value"])
        for section, metrics in sections
        if str(section).endswith("_metrics") and isinstance(metrics, dict)
        for name, entry in metrics.items()
        if isinstance(entry, dict) and "value" in entry
    ]
    return {
        name: float(value)
        for name, value in entries
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }
