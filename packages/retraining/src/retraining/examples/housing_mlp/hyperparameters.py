"""The training's hyperparameters: SageMaker passes them to train.py as `--name value`, all as text."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from failure import ArgumentParser, InputError


@dataclass(frozen=True)
class Hyperparameters:
    epochs: int
    patience: int
    batch_size: int
    learning_rate: float
    dropout: float
    waves: int
    frequency: float
    seed: int
    hidden_units: list[int]


@dataclass(frozen=True)
class _Number:
    kind: type[int] | type[float]
    default: float
    low: float
    high: float
    help: str


NUMBERS = {
    "epochs": _Number(int, 40, 1, 10_000, "epochs at most; the learning rate falls to 0 over them"),
    "patience": _Number(int, 8, 1, 10_000, "epochs without a better validation before the training stops"),
    "batch_size": _Number(int, 128, 1, 65_536, "rows per step"),
    "learning_rate": _Number(float, 3e-3, 1e-7, 1.0, "Adam's first learning rate"),
    "dropout": _Number(float, 0.0, 0.0, 0.9, "share of each layer's units left out per step"),
    "waves": _Number(int, 32, 0, 4096, "random waves over longitude and latitude; 0 for none"),
    "frequency": _Number(float, 4.0, 0.01, 100.0, "spread of their frequencies, per standard deviation"),
    "seed": _Number(int, 7, 0, 1_000_000, "seed of weights, waves and batches"),
}


def parse(argv: list[str]) -> Hyperparameters:
    """Read the arguments. Raises InputError naming the hyperparameter, its value, and what is allowed."""
    parser = ArgumentParser(allow_abbrev=False, description="Train the price model.")
    parser.add_argument("--base", type=Path, help="folder in place of /opt/ml")
    for name, number in NUMBERS.items():
        parser.add_argument(
            f"--{name}", type=_reader(name, number), default=number.kind(number.default), help=number.help
        )
    parser.add_argument("--hidden_units", type=_units, default=[128, 64], help="units of each hidden layer")
    options = vars(parser.parse_args(argv))
    options.pop("base")
    return Hyperparameters(**options)


def _units(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and 1 <= int(part) <= 4096 for part in parts):
        raise InputError(
            f"hyperparameter hidden_units: {text!r} must be whole numbers between 1 and 4096, such as 128,64"
        )
    return [int(part) for part in parts]


def _reader(name: str, number: _Number) -> Callable[[str], float]:
    def read(text: str) -> float:
        kind = "a whole number" if number.kind is int else "a number"
        wanted = f"it must be {kind} between {number.low:g} and {number.high:g}"
        try:
            value = number.kind(text)
        except ValueError:
            raise InputError(f"hyperparameter {name}: {text!r} is not {kind}; {wanted}") from None
        if not number.low <= value <= number.high:
            raise InputError(f"hyperparameter {name}: {text} is out of range; {wanted}")
        return value

    return read
