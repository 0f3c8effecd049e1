"""How often a schedule of Amazon EventBridge fires.

Source: Amazon EventBridge Scheduler's documentation, "Schedule types".
"""

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise

# So many firings are looked at: a year of weeks, eight of months.
_MOST = 100


def shortest_interval(expression: str) -> timedelta | None:
    """The shortest time between two firings that follow each other; None where it cannot be told."""
    rate = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
    if rate is not None:
        return timedelta(**{f"{rate[2]}s": int(rate[1])})
    found = _firings(expression)
    return min((later - earlier for earlier, later in pairwise(found)), default=None)


def _firings(expression: str) -> list[datetime]:
    """The next firings of ``cron(...)``, by the reading of ministack, which the local services run on."""
    from ministack.services import eventbridge

    found: list[datetime] = []
    fields = eventbridge._parse_cron_fields(expression)
    try:
        while fields is not None and len(found) < _MOST:
            after = eventbridge._cron_next_fire(fields, found[-1] if found else datetime.now(UTC))
            if after is None:
                break
            found.append(after)
    except ValueError:  # a field that it does not read, such as a range of months over the year's end
        return []
    return found
