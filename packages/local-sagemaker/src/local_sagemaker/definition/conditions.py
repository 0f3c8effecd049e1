"""Conditions of a Condition step (``sagemaker.core.workflow.conditions``)."""

from collections.abc import Callable
from typing import Any

from local_sagemaker.definition.expressions import ExpressionError

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "Equals": lambda left, right: bool(left == right),
    "GreaterThan": lambda left, right: bool(left > right),
    "GreaterThanOrEqualTo": lambda left, right: bool(left >= right),
    "LessThan": lambda left, right: bool(left < right),
    "LessThanOrEqualTo": lambda left, right: bool(left <= right),
}
TYPES = {
    **{name: {"LeftValue", "RightValue"} for name in _COMPARISONS},
    "In": {"QueryValue", "Values"},
    "Not": {"Condition"},
    "Or": {"Conditions"},
}

Resolve = Callable[[Any], Any]


def check(condition: Any) -> None:
    """Raise ExpressionError unless `condition` is well-formed, those inside it included."""
    kind = condition.get("Type") if isinstance(condition, dict) else None
    if not isinstance(kind, str) or kind not in TYPES:
        raise ExpressionError(f"the condition type {kind!r} is unknown; known: {', '.join(TYPES)}")
    given = set(condition) - {"Type"}
    if given != TYPES[kind]:
        raise ExpressionError(
            f"a condition {kind} has the members {', '.join(sorted(TYPES[kind]))};"
            f" given: {', '.join(sorted(given)) or 'none'}"
        )
    if kind in ("Or", "In"):
        members = condition["Conditions" if kind == "Or" else "Values"]
        if not isinstance(members, list):
            raise ExpressionError(f"a condition {kind} needs a list, not {members!r}")
    if kind == "Or":
        for inner in condition["Conditions"]:
            check(inner)
    if kind == "Not":
        check(condition["Condition"])


def evaluate(condition: Any, resolve: Resolve) -> bool:
    """Whether `condition` holds, its expressions being resolved by `resolve`.

    Raises ExpressionError when two values cannot be compared: numbers compare with numbers, texts
    with texts, booleans with booleans (and only as equal or not).
    """
    kind = condition["Type"]
    if kind == "Not":
        return not evaluate(condition["Condition"], resolve)
    if kind == "Or":
        return any(evaluate(inner, resolve) for inner in condition["Conditions"])
    if kind == "In":
        query = resolve(condition["QueryValue"])
        return any(_compare("Equals", query, resolve(value)) for value in condition["Values"])
    return _compare(kind, resolve(condition["LeftValue"]), resolve(condition["RightValue"]))


def _compare(kind: str, left: Any, right: Any) -> bool:
    types = {_type(left), _type(right)}
    if len(types) > 1 or (kind != "Equals" and types == {"Boolean"}):
        raise ExpressionError(
            f"{kind} cannot compare {left!r}, a {_type(left)}, with {right!r}, a {_type(right)}"
        )
    return _COMPARISONS[kind](left, right)


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "Boolean"
    if isinstance(value, int | float):
        return "Number"
    if isinstance(value, str):
        return "String"
    raise ExpressionError(f"a condition compares texts, numbers and booleans, not {value!r}")
