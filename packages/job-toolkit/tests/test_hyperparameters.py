"""Hyperparameters from the command line and from the container's file."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from job_toolkit import hyperparameters
from job_toolkit.failure import InputError
from job_toolkit.hyperparameters import choice, integer, integers, number, parsed, switch, text


@dataclass(frozen=True)
class Hyperparameters:
    """Train something."""

    epochs: int = integer(20, 1, 10_000, "epochs at most")
    learning_rate: float = number(1e-3, 1e-7, 1.0, "peak rate")
    four_bit: bool = switch(False, "hold the weights in 4 bits")
    variant: str = choice("plain", ["plain", "no-noise"], "which one")
    model_id: str = text("tiny", "a model's name")
    units: tuple[int, ...] = integers((128, 64), 1, 4096, "units of each layer", most=3)
    names: tuple[str, ...] = parsed((), lambda text: tuple(json.loads(text)), "a JSON list")


def parse(*argv: object) -> Hyperparameters:
    return hyperparameters.parse(Hyperparameters, list(map(str, argv)))


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "input" / "config").mkdir(parents=True)
    return tmp_path


def put(base: Path, content: object) -> None:
    path = base / "input" / "config" / "hyperparameters.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def test_defaults(tmp_path: Path) -> None:
    found = parse("--base", tmp_path)
    assert found == Hyperparameters()
    assert asdict(found)["units"] == (128, 64)


def test_the_command_line(tmp_path: Path) -> None:
    found = parse(
        *("--base", tmp_path, "--epochs", 3, "--learning_rate", "1e-2", "--four_bit", "True"),
        *("--variant", "no-noise", "--model_id", "x", "--units", "16, 8", "--names", '["a"]'),
    )
    assert found == Hyperparameters(3, 0.01, True, "no-noise", "x", (16, 8), ("a",))


def test_the_containers_file_as_both_sdks_write_it(base: Path) -> None:
    """All values are text; version 2 of the SDK puts text in quotes, and adds names of its own."""
    put(
        base,
        {
            "epochs": "3",
            "four_bit": "true",
            "variant": '"no-noise"',
            "units": "16",
            "names": '["a"]',
            "sagemaker_program": '"train.py"',
            "_tuning_objective_metric": "auc",
        },
    )
    expected = Hyperparameters(3, 1e-3, True, "no-noise", "tiny", (16,), ("a",))
    assert parse("--base", base) == expected
    put(base, {"epochs": 3, "four_bit": True, "variant": "no-noise", "units": 16, "names": ["a"]})
    assert parse("--base", base) == expected


def test_the_command_line_goes_before_the_file(base: Path) -> None:
    put(base, {"epochs": "3", "learning_rate": "0.5"})
    found = parse("--base", base, "--epochs", "4")
    assert (found.epochs, found.learning_rate) == (4, 0.5)


@given(
    epochs=st.integers(1, 10_000),
    rate=st.floats(1e-7, 1.0),
    units=st.lists(st.integers(1, 4096), min_size=1, max_size=3),
)
def test_what_is_allowed_survives_as_text(epochs: int, rate: float, units: list[int]) -> None:
    found = parse("--epochs", epochs, "--learning_rate", repr(rate), "--units", ",".join(map(str, units)))
    assert (found.epochs, found.learning_rate, found.units) == (epochs, rate, tuple(units))


@given(name=st.sampled_from(["epochs", "learning_rate", "four_bit", "units"]), value=st.text(max_size=8))
def test_any_text_is_a_value_or_one_line(name: str, value: str) -> None:
    try:
        found = getattr(parse(f"--{name}={value}"), name)
    except InputError as error:
        found = str(error)
    assert isinstance(found, (int, float, tuple)) or found.startswith(f"hyperparameter {name}: ")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("epochs", "0", "0 is out of range; it must be a whole number between 1 and 10000"),
        ("epochs", "ten", "'ten' is not a whole number; it must be a whole number between 1 and 10000"),
        ("epochs", "2.5", "'2.5' is not a whole number"),
        ("learning_rate", "fast", "'fast' is not a number; it must be a number between 1e-07 and 1"),
        ("learning_rate", "nan", "nan is out of range"),
        ("four_bit", "1", "'1' is neither true nor false"),
        ("variant", "odd", "'odd' is not one of plain, no-noise"),
        ("model_id", " ", "is empty; give a model's name"),
        ("units", "64,", "'64,' must be 1 to 3 whole numbers between 1 and 4096, such as 128,64"),
        ("units", "1,2,3,4", "'1,2,3,4' must be 1 to 3 whole numbers"),
        ("units", "٣", "'٣' must be 1 to 3 whole numbers"),
        ("names", "{", "Expecting property name"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named(name: str, value: str, expected: str, base: Path) -> None:
    put(base, {name: value})
    for arguments in (["--base", str(base)], [f"--{name}={value}"]):
        with pytest.raises(InputError) as raised:
            parse(*arguments)
        assert str(raised.value).startswith(f"hyperparameter {name}: {expected}")


def test_an_unknown_hyperparameter_is_refused(base: Path) -> None:
    with pytest.raises(InputError, match=r"unrecognized arguments: --epoch 3 \(known: --epochs, --learning"):
        parse("--epoch", 3)
    put(base, {"epoch": "3"})
    with pytest.raises(InputError, match=r"hyperparameter epoch: is unknown, in .*\.json \(known: epochs, "):
        parse("--base", base)


@pytest.mark.parametrize(
    ("content", "expected"), [("{", "cannot be read as JSON"), ("[]", "must be a JSON object")]
)
def test_a_file_that_is_something_else_is_named(content: str, expected: str, base: Path) -> None:
    put(base, content)
    with pytest.raises(InputError, match=rf"hyperparameters\.json: {expected}"):
        parse("--base", base)
