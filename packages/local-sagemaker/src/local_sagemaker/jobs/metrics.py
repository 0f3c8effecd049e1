"""Metric definitions: numbers that a training job prints, found by regular expressions."""

import json
import math
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from local_sagemaker.core.errors import ValidationError

PATIENCE = 30.0  # seconds for all lines of a job


class MetricsError(Exception):
    """The metrics of a job could not be read; one line."""


class Metrics:
    """The last value of every metric in what a job printed (SageMaker's FinalMetricDataList).

    A process of its own looks for them once the job has ended: a regular expression can take for
    ever, and would hold up everything else in this one.
    """

    def __init__(self, definitions: Sequence[dict[str, str]]) -> None:
        """Raises ValidationError, naming the metric, for a regex that is none or has no group."""
        self._definitions = [(definition["Name"], definition["Regex"]) for definition in definitions]
        self._lines: list[tuple[str, float]] = []
        for name, text in self._definitions:
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

    def read(self, line: str, now: float) -> None:
        """Take one line, printed at `now` (epoch seconds)."""
        if self._definitions:
            self._lines.append((line, now))

    def final(self) -> list[dict[str, Any]]:
        """MetricName, Value, Timestamp of each metric that was printed, in the order of definition.

        Raises MetricsError when that takes too long.
        """
        if not self._lines:
            return []
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-m", "local_sagemaker.jobs.metrics"],
                input=json.dumps([self._definitions, self._lines], allow_nan=False).encode(),
                stdout=subprocess.PIPE,
                timeout=PATIENCE,
                check=True,
            )
        except subprocess.TimeoutExpired:
            raise MetricsError(
                f"MetricDefinitions: a Regex takes longer than {PATIENCE:.0f} s on what the job printed"
            ) from None
        values: list[dict[str, Any]] = json.loads(done.stdout)
        return values


def search(definitions: Sequence[Sequence[str]], lines: Sequence[tuple[str, float]]) -> list[dict[str, Any]]:
    """`Metrics.final` for (name, regex) pairs and (line, time) pairs."""
    patterns = [(name, re.compile(text)) for name, text in definitions]
    last: dict[str, tuple[float, float]] = {}
    for line, now in lines:
        for name, pattern in patterns:
            for match in pattern.finditer(line):
                try:
                    value = float(match[1])
                except (TypeError, ValueError):
                    continue
                if math.isfinite(value):
                    last[name] = (value, now)
    return [
        {"MetricName": name, "Value": last[name][0], "Timestamp": last[name][1]}
        for name in dict.fromkeys(name for name, _ in patterns)
        if name in last
    ]


if __name__ == "__main__":
    signal.alarm(int(PATIENCE) + 1)  # the process that waits for this one may have been killed
    json.dump(search(*json.load(sys.stdin)), sys.stdout, allow_nan=False)
