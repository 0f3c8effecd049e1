"""The 50 features of `schema.json`, one row per player, from the play of D days."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from simulation.players import Floats, Telemetry


def features(telemetry: Telemetry) -> pd.DataFrame:
    """The features of N players, named as in `schema.json`. Ratios without a denominator are 0."""
    columns = _activity(telemetry) | _night(telemetry) | _deposits(telemetry) | _chasing(telemetry)
    columns |= _stakes(telemetry) | _results(telemetry) | _withdrawals(telemetry)
    return pd.DataFrame(columns).round(4)


def _activity(t: Telemetry) -> dict[str, Floats]:
    active = t.sessions > 0
    days = t.sessions.shape[1]
    last = np.where(active.any(axis=1), np.argmax(active[:, ::-1], axis=1), days)
    weekend = np.arange(days) % 7 >= 5
    return {
        "active_days": active.sum(axis=1).astype(float),
        "sessions_total": t.sessions.sum(axis=1),
        "sessions_per_active_day": _ratio(t.sessions.sum(axis=1), active.sum(axis=1)),
        "session_minutes_mean": _ratio(t.minutes.sum(axis=1), t.sessions.sum(axis=1)),
        "session_minutes_max_day": t.minutes.max(axis=1),
        "session_minutes_std_day": _spread(t.minutes, active),
        "longest_streak_days": _longest_run(active),
        "days_since_last_play": last.astype(float),
        "weekend_share": _ratio(t.minutes[:, weekend].sum(axis=1), t.minutes.sum(axis=1)),
        "play_minutes_trend": _trend(t.minutes),
    }


def _night(t: Telemetry) -> dict[str, Floats]:
    first, second = _halves(t.night)
    first_all, second_all = _halves(t.minutes)
    return {
        "night_share": _ratio(t.night.sum(axis=1), t.minutes.sum(axis=1)),
        "night_minutes_max_day": t.night.max(axis=1),
        "night_days_share": _ratio((t.night > 20).sum(axis=1), (t.sessions > 0).sum(axis=1)),
        "night_share_trend": _ratio(second, second_all) - _ratio(first, first_all),
    }


def _deposits(t: Telemetry) -> dict[str, Floats]:
    active, depositing = t.sessions > 0, t.deposits > 0
    count, total = t.deposits.sum(axis=1), t.deposited.sum(axis=1)
    return {
        "deposits_count": count,
        "deposits_total": total,
        "deposit_mean": _ratio(total, count),
        "deposit_max_day": t.deposited.max(axis=1),
        "deposit_std_day": _spread(t.deposited, depositing),
        "deposits_per_active_day": _ratio(count, active.sum(axis=1)),
        "deposit_days_share": _ratio(depositing.sum(axis=1), active.sum(axis=1)),
        "deposit_trend": _trend(t.deposited),
        "failed_deposits": t.failed.sum(axis=1),
    }


def _chasing(t: Telemetry) -> dict[str, Floats]:
    active, losing = t.sessions > 0, t.net_loss > 0
    after_loss = t.after_loss.sum(axis=1)
    lost_before = np.zeros_like(losing)
    lost_before[:, 1:] = losing[:, :-1]
    stake = _ratio(t.staked, t.bets)
    after = _ratio((stake * (active & lost_before)).sum(axis=1), (active & lost_before).sum(axis=1))
    other = _ratio((stake * (active & ~lost_before)).sum(axis=1), (active & ~lost_before).sum(axis=1))
    chasing = t.after_loss >= 2
    return {
        "deposits_after_loss": after_loss,
        "deposit_after_loss_share": _ratio(after_loss, t.deposits.sum(axis=1)),
        "redeposit_minutes_mean": np.where(
            after_loss > 0, _ratio(t.redeposit_minutes.sum(axis=1), after_loss), 1440.0
        ),
        "same_day_redeposit_days": (t.deposits >= 2).sum(axis=1).astype(float),
        "stake_raise_after_loss": _log_ratio(after, other) * (after > 0) * (other > 0),
        "play_after_loss_share": _ratio((active & lost_before).sum(axis=1), lost_before.sum(axis=1)),
        "chase_days": chasing.sum(axis=1).astype(float),
        "chase_run_max": _longest_run(chasing),
    }


def _stakes(t: Telemetry) -> dict[str, Floats]:
    total, count = t.staked.sum(axis=1), t.bets.sum(axis=1)
    first, second = _halves(t.staked)
    first_bets, second_bets = _halves(t.bets)
    first, second = _ratio(first, first_bets), _ratio(second, second_bets)
    return {
        "stakes_count": count,
        "stake_total": total,
        "stake_mean": _ratio(total, count),
        "stake_max_day": t.staked.max(axis=1),
        "stake_std_day": _spread(t.staked, t.sessions > 0),
        "stake_trend": _log_ratio(second, first) * (first > 0) * (second > 0),
        "stake_to_deposit_ratio": np.minimum(100_000.0, _ratio(total, t.deposited.sum(axis=1))),
    }


def _results(t: Telemetry) -> dict[str, Floats]:
    loss, losing = t.net_loss.sum(axis=1), t.net_loss > 0
    return {
        "net_loss_total": loss,
        "net_loss_max_day": t.net_loss.max(axis=1),
        "loss_days_share": _ratio(losing.sum(axis=1), (t.sessions > 0).sum(axis=1)),
        "losing_streak_max": _longest_run(losing),
        "win_total": t.wins.sum(axis=1),
        "return_to_player": _ratio(t.wins.sum(axis=1), t.staked.sum(axis=1)),
        "net_loss_to_deposit_ratio": np.clip(_ratio(loss, t.deposited.sum(axis=1)), -100_000.0, 100_000.0),
    }


def _withdrawals(t: Telemetry) -> dict[str, Floats]:
    requested, cancelled = t.requested.sum(axis=1), t.cancelled.sum(axis=1)
    paid = t.withdrawn.sum(axis=1)
    return {
        "withdrawals_count": requested,
        "withdrawals_total": paid,
        "withdrawals_cancelled": cancelled,
        "withdrawal_cancel_share": _ratio(cancelled, requested),
        "withdrawal_to_deposit_ratio": np.minimum(100_000.0, _ratio(paid, t.deposited.sum(axis=1))),
    }


def _ratio(top: NDArray[np.generic], bottom: NDArray[np.generic]) -> Floats:
    top, bottom = np.asarray(top, dtype=float), np.asarray(bottom, dtype=float)
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)


def _log_ratio(top: Floats, bottom: Floats) -> Floats:
    return np.clip(np.log((top + 0.01) / (bottom + 0.01)), -10, 10)


def _halves(daily: Floats) -> tuple[Floats, Floats]:
    middle = daily.shape[1] // 2
    return daily[:, :middle].sum(axis=1), daily[:, middle:].sum(axis=1)


def _trend(daily: Floats) -> Floats:
    first, second = _halves(daily)
    return np.clip(np.log((second + 1) / (first + 1)), -10, 10)


def _spread(daily: Floats, days: NDArray[np.bool_]) -> Floats:
    count = days.sum(axis=1)
    mean = _ratio((daily * days).sum(axis=1), count)
    return np.sqrt(_ratio((((daily - mean[:, None]) ** 2) * days).sum(axis=1), count))


def _longest_run(days: NDArray[np.bool_]) -> Floats:
    run = best = np.zeros(days.shape[0])
    for day in range(days.shape[1]):
        run = (run + 1) * days[:, day]
        best = np.maximum(best, run)
    return best
