"""Durations as SageMaker's CacheConfig takes them."""

import re
from datetime import timedelta

_DURATION = re.compile(
    r"P?(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?",
    re.IGNORECASE,
)
_DAYS = {"years": 365, "months": 30}


def duration(text: str) -> timedelta:
    """The length of an ISO 8601 duration of whole numbers; a year has 365 days, a month 30.

    SageMaker's documentation also has examples without the P and in lower case (``30d``, ``T16m``):
    they are read as well.

    Raises:
        ValueError: `text` is not such a duration.
    """
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groups()):
        raise ValueError(f"must be a duration such as 'P30D' or 'PT12H', not {text!r}")
    numbers = {unit: int(number) for unit, number in match.groupdict(default="0").items()}
    days = sum(numbers.pop(unit) * length for unit, length in _DAYS.items())
    try:
        return timedelta(days=days) + timedelta(**numbers)
    except OverflowError:
        raise ValueError(f"must be a duration of less than a billion days, not {text!r}") from None
