"""The players of the simulation: who they are, how they play, and which label (if any) somebody gave them.

The scarce group is defined by *pairs* of traits: risky players chase their losses and cancel their
withdrawals, or play at night and escalate. Others may show any one of the four traits, or a pair of another
kind, as strongly; so no single feature and no weighted sum of features tells the groups apart.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

GROUPS = ("risky", "dormant", "normal", "heavy")
UNLABELLED = "unlabelled"
SHARES = (0.015, 0.335, 0.43, 0.22)
LABELLED_RISKY = 0.8  # share of the risky players who were identified
HIDDEN_RISKY = 0.03  # share of the risky players who were labelled as an active negative group
WRONG_NEGATIVE = 0.12  # share of the labelled negatives whose label is a neighbouring negative group
NEIGHBOURS = {"dormant": ("normal",), "normal": ("dormant", "heavy"), "heavy": ("normal",)}
TRAITS = ("chase", "cancel", "night", "escalation")

# Per group, in the order of GROUPS: mean share of active days, sessions per active day, minutes per session;
# and the natural log of the mean stake in EUR.
ACTIVITY = {
    "active": (0.72, 0.09, 0.38, 0.74),
    "sessions": (2.4, 1.2, 1.5, 2.8),
    "minutes": (42.0, 18.0, 30.0, 48.0),
}
LOG_STAKE = (0.6, -0.6, 0.0, 0.9)
# Beta parameters of a trait that is weak and one that is strong.
WEAK, STRONG = (2.0, 16.0), (18.0, 4.0)


@dataclass(frozen=True)
class Players:
    """N players. `group` is the truth, `label` what the data says; each trait is in [0, 1]."""

    ids: NDArray[np.str_]
    group: NDArray[np.str_]
    label: NDArray[np.str_]
    active: Floats
    sessions: Floats
    minutes: Floats
    stake: Floats
    traits: dict[str, Floats]


def draw(count: int, labelled_fraction: float, drift: float, rng: np.random.Generator) -> Players:
    """Draw `count` players; a `labelled_fraction` of the negatives carries a (weak) label.

    drift >= 0 moves the population: everyone stakes more and plays later, and risky play turns from chasing
    to nights.
    """
    sizes = _sizes(count)
    group = rng.permutation(np.repeat(np.array(GROUPS), sizes))
    code = np.searchsorted(np.sort(np.array(GROUPS)), group)
    code = np.argsort(np.array(GROUPS))[code]
    active = np.array(ACTIVITY["active"])[code]
    activity = rng.beta(active * 9, (1 - active) * 9)
    return Players(
        ids=np.array([f"p{number:07d}" for number in range(1, count + 1)]),
        group=group,
        label=_labels(group, labelled_fraction, rng),
        active=activity,
        sessions=1 + (np.array(ACTIVITY["sessions"])[code] - 1) * rng.gamma(4.0, 0.25, count),
        minutes=np.array(ACTIVITY["minutes"])[code] * rng.lognormal(0.0, 0.35, count),
        stake=np.exp(rng.normal(np.array(LOG_STAKE)[code] + 0.5 * drift, 0.8)),
        traits=_traits(group, drift, rng),
    )


def _sizes(count: int) -> list[int]:
    """Players per group, in the order of GROUPS; at least 4 of each."""
    sizes = [max(4, round(share * count)) for share in SHARES]
    sizes[2] = count - sizes[0] - sizes[1] - sizes[3]
    if sizes[2] < 4:
        raise ValueError(f"--players must be at least 40, not {count}")
    return sizes


def _traits(group: NDArray[np.str_], drift: float, rng: np.random.Generator) -> dict[str, Floats]:
    count = len(group)
    strong = rng.random((count, 4)) < np.where(group == "dormant", 0.1, 0.28)[:, None]
    # The two telling pairs are (chase, cancel) and (night, escalation): others who drew one lose half of it.
    for first, second in ((0, 1), (2, 3)):
        both = strong[:, first] & strong[:, second] & (group != "risky")
        drop = np.where(rng.random(count) < 0.5, first, second)
        strong[both, drop[both]] = False
    risky = np.flatnonzero(group == "risky")
    chasing = rng.random(len(risky)) < max(0.1, 0.6 - 0.5 * drift)
    strong[risky[chasing], :2] = True
    strong[risky[~chasing], 2:] = True
    value = np.where(strong, rng.beta(*STRONG, (count, 4)), rng.beta(*WEAK, (count, 4)))
    value[:, 2] = np.minimum(1.0, value[:, 2] * (1 + 0.3 * drift))
    return {trait: value[:, column] for column, trait in enumerate(TRAITS)}


def _labels(group: NDArray[np.str_], labelled_fraction: float, rng: np.random.Generator) -> NDArray[np.str_]:
    label = np.full(len(group), UNLABELLED, dtype="<U10")
    risky = group == "risky"
    chance = rng.random(len(group))
    label[risky & (chance < LABELLED_RISKY)] = "risky"
    hidden = risky & (chance >= LABELLED_RISKY) & (chance < LABELLED_RISKY + HIDDEN_RISKY)
    label[hidden] = np.where(rng.random(hidden.sum()) < 0.5, "normal", "heavy")
    labelled = ~risky & (chance < labelled_fraction)
    label[labelled] = group[labelled]
    wrong = np.flatnonzero(labelled & (rng.random(len(group)) < WRONG_NEGATIVE))
    label[wrong] = [rng.choice(NEIGHBOURS[name]) for name in group[wrong]]
    return label
