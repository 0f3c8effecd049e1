"""Is every value a number within its range? A quick look at all blocks, and a slow one at the faulty.

The quick look is at a block's summary. Only where that breaks the rule, or the block cannot be parsed, its
text is gone through value by value, to name row, column and value.
"""

import csv
import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from polars.exceptions import PolarsError

from data import csv_blocks
from data.csv_blocks import UNREADABLE
from data.key_hash import LONGEST_KEY
from preparation.column_statistics import Summary
from preparation.schema import Feature, Schema
from preparation.table import Block, Source

CONTROL = "[\x00-\x1f\x7f\ufeff]"  # in a key; the last is UTF-8's mark, lost where it starts a text


@dataclass(frozen=True)
class Fault:
    source: Source
    row: int  # of the file; data rows count from 1
    text: str


def are_keys(keys: pl.Series) -> bool:
    """Is every one a key: not empty, not too long, without control characters?"""
    fine = (keys.str.len_bytes() <= LONGEST_KEY) & (keys != "") & ~keys.str.contains(CONTROL)
    return bool(fine.fill_null(False).all())


def are_allowed(counted: Summary, schema: Schema) -> bool:
    """Is each value of these rows a finite number within its feature's range?"""
    low = np.array([feature.minimum for feature in schema.features])
    high = np.array([feature.maximum for feature in schema.features])
    inside = (counted.minimum >= low) & (counted.maximum <= high)
    # The mean is finite where all values are: neither minimum nor maximum tell of a NaN.
    return bool((inside & (counted.missing == 0) & np.isfinite(counted.mean)).all())


def faults(block: Block, schema: Schema, error: PolarsError | None = None) -> list[Fault]:
    """Every fault of a block, in the order of the rows; `error` is why it could not be parsed."""
    ranges = {feature.name: feature for feature in schema.features}
    every = [
        Fault(block.source, number, text)
        for number, row in _rows(block)
        for text in _in_row(row, block.source.columns, schema.key, ranges)
    ]
    reason = str(error).split("\n")[0] if error else "a value is not allowed by the schema"
    return every or [Fault(block.source, block.first, f"from here on cannot be read as CSV ({reason})")]


def _rows(block: Block) -> Iterator[tuple[int, list[str] | str]]:
    """Row numbers and fields; in place of the last fields, why nothing can be read from there on."""
    if not isinstance(block.data, bytes):
        for number, row in enumerate(block.data.iter_rows(), start=block.first):
            yield number, ["" if value is None else str(value) for value in row]
        return
    lines = (line.decode() for line in io.BytesIO(block.data))
    reader, number = csv.reader(lines, strict=True), block.first
    try:
        for fields in reader:
            following = block.first + reader.line_num
            if following > number + 1:
                yield number, 'has a quote (") that is not closed in its line'
                return
            yield number, fields
            number = following
    except UNREADABLE as error:
        yield block.first + reader.line_num, f"cannot be read as CSV ({csv_blocks.reason(error)})"
    except csv.Error as error:
        yield number, f'cannot be read as CSV ({error}); look at its quotes (")'


def _in_row(
    row: list[str] | str, columns: tuple[str, ...], key: str, ranges: dict[str, Feature]
) -> Iterator[str]:
    if isinstance(row, str):
        yield row
    elif not row:
        yield "is an empty line; take it out"
    elif len(row) != len(columns):
        semicolons = f", and semicolons: {row[0][:40]!r}" if len(row) == 1 and ";" in row[0] else ""
        yield f"has {len(row)} fields where the header has {len(columns)}{semicolons}"
    else:
        for name, text in zip(columns, row, strict=True):
            if wrong := _in_key(text) if name == key else _in_feature(text, ranges[name]):
                yield f"column {name!r} {wrong}"


def _in_key(text: str) -> str | None:
    if not text.strip():
        return "is empty"
    if (length := len(text.strip().encode())) > LONGEST_KEY:
        return f"holds a key of {length} bytes; at most {LONGEST_KEY} are allowed"
    text = text.strip(" \t\n\v\f\r")  # strip() alone takes away more than Polars does
    return f"holds {text!r}; a key has no control characters" if re.search(CONTROL, text) else None


def _in_feature(text: str, feature: Feature) -> str | None:
    value = _number(text)
    if value is None:
        return f"holds {text[:60]!r}, which is not a number" if text.strip() else "is empty"
    if not math.isfinite(value):
        return f"holds {text[:60]!r}; only finite numbers are allowed"
    if not feature.minimum <= value <= feature.maximum:
        return f"holds {text[:60]}, outside the schema's range {feature.minimum:g} to {feature.maximum:g}"
    return None


def _number(text: str) -> float | None:
    """As Polars reads it: no spaces behind it, no underscores, nor the digits of other scripts."""
    text = text.lstrip(" \t")
    try:
        return None if "_" in text or text != text.strip() or not text.isascii() else float(text)
    except ValueError:
        return None
