"""Train and validation: the same dialogue never stands in both."""

import random
from collections import defaultdict

import prompts
from dialogues import Dialogue
from job_toolkit.failure import InputError


def split(
    rows: list[Dialogue], validation_fraction: float, seed: int
) -> tuple[list[Dialogue], list[Dialogue]]:
    """Shuffle with `seed` and cut; rows whose dialogues are the same text stay together.

    Raises InputError when there are fewer than two different dialogues.
    """
    same: dict[str, list[Dialogue]] = defaultdict(list)
    for row in rows:
        same[prompts.normalise(row.dialogue)].append(row)
    if len(same) < 2:
        raise InputError(f"channel dialogues: {len(same)} different dialogue(s); at least 2 are needed")
    groups = [same[text] for text in sorted(same)]
    random.Random(seed).shuffle(groups)
    count = min(max(1, round(validation_fraction * len(groups))), len(groups) - 1)
    flat = [[row for group in part for row in group] for part in (groups[count:], groups[:count])]
    return flat[0], flat[1]
