"""A literal, a parameter's default, a choice and a value on the command line have one rule, a key's own."""

import json
from pathlib import Path

import pytest
from configurations import CHURN, edit, make

from retraining.config import configuration
from retraining.errors import UserError
from retraining.runs import arguments

ARGUMENT = "arguments: {folds: {parameter: Folds, default: 3}}"
HYPERPARAMETER = "hyperparams: {epochs: {parameter: Epochs, default: 4}}"
VARIABLE = "env: {MODE: fast}"
MESSAGE = "error_message: too weak"
# Of each key: its text in the file, and how it is written with another value.
KEYS = {
    "argument": (ARGUMENT, "arguments: {folds: VALUE}"),
    "hyperparameter": (HYPERPARAMETER, "hyperparams: {epochs: VALUE}"),
    "variable": (VARIABLE, "env: {MODE: VALUE}"),
    "message": (MESSAGE, "error_message: VALUE"),
    "data": ("fileName: s3://SMP_S3BUCKETNAME/raw/", "fileName: VALUE"),
    "strategy": ("strategy: MultiRecord", "strategy: VALUE"),
}
WAYS = ("literal", "default", "choice", "--param")
OK = {
    "argument": "x",
    "hyperparameter": "x",
    "variable": "x",
    "message": "x",
    "data": "s3://demo-bucket/raw/",
    "strategy": "MultiRecord",
}
ONE_LINE = "SageMaker allows one line, without line breaks"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make(tmp_path)


def said(root: Path, key: str, value: str, way: str) -> list[str]:
    """What is wrong with a value of a key; nothing where it is right."""
    old, new = KEYS[key]
    default = json.dumps(value if way == "default" else OK[key])
    choices = f", choices: [{default}, {json.dumps(value)}]" if way == "choice" else ""
    parameter = f"{{parameter: P, default: {default}{choices}}}"
    edit(root, CHURN, old, new.replace("VALUE", json.dumps(value) if way == "literal" else parameter))
    try:
        loaded = configuration.load(root)
        if way == "--param":
            arguments.parse(loaded, [f"P={value}"])
    except UserError as error:
        return [problem.words.removeprefix("--param P: ") for problem in error.problems]
    return []


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("argument", "", []),
        ("hyperparameter", "", []),
        ("variable", "", []),
        ("message", "", ["a string is expected, not ''"]),
        ("data", "", ["a file or prefix such as s3://bucket/prefix/ is expected, not ''"]),
        ("strategy", "", ["SingleRecord or MultiRecord is expected, not ''"]),
        ("argument", "x" * 256, []),
        ("argument", "x" * 257, ["SageMaker allows 256 characters, not 257"]),
        ("argument", "two\nlines", [ONE_LINE]),
        ("hyperparameter", "x" * 1025, None),
        ("hyperparameter", "two\nlines", [ONE_LINE]),
        ("variable", "x" * 257, ["SageMaker allows 256 characters, not 257"]),
        ("variable", "two\nlines", []),
    ],
)
def test_a_value_has_one_rule(root: Path, key: str, value: str, expected: list[str] | None, way: str) -> None:
    if expected is None:  # of a parameter's value, not of the key
        longest = "a string of at most 1024 characters, a finite number, true or false is expected, not "
        answer = said(root, key, value, way)
        assert answer == [] if way == "literal" else answer[0].startswith(longest)
    else:
        assert said(root, key, value, way) == expected


def test_values_that_do_not_fit_each_other_start_nothing(root: Path) -> None:
    """As with defaults: how long a spot job may wait includes how long it runs."""
    edit(root, CHURN, "max_runtime_seconds: 3600", "max_runtime_seconds: {parameter: Longest, default: 3600}")
    loaded = configuration.load(root)
    with pytest.raises(UserError, match="7200 is less than max_runtime_seconds, 9000: it includes it"):
        arguments.parse(loaded, ["Longest=9000"])


@pytest.mark.parametrize("text", ["1e-5", "1E-5", "+1e5", "1.0e5", "1.5e-05", ".5e3", "-1e-5"])
def test_a_number_with_an_exponent_is_a_number(root: Path, text: str) -> None:
    edit(root, CHURN, "default: 4}}", f"default: {text}}}}}")
    parameter = configuration.load(root).parameters["Epochs"]
    assert (parameter.type, parameter.default) == ("Float", float(text))


def test_a_number_in_quotes_is_a_text(root: Path) -> None:
    edit(root, CHURN, "default: 4}}", 'default: "1e-5"}}')
    assert configuration.load(root).parameters["Epochs"].type == "String"


@pytest.mark.parametrize(("count", "is_right"), [(16, True), (17, False)])
def test_a_parameter_has_at_most_sixteen_choices(root: Path, count: int, is_right: bool) -> None:
    choices = [f"c{index}" for index in range(count)]
    edit(root, CHURN, "default: 4}}", f"default: c0, choices: {json.dumps(choices)}}}}}")
    if is_right:
        assert configuration.load(root).parameters["Epochs"].choices == tuple(choices)
    else:
        with pytest.raises(UserError, match=r"epochs.*: SageMaker allows 16 choices, not 17"):
            configuration.load(root)
