"""The time of day, which never goes back: people and NTP set clocks, and an end comes after its start."""

import threading
import time

# Counts on while the machine sleeps, as the time of day does.
_ELAPSED = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

_lock = threading.Lock()
_last = (0.0, 0.0)  # a time of day that was given, and when on the clock of what elapsed


def now(*after: float) -> float:
    """Epoch seconds, not before any time given earlier in this process, nor before any of `after`.

    When the system's clock was set back, the time goes on from the last one by what really elapsed. `after`
    are times that an earlier process noted.
    """
    global _last
    with _lock:
        elapsed = time.clock_gettime(_ELAPSED)
        goes_on = _last[0] + (elapsed - _last[1]) if _last[0] else 0.0
        _last = (max(time.time(), goes_on), elapsed)
        return max((_last[0], *after))
