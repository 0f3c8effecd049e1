"""Hyperparameter ranges: where a search may look, and how it measures distance there.

Every range maps the interval [0, 1], in which searches work, to values as SageMaker passes them to
training jobs: as texts. Equal steps in [0, 1] are equal steps on the range's scale. Scales:
https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-define-ranges.html
"""

import math
from dataclasses import dataclass
from typing import Any

from local_sagemaker.core.errors import ValidationError
from local_sagemaker.core.store import Document

_EXACT = 2**53  # up to here a float holds every integer
_WIDE = 100.0  # from this max/min on, Auto searches on a logarithmic scale


@dataclass(frozen=True)
class Number:
    """All numbers from `low` to `high`, both included; only integers when `whole`.

    `scale` is Linear, Logarithmic (of the number) or ReverseLogarithmic (of 1 minus the number).
    """

    name: str
    low: float
    high: float
    scale: str
    whole: bool

    def value(self, unit: float) -> str:
        """The value at `unit` in [0, 1]."""
        low, high = self._bend(self.low), self._bend(self._end)
        number = self._unbend(low * (1.0 - unit) + high * unit)
        if self.whole:
            return str(int(min(max(math.floor(number), self.low), self.high)))
        return repr(min(max(number, self.low), self.high))

    def unit(self, value: str) -> float:
        """The position of a value in [0, 1]; of an integer, the middle of its share."""
        low, high = self._bend(self.low), self._bend(self._end)
        if low == high:
            return 0.5
        if self.whole:
            number = float(value)
            return (self._bend(number) + self._bend(number + 1.0) - 2.0 * low) / (2.0 * (high - low))
        return min(max((self._bend(float(value)) - low) / (high - low), 0.0), 1.0)

    @property
    def _end(self) -> float:
        """An integer's share of the scale reaches to the next one, so that the ends count fully too."""
        return self.high + 1.0 if self.whole else self.high

    def _bend(self, number: float) -> float:
        if self.scale == "Logarithmic":
            return math.log(number)
        if self.scale == "ReverseLogarithmic":
            return -math.log1p(-number)
        return number

    def _unbend(self, number: float) -> float:
        if self.scale == "Logarithmic":
            return math.exp(number)
        if self.scale == "ReverseLogarithmic":
            return -math.expm1(-number)
        return number


@dataclass(frozen=True)
class Choice:
    """One of some texts, none nearer to another."""

    name: str
    values: tuple[str, ...]

    def value(self, unit: float) -> str:
        """The value at `unit` in [0, 1]."""
        return self.values[min(int(unit * len(self.values)), len(self.values) - 1)]


Range = Number | Choice


def parse(ranges: Document) -> tuple[Range, ...]:
    """ParameterRanges; raises ValidationError that names the hyperparameter and what is wrong with it."""
    if ranges.get("AutoParameters"):
        raise ValidationError(
            "ParameterRanges.AutoParameters is not supported by local-sagemaker: Autotune runs on AWS only;"
            " give the ranges"
        )
    parsed: list[Range] = [_number(item, whole=True) for item in ranges.get("IntegerParameterRanges", [])]
    parsed += [_number(item, whole=False) for item in ranges.get("ContinuousParameterRanges", [])]
    parsed += [_choice(item) for item in ranges.get("CategoricalParameterRanges", [])]
    if not parsed:
        raise ValidationError("HyperParameterTuningJobConfig.ParameterRanges must have at least one range")
    names = [item.name for item in parsed]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValidationError(f"ParameterRanges: {', '.join(twice)} has more than one range")
    return tuple(parsed)


def _choice(item: Document) -> Choice:
    values = tuple(item["Values"])
    if len(set(values)) < len(values):
        raise ValidationError(f"ParameterRanges: the Values of {item['Name']!r} must differ from each other")
    return Choice(item["Name"], values)


def _number(item: Document, whole: bool) -> Number:
    where = f"ParameterRanges: {item['Name']!r}"
    low, high = (_bound(item[member], f"{where}: {member}", whole) for member in ("MinValue", "MaxValue"))
    if low > high:
        raise ValidationError(f"{where}: MinValue {item['MinValue']} is above MaxValue {item['MaxValue']}")
    scale = item.get("ScalingType", "Auto")
    if scale == "Auto":
        scale = "Logarithmic" if low > 0.0 and high / low >= _WIDE else "Linear"
    if scale == "Logarithmic" and low <= 0.0:
        raise ValidationError(
            f"{where}: Logarithmic scaling needs a MinValue above 0, not {item['MinValue']}"
        )
    if scale == "ReverseLogarithmic" and (whole or low < 0.0 or high >= 1.0):
        raise ValidationError(
            f"{where}: ReverseLogarithmic scaling is for continuous ranges within 0 <= x < 1 only"
        )
    return Number(item["Name"], low, high, scale, whole)


def _bound(text: Any, where: str, whole: bool) -> float:
    try:
        number = float(int(text)) if whole else float(text)
    except (ValueError, OverflowError):
        raise ValidationError(
            f"{where} must be {'an integer' if whole else 'a number'}, not {text!r}"
        ) from None
    if not math.isfinite(number) or (whole and abs(number) > _EXACT):
        raise ValidationError(f"{where} {text} is out of range")
    return number
