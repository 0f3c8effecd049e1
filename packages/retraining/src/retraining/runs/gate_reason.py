"""What a quality gate says when it fails: in short numbers, and the bound that would have let it pass."""

import math
import re
from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation
from typing import Any

from retraining.compile.compiled import is_expression, read
from retraining.config.configuration import Configuration
from retraining.config.schema.parameter import Parameter
from retraining.runs.executions import Execution

_NUMBER = r"-?\d+\.?\d*(?:[eE][-+]?\d+)?"
# Measured numbers have more digits than anybody writes.
_LONG = re.compile(r"(?<![\w.])-?\d+\.\d{6,}(?:[eE][-+]?\d+)?(?!\w|\.\d)")


def with_short_numbers(configuration: Configuration, execution: Execution) -> Execution:
    """The execution with short numbers in what its gates say; other failures as they are."""
    gates = {
        step.settings.own_fail_step for step in configuration.steps.values() if step.step_class == "Condition"
    }
    steps = [
        replace(step, failure=rounded(step.failure)) if step.failure and step.name in gates else step
        for step in execution.steps
    ]
    return replace(execution, steps=steps)


def rounded(text: str) -> str:
    """A text with three digits of each long number, or as many as tell it from the other numbers."""
    short = {float(number) for number in re.findall(_NUMBER, _LONG.sub("", text))}

    def shorter(number: re.Match[str]) -> str:
        value = float(number[0])
        digits = max(3, math.floor(math.log10(abs(value))) + 1 if value else 3)
        texts = (f"{value:.{count}g}" for count in range(digits, 17))
        return next((text for text in texts if float(text) not in short), number[0])

    return _LONG.sub(shorter, text)


def passing(configuration: Configuration, definition: str, execution: Execution) -> dict[str, str]:
    """The parameters that hold the bounds of the gates that failed, with values that let the run pass.

    Empty where anything else failed, where a bound is no parameter, or where a champion sets it.

    Args:
        definition: the pipeline definition of the execution, which has the message of each Fail step.
    """
    gates = {
        step.settings.own_fail_step: step.section
        for step in configuration.steps.values()
        if step.step_class == "Condition"
    }
    steps = read(definition).steps
    values: dict[Parameter, Decimal] = {}
    for step in execution.failed:
        gate = gates.get(step.name)
        if gate is None or step.name not in steps:
            return {}
        measured = _measured(steps[step.name].arguments.get("ErrorMessage"), step.failure or "")
        if measured is None or gate.champion is not None or not isinstance(gate.bound, Parameter):
            return {}
        digits = 0 if gate.bound.type == "Integer" else measured.adjusted() - 1
        away = ROUND_FLOOR if gate.maximum is None else ROUND_CEILING
        kept = measured.quantize(Decimal(1).scaleb(digits), away)
        # Of two gates with one bound, what both keep.
        weaker = min if gate.maximum is None else max
        values[gate.bound] = weaker(kept, values.get(gate.bound, kept))
    return {
        bound.parameter: f"{value:f}" if bound.type == "Integer" else f"{float(value):.6g}"
        for bound, value in values.items()
    }


def _measured(message: Any, failure: str) -> Decimal | None:
    """The number in the place of the Std:JsonGet of a message; None where `failure` is no such message."""
    parts = message.get("Std:Join", {}).get("Values", []) if isinstance(message, dict) else []
    expressions = [part for part in parts if is_expression(part)]
    measured = next((index for index, part in enumerate(expressions) if "Std:JsonGet" in part), None)
    pattern = "".join("(.*?)" if is_expression(part) else re.escape(str(part)) for part in parts)
    match = re.fullmatch(pattern, failure, re.DOTALL)
    if match is None or measured is None:
        return None
    try:
        number = Decimal(match[measured + 1])
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
