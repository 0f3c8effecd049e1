"""What a quality gate says when it fails: in short numbers, and the bound that would have let it pass."""

import math
import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from retraining.config.configuration import Configuration
from retraining.config.schema.parameter import Parameter
from retraining.runs.executions import Execution

_NUMBER = r"-?\d+\.?\d*(?:[eE][-+]?\d+)?"
# Measured numbers have more digits than anybody writes.
_LONG = re.compile(r"(?<![\w.])-?\d+\.\d{6,}(?:[eE][-+]?\d+)?(?!\w|\.\d)")
# As the Fail step's message has it: see retraining.steps.conditions.
_SEEN = re.compile(rf"^Quality gate: \S+ is ({_NUMBER}), (?:below the minimum|above the maximum) ")


def rounded(text: str) -> str:
    """A gate's reason with three digits of each long number, or as many as tell it from the other numbers;
    other texts as they are."""
    if "Quality gate: " not in text:
        return text
    short = {float(number) for number in re.findall(_NUMBER, _LONG.sub("", text))}

    def shorter(found: re.Match[str]) -> str:
        value = float(found[0])
        digits = max(3, math.floor(math.log10(abs(value))) + 1 if value else 3)
        texts = (f"{value:.{count}g}" for count in range(digits, 17))
        return next((text for text in texts if float(text) not in short), found[0])

    return _LONG.sub(shorter, text)


def passing(configuration: Configuration, execution: Execution) -> dict[str, str]:
    """The parameter that holds the bound of the gate that failed, with a value that lets the run pass.

    Empty where the bound is no parameter, or where a champion sets it.
    """
    failed = {step.name: step.failure or "" for step in execution.failed}
    graph = configuration.dag
    for name, step in graph.steps.items():
        seen = _SEEN.match(failed.get(f"{name}Failed", ""))
        gate = configuration.units[graph.models[name]].gate if step.step_class == "Condition" else None
        if gate is None or seen is None:
            continue
        bound = gate.minimum if gate.maximum is None else gate.maximum
        if isinstance(bound, Parameter):
            value = Decimal(seen[1])
            digits = 0 if bound.type == "Integer" else value.adjusted() - 1
            away = ROUND_FLOOR if gate.maximum is None else ROUND_CEILING
            kept = value.quantize(Decimal(1).scaleb(digits), away)
            return {bound.parameter: f"{float(kept):.6g}"}
    return {}
