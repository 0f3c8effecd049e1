"""metrics.csv: the metrics of an evaluation's models, a line each. docs/metrics.md is its description.

Columns: `kind` (`candidate`; `baseline` or another word for what is compared with it), `name` (empty for
the only candidate), `problem` (which schema of SageMaker's model-quality JSON, see model_quality.py; empty
without one), then a column per metric. `<metric>_standard_deviation` belongs to a metric. A cell holds a
number, or the JSON object of a confusion matrix or curve; an empty cell is no metric.
"""

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from job_toolkit.failure import InputError

KEYS = ("kind", "name", "problem")
DEVIATION = "_standard_deviation"
CANDIDATE = "candidate"


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
    """Write the file, with the columns in the order in which the models have them."""
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


def parse(text: str, where: str = "metrics.csv") -> list[Model]:
    """The models of a file's text, in its order.

    A cell that is neither a finite number nor a JSON object is left out: metrics.csv may have notes. Raises
    InputError, beginning with `where`, for text that is no table with the columns kind and name, and for two
    models of the same kind and name.
    """
    try:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        header, *lines = [line for line in reader if line] or [[]]
    except csv.Error as error:
        raise InputError(f"{where}: cannot be read as CSV ({error})") from None
    absent = [name for name in KEYS[:2] if name not in header]
    if absent:
        raise InputError(f"{where}: column {absent[0]!r} is missing")
    found: dict[tuple[str, str], Model] = {}
    for number, line in enumerate(lines, start=1):
        if len(line) != len(header):
            raise InputError(
                f"{where}: row {number} has {len(line)} fields where the header has {len(header)}"
            )
        model = _model(dict(zip(header, line, strict=True)))
        if (model.kind, model.name) in found:
            raise InputError(f"{where}: row {number}: the {model.kind} {model.name!r} occurs twice")
        found[model.kind, model.name] = model
    return list(found.values())


def _cells(model: Model) -> dict[str, Any]:
    numbers = {**model.metrics, **{name + DEVIATION: value for name, value in model.deviations.items()}}
    texts = {name: json.dumps(value, separators=(",", ":")) for name, value in model.objects.items()}
    kept = {name: value for name, value in numbers.items() if math.isfinite(value)}
    return {"kind": model.kind, "name": model.name, "problem": model.problem, **kept, **texts}


def _model(cells: dict[str, str]) -> Model:
    kind, name, problem = (cells.pop(key, "").strip() for key in KEYS)
    values = {key: _value(text) for key, text in cells.items()}
    numbers = {key: value for key, value in values.items() if isinstance(value, float)}
    return Model(
        kind or CANDIDATE,
        name,
        problem,
        {key: value for key, value in numbers.items() if not key.endswith(DEVIATION)},
        {key[: -len(DEVIATION)]: value for key, value in numbers.items() if key.endswith(DEVIATION)},
        {key: value for key, value in values.items() if isinstance(value, dict)},
    )


def _value(text: str) -> float | dict[str, Any] | None:
    try:
        number = float(text)
        return number if math.isfinite(number) else None
    except ValueError:
        pass
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
