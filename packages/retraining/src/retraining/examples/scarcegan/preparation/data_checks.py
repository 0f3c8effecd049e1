"""Is every value a number within its range? A quick look at all blocks, and a slow one at the faulty.

The quick look is at the blocks' summaries, a row per column: pandera holds the rule for these, so that its
cost does not grow with the rows. Only where the rule is broken the block's text is gone through value by
value, to name row, column and value.
"""

import csv
import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pandera.polars as pandera
import polars as pl
from pandera.errors import SchemaErrors
from polars.exceptions import PolarsError

import csv_blocks
from csv_blocks import UNREADABLE
from key_hash import LONGEST_KEY
from preparation.table import Block, Source
from preparation.table_schema import Feature, Schema


def _inside(data: pandera.PolarsData) -> pl.LazyFrame:
    inside = pl.col("minimum").ge(pl.col("low")) & pl.col("maximum").le(pl.col("high"))
    return data.lazyframe.select(inside.fill_null(False))


def _finite(data: pandera.PolarsData) -> pl.LazyFrame:
    return data.lazyframe.select(pl.col(data.key).is_finite())


# The mean is finite where all values are: neither minimum nor maximum tell of a NaN.
RULE = pandera.DataFrameSchema(
    {
        "block": pandera.Column(pl.Int64),
        "column": pandera.Column(pl.String),
        "missing": pandera.Column(pl.Float64, pandera.Check.equal_to(0)),
        "mean": pandera.Column(pl.Float64, pandera.Check(_finite)),
    },
    checks=pandera.Check(_inside),
)
CONTROL = "[\x00-\x1f\x7f\ufeff]"  # in a key; the last is UTF-8's mark, lost where it starts a text


@dataclass(frozen=True)
class Fault:
    source: Source
    row: int  # of the file; data rows count from 1
    column: str  # "" for a row that is none
    text: str


def are_keys(keys: pl.Series) -> bool:
    """Is every one a key: not empty, not too long, without control characters?"""
    fine = (keys.str.len_bytes() <= LONGEST_KEY) & (keys != "") & ~keys.str.contains(CONTROL)
    return bool(fine.fill_null(False).all())


def breaking(summaries: list[pl.DataFrame], schema: Schema) -> list[int]:
    """Which of the blocks with these summaries hold a value that is not allowed."""
    if not summaries:
        return []
    limits = {
        "column": schema.names,
        "low": [feature.minimum for feature in schema.features],
        "high": [feature.maximum for feature in schema.features],
    }
    blocks = pl.concat(one.with_columns(block=pl.lit(n, pl.Int64)) for n, one in enumerate(summaries))
    asked = blocks.join(pl.DataFrame(limits), on="column", maintain_order="left")
    try:
        RULE.validate(asked, lazy=True)
    except SchemaErrors as errors:
        rows = errors.failure_cases.get_column("index").drop_nulls().cast(pl.Int64).unique()
        return sorted(set(asked["block"].gather(rows)))
    return []


def faults(block: Block, schema: Schema, error: PolarsError | None) -> list[Fault]:
    """Every fault of a block, in the order of the rows; `error` is why it could not be parsed."""
    found, ranges = [], {feature.name: feature for feature in schema.features}
    for number, row in _texts(block):
        for column, text in _in_row(row, block.source.columns, schema.key, ranges):
            found.append(Fault(block.source, number, column, text))
    if found:
        return found
    reason = str(error).split("\n")[0] if error else "a value is not allowed by the schema"
    return [Fault(block.source, block.first, "", f"from here on cannot be read as CSV ({reason})")]


def _texts(block: Block) -> Iterator[tuple[int, list[str] | str]]:
    """Row numbers and fields; in place of the last fields, why nothing can be read from there on."""
    if not isinstance(block.data, bytes):
        for number, row in enumerate(block.data.iter_rows(), start=block.first):
            yield number, ["" if value is None else str(value) for value in row]
        return
    reader, number = csv.reader(_lines(block.data), strict=True), block.first
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


def _lines(data: bytes) -> Iterator[str]:
    return (line.decode() for line in io.BytesIO(data))


def _in_row(
    row: list[str] | str, columns: tuple[str, ...], key: str, ranges: dict[str, Feature]
) -> Iterator[tuple[str, str]]:
    if isinstance(row, str):
        yield "", row
        return
    if not row:
        yield "", "is an empty line; take it out"
        return
    if len(row) != len(columns):
        semicolons = f", and semicolons: {row[0][:40]!r}" if len(row) == 1 and ";" in row[0] else ""
        yield "", f"has {len(row)} fields where the header has {len(columns)}{semicolons}"
        return
    for name, text in zip(columns, row, strict=True):
        wrong = _in_key(text) if name == key else _in_feature(text, ranges[name])
        if wrong:
            yield name, f"column {name!r} {wrong}"


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
