"""metrics.csv: the metrics of an evaluation's models, a line each. docs/metrics.md is its description.

Columns: `kind` (`candidate`; `baseline` or another word for what is compared with it), `name` (empty for
the only candidate), `problem` (which schema of SageMaker's model-quality JSON, see model_quality.py; empty
without one), then a column per metric. `<metric>_standard_deviation` belongs to a metric. A cell holds a
finite number, or the JSON object of a confusion matrix or curve; an empty cell is no metric, and any other
text is refused.
"""

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from job_toolkit import strict_json
from job_toolkit.failure import InputError

KEYS = ("kind", "name", "problem")
DEVIATION = "_standard_deviation"
CANDIDATE = "candidate"
# Python's float() also takes nan, inf, 1_000 and the digits of other scripts.
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


@dataclass(frozen=True)
class Model:
    """A line: finite numbers by metric, their standard deviations, and objects such as `confusion_matrix`."""

    kind: str
    name: str
    problem: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    deviations: Mapping[str, float] = field(default_factory=dict)
    objects: Mapping[str, Any] = field(default_factory=dict)


def write(models: Iterable[Model], path: Path) -> None:
    """Write the file, with the columns in the order in which the models have them.

    Raises InputError naming model and metric for a number that is not finite: leave out what has no value.
    """
    lines = [_cells(model) for model in models]
    columns = list(dict.fromkeys([*KEYS, *(name for line in lines for name in line)]))
    objects = {name for model in models for name in model.objects}
    columns.sort(key=lambda name: (name in objects, name.endswith(DEVIATION)))  # the wide ones last
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


def read(path: Path) -> list[Model]:
    """Read a file. Raises InputError as `parse` does, and when it cannot be read."""
    try:
        return parse(path.read_text(encoding="utf-8-sig"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None


def parse(text: str, where: str = "metrics.csv", lenient: bool = False) -> list[Model]:
    """The models of a file's text, in its order; `lenient` leaves out cells that it would refuse.

    Raises InputError, beginning with `where`, for text that is no table with the columns kind and name, for
    two models of the same kind and name, and, naming row and column, for a cell that is neither a finite
    number nor a JSON object.
    """
    try:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        header, *lines = [line for line in reader if line] or [[]]
    except csv.Error as error:
        raise InputError(f"{where}: cannot be read as CSV ({error})") from None
    _check_header([name.strip() for name in header], where)
    models: dict[tuple[str, str], Model] = {}
    for number, line in enumerate(lines, start=1):
        row = f"{where}: row {number}"
        if len(line) != len(header):
            raise InputError(f"{row} has {len(line)} fields where the header has {len(header)}")
        cells = {name.strip(): cell.strip() for name, cell in zip(header, line, strict=True)}
        model = _model(cells, row, lenient)
        if (model.kind, model.name) in models:
            raise InputError(f"{row}: the {model.kind} {model.name!r} occurs twice")
        models[model.kind, model.name] = model
    return list(models.values())


def _check_header(names: list[str], where: str) -> None:
    absent = [name for name in KEYS[:2] if name not in names]
    if absent:
        raise InputError(f"{where}: column {absent[0]!r} is missing")
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise InputError(f"{where}: column {repeated[0]!r} occurs twice in the header")


def _cells(model: Model) -> dict[str, Any]:
    numbers = {**model.metrics, **{name + DEVIATION: value for name, value in model.deviations.items()}}
    for name, value in numbers.items():
        if not math.isfinite(value):
            raise InputError(f"{model.kind} {model.name!r}: {name} is {value}; a metric is a finite number")
    texts = {}
    for name, value in model.objects.items():
        try:
            texts[name] = strict_json.dumps(value, separators=(",", ":"))
        except InputError as error:
            raise InputError(f"{model.kind} {model.name!r}: {name}: {error}") from None
    return {"kind": model.kind, "name": model.name, "problem": model.problem, **numbers, **texts}


def _model(cells: dict[str, str], row: str, lenient: bool) -> Model:
    kind, name, problem = (cells.pop(key, "") for key in KEYS)
    values: dict[str, float | dict[str, Any]] = {}
    for key, text in cells.items():
        try:
            if text:
                values[key] = _value(text)
        except ValueError as error:
            if not lenient:
                raise InputError(f"{row}: column {key!r} {error}") from None
    numbers = {key: value for key, value in values.items() if isinstance(value, float)}
    return Model(
        kind or CANDIDATE,
        name,
        problem,
        {key: value for key, value in numbers.items() if not key.endswith(DEVIATION)},
        {key[: -len(DEVIATION)]: value for key, value in numbers.items() if key.endswith(DEVIATION)},
        {key: value for key, value in values.items() if isinstance(value, dict)},
    )


def _value(text: str) -> float | dict[str, Any]:
    """Raises ValueError, whose text follows the name of the column."""
    if _NUMBER.fullmatch(text):
        number = float(text)
        if math.isfinite(number):
            return number
    elif text.startswith("{"):
        try:
            value: dict[str, Any] = strict_json.loads(text)
        except ValueError as error:
            raise ValueError(f"holds no JSON object ({error})") from None
        return value
    raise ValueError(f"holds {text[:60]!r}; it takes a finite number, or nothing where there is none")
