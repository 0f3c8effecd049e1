"""The firings of cron expressions, against Amazon EventBridge's documented examples and, field by field, a
test of every single minute or day."""

import importlib.util
from calendar import monthrange
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retraining.planning import firings

MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
NOW = datetime(2026, 11, 21, 10, 7, tzinfo=UTC)  # a Saturday


def after(expression: str, count: int, start: datetime = NOW) -> list[str]:
    return [f"{time:%a %Y-%m-%d %H:%M}" for time in islice(firings.firings(expression, start), count)]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        # The examples of the EventBridge User Guide, "Cron expressions reference".
        ("cron(0 10 * * ? *)", ["Sun 2026-11-22 10:00", "Mon 2026-11-23 10:00"]),
        ("cron(15 12 * * ? *)", ["Sat 2026-11-21 12:15", "Sun 2026-11-22 12:15"]),
        ("cron(0 18 ? * MON-FRI *)", ["Mon 2026-11-23 18:00", "Tue 2026-11-24 18:00"]),
        ("cron(0 8 1 * ? *)", ["Tue 2026-12-01 08:00", "Fri 2027-01-01 08:00"]),
        ("cron(0/15 * * * ? *)", ["Sat 2026-11-21 10:15", "Sat 2026-11-21 10:30"]),
        ("cron(0/5 8-17 ? * MON-FRI *)", ["Mon 2026-11-23 08:00", "Mon 2026-11-23 08:05"]),
        ("cron(0/30 20-2 ? * MON-FRI *)", ["Mon 2026-11-23 00:00", "Mon 2026-11-23 00:30"]),
        ("cron(0 9 ? * 2#1 *)", ["Mon 2026-12-07 09:00", "Mon 2027-01-04 09:00"]),
        ("cron(15 10 ? * 6L 2026-2027)", ["Fri 2026-11-27 10:15", "Fri 2026-12-25 10:15"]),
        # "3W specifies the weekday closest to the third day of the month", and never in another month.
        ("cron(0 0 3W * ? *)", ["Thu 2026-12-03 00:00", "Mon 2027-01-04 00:00"]),
        ("cron(0 0 1W 8 ? *)", ["Mon 2027-08-02 00:00", "Tue 2028-08-01 00:00"]),
        ("cron(0 0 31W 1,10 ? *)", ["Fri 2027-01-29 00:00", "Fri 2027-10-29 00:00"]),
        ("cron(0 0 L 2 ? *)", ["Sun 2027-02-28 00:00", "Tue 2028-02-29 00:00"]),
        ("cron(0 0 LW * ? *)", ["Mon 2026-11-30 00:00", "Thu 2026-12-31 00:00"]),
        ("cron(0 0 ? * L *)", ["Sat 2026-11-28 00:00", "Sat 2026-12-05 00:00"]),
        ("cron(0 0 31 * ? *)", ["Thu 2026-12-31 00:00", "Sun 2027-01-31 00:00"]),
        ("cron(0 0 30W 2 ? *)", []),
        ("cron(0 0 29 FEB ? *)", ["Tue 2028-02-29 00:00", "Sun 2032-02-29 00:00"]),
        ("cron(0 0 ? * 1#5 *)", ["Sun 2026-11-29 00:00", "Sun 2027-01-31 00:00"]),
        ("cron(0 0 ? * FRI-MON *)", ["Sun 2026-11-22 00:00", "Mon 2026-11-23 00:00"]),
        ("cron(0 0 1 DEC-FEB/2 ? *)", ["Tue 2026-12-01 00:00", "Mon 2027-02-01 00:00"]),
        ("cron(0 0 1,L,15W * ? 2027)", ["Fri 2027-01-01 00:00", "Fri 2027-01-15 00:00"]),
        ("cron(0 0 1 1 ? 2026)", []),
        ("cron(0 0 1 1 ? 2028/4)", ["Sat 2028-01-01 00:00", "Thu 2032-01-01 00:00"]),
    ],
)
def test_documented_forms(expression: str, expected: list[str]) -> None:
    assert after(expression, 2) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "0 3 ? * MON *",
        "cron(0 3 * * MON *)",
        "cron(0 3 ? * ? *)",
        "cron(0 3 ? * MON)",
        "cron(60 3 ? * MON *)",
        "cron(0 3 ? * 8 *)",
        "cron(0 3 ? * MON#6 *)",
        "cron(0 3 ? * MONDAY *)",
        "cron(0 3 0W * ? *)",
        "cron(0 3 1, * ? *)",
        "cron(0 3 1-2-3 * ? *)",
        "cron(0/0 3 1 * ? *)",
        "cron(0 3 1 FOO ? *)",
    ],
)
def test_what_is_no_cron_expression_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r"expected|no cron expression"):
        list(islice(firings.firings(expression, NOW), 1))
    assert firings.shortest_interval(expression) is None


def plain(low: int, high: int, names: list[str]) -> st.SearchStrategy[tuple[str, frozenset[int]]]:
    """A field of values, ranges and steps, with the numbers that it stands for, one by one."""
    size = high - low + 1

    def written(number: int, named: bool) -> str:
        return names[number - low] if named and names else str(number)

    def item(values: tuple[str, int, int, int, bool]) -> tuple[str, frozenset[int]]:
        kind, first, length, step, named = values
        around = [low + (first - low + offset) % size for offset in range(length + 1)]
        span = f"{written(first, named)}-{written(around[-1], named)}"
        return {
            "one": (written(first, named), frozenset([first])),
            "range": (span, frozenset(around)),
            "steps": (f"{span}/{step}", frozenset(around[::step])),
            "from": (f"{first}/{step}", frozenset(range(first, high + 1, step))),
            "all": (f"*/{step}", frozenset(range(low, high + 1, step))),
        }[kind]

    kinds = st.sampled_from(["one", "range", "steps", "from", "all"])
    numbers = st.integers(low, high)
    items = st.tuples(kinds, numbers, st.integers(0, size - 2), st.integers(1, high), st.booleans()).map(item)
    listed = st.lists(items, min_size=1, max_size=3).map(
        lambda items: (",".join(text for text, _ in items), frozenset().union(*(some for _, some in items)))
    )
    return listed | st.just(("*", frozenset(range(low, high + 1))))


Day = Callable[[date], bool]


def weekday_of(day: date) -> int:
    return day.isoweekday() % 7 + 1


def last_of(day: date) -> int:
    return monthrange(day.year, day.month)[1]


def is_nearest_weekday(day: date, wanted: int) -> bool:
    """Whether no other weekday of the month is nearer to the wanted day, and there is that day."""
    month = [day.replace(day=number) for number in range(1, last_of(day) + 1)]
    weekdays = [other.day for other in month if 2 <= weekday_of(other) <= 6]
    return wanted <= last_of(day) and min(weekdays, key=lambda number: abs(number - wanted)) == day.day


def days() -> st.SearchStrategy[tuple[str, str, Day]]:
    """The two fields of days, with what holds for a day that they name."""
    of_month = plain(1, 31, []).map(lambda field: (field[0], "?", lambda day: day.day in field[1]))
    of_week = plain(1, 7, DAYS).map(lambda field: ("?", field[0], lambda day: weekday_of(day) in field[1]))
    nearest = st.integers(1, 31).map(lambda n: (f"{n}W", "?", lambda day: is_nearest_weekday(day, n)))
    nth = st.tuples(st.integers(1, 7), st.integers(1, 5)).map(
        lambda at: (
            "?",
            f"{at[0]}#{at[1]}",
            lambda day: weekday_of(day) == at[0] and (day.day + 6) // 7 == at[1],
        )
    )
    last = st.integers(1, 7).map(
        lambda n: (
            "?",
            f"{DAYS[n - 1]}L",
            lambda day: weekday_of(day) == n and day.day + 7 > last_of(day),
        )
    )
    end = st.just(("L", "?", lambda day: day.day == last_of(day)))
    return of_month | of_week | nearest | nth | last | end


@given(
    st.tuples(plain(0, 59, []), plain(0, 23, []), days(), plain(1, 12, MONTHS)),
    st.datetimes(datetime(2024, 1, 1), datetime(2032, 1, 1), timezones=st.just(UTC)),
)
def test_the_first_firing_is_the_first_time_that_fits(fields: Any, start: datetime) -> None:
    minutes, hours, (of_month, of_week, fits), months = fields
    expression = f"cron({minutes[0]} {hours[0]} {of_month} {months[0]} {of_week} *)"
    start = start.replace(second=0, microsecond=0)

    def times() -> Iterator[datetime]:
        """Every fitting time of five years, items by looking at each day."""
        for number in range(5 * 366):
            day = start.date() + timedelta(number)
            if day.month in months[1] and fits(day):
                for hour in sorted(hours[1]):
                    yield from (
                        datetime(*day.timetuple()[:3], hour, m, tzinfo=UTC) for m in sorted(minutes[1])
                    )

    expected = list(islice((time for time in times() if time > start), 4))
    assert list(islice(firings.firings(expression, start), len(expected))) == expected


def hook() -> Any:
    """The check of the template's answers, which runs in cookiecutter's Python without this package."""
    path = Path(__file__).parents[4] / "hooks" / "pre_gen_project.py"
    spec = importlib.util.spec_from_file_location("pre_gen_project", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HOOK = hook()


def is_accepted(expression: str) -> bool:
    try:
        HOOK.check_schedule(expression)
    except HOOK.RefusedError:
        return False
    return True


def is_read(expression: str) -> bool:
    try:
        list(islice(firings.firings(expression, NOW), 2))
    except ValueError:
        return False
    return True


@given(st.tuples(plain(0, 59, []), plain(0, 23, []), days(), plain(1, 12, MONTHS)))
def test_what_the_template_accepts_is_read(fields: Any) -> None:
    minutes, hours, (of_month, of_week, _), months = fields
    expression = f"cron({minutes[0]} {hours[0]} {of_month} {months[0]} {of_week} *)"
    assert is_read(expression)
    goes_over_the_end = "-" in expression  # the template asks for two ranges instead
    assert is_accepted(expression) or goes_over_the_end or "/" in of_week or len(expression) > 256


@given(st.from_regex(r"cron\([0-9/*,-]{1,4} [0-9*]{1,2} [0-9LW?*]{1,3} [0-9A-Z*]{1,3} [0-9A-Z#?L]{1,4} \*\)"))
def test_what_is_not_read_is_refused_by_the_template(expression: str) -> None:
    assert is_read(expression) or not is_accepted(expression)
