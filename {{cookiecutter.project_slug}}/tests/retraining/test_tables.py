"""Tables as they are printed where nobody looks at a terminal."""

from datetime import UTC, datetime

import pytest
from rich.table import Table

from retraining import output, tables
from retraining.evaluations import Candidate
from retraining.executions import Execution, StepRun
from retraining.registry import ModelPackage

NOW = datetime(2026, 1, 2, tzinfo=UTC)
STEPS = [
    StepRun("Preprocess", "Succeeded", True, 1.0, NOW, None),
    StepRun("Train", "Failed", False, 75.0, NOW, "no rows", attempts=2),
    StepRun("Evaluate", "Executing", False, None, NOW, None),
]
ARN = "arn:aws:sagemaker:eu-west-1:111122223333:pipeline/p/execution"
EXECUTION = Execution(f"{ARN}/abc", "Failed", NOW, NOW, None, STEPS)
SHORT = Execution(f"{ARN}/def", "Executing", NOW, None, None, [])
PACKAGE = ModelPackage("arn", "churn", 3, "Approved", "best", {"recall": 0.5, "f1": 0.25}, "s3://b/m", "arn")
TABLES = {
    "steps": tables.step_table(EXECUTION),
    "runs": tables.run_table([EXECUTION, SHORT]),
    "models": tables.model_table([PACKAGE, ModelPackage("b", "churn", 4, "Rejected", "", {}, "", "b")]),
    "candidates": tables.candidate_table(
        [Candidate("churn", "candidate", "best", {"f1": 0.5}), Candidate("churn", "baseline", "mean", {})]
    ),
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_no_row_ends_in_blanks(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    output.print_table(table)
    printed = capsys.readouterr().out
    assert len(printed.splitlines()) == table.row_count + 1
    assert [line for line in printed.splitlines() if line != line.rstrip()] == []
    output.out().print(table)
    padded = capsys.readouterr().out
    assert [line.rstrip() for line in padded.splitlines()] == printed.splitlines()
