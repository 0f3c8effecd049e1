"""The columns of the data: one key and the features in their serving order, each with its allowed range."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from failure import InputError

LARGEST = 1e38  # the model takes float32


@dataclass(frozen=True)
class Feature:
    name: str
    minimum: float
    maximum: float
    description: str


@dataclass(frozen=True)
class Schema:
    """The key column and the F features; their order is the order of the model's input."""

    key: str
    features: tuple[Feature, ...]

    @property
    def names(self) -> list[str]:
        return [feature.name for feature in self.features]

    @property
    def columns(self) -> list[str]:
        return [self.key, *self.names]

    @property
    def types(self) -> dict[str, pl.DataType]:
        """Of the columns, as they are worked with."""
        return {name: pl.String() if name == self.key else pl.Float64() for name in self.columns}


def load(path: Path) -> Schema:
    """Read and check a schema file: `{"key": ..., "features": [{"name", "min", "max", "description"}, ...]}`.

    Raises InputError naming the file and the entry for anything else.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"schema {path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"schema {path}: not JSON ({error})") from None
    if not isinstance(document, dict) or not isinstance(document.get("key"), str) or not document["key"]:
        raise InputError(f"schema {path}: 'key' must name the key column")
    entries = document.get("features")
    if not isinstance(entries, list) or not entries:
        raise InputError(f"schema {path}: 'features' must be a list with at least one feature")
    features = tuple(_feature(path, number, entry) for number, entry in enumerate(entries, start=1))
    schema = Schema(document["key"], features)
    repeated = {name for name in schema.columns if schema.columns.count(name) > 1}
    if repeated:
        raise InputError(f"schema {path}: column {min(repeated)!r} is listed twice")
    odd = [name for name in schema.columns if name != name.strip() or not name.isprintable()]
    if odd:
        raise InputError(
            f"schema {path}: column {odd[0]!r} must be text on one line, without spaces around it"
        )
    if schema.key == "label":
        raise InputError(f"schema {path}: the key column must not be 'label', as the labels' is; rename it")
    return schema


def _feature(path: Path, number: int, entry: Any) -> Feature:
    where = f"schema {path}: feature {number}"
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str) or not entry["name"]:
        raise InputError(f"{where} has no name")
    low, high = entry.get("min"), entry.get("max")
    if (
        not all(isinstance(bound, (int, float)) and abs(bound) <= LARGEST for bound in (low, high))
        or low > high
    ):
        raise InputError(
            f"{where} ({entry['name']!r}): 'min' and 'max' must be numbers with min <= max, of at most"
            f" {LARGEST:g}"
        )
    return Feature(entry["name"], float(low), float(high), str(entry.get("description", "")))
