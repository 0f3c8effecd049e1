"""Metric definitions: numbers that a training job prints, found by regular expressions."""

import math
import re
from collections.abc import Sequence
from typing import Any

from local_sagemaker.errors import ValidationError


class Metrics:
    """The last value of every metric, as the log goes by (SageMaker's FinalMetricDataList)."""

    def __init__(self, definitions: Sequence[dict[str, str]]) -> None:
        """Raises ValidationError, naming the metric, for a regex that is none or has no group."""
        self._patterns: list[tuple[str, re.Pattern[str]]] = []
        self._last: dict[str, tuple[float, float]] = {}
        for definition in definitions:
            name, text = definition["Name"], definition["Regex"]
            try:
                pattern = re.compile(text)
            except re.error as error:
                raise ValidationError(
                    f"MetricDefinitions: the Regex {text!r} of {name!r} is invalid: {error}"
                ) from None
            if pattern.groups == 0:
                raise ValidationError(
                    f"MetricDefinitions: the Regex {text!r} of {name!r} needs a group (...) around the number"
                )
            self._patterns.append((name, pattern))

    def read(self, line: str, now: float) -> None:
        """Take the metrics of one log line, printed at `now` (epoch seconds)."""
        for name, pattern in self._patterns:
            for match in pattern.finditer(line):
                try:
                    value = float(match[1])
                except (TypeError, ValueError):
                    continue
                if math.isfinite(value):
                    self._last[name] = (value, now)

    def final(self) -> list[dict[str, Any]]:
        """MetricName, Value, Timestamp of each metric that was printed, in the order of definition."""
        return [
            {"MetricName": name, "Value": self._last[name][0], "Timestamp": self._last[name][1]}
            for name in dict.fromkeys(name for name, _ in self._patterns)
            if name in self._last
        ]
