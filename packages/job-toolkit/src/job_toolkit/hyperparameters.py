"""The hyperparameters of a training, as a frozen dataclass whose fields say what is allowed:

    @dataclass(frozen=True)
    class Hyperparameters:
        epochs: int = integer(20, 1, 10_000, "epochs at most")
        learning_rate: float = number(1e-3, 1e-7, 1.0, "peak rate")

    options = hyperparameters.parse(Hyperparameters, sys.argv[1:])

SageMaker writes them to /opt/ml/input/config/hyperparameters.json, every value as text, and in script mode
also passes them as `--name value`, which goes before the file.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from job_toolkit import strict_json
from job_toolkit.failure import ArgumentParser, InputError
from job_toolkit.training import Folders

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Kind = TypeVar("Kind", bound="DataclassInstance")
# Names that SageMaker, its SDK and tuning jobs add to those of the script.
RESERVED = ("sagemaker_", "_tuning_objective_metric")


def integer(default: int, low: int, high: int, help: str) -> Any:
    """A whole number from low to high."""
    return _number(int, "a whole number", default, low, high, help)


def number(default: float, low: float, high: float, help: str) -> Any:
    """A number from low to high."""
    return _number(float, "a number", default, low, high, help)


def switch(default: bool, help: str) -> Any:
    """true or false."""

    def read(text: str) -> bool:
        if text.lower() not in ("true", "false"):
            raise ValueError(f"{text!r} is neither true nor false")
        return text.lower() == "true"

    return parsed(default, read, help)


def choice(default: str, choices: Iterable[str], help: str) -> Any:
    """One of several words."""
    words = list(choices)

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"{text!r} is not one of {', '.join(words)}")
        return text

    return parsed(default, read, help)


def text(default: str, help: str) -> Any:
    """Text that is not blank."""

    def read(text: str) -> str:
        if not text.strip():
            raise ValueError(f"is empty; give {help}")
        return text

    return parsed(default, read, help)


def integers(default: Sequence[int], low: int, high: int, help: str, most: int | None = None) -> Any:
    """A list of at most `most` whole numbers from low to high, written as 128,64; the value is a tuple."""
    allowed = f"{'whole numbers' if most is None else f'1 to {most} whole numbers'} between {low} and {high}"

    def read(text: str) -> tuple[int, ...]:
        parts = [part.strip() for part in text.split(",")]
        if (most is not None and len(parts) > most) or not all(
            part.isascii() and part.isdigit() and low <= int(part) <= high for part in parts
        ):
            example = ",".join(map(str, default))
            raise ValueError(f"{text!r} must be {allowed}, such as {example}")
        return tuple(map(int, parts))

    return parsed(tuple(default), read, help)


def parsed(default: Any, read: Callable[[str], Any], help: str) -> Any:
    """A value of any other kind. `read` makes it of text, and raises ValueError saying what is wrong."""
    return field(default_factory=lambda: default, metadata={"read": read, "help": help})


def parse(kind: type[Kind], argv: list[str]) -> Kind:
    """The hyperparameters of the command line and of the container's file, others at their defaults.

    `--base DIR` in argv takes the place of /opt/ml. Raises InputError naming the hyperparameter, its value,
    and what is allowed; also for one that `kind` does not have.
    """
    parser = ArgumentParser(kind.__doc__)
    parser.add_argument("--base", type=Path, help="folder in place of /opt/ml")
    for item in fields(kind):
        parser.add_argument(f"--{item.name}", help=item.metadata["help"])
    given = vars(parser.parse_args(argv))
    path = Folders(given.pop("base")).config / "hyperparameters.json"
    texts = _of_file(path) | {name: text for name, text in given.items() if text is not None}
    names = [item.name for item in fields(kind)]
    for name in texts:
        if name not in names:
            raise InputError(f"hyperparameter {name}: is unknown, in {path} (known: {', '.join(names)})")
    values = {}
    for item in fields(kind):
        if item.name in texts:
            try:
                values[item.name] = item.metadata["read"](texts[item.name])
            except ValueError as error:
                raise InputError(f"hyperparameter {item.name}: {error}") from None
    return kind(**values)


def _of_file(path: Path) -> dict[str, str]:
    """The values as the command line would have them: text as it is, all else as JSON."""
    try:
        document = strict_json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error})") from None
    if not isinstance(document, dict):
        raise InputError(f"{path}: must be a JSON object of hyperparameters")
    return {name: _text(value) for name, value in document.items() if not name.startswith(RESERVED)}


def _text(value: Any) -> str:
    """SDKs write text into the file as it is, or as JSON in quotes."""
    if isinstance(value, str) and value[:1] == '"':
        try:
            value = json.loads(value)
        except ValueError:
            return str(value)
    return value if isinstance(value, str) else strict_json.dumps(value)


def _number(
    kind: type[int] | type[float], words: str, default: float, low: float, high: float, help: str
) -> Any:
    bounds = f"{low} and {high}" if kind is int else f"{low:g} and {high:g}"
    wanted = f"it must be {words} between {bounds}"

    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            raise ValueError(f"{text!r} is not {words}; {wanted}") from None
        if not low <= value <= high:
            raise ValueError(f"{text} is out of range; {wanted}")
        return value

    return parsed(kind(default), read, help)
