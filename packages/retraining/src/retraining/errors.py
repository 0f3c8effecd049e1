"""The one error that users see."""

from typing import Any


class UserError(Exception):
    """Something a user can cause and mend: one line that says what was wrong, where, and what to do.

    The command line prints it and ends with exit code 2.
    """


def seen(value: Any) -> str:
    """A value as it may stand in one line of a message: in YAML's words, and not too long."""
    if isinstance(value, dict | list):
        noun = "mapping" if isinstance(value, dict) else "list"
        return f"a {noun}" if value else f"an empty {noun}"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, int) and abs(value) > 10**70:
        return "a number of more than 70 digits"
    words = repr(value)
    return words if len(words) <= 80 else f"{words[:77]}..."
