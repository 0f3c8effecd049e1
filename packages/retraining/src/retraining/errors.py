"""What a user can cause and put right: problems as data, which only the command line turns into text."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

Location = tuple[str | int, ...]
"""The path of keys and list indices to a value in a file."""


class FileLine(NamedTuple):
    """A file as the user would type it, and a line in it; None for the file as a whole."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


class Variable(NamedTuple):
    """An environment variable that gives a value in place of a file."""

    name: str


Source = FileLine | Variable


@dataclass(frozen=True)
class Problem:
    """One mistake.

    Attributes:
        where: the file and line, or the variable, that gives the value; None where neither does.
        key: the path of keys to the value; empty for a file as a whole.
        words: what is wrong, and what to do.
        step: the name of the pipeline step that the last part of `key` belongs to.
        related: paths of other keys that would be no problem, or another one, without this value.
    """

    where: Source | None
    key: Location
    words: str
    step: str | None = None
    related: tuple[Location, ...] = ()

    def __str__(self) -> str:
        if isinstance(self.where, Variable):
            return f"environment variable {dotted(self.key)}: {self.words}"
        key = f"step {self.step!r}: {self.key[-1]}" if self.step else dotted(self.key)
        return ": ".join(part for part in (str(self.where or ""), key, self.words) if part)


class UserError(Exception):
    """Something a user can cause and put right.

    The command line prints one line for each of `problems` and ends with exit code 2.
    """

    def __init__(self, *problems: Problem | str) -> None:
        super().__init__(*problems)
        self.problems = tuple(
            Problem(None, (), problem) if isinstance(problem, str) else problem for problem in problems
        )

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


def dotted(key: Location) -> str:
    """``conf.models.m.train.channels.x.dataFiles[0]``, in one line whatever the keys are."""
    text = ""
    for part in key:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            part = part if part.isprintable() and len(part) <= 80 else seen(part)
            text += f".{part}" if text else part
    return text


def seen(value: Any) -> str:
    """A value as a message shows it: in YAML's words, in one line, and not too long."""
    if isinstance(value, dict | list):
        noun = "mapping" if isinstance(value, dict) else "list"
        return f"a {noun}" if value else f"an empty {noun}"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, int) and abs(value) > 10**70:
        return "a number of more than 70 digits"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def nearest(word: Any, known: Iterable[str]) -> str | None:
    """The one of `known` that was probably meant; None where none is similar."""
    names = list(known)
    similar = difflib.get_close_matches(str(word), names, 1, 0.6)
    if not similar:
        similar = [name for name in names if name.lower() == str(word).lower()]
    return similar[0] if similar else None


def suggestion(word: Any, known: Iterable[str]) -> str:
    """``"; did you mean 'Epochs'?"``; empty where no known name is similar."""
    name = nearest(word, known)
    return f"; did you mean {name!r}?" if name is not None else ""


def suggestion_or_all(word: Any, known: Iterable[str]) -> str:
    """The same, but the list of all known names where none is similar."""
    names = list(known)
    return suggestion(word, names) or f"; known: {', '.join(names) or 'none'}"
