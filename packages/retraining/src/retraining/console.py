"""What the command line prints. Results go to stdout, everything else to stderr.

Rich is imported where something is printed with it: `retrain check` is done before.
"""

from __future__ import annotations

import json
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sized

    from rich.console import Console
    from rich.table import Table


@cache
def out() -> Console:
    """The console of results."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 200)


@cache
def err() -> Console:
    """The console of everything else."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """One JSON document on stdout, and nothing else."""
    print(json.dumps(value, indent=2, default=str, allow_nan=False))


def print_table(table: Table) -> None:
    """A table on stdout, without the blanks with which rich fills its last column."""
    from rich.text import Text

    for segments in out().render_lines(table, pad=False):
        line = Text.assemble(*((segment.text, segment.style or "") for segment in segments))
        line.rstrip()
        out().print(line)


def note(text: str) -> None:
    """A line about what is being done."""
    from rich.text import Text

    err().print(Text(text, style="dim"))


def counted(things: Sized, noun: str) -> str:
    """``1 step``, ``2 steps``."""
    return f"{len(things)} {noun}{'s' * (len(things) != 1)}"


def seconds(value: float | None) -> str:
    """``7.3 s``, ``2 min 05 s``; empty for None."""
    if value is None:
        return ""
    return f"{value:.1f} s" if value < 60 else f"{int(value // 60)} min {int(value % 60):02d} s"
