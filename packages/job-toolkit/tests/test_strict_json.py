"""JSON that every program reads, or one line that names what is no JSON."""

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from job_toolkit import strict_json
from job_toolkit.failure import InputError

values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def is_finite(value: Any) -> bool:
    if isinstance(value, (list, dict)):
        return all(map(is_finite, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, float) or math.isfinite(value)


@given(values)
def test_a_value_is_written_as_it_is_or_refused(value: Any) -> None:
    if is_finite(value):
        assert strict_json.loads(strict_json.dumps(value)) == value
    else:
        with pytest.raises(InputError, match=r"is (nan|inf|-inf), which is not a number of JSON$"):
            strict_json.dumps(value)


def test_a_number_is_named_by_its_path_and_no_file_is_left(tmp_path: Path) -> None:
    path = tmp_path / "evaluation.json"
    with pytest.raises(InputError) as raised:
        strict_json.write({"gate": {"auc": [0.5, (1, math.nan)]}}, path, indent=2)
    assert str(raised.value) == f"{path}: gate.auc[1][1] is nan, which is not a number of JSON"
    assert not path.exists()
    strict_json.write({"gate": "ü"}, path, ensure_ascii=False)
    assert path.read_text(encoding="utf-8") == '{"gate": "ü"}\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[NaN]", "NaN is not a number of JSON"),
        ('{"a": -Infinity}', "-Infinity is not a number of JSON"),
        ("1e999", "1e999 is too large for a number"),
        ('{"a": 1, "a": 1}', "'a' occurs twice in an object"),
        ("[" * 100_000, "nested too deeply"),
        ("{", "Expecting property name"),
    ],
)
def test_a_text_that_is_no_json_is_refused(text: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        strict_json.loads(text)
