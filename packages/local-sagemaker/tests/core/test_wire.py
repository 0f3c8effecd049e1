"""JSON texts are read as other programs read them, or refused by the path of what is wrong."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_sagemaker.core import wire

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(values)
def test_a_value_is_read_as_it_was_written(value: Any) -> None:
    assert wire.read_json(json.dumps(value)) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("NaN", "NaN is not a number of JSON"),
        ('{"gate": {"auc": Infinity}}', "gate.auc: Infinity is not a number of JSON"),
        ('{"a": [1, {"b": -Infinity}]}', "a[1].b: -Infinity is not a number of JSON"),
        ('{"auc": 1e999}', "auc: 1e999 is not a number that a double holds"),
        ('{"auc": -1E+400}', "auc: -1E+400 is not a number that a double holds"),
        ('{"auc": 1' + "0" * 400 + "}", f"auc: 1{'0' * 79}... is not a number that a double holds"),
        ("[" + "9" * 5000 + "]", f"[0]: {'9' * 80}... is not a number that a double holds"),
        ("[" * 200 + "]" * 200, "it is nested deeper than 100 levels"),
        ("[" * 100_000, "it is nested deeper than 100 levels"),
    ],
)
def test_what_other_programs_do_not_read_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(words)}$"):
        wire.read_json(text)
