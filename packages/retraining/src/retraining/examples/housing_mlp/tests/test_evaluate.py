import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from job_toolkit import processing

Change = Callable[[Path], object]

prices = st.floats(15_000, 500_001)


@settings(max_examples=100)
@given(st.lists(st.tuples(prices, prices), min_size=2, max_size=30))
def test_measures_agree_with_scikit_learn(unit: Any, rows: list[tuple[float, float]]) -> None:
    actual, predicted = np.array(rows).T
    found = unit.regression.measure(actual, predicted)
    assert found["mse"] == pytest.approx(metrics.mean_squared_error(actual, predicted))
    assert found["rmse"] ** 2 == pytest.approx(found["mse"])
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(actual, predicted))
    assert found["mape"] == pytest.approx(metrics.mean_absolute_percentage_error(actual, predicted))
    if np.ptp(actual) > 1:
        assert found["r2"] == pytest.approx(metrics.r2_score(actual, predicted), rel=1e-6, abs=1e-6)


def test_the_deviations_are_standard_errors(unit: Any) -> None:
    rng = np.random.default_rng(3)
    actual = np.full(2000, 1e5)
    predicted = actual + rng.exponential(1000, 2000)
    found = unit.regression.candidate(actual, predicted)
    assert found.deviations["mae"] == pytest.approx(np.std(predicted - actual) / np.sqrt(2000), rel=0.2)
    assert set(found.deviations) == set(found.metrics) - {"rows"} == {"mae", "mse", "rmse", "r2", "mape"}


@pytest.fixture
def base(chain: Any, tmp_path: Path) -> Path:
    shutil.copytree(chain.root / "evaluation" / "input", tmp_path / "processing" / "input")
    return tmp_path / "processing"


def cut(name: str) -> Change:
    """Leave the last line out."""

    def change(source: Path) -> None:
        lines = (source / name).read_text().splitlines(keepends=True)
        (source / name).write_text("".join(lines[:-1]))

    return change


def write(name: str, content: str) -> Change:
    return lambda source: (source / name).write_text(content)


MISTAKES: list[tuple[Change, str]] = [
    (lambda source: (source / "transform" / "features.csv.out").unlink(), "not none"),
    (write("transform/b.out", "1\n"), "one .out file of the batch transform is expected, not b.out, feat"),
    (write("transform/features.csv.out", ""), "features.csv.out: has no rows"),
    (write("transform/features.csv.out", "1,2\n"), "row 1 has 2 fields; the columns are 1 (price)"),
    (write("transform/features.csv.out", "NaN\n"), "row 1: column 'price' holds 'NaN'; it takes a finite"),
    (write("transform/features.csv.out", '{"error": 1}\n'), "row 1: column 'price' holds '{\"error\": 1}'"),
    (cut("transform/features.csv.out"), "channel transform: 1248 rows, but test_labels has 1249"),
    (cut("test_features/features.csv"), "channel test_features: 1248 rows, but test_labels has 1249"),
    (write("test_labels/labels.csv", "medianHouseValue\n0.0\n"), "every price above 0"),
    (write("test_labels/labels.csv", "price\n5.0\n"), "channel test_labels: medianHouseValue must be its"),
    (lambda source: shutil.rmtree(source / "train"), "train.csv: there is no such file"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "text"), MISTAKES, ids=[text[:40] for _, text in MISTAKES])
def test_a_mistake_ends_the_job_with_one_line(change: Change, text: str, base: Path, unit: Any) -> None:
    change(base / "input")
    assert processing.run(unit.evaluate.main, ["--base", str(base)]) == 1
    line = (base.parent / "output" / "message").read_text()
    assert text in line
    assert "unexpected" not in line
    assert line.count("\n") == 1
    assert not (base / "output").exists()


def test_the_same_inputs_give_the_same_bytes(base: Path, chain: Any, unit: Any) -> None:
    unit.evaluate.main(["--base", str(base)])
    for path in sorted(path for path in chain.evaluation.rglob("*") if path.is_file()):
        again = base / "output" / "evaluation" / path.relative_to(chain.evaluation)
        if path.name == "evaluation.json":
            # A linear regression's last digit depends on the threads of its process.
            first, second = json.loads(path.read_text()), json.loads(again.read_text())
            assert first["gate"] == second["gate"]
        else:
            assert path.read_bytes() == again.read_bytes()


def test_a_perfect_and_a_constant_prediction_can_be_drawn(base: Path, unit: Any) -> None:
    labels = (base / "input" / "test_labels" / "labels.csv").read_text().splitlines()[1:]
    for lines in (labels, ["200000.0"] * len(labels)):
        (base / "input" / "transform" / "features.csv.out").write_text("\n".join(lines) + "\n")
        unit.evaluate.main(["--base", str(base)])
        page = (base / "output" / "evaluation" / "report.html").read_text()
        assert page.count("<svg") == 3
        assert "nan" not in page
        assert "inf" not in page
