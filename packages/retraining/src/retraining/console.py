"""What the command line prints. Results go to stdout, everything else to stderr.

What is not ours (parameters, failures, names of files) is shown as it is: nothing in it is markup or an
emoji, and control characters are visible. So no other module makes texts of rich from words.

Rich is imported where something is printed with it: `retrain check` is done before.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sized

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

# Control characters, halves of characters (bytes of a file's name that are no text), other line breaks.
_INVISIBLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
# They change the order in which a terminal shows what follows.
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def visible(text: str) -> str:
    """The text in one line, with ``\\x1b`` and the like in place of what a terminal would obey."""
    if text.isprintable():
        return text
    return "".join(_escaped(character) for character in text)


def _escaped(character: str) -> str:
    is_shown = unicodedata.category(character) not in _INVISIBLE and character not in _BIDI
    return character if is_shown else ascii(character)[1:-1]


@cache
def out() -> Console:
    """The console of results."""
    return _console(width=None if sys.stdout.isatty() else 200)


@cache
def err() -> Console:
    """The console of everything else."""
    return _console(stderr=True)


def _console(**settings: Any) -> Console:
    from rich.console import Console
    from rich.text import Text

    class Plain(Console):
        """Takes a str for what it is, in a line and in a cell of a table."""

        def render_str(self, text: str, *, style: Any = "", **options: Any) -> Text:
            return Text(
                visible(text), style=style, justify=options.get("justify"), overflow=options.get("overflow")
            )

    return Plain(highlight=False, emoji=False, markup=False, soft_wrap=True, **settings)


def text(words: str, style: str = "") -> Text:
    """Words in a style, for a line or for a cell of a table."""
    from rich.text import Text

    return Text(visible(words), style=style)


def line(words: str = "", style: str = "") -> None:
    """A line on stdout."""
    out().print(text(words, style))


def plain_line(words: str) -> None:
    """A line on stdout without rich, which takes longer to load than some commands take."""
    print(visible(words))


def error(words: str) -> None:
    """A line about what is wrong."""
    err().print(text(f"Error: {words}", "red"))


def print_json(value: Any) -> None:
    """One JSON document on stdout, and nothing else."""
    print(json.dumps(value, indent=2, default=str, allow_nan=False))


def print_table(table: Table) -> None:
    """A table on stdout, without the blanks with which rich fills its last column."""
    from rich.text import Text

    for segments in out().render_lines(table, pad=False):
        row = Text.assemble(*((segment.text, segment.style or "") for segment in segments))
        row.rstrip()
        out().print(row)


def note(words: str) -> None:
    """A line about what is being done."""
    err().print(text(words, "dim"))


def counted(things: Sized, noun: str) -> str:
    """``1 step``, ``2 steps``."""
    return f"{len(things)} {noun}{'s' * (len(things) != 1)}"


def seconds(value: float | None) -> str:
    """``7.3 s``, ``2 min 05 s``; empty for None."""
    if value is None:
        return ""
    return f"{value:.1f} s" if value < 60 else f"{int(value // 60)} min {int(value % 60):02d} s"
