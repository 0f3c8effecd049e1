"""What a user probably meant."""

import difflib
from collections.abc import Iterable
from typing import Any


def nearest(word: str, known: Iterable[str]) -> str:
    """``"; did you mean 'Epochs'?"``, or the list of all that is known where nothing is near."""
    names = list(known)
    near = difflib.get_close_matches(word, names, 1, 0.6)
    if not near:
        near = [name for name in names if name.lower() == word.lower()]
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(names) or 'none'}"


def suggestion(word: Any, known: Iterable[str]) -> str:
    """The same, but nothing where nothing is near."""
    found = nearest(str(word), known)
    return found if "did you mean" in found else ""
