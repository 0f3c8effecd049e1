"""Problems are data until the command line prints them."""

from pathlib import Path

import pytest
from configurations import CHURN, PROJECT, TUNED, edit, lines_of, make

from retraining.config import configuration
from retraining.errors import FileLine, Problem, UserError, Variable, nearest


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(make(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (
            Problem(FileLine("a.yaml", 3), ("conf", "models", "m", "channels", 0), "no file"),
            "a.yaml:3: conf.models.m.channels[0]: no file",
        ),
        (Problem(FileLine("a.yaml"), (), "no such file"), "a.yaml: no such file"),
        (
            Problem(FileLine("a.yaml", 9), ("conf", "steps", 0, "retry"), "leave it out", step="Train"),
            "a.yaml:9: step 'Train': retry: leave it out",
        ),
        (
            Problem(Variable("SMP_SUBNETS"), ("SMP_SUBNETS", 1), "no subnet"),
            "environment variable SMP_SUBNETS[1]: no subnet",
        ),
        (Problem(None, ("parameters",), "too many"), "parameters: too many"),
        (Problem(None, ("line\nbreak",), "unknown key"), "'line\\nbreak': unknown key"),
    ],
)
def test_a_problem_is_one_line(problem: Problem, line: str) -> None:
    assert str(problem) == line


def test_an_error_has_its_problems_as_data(root: Path) -> None:
    here = edit(root, CHURN, "instance_count: 1", "instance_count: 0")
    below = edit(root, CHURN, "else_step: Stop", "else_step: Stopp")
    with pytest.raises(UserError) as caught:
        configuration.load(root)
    count, step = caught.value.problems
    assert (count.where, count.key) == (
        FileLine(CHURN, here),
        ("conf", "models", "churn", "train", "instance_count"),
    )
    assert (step.where, step.step, step.key[-1]) == (FileLine(CHURN, below), "Gate", "else_step")
    assert str(caught.value).splitlines() == [str(count), str(step)]


def test_a_value_of_the_environment_is_blamed_on_its_variable(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMP_SUBNETS", "subnet-0a,x")
    edit(root, PROJECT, "SMP_SUBNETS: []", "SMP_SUBNETS: [subnet-0a, subnet-0b]")
    with pytest.raises(UserError) as caught:
        configuration.load(root)
    (problem,) = caught.value.problems
    assert (problem.where, problem.key) == (Variable("SMP_SUBNETS"), ("SMP_SUBNETS",))


@pytest.mark.parametrize(
    ("file", "edits", "key"),
    [
        (CHURN, [("max_wait_seconds: 7200", "max_wait_seconds: long")], "train.max_wait_seconds"),
        (CHURN, [("outputs: [report]", "outputs: 5")], "evaluate.outputs"),
        (CHURN, [("split_type: Line", "split_type: Lines")], "transform.split_type"),
        (
            CHURN,
            [
                (
                    "content_type: text/csv",
                    "content_type: ''\n        input_filter: $.a\n        accept: text/csv",
                )
            ],
            "transform.content_type",
        ),
        (
            TUNED,
            [("metric_definitions: {loss:", "metric_definitions: {loss: 1, a:")],
            "train.metric_definitions.loss",
        ),
    ],
)
def test_what_follows_from_a_wrong_key_is_no_problem_of_its_own(
    root: Path, file: str, edits: list[tuple[str, str]], key: str
) -> None:
    for old, new in edits:
        edit(root, file, old, new)
    (line,) = lines_of(root)
    assert f".{key}: " in line


def test_other_mistakes_of_the_same_model_are_reported_as_well(root: Path) -> None:
    edit(root, CHURN, "max_wait_seconds: 7200", "max_wait_seconds: long")
    edit(root, CHURN, "entry_point: evaluate.py", "entry_point: evaluatee.py")
    edit(root, CHURN, "output: report", "output: raport")
    assert [line.split(": ")[1] for line in lines_of(root)] == [
        "conf.models.churn.train.max_wait_seconds",
        "conf.models.churn.evaluate.entry_point",
        "conf.models.churn.gate.output",
    ]


def test_a_refused_variable_of_one_model_hides_nothing_of_another(root: Path) -> None:
    edit(root, TUNED, "entry_point: train.py", "entry_point: train.py\n        output_path: s3://SMP_NONE/")
    edit(root, CHURN, "volume_size_in_gb: 30", "volume_size_in_gb: 0")
    edit(root, CHURN, "channels: features", "channels: features\n        output_path: s3://B/")
    assert [line.split(": ")[1] for line in lines_of(root)] == [
        "conf.models.tuned.train.output_path",
        "conf.models.churn.train.volume_size_in_gb",
        "conf.models.churn.train.output_path",
    ]


@pytest.mark.parametrize(
    ("word", "expected"), [("Epoch", "Epochs"), ("EPOCHS", "Epochs"), ("Rate", None), ("", None), (5, None)]
)
def test_the_nearest_name(word: object, expected: str | None) -> None:
    assert nearest(word, ["Epochs", "BatchSize"]) == expected
