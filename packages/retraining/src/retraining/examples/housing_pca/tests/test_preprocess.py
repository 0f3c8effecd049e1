import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from job_toolkit import processing, splits, tables
from job_toolkit.splits import Fractions

FOLDER = Path("input") / "houses"
FILE = FOLDER / "part-0000.csv"


def test_only_features_of_training_and_validation_rows_are_written(chain: Any, rows: Any, unit: Any) -> None:
    assert sorted(path.name for path in chain.preprocessed.iterdir()) == ["train", "validation"]
    parts = unit.houses.split(np.unique(rows, axis=0), Fractions(0.15, 0.2, 7))
    for name in ("train", "validation"):
        written = tables.read_numbers(chain.preprocessed / name / f"{name}.csv")
        assert list(written.columns) == unit.houses.FEATURES
        np.testing.assert_array_equal(written.to_numpy(), parts[name][:, :8])
    assert sum(map(len, parts.values())) == len(rows)
    content = json.loads((chain.preprocessed / "train" / "split.json").read_text())
    assert content == {"validation": 0.15, "test": 0.2, "seed": 7}


def outputs(base: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(base)): path.read_bytes()
        for path in (base / "output").rglob("*")
        if path.is_file()
    }


def test_files_their_order_header_and_compression_do_not_matter(
    base: Path, jobs: Any, chain: Any, rows: Any
) -> None:
    expected = outputs(chain.root / "processing")
    (base / FILE).unlink()
    lines = [",".join(f"{value:.6f}" for value in row) for row in rows[::-1]]
    names = "longitude,latitude,housingMedianAge,totalRooms,totalBedrooms,population,households"
    (base / FOLDER / "b.CSV").write_text(
        "\n".join([f"{names},medianIncome,medianHouseValue", *lines[:400]]) + "\n\n"
    )
    with gzip.open(base / FOLDER / "a.data.gz", "wt") as file:
        file.write("\r\n".join(lines[380:]))  # twenty rows occur twice
    (base / FOLDER / "_SUCCESS").touch()
    (base / FOLDER / "cal_housing.domain").write_text("longitude: continuous.\n")
    printed = jobs.succeed("preprocess.py", "--base", base)
    assert "left out 20 rows that occur twice" in printed
    assert outputs(base) == expected


def line_three(text: str) -> Callable[[Path], object]:
    """Replace the third line of the input."""

    def change(base: Path) -> None:
        lines = (base / FILE).read_text().splitlines()
        (base / FILE).write_text("\n".join([*lines[:2], text, *lines[3:]]) + "\n")

    return change


def only(content: bytes, name: str = "part-0000.csv") -> Callable[[Path], object]:
    def change(base: Path) -> None:
        (base / FILE).unlink()
        (base / FOLDER / name).write_bytes(content)

    return change


def nothing(base: Path) -> None:
    pass


GOOD = "-120,35,20,900,200,500,180,4.5"
MISTAKES: list[tuple[Callable[[Path], object], tuple[object, ...], str]] = [
    (line_three(GOOD), (), "part-0000.csv: row 3 has 8 fields; the columns are 9 (longitude,"),
    (
        line_three(GOOD + ",NEAR BAY"),
        (),
        "row 3: column 'medianHouseValue' holds 'NEAR BAY'; it takes a number from 1 to",
    ),
    (line_three(GOOD + ","), (), "row 3: column 'medianHouseValue' holds ''"),
    (line_three(GOOD + ",nan"), (), "row 3: column 'medianHouseValue' holds 'nan'"),
    (
        line_three(GOOD + ",0"),
        (),
        "row 3: column 'medianHouseValue' holds '0'; it takes a number from 1 to 1e+09",
    ),
    (
        line_three("35,-120,20,900,200,500,180,4.5,1e5"),
        (),
        "row 3: column 'latitude' holds '-120'; it takes a number from -90 to 90",
    ),
    (only(b""), (), "channel houses: no rows in "),
    (only(b"x", "houses.xlsx"), (), "houses.xlsx: is no .csv, .data, .csv.gz, .data.gz, .parquet"),
    (lambda base: (base / FOLDER / "more.tsv").write_text("x"), (), "more.tsv: is no .csv, .data"),
    (only(f"{GOOD},1e5\n".replace(",", ";").encode()), (), "and semicolons separate the line"),
    (only(b"x", "cal_housing.domain"), (), "channel houses: no rows in "),
    (only(b"x", "houses.parquet"), (), "houses.parquet: cannot be read as Parquet"),
    (only(b"\xff\xfe"), (), "part-0000.csv: cannot be read as CSV"),
    (only(b"\x1f\x8b\x08\x00broken", "a.csv.gz"), (), "a.csv.gz: cannot be read as CSV"),
    (only(f"{GOOD},1e5\n".encode()), (), "of its 1 rows, "),
    (nothing, ("--test-fraction", 0.001), "of its 900 rows, "),
    (nothing, ("--test-fraction", 1), "arguments: --test-fraction must be between 0 and 1, not 1"),
    (nothing, ("--validation-fraction", "nan"), "--validation-fraction must be between 0 and 1, not nan"),
    (nothing, ("--validation-fraction", 0.6, "--test-fraction", 0.4), "together must be less than 1"),
    (nothing, ("--seed", -1), "arguments: --seed must be between 0 and 4294967295, not -1"),
    (nothing, ("--seed", "x"), "arguments: argument --seed: invalid int value: 'x' (known: "),
    (nothing, ("--sed", 1), "unrecognized arguments: --sed 1 (known: --validation-fraction"),
]


@pytest.mark.parametrize(("change", "arguments", "text"), MISTAKES, ids=[text[-32:] for *_, text in MISTAKES])
def test_a_mistake_ends_the_job_with_one_line(
    change: Callable[[Path], object], arguments: tuple[object, ...], text: str, base: Path, unit: Any
) -> None:
    change(base)
    assert processing.run(unit.preprocess.main, ["--base", str(base), *map(str, arguments)]) == 1
    line = (base.parent / "output" / "message").read_text()
    assert text in line
    assert line.startswith("Error: ")
    assert "unexpected" not in line
    assert line.count("\n") == 1
    assert not (base / "output").exists()


def test_the_process_ends_with_that_line(base: Path, jobs: Any) -> None:
    line_three(GOOD)(base)
    reason = base.parent / "output" / "message"
    line = jobs.fail("preprocess.py", "--base", base, reason=reason)
    assert line.startswith(f"{base / FILE}: row 3 has 8 fields; the columns are 9 (longitude,")


block = st.lists(st.floats(0, 1e6, width=32), min_size=9, max_size=9)


@settings(max_examples=100)
@given(st.lists(block, min_size=1, max_size=20), st.integers(0, 2**32 - 2), st.randoms())
def test_a_rows_place_depends_on_seed_and_features_alone(
    unit: Any, content: list[list[float]], seed: int, shuffle: Any
) -> None:
    rows = np.array(content)

    def places(rows: Any, seed: int = seed) -> Any:
        return splits.places(unit.houses.keys(rows), seed)

    expected = places(rows)
    assert ((expected >= 0) & (expected < 1)).all()
    order = list(range(len(rows)))
    shuffle.shuffle(order)
    np.testing.assert_array_equal(places(rows[order]), expected[order])
    rows[:, -1] += 1  # another price
    np.testing.assert_array_equal(places(rows[: len(rows) // 2]), expected[: len(rows) // 2])
    assert (places(rows, seed + 1) != expected).all()


@settings(max_examples=25)
@given(st.floats(0.1, 0.4), st.floats(0.1, 0.4), st.integers(0, 1000))
def test_parts_have_the_fractions_and_share_no_features(
    unit: Any, rows: Any, validation: float, test: float, seed: int
) -> None:
    twins = np.vstack([rows, rows[:100] + np.array([0.0] * 8 + [1000])])
    parts = unit.houses.split(twins, Fractions(validation, test, seed))
    keys = [{tuple(row[:8]) for row in part.tolist()} for part in parts.values()]
    assert sum(map(len, keys)) == len(set().union(*keys)) == len(rows)
    for part, fraction in ((parts["validation"], validation), (parts["test"], test)):
        assert abs(len(part) / len(twins) - fraction) < 6 * np.sqrt(fraction * (1 - fraction) / len(rows))


def test_more_rows_move_no_row_to_another_part(unit: Any, rows: Any) -> None:
    few, many = (unit.houses.split(part, Fractions(0.15, 0.2, 7)) for part in (rows[:500], rows))
    for name, part in few.items():
        assert {tuple(row) for row in part} <= {tuple(row) for row in many[name]}
