"""The columns of the data: one key and the features in their serving order, each with its allowed range."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from job_toolkit.failure import InputError

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
    def types(self) -> dict[str, type[pl.DataType]]:
        """Of the columns, as they are worked with."""
        return dict.fromkeys(self.columns, pl.Float64) | {self.key: pl.String}


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
    if not isinstance(document, dict) or not _is_name(document.get("key")):
        raise InputError(f"schema {path}: 'key' must name the key column")
    entries = document.get("features")
    if not isinstance(entries, list) or not entries:
        raise InputError(f"schema {path}: 'features' must be a list with at least one feature")
    features = (_feature(f"schema {path}: feature {n}", entry) for n, entry in enumerate(entries, start=1))
    schema = Schema(document["key"], tuple(features))
    for name in schema.columns:
        if schema.columns.count(name) > 1:
            raise InputError(f"schema {path}: column {name!r} is listed twice")
        if name != name.strip() or not name.isprintable():
            raise InputError(
                f"schema {path}: column {name!r} must be text on one line, without spaces around it"
            )
    if schema.key == "label":
        raise InputError(f"schema {path}: the key column must not be 'label', as the labels' is; rename it")
    return schema


def _feature(where: str, entry: Any) -> Feature:
    if not isinstance(entry, dict) or not _is_name(entry.get("name")):
        raise InputError(f"{where} has no name")
    name, low, high = entry["name"], entry.get("min"), entry.get("max")
    are_numbers = all(isinstance(bound, (int, float)) and abs(bound) <= LARGEST for bound in (low, high))
    if not are_numbers or low > high:
        raise InputError(
            f"{where} ({name!r}): 'min' and 'max' must be numbers with min <= max, of at most {LARGEST:g}"
        )
    return Feature(name, float(low), float(high), str(entry.get("description", "")))


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value != ""
