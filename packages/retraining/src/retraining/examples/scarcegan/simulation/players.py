"""Simulated players: who they are, how they play day by day, and which label (if any) somebody gave them.

The scarce group is defined by *pairs* of traits: risky players chase their losses and cancel their
withdrawals, or play at night and escalate. Others may show any one of the four traits, or a pair of another
kind, as strongly; so no single feature and no weighted sum of features tells the groups apart.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Names = NDArray[np.str_]

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
ACTIVE = np.array([0.72, 0.09, 0.38, 0.74])
SESSIONS = np.array([2.4, 1.2, 1.5, 2.8])
MINUTES = np.array([42.0, 18.0, 30.0, 48.0])
LOG_STAKE = np.array([0.6, -0.6, 0.0, 0.9])
# Beta parameters of a weak and of a strong trait.
WEAK, STRONG = (2.0, 16.0), (18.0, 4.0)


@dataclass(frozen=True)
class Players:
    """N players. `group` is the truth, `label` what the data says; each trait is in [0, 1]."""

    ids: Names
    group: Names
    label: Names
    active: Floats
    sessions: Floats
    minutes: Floats
    stake: Floats
    traits: dict[str, Floats]


@dataclass(frozen=True)
class Telemetry:
    """The play of N players on D days, [N, D] each: counts, minutes, or EUR; 0 on days without play."""

    sessions: Floats
    minutes: Floats
    night: Floats
    bets: Floats
    staked: Floats
    wins: Floats
    deposits: Floats
    deposited: Floats
    after_loss: Floats
    redeposit_minutes: Floats  # sum over the deposits after a loss
    failed: Floats
    requested: Floats
    cancelled: Floats
    withdrawn: Floats

    @property
    def net_loss(self) -> Floats:
        return self.staked - self.wins


def draw(count: int, labelled_fraction: float, drift: float, rng: np.random.Generator) -> Players:
    """Draw `count` players; a `labelled_fraction` of the negatives carries a (weak) label.

    drift >= 0 moves the population: everyone stakes more and plays later, and risky play turns from chasing
    to nights.
    """
    sizes = [max(4, round(share * count)) for share in SHARES]
    sizes[2] = count - sizes[0] - sizes[1] - sizes[3]
    code = rng.permutation(np.repeat(np.arange(len(GROUPS)), sizes))
    group = np.array(GROUPS)[code]
    active = rng.beta(ACTIVE[code] * 9, (1 - ACTIVE[code]) * 9)
    return Players(
        ids=np.array([f"p{number:07d}" for number in range(1, count + 1)]),
        group=group,
        label=_labels(group, labelled_fraction, rng),
        active=active,
        sessions=1 + (SESSIONS[code] - 1) * rng.gamma(4.0, 0.25, count),
        minutes=MINUTES[code] * rng.lognormal(0.0, 0.35, count),
        stake=np.exp(rng.normal(LOG_STAKE[code] + 0.5 * drift, 0.8)),
        traits=_traits(group, drift, rng),
    )


def _labels(group: Names, labelled_fraction: float, rng: np.random.Generator) -> Names:
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


def _traits(group: Names, drift: float, rng: np.random.Generator) -> dict[str, Floats]:
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


def play(players: Players, days: int, rng: np.random.Generator) -> Telemetry:
    """Play the window day after day: yesterday's loss moves today's play of those who chase."""
    count = len(players.ids)
    lost = np.zeros(count, dtype=bool)
    # Most dormant players stop somewhere in the window, and do not come back.
    last_day = np.where(players.group == "dormant", rng.integers(days // 4, days * 2, count), days)
    window: list[dict[str, Floats]] = []
    for day in range(days):
        progress = day / max(1, days - 1) - 0.5
        growth = np.exp(4.0 * (players.traits["escalation"] - 0.2) * progress)
        window.append(_day(players, day, growth, lost, last_day > day, rng))
        lost = window[-1]["staked"] > window[-1]["wins"]
    return Telemetry(**{name: np.stack([day[name] for day in window], axis=1) for name in window[0]})


def _day(
    players: Players,
    day: int,
    growth: Floats,
    lost: NDArray[np.bool_],
    present: NDArray[np.bool_],
    rng: np.random.Generator,
) -> dict[str, Floats]:
    count = len(players.ids)
    chase, night = players.traits["chase"], players.traits["night"]
    weekend = 1.25 if day % 7 in (5, 6) else 0.9
    active = (rng.random(count) < players.active * weekend * (1 + 0.3 * chase * lost)) & present
    sessions = active * (1 + rng.poisson(players.sessions - 1))
    minutes = sessions * players.minutes * np.sqrt(growth) * rng.lognormal(-0.08, 0.4, count)
    minutes = np.minimum(1200.0, minutes)
    night_share = np.clip(rng.normal(0.05 + 0.6 * night, 0.15, count), 0, 1)
    bets = rng.poisson(minutes * 1.5).astype(float)
    staked = bets * players.stake * growth * (1 + 0.5 * chase * lost) * rng.lognormal(-0.18, 0.6, count)
    wins = staked * np.maximum(0.0, rng.normal(0.95, 0.4, count))
    record = {
        "sessions": sessions.astype(float),
        "minutes": minutes,
        "night": np.minimum(360.0, minutes * night_share),
        "bets": bets,
        "staked": staked,
        "wins": wins,
    }
    return record | _money(players, active, staked, wins, rng)


def _money(
    players: Players, active: NDArray[np.bool_], staked: Floats, wins: Floats, rng: np.random.Generator
) -> dict[str, Floats]:
    count, chase = len(players.ids), players.traits["chase"]
    lost, won = wins < staked, active & (wins > staked)
    after_loss = rng.binomial(3, 0.8 * chase) * lost * active
    planned = rng.poisson(0.35, count) * active
    deposits = (after_loss + planned).astype(float)
    requested = (active * rng.binomial(2, 0.3 + 0.3 * won)).astype(float)
    cancelled = rng.binomial(requested.astype(int), 0.05 + 0.9 * players.traits["cancel"]).astype(float)
    deposited = deposits * (5 + 0.25 * staked) * rng.lognormal(-0.1, 0.45, count)
    redeposit_minutes = after_loss * np.minimum(59.0, rng.gamma(2.0, 8 + 12 * (1 - chase)))
    failed = (rng.poisson(0.06 + 0.12 * chase) * active).astype(float)
    withdrawn = (requested - cancelled) * 0.4 * np.maximum(0.0, wins - staked) * rng.uniform(0.5, 1.5, count)
    return {
        "deposits": deposits,
        "deposited": deposited,
        "after_loss": after_loss.astype(float),
        "redeposit_minutes": redeposit_minutes,
        "failed": failed,
        "requested": requested,
        "cancelled": cancelled,
        "withdrawn": withdrawn,
    }
