"""`retrain run` with --model, --from and --only: SageMaker's selective execution."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tiny_project
import yaml
from hypothesis import given
from hypothesis import strategies as st
from projects import COMMAND, make_project
from tiny_project import IMAGE, SCRIPTS, Tiny, retrain

from retraining.cli import plan_report, run_report
from retraining.cli.run import NotSucceeded, run_pipeline
from retraining.compile.compiled import Compiled, CompiledStep, read
from retraining.compile.definition import compile_pipeline
from retraining.config import configuration
from retraining.config.configuration import Configuration
from retraining.errors import UserError
from retraining.runs import deployment, executions, selection
from retraining.runs.executions import Execution
from retraining.runs.selection import Choice, Selection
from retraining.scaffold import new_model

ALL = {"Preprocess", "Train", "Evaluate", "Gate", "GateFailed", "Tell"}


# Which steps: from a compiled definition alone.


@pytest.fixture(scope="module")
def housing(tmp_path_factory: pytest.TempPathFactory) -> tuple[Configuration, Compiled]:
    """Two models, of which one reads what the other writes, and a third on its own."""
    project = make_project(tmp_path_factory.mktemp("shop"), "housing_mlp", "housing_pca")
    (project / "tests/models").mkdir(parents=True)
    new_model.create(project, "churn", "minimal")
    loaded = configuration.load(project)
    return loaded, read(compile_pipeline(loaded).text)


def chosen(housing: tuple[Configuration, Compiled], choice: Choice) -> Selection:
    found = selection.choose(*housing, choice)
    assert found is not None
    return found


def test_a_models_steps_with_what_they_need(housing: tuple[Configuration, Compiled]) -> None:
    names = housing[1].steps
    churn = chosen(housing, Choice("churn"))
    assert set(churn.steps) == {name for name in names if name.startswith("Churn")}
    assert "ChurnQualityGateFailed" in churn.steps
    mlp = chosen(housing, Choice("housing_mlp"))
    assert {"PcaPreprocess", "PcaTrain"} <= set(mlp.steps)
    assert not any(name.startswith("Churn") for name in mlp.steps)
    for found in (churn, mlp):
        assert (found.needed, found.source) == ((), None)


def test_a_step_and_what_follows(housing: tuple[Configuration, Compiled]) -> None:
    found = chosen(housing, Choice(start="ChurnEvaluate"))
    assert set(found.steps) == {
        f"Churn{name}"
        for name in ("Evaluate", "QualityGate", "QualityGateFailed", "Register", "CreateModel", "Transform")
    }
    assert set(found.needed) == {"ChurnTrain", "ChurnPreprocess"}


def test_single_steps_come_with_what_is_made_for_them(housing: tuple[Configuration, Compiled]) -> None:
    found = chosen(housing, Choice(only=("ChurnQualityGate",)))
    assert set(found.steps) == {"ChurnQualityGate", "ChurnQualityGateFailed"}
    assert found.needed == ("ChurnEvaluate",)
    assert found.request == {
        "SelectedSteps": [{"StepName": name} for name in found.steps],
    }
    assert found.is_of(found.request)
    assert not found.is_of(None)
    both = chosen(housing, Choice(only=("ChurnTrain", "ChurnPreprocess")))
    assert both.steps == ("ChurnPreprocess", "ChurnTrain")  # in the definition's order
    assert both.options == ("--only ChurnTrain", "--only ChurnPreprocess")


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (Choice("chrun"), "--model chrun: no such model; did you mean 'churn'?"),
        (Choice(start="ChurnTrane"), "--from ChurnTrane: no such step; did you mean 'ChurnTrain'?"),
        (Choice(only=("nothing",)), "--only nothing: no such step; known: "),
        (Choice("churn", "ChurnTrain"), "--from and --model do not go together: give one of them"),
        (
            Choice(only=("ChurnPreprocess", "ChurnEvaluate")),
            "step 'ChurnTrain' is between 'ChurnPreprocess' and a later one: add --only ChurnTrain",
        ),
    ],
)
def test_what_cannot_be_selected_is_one_line(
    housing: tuple[Configuration, Compiled], choice: Choice, expected: str
) -> None:
    with pytest.raises(UserError) as caught:
        selection.choose(*housing, choice)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_everything_is_no_selection(housing: tuple[Configuration, Compiled]) -> None:
    assert selection.choose(*housing, selection.ALL_STEPS) is None


@given(
    st.lists(st.sets(st.integers(0, 9)), min_size=1, max_size=10).flatmap(
        lambda edges: st.tuples(st.just(edges), st.integers(0, len(edges) - 1))
    )
)
def test_a_step_and_what_follows_is_what_sagemaker_takes(
    housing: tuple[Configuration, Compiled], drawn: tuple[list[set[int]], int]
) -> None:
    """In any graph: connected, and all that selected steps need is either selected or taken over."""
    edges, start = drawn
    steps = {
        f"s{number}": CompiledStep(
            f"s{number}", "Lambda", {"DependsOn": [f"s{other}" for other in before if other < number]}
        )
        for number, before in enumerate(edges)
    }
    found = selection.choose(housing[0], Compiled({}, {}, steps), Choice(start=f"s{start}"))
    assert found is not None
    for name in found.steps:
        assert set(steps[name].before) <= {*found.steps, *found.needed}
    assert not set(found.steps) & set(found.needed)
    for name in found.needed:
        assert not set(steps[name].before) & set(found.steps)


# How it runs: on real local services.


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiny]:
    with tiny_project.running(tmp_path_factory.mktemp("selection")) as project:
        yield project


@pytest.fixture
def tiny(services: Tiny) -> Tiny:
    services.reset()
    return services


def newest() -> Execution:
    return executions.describe(executions.arns("demo-tiny")[0])


def ran(execution: Execution) -> set[str]:
    """The steps that are this execution's own."""
    return {step.name for step in execution.steps if step.taken_from is None}


def test_without_an_execution_to_take_results_from(tiny: Tiny) -> None:
    """The first test here: nothing ran yet."""
    done = retrain(tiny, "run", "--from", "Train")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "Error: --from Train: the results of Preprocess are needed, and no execution has all of them: "
        "run the whole pipeline first, `retrain run`"
    )
    with pytest.raises(UserError, match="no execution has all of them"):
        tiny.plan(choice=Choice(start="Train"))
    assert executions.arns("demo-tiny") == []


def test_from_a_step_on(tiny: Tiny) -> None:
    tiny.run("Rows=4", "MinimumAccuracy=0.1")
    source = newest()
    planned = tiny.plan("Epochs=5", choice=Choice(start="Train"))
    assert {step.name: step.cache for step in planned.steps} == {
        "Preprocess": "taken",
        "Train": "miss",
        "Evaluate": "miss",
        "Gate": "never",
        "GateFailed": "never",
        "Tell": "miss",
    }
    assert planned.steps[0].source == source.arn
    done = retrain(tiny, "run", "--from", "Train", "--param", "Epochs=5")
    assert done.returncode == 0, done.stderr
    execution = newest()
    assert (execution.status, ran(execution)) == ("Succeeded", {"Train", "Evaluate", "Gate", "Tell"})
    taken = next(step for step in execution.steps if step.name == "Preprocess")
    # Its report, for one, stays that of the execution that made it.
    assert (taken.taken_from, taken.source, taken.cache_hit) == (source.arn, source.arn, False)
    assert (
        f"the results of Preprocess are those of execution {source.id}, with its Rows=4, MinimumAccuracy=0.1"
        in done.stderr
    )
    assert f"of execution {source.id}" in done.stdout
    again = " run --from Train --param Rows=4 --param MinimumAccuracy=0.1 --param Epochs=10"
    assert again in done.stdout
    assert "Preprocess taken over, Train" in retrain(tiny, "runs").stdout.splitlines()[1]


def test_its_parameters_are_those_that_its_results_were_made_with(tiny: Tiny) -> None:
    tiny.run("Epochs=7")
    with pytest.raises(UserError, match="--param Epochs: no step of --only Evaluate uses it"):
        tiny.plan("Epochs=8", choice=Choice(only=("Evaluate",)))
    model: dict[str, Any] = yaml.safe_load((tiny.root / "models/tiny/conf.yaml").read_text())
    settings = model["conf"]["models"]["tiny"]
    settings["preprocess"]["arguments"]["rows"]["default"] = 9
    settings["gate"]["minimum"]["default"] = 0.3
    tiny.write("models/tiny/conf.yaml", yaml.safe_dump(model))
    parameters = tiny.plan(choice=Choice(start="Gate")).parameters
    # Rows: no selected step uses it. Epochs: was given. MinimumAccuracy: a new default, which the gate uses.
    assert (parameters["Rows"], parameters["Epochs"], parameters["MinimumAccuracy"]) == (3, 7, 0.3)


def test_one_step_alone(tiny: Tiny, capsys: pytest.CaptureFixture[str]) -> None:
    tiny.run()
    tiny.write("models/tiny/evaluate.py", SCRIPTS["evaluate.py"].replace("0.9", "0.6"))
    plan_report.show(tiny.plan(choice=Choice(only=("Evaluate",))))
    assert "; in a run 1 run, 2 taken over, 3 left out" in capsys.readouterr().out
    result = run_pipeline(tiny.configuration, "local", [], Choice(only=("Evaluate",)))
    assert ran(result.execution) == {"Evaluate"}
    run_report.show(tiny.configuration, result)
    assert "Nothing registered: no step that registers a model was selected" in capsys.readouterr().out
    # The gate of the next takes the newest evaluation, and fails with what belongs to it.
    with pytest.raises(NotSucceeded, match=r"step GateFailed failed: Quality gate: accuracy is 0\.6, below"):
        run_pipeline(tiny.configuration, "local", ["MinimumAccuracy=0.8"], Choice(only=("Gate",)))
    # What is behind the gate needs one that passed it.
    result = run_pipeline(tiny.configuration, "local", [], Choice(only=("Tell",)))
    assert ran(result.execution) == {"Tell"}


def test_another_model_neither_runs_nor_fails_it(tiny: Tiny) -> None:
    """The other one has no data, and its script ends with an error."""
    other = {
        "source_directory": "models/other",
        "train": {
            "image_uri": IMAGE,
            "entry_point": "train.py",
            "instance_type": "ml.m5.large",
            "channels": {"rows": {"dataFiles": [{"fileName": "s3://SMP_S3BUCKETNAME/nothing/"}]}},
        },
    }
    (tiny.root / "models/other").mkdir(exist_ok=True)
    tiny.write("models/other/train.py", "raise SystemExit('broken')\n")
    tiny.write("models/other/conf.yaml", yaml.safe_dump({"conf": {"models": {"other": other}}}))
    pipeline: dict[str, Any] = yaml.safe_load((tiny.root / "conf/pipeline.yaml").read_text())
    steps = [{"step_name": "OtherTrain", "step_class": "Training"}]
    pipeline["conf"]["sagemakerPipeline"]["models"]["other"] = {"steps": steps}
    tiny.write("conf/pipeline.yaml", yaml.safe_dump(pipeline))
    try:
        with pytest.raises(UserError, match="nothing/ holds no objects"):
            run_pipeline(tiny.configuration, "local", [])
        result = run_pipeline(tiny.configuration, "local", ["Epochs=6"], Choice("tiny"))
        assert ran(result.execution) == ALL - {"GateFailed"}
        planned = tiny.plan(choice=Choice("tiny"))
        assert {step.name for step in planned.steps if step.cache == "left out"} == {"OtherTrain"}
    finally:
        (tiny.root / "models/other/conf.yaml").unlink()


def test_a_running_one_is_followed_only_if_it_runs_the_same_steps(tiny: Tiny, tmp_path: Path) -> None:
    tiny.run()
    flag, log = tmp_path / "flag", tmp_path / "log"
    wait = f"import os, time\nwhile not os.path.exists({str(flag)!r}): time.sleep(0.1)\n"
    tiny.write("models/tiny/train.py", wait + SCRIPTS["train.py"])
    project = tiny.configuration
    compiled = compile_pipeline(project)
    deployment.deploy(project, compiled)
    part = selection.choose(project, read(compiled.text), Choice(only=("Train",)))
    assert part is not None
    part = selection.with_source(part, "demo-tiny", read(compiled.text))
    arn = executions.start("demo-tiny", {"GitCommit": "unknown"}, part.request)
    name = arn.rsplit("/", 1)[-1]
    result = run_pipeline(project, "local", [], Choice(only=("Preprocess",)))
    assert ran(result.execution) == {"Preprocess"}
    with log.open("w") as words:
        following = subprocess.Popen(
            [*COMMAND, "run", "--only", "Train"], cwd=tiny.root, stdout=words, stderr=words
        )
        while "is still running: following it" not in log.read_text():
            assert following.poll() is None, log.read_text()
            time.sleep(0.1)
        flag.touch()
        assert following.wait() == 0, log.read_text()
    assert f"execution {name}, with the same code and parameters, is still running" in log.read_text()
    assert executions.describe(arn).status == "Succeeded"
