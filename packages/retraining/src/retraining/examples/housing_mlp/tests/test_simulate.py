from pathlib import Path
from typing import Any

import numpy as np
import pytest

from job_toolkit.failure import InputError


def test_a_seed_gives_the_same_bytes_in_the_real_form(jobs: Any, unit: Any, tmp_path: Path) -> None:
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        jobs.succeed("simulate.py", "--out", tmp_path / name, "--rows", 500, "--seed", seed)
    first, second, other = ((tmp_path / name / "houses" / "part-0000.csv").read_bytes() for name in "abc")
    assert first == second != other
    assert len(first.splitlines()) == 500
    assert all(len(line.split(b",")) == 9 for line in first.splitlines())
    rows = unit.houses.read(tmp_path / "a" / "houses")
    assert (rows[:, 0] < -114).all()
    assert rows[:, 8].min() >= 14_999
    assert rows[:, 8].max() <= 500_001


def test_prices_follow_income_and_place(unit: Any) -> None:
    rows = unit.simulate.simulate(4000, 1)
    price, income = np.log(rows[:, 8]), np.log(rows[:, 7])
    assert 0.4 < np.corrcoef(price, income)[0, 1] < 0.8
    north = np.hypot(rows[:, 0] + 122.3, rows[:, 1] - 37.7) < 0.3
    south = np.hypot(rows[:, 0] + 119.0, rows[:, 1] - 35.4) < 0.3
    assert price[north].mean() > price[south].mean() + 0.5
    assert (rows[:, 3] >= rows[:, 4] * 0.9).mean() > 0.95  # rooms and bedrooms
    assert len(np.unique(rows, axis=0)) == len(rows)


def test_parts_of_an_earlier_run_are_replaced(jobs: Any, unit: Any, tmp_path: Path) -> None:
    jobs.succeed("simulate.py", "--out", tmp_path, "--rows", 500, "--files", 3)
    assert len(list((tmp_path / "houses").iterdir())) == 3
    whole = unit.houses.read(tmp_path / "houses")
    jobs.succeed("simulate.py", "--out", tmp_path, "--rows", 500)
    assert len(list((tmp_path / "houses").iterdir())) == 1
    np.testing.assert_array_equal(unit.houses.read(tmp_path / "houses"), whole)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--rows", "10"), "arguments: --rows must be between 200 and 10000000"),
        (("--files", "0"), "arguments: --files must be between 1 and 1000"),
        (("--rows", "200", "--files", "300"), "arguments: --files 300 is more than --rows 200"),
        (("--row", "300"), "unrecognized arguments: --row 300 (known: "),
    ],
)
def test_a_wrong_argument_is_one_line(
    arguments: tuple[str, ...], text: str, unit: Any, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as raised:
        unit.simulate.main(["--out", str(tmp_path), *arguments])
    assert text in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_the_process_ends_with_that_line(jobs: Any, tmp_path: Path) -> None:
    done = jobs.run("simulate.py", "--out", tmp_path, "--rows", "10")
    assert done.returncode == 1
    assert done.stderr == "Error: arguments: --rows must be between 200 and 10000000\n"


def test_a_folder_that_cannot_be_written_is_named_in_one_line(jobs: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = jobs.run("simulate.py", "--out", tmp_path / "file")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert str(tmp_path / "file") in line
