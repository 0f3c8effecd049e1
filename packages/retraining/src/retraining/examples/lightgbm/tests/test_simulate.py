from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jobs import run

import schema
import simulate


def test_a_seed_gives_the_same_rows_and_another_seed_other_ones() -> None:
    first = simulate.simulate(300, 3)
    pd.testing.assert_frame_equal(first, simulate.simulate(300, 3))
    assert not first.equals(simulate.simulate(300, 4))


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32), rows=st.integers(200, 800))
def test_the_rows_are_of_the_real_schema(seed: int, rows: int) -> None:
    table = simulate.simulate(rows, seed)
    assert list(table.columns) == [*schema.FEATURES, schema.TARGET]
    parsed = schema.parse(table.astype(str))
    assert not parsed[list(schema.NUMERIC)].isna().any().any()
    counts = ["Administrative", "Informational", "ProductRelated"]
    assert (parsed[counts] % 1 == 0).all().all()
    assert set(table["VisitorType"]) <= {"Returning_Visitor", "New_Visitor", "Other"}
    assert set(table["Weekend"]) | set(table["Revenue"]) <= {"TRUE", "FALSE"}
    assert 0.05 < schema.parse_target(table["Revenue"]).mean() < 0.3


@pytest.mark.parametrize(
    ("arguments", "text"),
    [(("--rows", 10), "--rows must be between 200"), (("--row", 300), "unrecognized arguments: --row")],
)
def test_a_wrong_argument_is_named_in_one_line(
    arguments: tuple[object, ...], text: str, tmp_path: Path
) -> None:
    done = run("simulate.py", "--out", tmp_path / "out", *arguments)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")
    assert text in line
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run("simulate.py", "--out", tmp_path / "file")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert str(tmp_path / "file") in line
