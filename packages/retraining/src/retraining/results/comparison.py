"""Executions, or model versions, side by side: parameters, metrics, curves."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from retraining.config.configuration import Configuration
from retraining.errors import UserError
from retraining.results import registry
from retraining.results.evaluations import USUAL, Evaluation, evaluations_of
from retraining.runs import executions, gate_reason
from retraining.runs.executions import Execution

_HIGHER = ("recall", "precision", "f0_5", "f1", "f2", "accuracy", "auc", "au_prc", "average_precision", "r2")
_LOWER = ("rmse", "mae", "mse", "loss", "log_loss", "validation_loss", "brier", "calibration_error")
Metric = tuple[str, str]
"""The name of a candidate or baseline, empty where there is one only, and the name of the metric."""


@dataclass(frozen=True)
class Compared:
    """One column.

    Attributes:
        name: of the execution or the version.
        facts: what there is to know of it, in words, by title.
        parameters: all of its execution.
        metrics: on the test set; those of `baselines` too.
        curves: by title, each as (epoch, value).
        report: the URI of its report; None where it has none.
    """

    name: str
    facts: dict[str, str]
    parameters: dict[str, str]
    metrics: dict[Metric, float]
    baselines: frozenset[str] = frozenset()
    curves: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    report: str | None = None

    def as_json(self) -> dict[str, Any]:
        metrics: dict[str, dict[str, float]] = {}
        for (candidate, metric), value in self.metrics.items():
            metrics.setdefault(candidate, {})[metric] = value
        return {"name": self.name, **self.facts, "parameters": self.parameters, "metrics": metrics}


def compare_runs(configuration: Configuration, names: list[str]) -> list[Compared]:
    """Executions by their ids, the beginnings of them, or ARNs; without any, the two newest that have ended.

    Raises:
        UserError: there is no such execution, a beginning is that of several, or there are not two.
    """
    known = executions.arns(configuration.pipeline.pipelineName)
    if names:
        chosen = [_execution(known, name) for name in names]
    else:
        described = (executions.describe(arn) for arn in known)
        ended = (execution.arn for execution in described if not execution.running)
        chosen = [arn for arn, _ in zip(ended, range(2), strict=False)][::-1]
    _require_two(chosen, "executions")
    return [_of_execution(configuration, executions.describe(arn)) for arn in chosen]


def compare_models(configuration: Configuration, names: list[str]) -> list[Compared]:
    """Model versions by number, ``group/version`` or ARN.

    Raises:
        UserError: there is no such version, or there are not two.
    """
    known = registry.packages(configuration)
    chosen = [registry.find(configuration, name, known) for name in names]
    _require_two([package.arn for package in chosen], "versions")
    return [_of_package(configuration, package) for package in chosen]


def _require_two(chosen: list[str], noun: str) -> None:
    if len(set(chosen)) < max(2, len(chosen)):
        raise UserError(f"give two or more {noun} that are not the same")


def _execution(known: list[str], name: str) -> str:
    ids = {arn.rsplit("/", 1)[-1]: arn for arn in known}
    if name in known or name in ids:
        return ids.get(name, name)
    begun = [item for item in ids if item.startswith(name)]
    if len(begun) == 1:
        return ids[begun[0]]
    if begun:
        raise UserError(f"execution {name!r}: several begin so: {', '.join(sorted(begun))}")
    shown = ", ".join([*list(ids)[:5], *(["..."] if len(ids) > 5 else [])])
    raise UserError(
        f"execution {name!r}: no such execution; known: {shown or 'none yet, `retrain run` makes one'}"
    )


def _of_execution(configuration: Configuration, execution: Execution) -> Compared:
    parameters = executions.parameters(execution.arn)
    measured = evaluations_of(configuration, execution)
    facts = {"status": execution.status} | _origin(execution, parameters)
    if execution.status != "Succeeded":
        facts["why"] = gate_reason.with_short_numbers(configuration, execution).reason or ""
    return _column(execution.id, facts, parameters, measured)


def _origin(execution: Execution, parameters: dict[str, str]) -> dict[str, str]:
    """When an execution ran, from which commit, and what it took over; the commit is no parameter then."""
    facts = {
        "started": f"{execution.started.astimezone():%Y-%m-%d %H:%M:%S}",
        "commit": parameters.pop("GitCommit", ""),
    }
    taken: dict[str, list[str]] = {}
    for step in execution.steps:
        if step.taken_from:
            taken.setdefault(step.taken_from.rsplit("/", 1)[-1], []).append(step.name)
    words = "; ".join(f"{', '.join(names)} of {source}" for source, names in taken.items())
    return facts | ({"taken over": words} if words else {})


def _column(
    name: str, facts: dict[str, str], parameters: dict[str, str], measured: list[Evaluation]
) -> Compared:
    several = len(measured) > 1
    metrics: dict[Metric, float] = {}
    baselines = set()
    curves: dict[str, list[tuple[int, float]]] = {}
    for evaluation in measured:
        for item in evaluation.candidates:
            label = "/".join(filter(None, [item.model if several else "", item.name]))
            baselines |= {label} if item.kind == "baseline" else set()
            metrics |= {(label, metric): value for metric, value in item.metrics.items()}
        curves |= {
            f"{evaluation.model}/{title}" if several else title: points
            for title, points in evaluation.curves.items()
        }
    report = next((evaluation.report for evaluation in measured if evaluation.report), None)
    return Compared(name, facts, parameters, metrics, frozenset(baselines), curves, report)


def _of_package(configuration: Configuration, package: registry.ModelPackage) -> Compared:
    facts = {"status": package.status, "candidate": package.candidate}
    parameters: dict[str, str] = {}
    measured: list[Evaluation] = []
    with suppress(ClientError):  # an execution that is no longer there, or of another account
        if package.execution:
            execution = executions.describe(package.execution)
            parameters = executions.parameters(package.execution)
            facts |= {"execution": execution.id} | _origin(execution, parameters)
            measured = evaluations_of(configuration, execution)
    made = _column(package.shown, facts, parameters, measured)
    metrics = {("", metric): value for metric, value in package.metrics.items()}
    return Compared(package.shown, facts, parameters, metrics, curves=made.curves, report=made.report)


def differing(columns: list[Compared]) -> list[str]:
    """The parameters that have not the same value in all columns."""
    names = dict.fromkeys(name for column in columns for name in column.parameters)
    return [name for name in names if not _are_same([column.parameters.get(name) for column in columns])]


def _are_same(values: list[str | None]) -> bool:
    first = values[0]
    return all(
        value == first or (value is not None and first is not None and executions.same(value, first))
        for value in values
    )


def usual(measured: Iterable[str]) -> list[str]:
    """The metrics that people look at first, or the first ones measured where it has none of them."""
    names = list(dict.fromkeys(measured))
    return [name for name in USUAL if name in names] or names[: len(USUAL)]


def best(metric: str, values: Iterable[float | None]) -> float | None:
    """The best of the values of a metric; None where all are the same, or it is not known which is better."""
    present = {value for value in values if value is not None}
    if len(present) < 2:
        return None
    if metric in _HIGHER:
        return max(present)
    return min(present) if metric in _LOWER else None
