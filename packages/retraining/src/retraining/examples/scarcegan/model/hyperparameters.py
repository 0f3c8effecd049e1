"""The training's hyperparameters: SageMaker passes them to train.py as `--name value`, all as text."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import candidates
import dataset
from failure import ArgumentParser, InputError
from model import variants


@dataclass(frozen=True)
class Hyperparameters:
    epochs: int
    iterations_per_epoch: int
    batch_size: int
    learning_rate_discriminator: float
    learning_rate_generator: float
    noise_dim: int
    leeway: float
    input_noise: float
    input_dropout: float
    seed: int
    units: tuple[int, ...]
    variant: str
    cross_validation: bool
    ablations: bool
    groups: list[str]
    candidates: list[candidates.Definition]

    def document(self) -> dict[str, Any]:
        """As JSON: what hyperparameters.json in the model artifact holds."""
        definitions = {definition.name: definition.document() for definition in self.candidates}
        return asdict(self) | {"candidates": definitions}


@dataclass(frozen=True)
class _Number:
    kind: type[int] | type[float]
    default: float
    low: float
    high: float
    help: str


NUMBERS = {
    "epochs": _Number(int, 20, 1, 10_000, "epochs; each ends with a validation"),
    "iterations_per_epoch": _Number(int, 150, 1, 1_000_000, "training steps per epoch"),
    "batch_size": _Number(
        int, 128, 8, 65_536, "rows of each kind (labelled, unlabelled, generated) per step"
    ),
    "learning_rate_discriminator": _Number(float, 1e-3, 1e-7, 1.0, "peak rate of the discriminator"),
    "learning_rate_generator": _Number(float, 3e-4, 1e-7, 1.0, "peak rate of the generator"),
    "noise_dim": _Number(int, 32, 4, 4096, "dimensions of the generator's noise"),
    "leeway": _Number(float, 0.1, 0.0, 0.9, "how far a negative label may be wrong"),
    "input_noise": _Number(float, 0.5, 0.0, 10.0, "deviation of the noise on the scaled features"),
    "input_dropout": _Number(float, 0.0, 0.0, 0.9, "share of the features that are left out, at random"),
    "seed": _Number(int, 7, 0, 1_000_000, "seed of weights, batches and noise"),
}
SWITCHES = {
    "cross_validation": "also train on each fold, and take the epochs that are best over the folds",
    "ablations": "also train every other variant, for comparison",
}


def parse(argv: list[str]) -> Hyperparameters:
    """Read the arguments. Raises InputError naming the hyperparameter, its value, and what is allowed."""
    parser = ArgumentParser(allow_abbrev=False, description="Train ScarceGAN.")
    parser.add_argument("--base", type=Path, help="folder in place of /opt/ml")
    for name, number in NUMBERS.items():
        parser.add_argument(
            f"--{name}", type=_reader(name, number), default=number.kind(number.default), help=number.help
        )
    parser.add_argument("--units", default="128,64", type=_units, help="units of the discriminator's layers")
    parser.add_argument("--variant", default=variants.SCARCEGAN, help=", ".join(variants.NAMES))
    for name, text in SWITCHES.items():
        parser.add_argument(f"--{name}", default=False, type=_switch(name), help=text)
    parser.add_argument(
        "--groups", default="risky,dormant,normal,heavy", help="label groups, the scarce one first"
    )
    parser.add_argument("--candidates", type=candidates.parse, help="JSON: candidate definitions by name")
    options = vars(parser.parse_args(argv))
    options.pop("base")
    if options["variant"] not in variants.NAMES:
        raise InputError(
            f"hyperparameter variant: {options['variant']!r} is none; it must be {', '.join(variants.NAMES)}"
        )
    options["groups"] = dataset.parse_groups(options["groups"])
    options["candidates"] = options["candidates"] or [
        candidates.Definition(name, entry["metric"], entry["mode"], _minimums(entry))
        for name, entry in candidates.DEFAULT.items()
    ]
    return Hyperparameters(**options)


def _minimums(entry: dict[str, Any]) -> dict[str, float]:
    return {key.removeprefix("min_"): value for key, value in entry.items() if key.startswith("min_")}


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


def _units(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.strip().isdecimal() and 1 <= int(part) <= 8192 for part in parts) or len(parts) > 8:
        raise InputError(
            f"hyperparameter units: {text!r} is no list of layers; write 1 to 8 numbers up to 8192, as 128,64"
        )
    return tuple(int(part) for part in parts)


def _switch(name: str) -> Callable[[str], bool]:
    def read(text: str) -> bool:
        if text.lower() not in ("true", "false"):
            raise InputError(f"hyperparameter {name}: {text!r} must be true or false")
        return text.lower() == "true"

    return read
