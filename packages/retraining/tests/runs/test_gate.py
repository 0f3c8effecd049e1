"""The numbers in a gate's reason, and the bound that would have let it pass."""

from pathlib import Path

import pytest
from configurations import CHURN, edit, make
from hypothesis import given
from hypothesis import strategies as st

from retraining.config import configuration
from retraining.runs import gate_reason
from retraining.runs.executions import Execution, StepRun

REASON = "Quality gate: gate.recall is {}, below the minimum {}"


@pytest.mark.parametrize(
    ("seen", "bound", "expected"),
    [
        ("0.13846153846153847", "0.7", "is 0.138, below the minimum 0.7"),
        ("0.69996912345678", "0.7", "is 0.69997, below the minimum 0.7"),
        ("0.5", "0.7000001", "is 0.5, below the minimum 0.7"),
        ("61234.567891234", "90000", "is 61235, below the minimum 90000"),
        ("1.3846153846153847e-05", "0.1", "is 1.38e-05, below the minimum 0.1"),
        ("0", "1", "is 0, below the minimum 1"),
    ],
)
def test_long_numbers_are_cut(seen: str, bound: str, expected: str) -> None:
    assert gate_reason.rounded(REASON.format(seen, bound)).endswith(expected)


def test_numbers_of_other_errors_stay() -> None:
    text = "step Preprocess failed: row 3, latitude: 51.5073509123 is given twice"
    assert gate_reason.rounded(text) == text


@given(st.floats(0, 1), st.integers(0, 100))
def test_a_cut_number_never_becomes_the_bound(seen: float, percent: int) -> None:
    bound = percent / 100
    words = gate_reason.rounded(REASON.format(seen, bound)).split()
    assert (float(words[4].rstrip(",")) == bound) == (seen == bound)


def failed(root: Path, failure: str) -> dict[str, str]:
    step = StepRun("GateFailed", "Failed", False, 0.1, None, failure)
    found = configuration.load(root)
    return gate_reason.passing(found, Execution("arn", "Failed", None, None, None, [step]))  # type: ignore[arg-type]


def without_own_fail_step(root: Path) -> Path:
    edit(make(root), CHURN, ", else_step: Stop", "")
    edit(root, CHURN, "          - {step_name: Stop, step_class: Fail, error_message: too weak}\n", "")
    return root


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ("0.13846153846153847", "0.13"),
        ("0.7", "0.7"),
        ("0.0042", "0.0042"),
        ("0", "0"),
        ("-61234.5", "-62000"),
    ],
)
def test_a_bound_that_the_models_keep(tmp_path: Path, seen: str, expected: str) -> None:
    without_own_fail_step(tmp_path)
    assert failed(tmp_path, REASON.format(seen, "0.9")) == {"MinimumRecall": expected}


def test_a_maximum_is_raised(tmp_path: Path) -> None:
    without_own_fail_step(tmp_path)
    edit(tmp_path, CHURN, "minimum: {parameter: MinimumRecall", "maximum: {parameter: MaximumLoss")
    said = "Quality gate: recall is 0.731, above the maximum 0.7"
    assert failed(tmp_path, said) == {"MaximumLoss": "0.74"}


def test_no_bound_is_proposed_where_none_is_known(tmp_path: Path) -> None:
    without_own_fail_step(tmp_path)
    assert failed(tmp_path, "Quality gate: recall is 0.7, but it must be at least 0.8, the minimum") == {}
    edit(tmp_path, CHURN, "minimum: {parameter: MinimumRecall, default: 0.7}", "minimum: 0.7")
    assert failed(tmp_path, REASON.format("0.6", "0.7")) == {}
