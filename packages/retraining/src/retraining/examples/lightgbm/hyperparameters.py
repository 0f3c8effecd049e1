"""The training's hyperparameters: SageMaker passes them to train.py as `--name value`, all as text."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from failure import ArgumentParser, InputError


@dataclass(frozen=True)
class _Number:
    kind: type[int] | type[float]
    default: float
    low: float
    high: float
    help: str


NUMBERS = {
    "num_leaves": _Number(int, 15, 2, 131_072, "leaves per tree"),
    "learning_rate": _Number(float, 0.05, 1e-5, 1.0, "shrinkage of each tree"),
    "num_iterations": _Number(int, 1000, 1, 100_000, "trees at most; early stopping ends before"),
    "early_stopping_rounds": _Number(int, 50, 1, 100_000, "trees without a lower validation loss"),
    "min_data_in_leaf": _Number(int, 40, 1, 1_000_000, "rows per leaf at least"),
    "feature_fraction": _Number(float, 0.7, 0.01, 1.0, "share of the features per tree"),
    "bagging_fraction": _Number(float, 0.8, 0.01, 1.0, "share of the rows per tree"),
    "lambda_l2": _Number(float, 5.0, 0.0, 1e6, "L2 regularisation"),
    "scale_pos_weight": _Number(float, 1.0, 1e-3, 1e3, "weight of a purchase; 1 keeps probabilities honest"),
    "beta": _Number(float, 1.0, 0.1, 10.0, "the threshold has the best F-beta; above 1 favours recall"),
    "seed": _Number(int, 7, 0, 1_000_000, "seed of the samples of rows and features"),
}


def parse(argv: list[str]) -> argparse.Namespace:
    """Read the arguments. Raises InputError naming the hyperparameter, its value, and what is allowed."""
    parser = ArgumentParser(allow_abbrev=False, description="Train LightGBM.")
    parser.add_argument("--base", type=Path, help="folder in place of /opt/ml")
    for name, number in NUMBERS.items():
        parser.add_argument(
            f"--{name}", type=_reader(name, number), default=number.kind(number.default), help=number.help
        )
    return parser.parse_args(argv)


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
