"""The one parser of durations."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_sagemaker import duration
from local_sagemaker.core.errors import ValidationError
from local_sagemaker.definition import cache


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("P30D", timedelta(30)),
        ("p30d", timedelta(30)),
        ("30d", timedelta(30)),
        ("P4DT12H", timedelta(4.5)),
        ("T12H", timedelta(hours=12)),
        ("T16m", timedelta(minutes=16)),
        ("PT1H30M5S", timedelta(hours=1, minutes=30, seconds=5)),
        ("P1M", timedelta(30)),
        ("P2W", timedelta(14)),
        ("P1Y2W", timedelta(379)),
    ],
)
def test_durations(text: str, expected: timedelta) -> None:
    assert duration(text) == expected


@pytest.mark.parametrize("text", ["", "P", "T", "PT", "30", "P30", "-P1D", "P1H", f"P{10**12}D"])
def test_durations_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="must be a duration"):
        duration(text)


@pytest.mark.parametrize("value", ["", "P30", 30, None, ["P1D"]])
def test_a_cache_config_with_another_expiry_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError, match="ExpireAfter must be a duration"):
        cache.check({"Enabled": True, "ExpireAfter": value})


@given(st.text(alphabet="PTYMWDHS0123456789.- ", max_size=12))
def test_any_text_is_a_length_or_refused(text: str) -> None:
    try:
        length = duration(text)
    except ValueError as error:
        refusal = str(error)
        assert refusal.endswith(f"not {text!r}")
    else:
        assert length >= timedelta(0)
