"""Tables as they are printed where nobody looks at a terminal."""

from datetime import UTC, datetime
from typing import Any

import pytest
from rich.table import Table

from retraining import console
from retraining.cli import models, tables
from retraining.results.evaluations import Candidate
from retraining.results.registry import ModelPackage
from retraining.runs import executions
from retraining.runs.executions import Execution, StepRun

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
    "runs": tables.run_table([EXECUTION, SHORT], {}),
    "runs with parameters": tables.run_table([EXECUTION, SHORT], {f"{ARN}/abc": {"Epochs": "2"}}),
    "models": tables.model_table([PACKAGE, ModelPackage("b", "churn", 4, "Rejected", "", {}, "", "b")]),
    "candidates": tables.candidate_table(
        [Candidate("churn", "candidate", "best", {"f1": 0.5}), Candidate("churn", "baseline", "mean", {})]
    ),
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_no_row_ends_in_blanks(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    console.print_table(table)
    printed = capsys.readouterr().out
    assert len(printed.splitlines()) == table.row_count + 1
    assert [line for line in printed.splitlines() if line != line.rstrip()] == []
    console.out().print(table)
    padded = capsys.readouterr().out
    assert [line.rstrip() for line in padded.splitlines()] == printed.splitlines()


def test_runs_say_what_they_were_given(capsys: pytest.CaptureFixture[str]) -> None:
    given = {
        "Epochs": "2",
        "RiskyData": "s3://sagemaker-eu-west-1-222233334444/data/risky-8/",
        "Seed": "7",
        "Leeway": "0.2",
        "Folds": "4",
        "Depth": "5",
    }
    console.print_table(tables.run_table([EXECUTION, SHORT], {EXECUTION.arn: given, SHORT.arn: {}}))
    title, first, second = capsys.readouterr().out.splitlines()
    assert title.split() == ["execution", "status", "started", "parameters", "steps"]
    assert "  Epochs=2, RiskyData=...22233334444/data/risky-8/, 4 more  " in first
    assert "=" not in second
    console.print_table(tables.run_table([EXECUTION, SHORT], {EXECUTION.arn: {}}))
    assert "parameters" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("present", "default", "same"),
    [
        ("0.0", 0, True),
        ("1.0", "1", True),
        ("True", True, True),
        ("true", "True", True),
        ("A", "a", False),
        ("", "a", False),
    ],
)
def test_values_that_differ_from_their_defaults(present: str, default: Any, same: bool) -> None:
    assert executions.same(present, str(default)) is same


def test_a_models_details_are_plain_text() -> None:
    details = {
        "group": "churn",
        "version": 3,
        "candidate": "best",
        "metrics": {"recall": 0.25, "rows": 1243.0},
        "description": None,
        "inference": {
            "Containers": [
                {"Image": "i:1", "ModelDataUrl": "s3://b/m"},
                {"Image": "i:2", "Environment": {"A": "1"}},
            ],
            "SupportedContentTypes": ["text/csv", "application/json"],
            "SupportedResponseMIMETypes": [],
        },
        "metadata": {
            "candidate": "best",
            "group": "another",
            "metric:recall": "0.25",
            "metric:note": "high",
            "kept": True,
        },
    }
    assert list(models.lines(details)) == [
        "group: churn",
        "version: 3",
        "candidate: best",
        "metrics:",
        "  recall: 0.25",
        "  rows: 1243",
        "inference:",
        "  Containers:",
        "    - Image: i:1",
        "      ModelDataUrl: s3://b/m",
        "    - Image: i:2",
        "      Environment:",
        "        A: 1",
        "  SupportedContentTypes: text/csv, application/json",
        "metadata:",
        "  group: another",
        "  metric:note: high",
        "  kept: true",
    ]
