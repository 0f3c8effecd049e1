"""The numbers in a gate's reason, and the bound that would have let it pass."""

from pathlib import Path

import pytest
from configurations import CHURN, edit, make
from hypothesis import given
from hypothesis import strategies as st
from projects import TEMPLATE

from retraining.compile.definition import compile_pipeline
from retraining.config import configuration
from retraining.runs import gate_reason
from retraining.runs.executions import Execution, StepRun

REASON = "Quality gate: recall is {}, below the minimum {}"


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


@given(st.floats(0, 1), st.integers(0, 100))
def test_a_cut_number_never_becomes_the_bound(seen: float, percent: int) -> None:
    bound = percent / 100
    words = gate_reason.rounded(REASON.format(seen, bound)).split()
    assert (float(words[4].rstrip(",")) == bound) == (seen == bound)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project whose gate has no Fail step of its own in the files."""
    edit(make(tmp_path), CHURN, ", else_step: Stop", "")
    edit(tmp_path, CHURN, "          - {step_name: Stop, step_class: Fail, error_message: too weak}\n", "")
    (tmp_path / "pipeline.py").write_text((TEMPLATE / "pipeline.py").read_text())
    return tmp_path


def execution(step: str, failure: str) -> Execution:
    run = StepRun(step, "Failed", False, 0.1, None, failure)
    return Execution("arn", "Failed", None, None, None, [run])  # type: ignore[arg-type]


def passing(root: Path, failure: str) -> dict[str, str]:
    project = configuration.load(root)
    return gate_reason.passing(project, compile_pipeline(project).text, execution("GateFailed", failure))


def test_only_what_a_gate_says_gets_short_numbers(root: Path) -> None:
    project = configuration.load(root)
    failure = REASON.format("0.13846153846153847", "0.7")
    of_gate = gate_reason.with_short_numbers(project, execution("GateFailed", failure))
    assert of_gate.reason == f"step GateFailed failed: {REASON.format('0.138', '0.7')}"
    text = "row 3, latitude: 51.5073509123 is given twice"
    of_job = gate_reason.with_short_numbers(project, execution("Prepare", text))
    assert of_job.reason == f"step Prepare failed: {text}"


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ("0.13846153846153847", "0.13"),
        ("0.7", "0.7"),
        ("0.0042", "0.0042"),
        ("0", "0"),
        ("-61234.5", "-62000"),
        ("1.5e-05", "1.5e-05"),
    ],
)
def test_a_bound_that_the_models_keep(root: Path, seen: str, expected: str) -> None:
    assert passing(root, REASON.format(seen, "0.9")) == {"MinimumRecall": expected}


def test_a_maximum_is_raised(root: Path) -> None:
    edit(root, CHURN, "minimum: {parameter: MinimumRecall", "maximum: {parameter: MaximumLoss")
    failure = "Quality gate: recall is 0.731, above the maximum 0.7"
    assert passing(root, failure) == {"MaximumLoss": "0.74"}


@pytest.mark.parametrize(
    "failure",
    [
        "Quality gate: recall is 0.7, but it must be at least 0.8, the minimum",
        "Quality gate: recall is unknown, below the minimum 0.7",
        "Quality gate: recall is NaN, below the minimum 0.7",
        "Quality gate: precision is 0.6, below the minimum 0.7",
        "",
    ],
)
def test_no_bound_is_proposed_for_another_message_than_the_definition_s(root: Path, failure: str) -> None:
    assert passing(root, failure) == {}


def test_no_bound_is_proposed_that_is_no_parameter(root: Path) -> None:
    edit(root, CHURN, "minimum: {parameter: MinimumRecall, default: 0.7}", "minimum: 0.7")
    assert passing(root, REASON.format("0.6", "0.7")) == {}


def test_no_bound_is_proposed_where_a_champion_sets_it(root: Path) -> None:
    edit(root, CHURN, "json_path: recall", "json_path: recall\n        champion: {}")
    failure = "Quality gate: recall is 0.6, but it must be at least 0.8, as the champion churn/1"
    assert passing(root, failure) == {}
