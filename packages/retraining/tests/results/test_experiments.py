"""Executions in MLflow: what it refuses, and what cannot be read, costs nothing else."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow import MlflowClient
from mlflow.utils.validation import _validate_metric_name
from tiny_project import CHAIN, MODEL, STEPS, Tiny, running

from retraining.results import evaluations, experiment_results, experiments, mlflow_names, model_quality
from retraining.runs import executions
from retraining.runs.executions import Execution

TRAIN = """import os
print("MAP@10=0.5; loss=0.25;")
os.makedirs("/opt/ml/model", exist_ok=True)
open("/opt/ml/model/model.txt", "w").write("model")
"""
EVALUATE = """import os, pathlib
folder = pathlib.Path("/opt/ml/processing/output/numbers")
(folder / "below").mkdir(parents=True, exist_ok=True)
(folder / "evaluation.json").write_text('{"accuracy": 0.9}')
(folder / "metrics.csv").write_text("kind,name,MAP@10,MAP_10,a//b,../up\\ncandidate,best,1,2,3,4\\n")
(folder / "history.csv").write_text("epoch,loss\\n1,0.5\\n2,0.25,0.1\\n")
(folder / "below" / "[a]:b.txt").write_text("kept")
other = pathlib.Path("/opt/ml/processing/output/models")
other.mkdir(parents=True, exist_ok=True)
(other / "model.tar.gz").write_text("large")
"""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiny]:
    with running(tmp_path_factory.mktemp("experiments")) as project:
        project.write("models/tiny/train.py", TRAIN)
        project.write("models/tiny/evaluate.py", EVALUATE)
        definitions = {name: f"{name}=(.*?);" for name in ("MAP@10", "loss")}
        model: Any = {
            **MODEL,
            "train": {**MODEL["train"], "metric_definitions": definitions},  # type: ignore[dict-item]
            "evaluate": {**MODEL["evaluate"], "outputs": ["models", "numbers"]},  # type: ignore[dict-item]
            "gate": {**MODEL["gate"], "output": "numbers"},  # type: ignore[dict-item]
        }
        project.configure(model, STEPS, CHAIN)
        yield project


@pytest.fixture(scope="module")
def execution(tiny: Tiny) -> Execution:
    tiny.run()
    (arn,) = executions.arns("demo-tiny")
    return executions.describe(arn)


def test_everything_else_is_logged(
    tiny: Tiny, execution: Execution, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = experiments.finish(tiny.configuration, execution)
    run = MlflowClient().get_run(run_id)
    assert run.data.metrics == {
        "MAP_10": 0.5,
        "loss": 0.25,
        "best/MAP_10": 2.0,
        "best/MAP_10_2": 1.0,
        "best/a/b": 3.0,
        "best/_/up": 4.0,
    }
    assert run.info.status == "FINISHED"
    names = {item.path for item in MlflowClient().list_artifacts(run_id)}
    assert names == {"evaluation.json", "metrics.csv", "history.csv", "below"}
    said = capsys.readouterr().err
    assert "Train: MLflow does not take the metric's name 'MAP@10': it is 'MAP_10' there" in said
    assert "Evaluate: history.csv was not logged as metrics: row 2 has 3 fields" in said


def test_the_report_has_what_an_output_of_any_name_holds(tiny: Tiny, execution: Execution) -> None:
    (evaluation,) = evaluations.evaluations_of(tiny.configuration, execution)
    (candidate,) = evaluation.candidates
    assert (candidate.name, candidate.metrics["MAP@10"]) == ("best", 1.0)


def test_one_execution_that_cannot_be_logged_does_not_hold_up_others(
    tiny: Tiny, execution: Execution, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    experiments.finish(tiny.configuration, execution)
    for _ in range(2):
        tiny.run()
    bad = executions.arns("demo-tiny")[1]
    log = experiment_results.log

    def failing(client: Any, run_id: str, configuration: Any, execution: Execution) -> None:
        if execution.arn == bad:
            raise OSError("no [space]\nleft")
        log(client, run_id, configuration, execution)

    monkeypatch.setattr(experiment_results, "log", failing)
    assert experiments.catch_up(tiny.configuration) == 1
    assert f"execution {bad.rsplit('/', 1)[-1]} was not logged: no [space] left" in capsys.readouterr().err
    monkeypatch.undo()
    assert experiments.catch_up(tiny.configuration) == 1
    assert experiments.catch_up(tiny.configuration) == 0


@given(st.text(min_size=1))
def test_mlflow_takes_every_name(name: str) -> None:
    _validate_metric_name(mlflow_names.accepted(name))
    if len(name) <= 240:
        try:
            _validate_metric_name(name)
        except Exception:
            return
        # MLflow's expression ends in $, which lets a last line break pass.
        assert mlflow_names.accepted(name) == name or name.endswith("\n")


@given(st.lists(st.text("a@_/.", min_size=1, max_size=3), unique=True))
def test_different_names_stay_different(names: list[str]) -> None:
    taken: dict[str, str] = {}
    first, second = names[::2], names[1::2]
    chosen = mlflow_names.distinct(first, taken) | mlflow_names.distinct(second, taken)
    assert len(set(chosen.values())) == len(names)


@given(st.text(), st.lists(st.lists(st.text(max_size=4), max_size=4), max_size=4))
def test_no_history_raises_anything_else(text: str, rows: list[list[str]]) -> None:
    for content in (text, "\n".join(map(",".join, rows))):
        for read in (model_quality.history, model_quality.metrics_table):
            with contextlib.suppress(ValueError):
                list(read(content))
