"""Refuse answers that no project can be made from: a line on stderr for each, exit status 1.

Runs in whatever Python runs cookiecutter, with nothing but its standard library.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import signal
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

# JSON, percent-encoded: no answer can close this literal, whatever quotes, backslashes or newlines it holds.
ANSWERS = "{{ cookiecutter | jsonify | urlencode }}"

OLDEST_PYTHON = (3, 11)
NAME_LENGTH = 60
SLUG = re.compile(r"[a-z][a-z0-9-]{0,30}[a-z0-9]")
# The regions of the partitions aws, aws-cn, aws-us-gov and aws-eusc, from botocore's endpoint data.
REGIONS = """
    af-south-1 ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2
    ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6 ap-southeast-7
    ca-central-1 ca-west-1 cn-north-1 cn-northwest-1 eu-central-1 eu-central-2 eu-north-1 eu-south-1
    eu-south-2 eu-west-1 eu-west-2 eu-west-3 eusc-de-east-1 il-central-1 me-central-1 me-south-1
    mx-central-1 sa-east-1 us-east-1 us-east-2 us-gov-east-1 us-gov-west-1 us-west-1 us-west-2
"""

MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"
WEEKDAYS = "SUN MON TUE WED THU FRI SAT"


class RefusedError(Exception):
    """An answer that cannot be used; the message says what is wrong with it and what is allowed."""


def shown(answer: str) -> str:
    """The answer as one short line of ASCII."""
    text = ascii(answer)
    return text if len(text) <= 80 else text[:77] + "..."


def check_python(version: tuple[int, ...]) -> None:
    if version[:2] < OLDEST_PYTHON:
        shown = ".".join(str(part) for part in version[:3])
        raise RefusedError(
            f"this template needs Python 3.11 or newer, and cookiecutter runs in Python {shown}"
        )


def check_folder(folder: Path) -> None:
    """Raise RefusedError for a folder with a project in it, which `cookiecutter -f` would overwrite."""
    if any((folder / name).exists() for name in ("conf/project.yaml", "models", ".local", ".venv")):
        raise RefusedError(
            f"{folder} holds a project already, and nothing was changed: run `make update` there for a newer "
            "template, or choose another name"
        )


def check_template(template: Path) -> None:
    """Raise RefusedError for a template whose links became files, as in a zip of it."""
    for package in template.glob("*/vendor/*/pyproject.toml"):
        if not (package.parent / "src").is_dir():
            raise RefusedError(
                "this copy of the template has no symbolic links (a zip, or core.symlinks=false): "
                "clone it with git on Linux or WSL 2, and run cookiecutter on the clone"
            )


def check_name(name: str) -> None:
    if not any(character.isalnum() for character in name):
        raise RefusedError(
            f"{shown(name)} holds neither a letter nor a digit: say in words what the project is"
        )
    if len(name) > NAME_LENGTH:
        raise RefusedError(f"{shown(name)} has {len(name)} characters: at most {NAME_LENGTH} are allowed")
    if name != name.strip():
        raise RefusedError(f"{shown(name)} begins or ends with a space: leave it out")
    for character in name:
        # Joiners are format characters too, but parts of words in several scripts, and of emoji.
        invisible = unicodedata.category(character) in ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp")
        if invisible and character not in "\u200c\u200d":
            raise RefusedError(
                f"{shown(name)} holds {character!a}: one line of visible characters is allowed"
            )


def check_slug(slug: str) -> None:
    """Raise RefusedError unless `slug` fits AWS's names."""
    if not SLUG.fullmatch(slug):
        raise RefusedError(
            f"{shown(slug)} cannot be part of an AWS resource's name: 2 to 32 of a-z, 0-9 and -, "
            "a letter first, no - at the end"
        )


def check_region(region: str) -> None:
    regions = REGIONS.split()
    if region in regions:
        return
    nearest = difflib.get_close_matches(region.strip().lower(), regions, n=1)
    advice = f"; the nearest is {nearest[0]}" if nearest else ", such as eu-west-1"
    raise RefusedError(f"{shown(region)} is no AWS region: allowed is a region's code{advice}")


def check_schedule(expression: str) -> None:
    """Raise RefusedError for what EventBridge refuses as a rule's schedule.

    Source: Amazon EventBridge User Guide, "Cron expressions reference" and "Rate expressions reference".
    """
    if len(expression) > 256:
        raise RefusedError(f"{shown(expression)} has {len(expression)} characters: at most 256 are allowed")
    if expression.startswith("at("):
        raise RefusedError(
            f"{shown(expression)} happens once, but retraining recurs: allowed are cron(...) and rate(...)"
        )
    parts = re.fullmatch(r"(cron|rate)\(([ -~]*)\)", expression)
    if not parts:
        raise RefusedError(
            f"{shown(expression)} is no EventBridge expression: allowed are cron(...) and rate(...), "
            "such as cron(0 3 ? * MON *) and rate(7 days)"
        )
    kind, body = parts.groups()
    try:
        if kind == "rate":
            check_rate(body)
        else:
            check_cron(body)
    except RefusedError as reason:
        raise RefusedError(f"{shown(expression)}: {reason}") from None


def check_rate(body: str) -> None:
    parts = re.fullmatch(r"([0-9]{1,9}) (minute|hour|day)(s?)", body)
    if not parts or int(parts.group(1)) == 0:
        raise RefusedError("a rate is a number from 1 and minutes, hours or days, such as rate(7 days)")
    value, unit, plural = parts.groups()
    if (int(value) == 1) == bool(plural):
        raise RefusedError(f"write {int(value)} {unit if plural else unit + 's'}")


def check_cron(body: str) -> None:
    fields = body.split(" ")
    if len(fields) != 6 or "" in fields:
        raise RefusedError(
            "a cron has six fields (minutes, hours, day-of-month, month, day-of-week, year) "
            "with one space between two"
        )
    minutes, hours, day_of_month, month, day_of_week, year = fields
    check_field("minutes", minutes, 0, 59)
    check_field("hours", hours, 0, 23)
    check_field("month", month, 1, 12, MONTHS)
    check_field("year", year, 1970, 2199)
    if (day_of_month == "?") == (day_of_week == "?"):
        raise RefusedError(
            "exactly one of day-of-month (the third field) and day-of-week (the fifth) must be ?"
        )
    if day_of_week == "?":
        check_day_of_month(day_of_month)
    else:
        check_day_of_week(day_of_week)


def check_day_of_month(field: str) -> None:
    plain = []
    for item in field.split(","):
        weekday = re.fullmatch(r"([0-9]{1,4})W", item)
        if weekday:
            number("day-of-month", weekday.group(1), 1, 31, "")
        elif item not in ("L", "LW"):
            plain.append(item)
    check_field("day-of-month", ",".join(plain) or "*", 1, 31)


def check_day_of_week(field: str) -> None:
    nth = re.fullmatch(r"([A-Z0-9]+)#([0-9]+)", field)
    if nth:
        number("day-of-week", nth.group(1), 1, 7, WEEKDAYS)
        if not 1 <= int(nth.group(2)) <= 5:
            raise RefusedError(f"day-of-week {field}: a month has at most five of a weekday, # takes 1 to 5")
        return
    if "#" in field:
        raise RefusedError(
            f"day-of-week {field}: with # it is one day alone, such as 2#1 for the first Monday"
        )
    if "/" in field:
        raise RefusedError(f"day-of-week {field}: / is not allowed in this field")
    plain = []
    for item in field.split(","):
        last = re.fullmatch(r"([A-Z0-9]+)L", item)
        if last:
            number("day-of-week", last.group(1), 1, 7, WEEKDAYS)
        elif item != "L":
            plain.append(item)
    check_field("day-of-week", ",".join(plain) or "*", 1, 7, WEEKDAYS)


def check_field(label: str, field: str, low: int, high: int, names: str = "") -> None:
    """Check a list of values, ranges and * with optional /steps; `low` and `high` are the field's bounds."""
    for item in field.split(","):
        values, slash, step = item.partition("/")
        if slash and not (re.fullmatch("[0-9]{1,4}", step) and 1 <= int(step) <= high):
            raise RefusedError(f"{label} {item}: a step is a number from 1 to {high}")
        if values == "*":
            continue
        first, dash, last = values.partition("-")
        begin = number(label, first, low, high, names)
        # A range may lead over the end, FRI-MON or 20-2, except that of the years.
        if dash and number(label, last, low, high, names) < begin and label == "year":
            raise RefusedError(f"{label} {item}: a range of years goes upwards")


def number(label: str, text: str, low: int, high: int, names: str) -> int:
    """The value of `text`: a number between the bounds, or one of `names`, of which the first counts as 1."""
    if text in names.split():
        return names.split().index(text) + 1
    if not re.fullmatch("[0-9]{1,4}", text) or not low <= int(text) <= high:
        either = f" or {names[:3]} to {names[-3:]}" if names else ""
        raise RefusedError(f"{label} {text or '(empty)'}: allowed are {low} to {high}{either}")
    return int(text)


def problems() -> list[str]:
    """What is wrong, a line for each wrong answer; where nothing could be made anyway, that alone."""
    answers = json.loads(unquote(ANSWERS))
    # While a hook runs, cookiecutter's own folder is the template.
    template = Path("/proc") / str(os.getppid()) / "cwd"
    lines = refusals([("python", check_python, tuple(sys.version_info[:3])), ("", check_template, template)])
    return lines or refusals(
        [
            ("project_name", check_name, answers["project_name"]),
            ("project_slug", check_slug, answers["project_slug"]),
            ("project_slug", check_folder, Path.cwd()),
            ("aws_region", check_region, answers["aws_region"]),
            ("retraining_schedule", check_schedule, answers["retraining_schedule"]),
        ]
    )


def refusals(checks: list[tuple[str, Callable[[Any], None], Any]]) -> list[str]:
    """``question: reason`` for each check that refuses its value."""
    lines = []
    for question, check, value in checks:
        try:
            check(value)
        except RefusedError as reason:
            lines.append(f"{question}: {reason}" if question else str(reason))
    return lines


def end_cookiecutter() -> None:
    """Interrupt the command `cookiecutter`, as Ctrl-C would: when a hook fails, it prints a traceback.

    Only that command: in any other program that runs hooks, an interruption might end more than this. A
    command in the background does not listen.
    """
    parent = os.getppid()
    process = Path("/proc") / str(parent)
    try:
        words = process.joinpath("cmdline").read_bytes().decode(errors="replace").split("\0")
        caught = re.search("SigCgt:\t([0-9a-f]+)", process.joinpath("status").read_text())
    except OSError:
        return
    listens = caught is not None and int(caught.group(1), 16) >> (signal.SIGINT - 1) & 1
    if listens and any(Path(word).name == "cookiecutter" for word in words[1:3]):
        if not any(Path.cwd().iterdir()):
            Path.cwd().rmdir()
        os.kill(parent, signal.SIGINT)


def main() -> None:
    lines = problems()
    for line in lines:
        print(f"Error: {line}.", file=sys.stderr)
    if lines:
        end_cookiecutter()
        sys.exit(1)


if __name__ == "__main__":
    main()
