"""When a schedule of Amazon EventBridge Scheduler fires, in UTC.

Source: Amazon EventBridge Scheduler User Guide, "Schedule types". A cron expression is Quartz's without the
seconds. No library reads all of it: pyawscron 1.0.7 and aws-croniter 2.1.1 raise errors on day 31 where a
month has 30, on L as the day of the week and on FRI-MON; croniter 7.0 takes JUN-JUN for every month.
"""

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_LAST_WRAPPED = 59  # the highest value of a field whose ranges may lead over the end: all but the years
# So many firings are compared: two years of weeks, eight of months.
_COMPARED = 100


def shortest_interval(expression: str) -> timedelta | None:
    """The shortest time between two consecutive firings from now on; None where there are not two, or the
    expression cannot be read."""
    rate = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
    if rate is not None:
        return timedelta(**{f"{rate[2]}s": int(rate[1])})
    try:
        times = list(islice(firings(expression, datetime.now(UTC)), _COMPARED))
    except ValueError:
        return None
    return min((later - earlier for earlier, later in pairwise(times)), default=None)


def firings(expression: str, after: datetime) -> Iterator[datetime]:
    """The firings of ``cron(minutes hours day-of-month month day-of-week year)`` after a time, in order.

    Raises:
        ValueError: the expression is no such cron expression.
    """
    cron = re.fullmatch(r"cron\((\S+) (\S+) (\S+) (\S+) (\S+) (\S+)\)", expression)
    if cron is None or (cron[3] == "?") == (cron[5] == "?"):
        raise ValueError(f"no cron expression with six fields and one ?: {expression!r}")
    minutes, hours = _numbers(cron[1], 0, 59), _numbers(cron[2], 0, 23)
    months, years = _numbers(cron[4], 1, 12, _MONTHS), _numbers(cron[6], 1970, 2199)
    for year in years:
        for month in months:
            if (year, month) < (after.year, after.month):
                continue
            for day in _days(cron[3], cron[5], year, month):
                for hour in hours:
                    for minute in minutes:
                        firing = datetime(year, month, day, hour, minute, tzinfo=UTC)
                        if firing > after:
                            yield firing


def _days(days_of_month: str, days_of_week: str, year: int, month: int) -> list[int]:
    """The days of a month that the two fields name, of which one is ``?``."""
    last = monthrange(year, month)[1]
    by_weekday: dict[int, list[int]] = {number: [] for number in range(1, 8)}
    for day in range(1, last + 1):
        by_weekday[date(year, month, day).isoweekday() % 7 + 1].append(day)
    days: set[int] = set()
    for item in days_of_month.split(",") if days_of_month != "?" else ():
        weekday = re.fullmatch(r"(\d+)W", item)
        if item == "L":
            days.add(last)
        elif item == "LW":
            days.add(max(max(by_weekday[number]) for number in range(2, 7)))
        elif weekday:
            days |= _nearest_weekday(_number(weekday[1], 1, 31), last, by_weekday)
        else:
            days.update(day for day in _numbers(item, 1, 31) if day <= last)
    for item in days_of_week.split(",") if days_of_week != "?" else ():
        special = re.fullmatch(r"(\w+)(?:L|#([1-5]))", item)
        if item == "L":
            days.update(by_weekday[7])
        elif special:
            of_weekday = by_weekday[_number(special[1], 1, 7, _DAYS)]
            days.update(of_weekday[-1:] if special[2] is None else of_weekday[int(special[2]) - 1 :][:1])
        else:
            days.update(day for number in _numbers(item, 1, 7, _DAYS) for day in by_weekday[number])
    return sorted(days)


def _nearest_weekday(day: int, last: int, by_weekday: dict[int, list[int]]) -> set[int]:
    """The day from Monday to Friday that is nearest to a day, in the same month."""
    if day in by_weekday[7]:
        return {day - 1 if day > 1 else day + 2}
    if day in by_weekday[1]:
        return {day + 1 if day < last else day - 2}
    return {day} if day <= last else set()


def _numbers(field: str, low: int, high: int, names: tuple[str, ...] = ()) -> list[int]:
    """The numbers of a list of values and ranges with steps; a range may lead over the end: ``FRI-MON``."""
    numbers: set[int] = set()
    for item in field.split(","):
        values, slash, step = item.partition("/")
        first, dash, end = values.partition("-")
        if values == "*":
            begin, until = low, high
        else:
            begin = _number(first, low, high, names)
            until = _number(end, low, high, names) if dash else high if slash else begin
        if until < begin and high > _LAST_WRAPPED:
            raise ValueError(f"a range of years goes upwards, not {values!r}")
        if until < begin:
            until += high - low + 1
        by = _number(step, 1, high) if slash else 1
        numbers.update((value - low) % (high - low + 1) + low for value in range(begin, until + 1, by))
    return sorted(numbers)


def _number(text: str, low: int, high: int, names: tuple[str, ...] = ()) -> int:
    """A number between the bounds, or one of `names`, of which the first counts as `low`."""
    if text in names:
        return names.index(text) + low
    if not re.fullmatch(r"[0-9]{1,4}", text) or not low <= int(text) <= high:
        raise ValueError(f"from {low} to {high} is expected, not {text!r}")
    return int(text)
