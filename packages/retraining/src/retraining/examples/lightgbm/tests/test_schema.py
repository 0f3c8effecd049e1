"""How values are read and coded: properties over many of them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import encoder
import schema

ROW = dict.fromkeys(schema.NUMERIC, "0") | dict.fromkeys(schema.CATEGORICAL, "1")


def table(**columns: list[str]) -> pd.DataFrame:
    count = len(next(iter(columns.values())))
    return pd.DataFrame({name: [value] * count for name, value in ROW.items()} | columns, dtype=str)


@given(st.lists(st.one_of(st.none(), st.floats(0, 1e300)), min_size=1, max_size=20))
def test_numbers_are_read_and_empty_is_missing(values: list[float | None]) -> None:
    parsed = schema.parse(table(PageValues=["" if value is None else f" {value!r} " for value in values]))
    expected = [np.nan if value is None else value for value in values]
    np.testing.assert_allclose(parsed["PageValues"], expected, rtol=1e-12)


@given(st.text(max_size=8))
def test_anything_but_a_number_is_refused_by_its_own_spelling(text: str) -> None:
    try:
        expected = 0 <= float(text) < np.inf and "_" not in text
    except ValueError:
        expected = not text.strip()
    rows = table(PageValues=["1", text])
    if expected:
        assert schema.parse(rows)["PageValues"].iloc[0] == 1
        return
    with pytest.raises(ValueError, match="row 2: column 'PageValues' holds ") as raised:
        schema.parse(rows)
    assert repr(text) in str(raised.value)


@pytest.mark.parametrize(
    ("one", "other"), [("Nov", "nov"), ("2", "2.0"), ("2", " 2 "), ("TRUE", "true"), ("TRUE", "True")]
)
def test_spellings_of_a_category_are_one(one: str, other: str) -> None:
    parsed = schema.parse(table(Month=[one, other]))
    assert parsed["Month"].nunique() == 1


@settings(max_examples=50)
@given(
    seen=st.lists(st.sampled_from(["Nov", "May", "Dec", ""]), min_size=1, max_size=20),
    new=st.lists(st.sampled_from(["Nov", "May", "Dec", "Jan", "", "??"]), min_size=1, max_size=20),
)
def test_known_categories_have_a_code_and_all_others_are_missing(seen: list[str], new: list[str]) -> None:
    fitted = encoder.fit(schema.parse(table(Month=seen)))
    column = fitted.encode(schema.parse(table(Month=new)))[:, schema.FEATURES.index("Month")]
    known = sorted({name.lower() for name in seen} - {""})
    for name, code in zip(new, column, strict=True):
        if name.lower() in known:
            assert known[int(code)] == name.lower()
        else:
            assert np.isnan(code)


@pytest.mark.parametrize(("text", "label"), [("TRUE", 1), ("False", 0), (" true ", 1), ("0", 0), ("1", 1)])
def test_labels_in_their_spellings(text: str, label: int) -> None:
    assert schema.parse_target(pd.Series([text], name="Revenue")).tolist() == [label]
