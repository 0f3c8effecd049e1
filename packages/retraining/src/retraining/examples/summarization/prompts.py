"""The prompt around a dialogue: the same for training and serving.

A template holds `{dialogue}` once. The preprocessing writes it beside the rows that it made with it, the
training puts it into the model artifact, and inference.py reads it from there.
"""

from collections.abc import Callable

PLACE = "{dialogue}"


def check(template: str) -> str:
    """The template without trailing space. Raises ValueError unless it holds `{dialogue}` exactly once."""
    template = template.rstrip()
    if template.count(PLACE) != 1:
        raise ValueError(f"must hold {PLACE} once, not {template.count(PLACE)} times")
    return template


def build(template: str, dialogue: str) -> str:
    """The prompt for a dialogue. The model goes on with a space and the summary."""
    return template.replace(PLACE, normalise(dialogue))


def shorten(template: str, dialogue: str, fits: Callable[[str], bool]) -> str | None:
    """The prompt with as many whole turns of the dialogue's beginning as fit; None where none does."""
    turns = normalise(dialogue).splitlines()
    low, high = 0, len(turns)
    while low < high:
        middle = (low + high + 1) // 2
        if fits(build(template, "\n".join(turns[:middle]))):
            low = middle
        else:
            high = middle - 1
    return build(template, "\n".join(turns[:low])) if low else None


def normalise(dialogue: str) -> str:
    """One turn per line, without blank lines and space at the ends of lines."""
    lines = (" ".join(line.split()) for line in dialogue.splitlines())
    return "\n".join(line for line in lines if line)
