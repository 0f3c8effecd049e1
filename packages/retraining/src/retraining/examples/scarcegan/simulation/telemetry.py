"""Day-by-day play of the simulated players: arrays of N players x D days."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simulation.players import Players

Floats = NDArray[np.float64]

DAILY = (
    "sessions", "minutes", "night", "bets", "staked", "wins", "deposits", "deposited", "after_loss",
    "redeposit_minutes", "failed", "requested", "cancelled", "withdrawn",
)  # fmt: skip


@dataclass(frozen=True)
class Telemetry:
    """Each daily array is [N, D]: counts, minutes, or EUR; 0 on days without play."""

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


@dataclass
class _Window:
    days: list[dict[str, Floats]] = field(default_factory=list)

    def telemetry(self) -> Telemetry:
        return Telemetry(**{name: np.stack([day[name] for day in self.days], axis=1) for name in DAILY})


def play(players: Players, days: int, rng: np.random.Generator) -> Telemetry:
    """Play the window day after day: yesterday's loss moves today's play of those who chase."""
    window = _Window()
    count = len(players.ids)
    lost = np.zeros(count, dtype=bool)
    # Most dormant players stop for good somewhere in the window.
    last_day = np.where(players.group == "dormant", rng.integers(days // 4, days * 2, count), days)
    for day in range(days):
        progress = day / max(1, days - 1) - 0.5
        growth = np.exp(4.0 * (players.traits["escalation"] - 0.2) * progress)
        record = _day(players, day, growth, lost, last_day > day, rng)
        lost = record["staked"] > record["wins"]
        window.days.append(record)
    return window.telemetry()


def _day(
    players: Players,
    day: int,
    growth: Floats,
    lost: NDArray[np.bool_],
    there: NDArray[np.bool_],
    rng: np.random.Generator,
) -> dict[str, Floats]:
    count = len(players.ids)
    chase, night = players.traits["chase"], players.traits["night"]
    weekend = 1.25 if day % 7 in (5, 6) else 0.9
    active = (rng.random(count) < players.active * weekend * (1 + 0.3 * chase * lost)) & there
    sessions = active * (1 + rng.poisson(players.sessions - 1))
    minutes = np.minimum(
        1200.0, sessions * players.minutes * np.sqrt(growth) * rng.lognormal(-0.08, 0.4, count)
    )
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
    count = len(players.ids)
    chase = players.traits["chase"]
    lost, won = wins < staked, active & (wins > staked)
    after_loss = rng.binomial(3, 0.8 * chase) * lost * active
    planned = rng.poisson(0.35, count) * active
    deposits = (after_loss + planned).astype(float)
    requested = (active * rng.binomial(2, 0.3 + 0.3 * won)).astype(float)
    cancelled = rng.binomial(requested.astype(int), 0.05 + 0.9 * players.traits["cancel"]).astype(float)
    return {
        "deposits": deposits,
        "deposited": deposits * (5 + 0.25 * staked) * rng.lognormal(-0.1, 0.45, count),
        "after_loss": after_loss.astype(float),
        "redeposit_minutes": after_loss * np.minimum(59.0, rng.gamma(2.0, 8 + 12 * (1 - chase))),
        "failed": (rng.poisson(0.06 + 0.12 * chase) * active).astype(float),
        "requested": requested,
        "cancelled": cancelled,
        "withdrawn": (requested - cancelled)
        * 0.4
        * np.maximum(0.0, wins - staked)
        * rng.uniform(0.5, 1.5, count),
    }
