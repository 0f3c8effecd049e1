"""Answers: the bad ones are refused in one line and leave nothing; the odd ones come through unharmed."""

import datetime
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import botocore.session
import pre_gen_project as hook
import pytest
import yaml
from click.testing import CliRunner
from conftest import COOKIECUTTER, ROOT, Bake, Baked
from cookiecutter.cli import main as cookiecutter
from hypothesis import example, given
from hypothesis import settings as examples
from hypothesis import strategies as st

_FIRINGS = ROOT / "packages/retraining/src/retraining/planning/firings.py"
_SPEC = importlib.util.spec_from_file_location("firings", _FIRINGS)
assert _SPEC is not None
assert _SPEC.loader is not None
planner = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(planner)

BAD = [
    ("project_name", "...", "'...' holds neither a letter nor a digit"),
    ("project_name", "x" * 61, "has 61 characters: at most 60 are allowed"),
    ("project_name", "two\nlines", r"'two\nlines' holds '\n': one line of visible characters"),
    ("project_name", 'a\n"""\nimport os\n', "begins or ends with a space"),
    ("project_name", "bell\a", r"holds '\x07'"),
    ("project_name", "left\u202eright", r"holds '\u202e'"),
    ("project_slug", "Upper", "'Upper' cannot be part of an AWS resource's name: 2 to 32 of a-z, 0-9 and -"),
    ("project_slug", "1st", "a letter first"),
    ("project_slug", "ends-", "no - at the end"),
    ("project_slug", "a" * 33, "2 to 32"),
    ("project_slug", "a", "2 to 32"),
    ("project_slug", "under_score", "cannot be part of an AWS resource's name"),
    ("project_slug", "zürich", r"'z\xfcrich' cannot be part"),
    ("project_slug", "$(touch x)", "cannot be part of an AWS resource's name"),
    ("project_slug", "tail\n", r"'tail\n' cannot be part"),
    (
        "aws_region",
        "eu-wst-1",
        "'eu-wst-1' is no AWS region: allowed is a region's code; the nearest is eu-west-1",
    ),
    ("aws_region", "EU-WEST-1", "the nearest is eu-west-1"),
    ("aws_region", "the moon", "allowed is a region's code, such as eu-west-1"),
    ("retraining_schedule", "0 3 * * 1", "is no EventBridge expression: allowed are cron(...) and rate(...)"),
    ("retraining_schedule", "at(2030-01-01T00:00:00)", "happens once, but retraining recurs"),
    ("retraining_schedule", "rate(1 days)", "'rate(1 days)': write 1 day"),
    ("retraining_schedule", 'cron(0 3 ? * MON *)"', "is no EventBridge expression"),
]


# What cookiecutter says when it is interrupted, in place of a traceback.
ABORTED = ["", "Aborted!"]


@pytest.mark.parametrize(("question", "answer", "reason"), BAD)
def test_bad_answer_is_refused_in_one_line(bake: Bake, question: str, answer: str, reason: str) -> None:
    baked = bake(**{question: answer})
    assert baked.stderr.startswith(f"Error: {question}: ")
    assert baked.stderr.splitlines()[1:] == ABORTED
    assert reason in baked.stderr
    assert (baked.status, baked.stdout) == (1, "")
    assert list(baked.output.iterdir()) == []


def test_all_bad_answers_are_told_at_once(bake: Bake) -> None:
    bad = {"project_name": "...", "aws_region": "eu-wst-1", "retraining_schedule": "cron(60 3 ? * MON *)"}
    baked = bake(**bad, project_slug="Upper")
    *lines, blank, aborted = baked.stderr.splitlines()
    assert [blank, aborted] == ABORTED
    assert lines == [
        "Error: project_name: '...' holds neither a letter nor a digit: say in words what the project is.",
        "Error: project_slug: 'Upper' cannot be part of an AWS resource's name: 2 to 32 of a-z, 0-9 and -, "
        "a letter first, no - at the end.",
        "Error: aws_region: 'eu-wst-1' is no AWS region: allowed is a region's code; "
        "the nearest is eu-west-1.",
        "Error: retraining_schedule: 'cron(60 3 ? * MON *)': minutes 60: allowed are 0 to 59.",
    ]
    assert (baked.status, baked.stdout) == (1, "")
    assert list(baked.output.iterdir()) == []


def test_a_command_that_ignores_interruptions_fails_by_itself(
    template: Path, settings: Path, tmp_path: Path
) -> None:
    words = [*COOKIECUTTER, str(template), "--no-input", "--config-file", str(settings), "aws_region=x"]
    ignoring = ["/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh", *words]
    done = subprocess.run(ignoring, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: aws_region: 'x' is no AWS region")
    assert list(tmp_path.iterdir()) == []


def test_in_another_program_than_cookiecutter_s_command_a_hook_only_fails(
    template: Path, settings: Path, tmp_path: Path
) -> None:
    """An interruption would end that program."""
    code = (
        "import sys; from cookiecutter.main import cookiecutter\n"
        "from cookiecutter.exceptions import FailedHookException\n"
        "try: cookiecutter(sys.argv[1], no_input=True, config_file=sys.argv[2], "
        "extra_context={'aws_region': 'x'})\n"
        "except FailedHookException: print('still here')\n"
    )
    words = [sys.executable, "-c", code, str(template), str(settings)]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "still here\n"
    assert done.stderr.startswith("Error: aws_region: 'x' is no AWS region")
    assert list(tmp_path.iterdir()) == []


def test_overwriting_a_project_is_refused_before_anything_is_touched(
    bake: Bake, template: Path, settings: Path
) -> None:
    first = bake(project_slug="taken")
    (first.folder / "models/scarcegan/train.py").write_text("the team's own\n")
    (first.folder / ".local").mkdir()
    (first.folder / ".local/kept").write_text("state\n")
    before = {name: (first.folder / name).read_bytes() for name in first.files()}
    done = subprocess.run(
        [
            *COOKIECUTTER,
            str(template),
            "--no-input",
            "--config-file",
            str(settings),
            "-f",
            "project_slug=taken",
        ],
        cwd=first.output,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    reason = f"Error: project_slug: {first.folder} holds a project already, and nothing was changed: "
    assert done.stderr.startswith(reason)
    assert {name: (first.folder / name).read_bytes() for name in first.files()} == before


@pytest.mark.parametrize("way", ["zip", "clone"])
def test_a_copy_without_symbolic_links_is_refused(
    bake: Bake, template: Path, tmp_path: Path, way: str
) -> None:
    """A zip download, and a clone with core.symlinks=false, have a text file for each link."""
    repository = tmp_path / "repository"
    shutil.copytree(template, repository, symlinks=True)
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com"]
    for words in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "x"]):
        subprocess.run([*git, *words], cwd=repository, check=True)
    if way == "zip":
        source = tmp_path / "template.zip"
        subprocess.run(
            [*git, "archive", "--prefix=template/", f"--output={source}", "HEAD"], cwd=repository, check=True
        )
    else:
        source = tmp_path / "clone"
        subprocess.run(
            [*git, "clone", "--quiet", "-c", "core.symlinks=false", repository, source], check=True
        )
    baked = bake(source)
    assert baked.status == 1
    assert baked.stderr == (
        "Error: this copy of the template has no symbolic links (a zip, or core.symlinks=false): "
        "clone it with git on Linux or WSL 2, and run cookiecutter on the clone.\n\nAborted!\n"
    )
    assert list(baked.output.iterdir()) == []


def test_refused_answer_leaves_an_older_project_alone(bake: Bake, default: Baked) -> None:
    before = default.files()
    baked = bake(project_slug=str(default.folder))
    assert (baked.status, default.files()) == (1, before)


@pytest.mark.parametrize("version", [(3, 10, 13), (3, 8, 0), (2, 7, 18)])
def test_old_python_is_refused(version: tuple[int, ...]) -> None:
    with pytest.raises(hook.RefusedError, match="newer, and cookiecutter runs in Python"):
        hook.check_python(version)


@pytest.mark.parametrize("name", ["pre_gen_project.py", "post_gen_project.py"])
def test_hooks_can_be_read_by_an_old_python(template: Path, name: str) -> None:
    compile_old = "import ast, sys; ast.parse(open(sys.argv[1]).read(), feature_version=(3, 7))"
    subprocess.run([sys.executable, "-c", compile_old, str(template / "hooks" / name)], check=True)


def test_regions_are_those_of_botocore() -> None:
    session = botocore.session.get_session()
    known = {
        region
        for partition in ("aws", "aws-cn", "aws-us-gov", "aws-eusc")
        for region in session.get_available_regions("ec2", partition)
    }
    assert set(hook.REGIONS.split()) == known


SCHEDULES = [
    "cron(0 3 ? * MON *)",
    "cron(0/15 * * * ? *)",
    "cron(*/15 8-17 ? * MON-FRI 2026-2030)",
    "cron(0 10 L * ? *)",
    "cron(0 10 LW * ? *)",
    "cron(0 10 3W,15 JAN,MAR-JUN ? *)",
    "cron(0 10 ? * 6L *)",
    "cron(0 10 ? * FRI#2 *)",
    "cron(0 10 ? * 3#1 2199)",
    "cron(5,35 14 1-7/2 * ? 1970/2)",
    "cron(0 20-2 ? * FRI-MON *)",
    "cron(50-10/5 3 28-2 NOV-FEB ? *)",
    "rate(1 day)",
    "rate(12 hours)",
    "rate(1 minute)",
]


@pytest.mark.parametrize("expression", SCHEDULES)
def test_schedule_of_the_guide_is_allowed(expression: str) -> None:
    hook.check_schedule(expression)


def refusal(expression: str) -> str:
    """Why the schedule is refused; empty when it is allowed."""
    try:
        hook.check_schedule(expression)
    except hook.RefusedError as reason:
        return str(reason)
    return ""


BAD_SCHEDULES = [
    ("cron(0 3 * * *)", "six fields"),
    ("cron(0  3 ? * MON *)", "one space between two"),
    ("cron(0 3 * * MON *)", "exactly one of day-of-month"),
    ("cron(0 3 ? * ? *)", "exactly one of day-of-month"),
    ("cron(60 3 ? * MON *)", "minutes 60: allowed are 0 to 59"),
    ("cron(0 24 ? * MON *)", "hours 24: allowed are 0 to 23"),
    ("cron(0 3 32 * ? *)", "day-of-month 32: allowed are 1 to 31"),
    ("cron(0 3 0W * ? *)", "day-of-month 0: allowed are 1 to 31"),
    ("cron(0 3 W * ? *)", "day-of-month W"),
    ("cron(0 3 1, * ? *)", r"day-of-month \(empty\)"),
    ("cron(0 3 ? 13 MON *)", "month 13: allowed are 1 to 12 or JAN to DEC"),
    ("cron(0 3 ? * 0 *)", "day-of-week 0: allowed are 1 to 7 or SUN to SAT"),
    ("cron(0 3 ? * MONDAY *)", "day-of-week MONDAY"),
    ("cron(0 3 ? * 2#6 *)", "at most five"),
    ("cron(0 3 ? * 2#1,3#1 *)", "one day alone"),
    ("cron(0 3 ? * MON/2 *)", "/ is not allowed"),
    ("cron(0 3 ? * MON 1969)", "year 1969: allowed are 1970 to 2199"),
    ("cron(0/0 3 ? * MON *)", "a step is a number from 1 to 59"),
    ("cron(0 3 ? * MON 2030-2026)", "a range of years goes upwards"),
    ("cron(1- 3 ? * MON *)", r"minutes \(empty\)"),
    ("cron(0 L ? * MON *)", "hours L"),
    ("cron(0 3 ? * MON *) ", "is no EventBridge expression"),
    ("cron(0 3 ? * MON *)\n", "is no EventBridge expression"),
    ("cron(\u0661 3 ? * MON *)", "is no EventBridge expression"),
    ("rate(0 days)", "a number from 1"),
    ("rate(-1 days)", "a number from 1"),
    ("rate(1.5 days)", "a number from 1"),
    ("rate(2 weeks)", "a number from 1"),
    ("rate(5 minute)", "write 5 minutes"),
    ("rate(1 hours)", "write 1 hour"),
    ("rate(5minutes)", "a number from 1"),
    ("cron(" + "0" * 260 + ")", "at most 256"),
    ("", "is no EventBridge expression"),
]


@pytest.mark.parametrize(("expression", "reason"), BAD_SCHEDULES)
def test_schedule_that_eventbridge_refuses(expression: str, reason: str) -> None:
    with pytest.raises(hook.RefusedError, match=reason):
        hook.check_schedule(expression)


@example("cron(0 3 ? * MON *)")
@given(st.text() | st.from_regex(r"(cron|rate)\([0-9A-Z*?/#,LW -]{0,30}\)", fullmatch=True))
def test_any_schedule_is_allowed_or_refused_by_name(expression: str) -> None:
    reason = refusal(expression)
    assert "\n" not in reason
    assert reason.isascii()


def field(low: int, high: int, names: str = "") -> st.SearchStrategy[str]:
    """A field of a cron expression: values, ranges and steps, some of them out of bounds."""
    value = st.integers(max(low - 1, 0), high + 1).map(str)
    if names:
        value |= st.sampled_from(names.split())
    ranges = st.tuples(value, value).map("-".join)
    stepped = st.tuples(value | ranges | st.just("*"), st.integers(0, 3).map(str)).map("/".join)
    return st.lists(value | ranges | stepped, min_size=1, max_size=2).map(",".join)


@given(field(0, 59), field(0, 23), field(1, 31), field(1, 12, hook.MONTHS), field(1970, 2199))
def test_the_planner_reads_exactly_the_schedules_that_are_allowed(
    minutes: str, hours: str, day: str, month: str, year: str
) -> None:
    expression = f"cron({minutes} {hours} {day} {month} ? {year})"
    try:
        next(planner.firings(expression, datetime.datetime(1969, 1, 1, tzinfo=datetime.UTC)), None)
        is_read = True
    except ValueError:
        is_read = False
    assert is_read is (refusal(expression) == "")


@given(st.integers(0, 99), st.sampled_from(["minute", "minutes", "hour", "hours", "day", "days"]))
def test_rate_is_allowed_exactly_with_the_fitting_number_of_its_unit(value: int, unit: str) -> None:
    fits = value == 1 if not unit.endswith("s") else value > 1
    assert (refusal(f"rate({value} {unit})") == "") is fits


ODD = [
    'Bob\'s "best" model',
    "back\\slash \\n \\u0041 \\",
    "three '''\"\"\"\\",
    "{{ 7 * 7 }} {% raw %} {# no #} a",
    "{{ cookiecutter.aws_region }}",
    "#: - [a] & <b>x</b> | > %",
    "${HOME} $(id) `id`; rm -rf x",
    "Köln 東京 naïve 🎲 क्\u200dष",
    "null",
    "1e3",
    "x" * 60,
]
VISIBLE = st.characters(exclude_categories=["C", "Zl", "Zp"])
NAMES = (
    st.text(VISIBLE | st.sampled_from("\"'\\{}%#$`<&:"), min_size=1, max_size=60)
    .map(str.strip)
    .filter(lambda name: any(character.isalnum() for character in name))
)


def answer_by_hand(template: Path, configuration: Path, output: str, name: str) -> Path:
    """Type the name at cookiecutter's prompt; what is typed there is not rendered by cookiecutter itself."""
    command = [str(template), "--config-file", str(configuration), "--output-dir", output]
    done = CliRunner().invoke(cookiecutter, command, input=f"{name}\nodd\n\n\n\n\n")
    assert done.exit_code == 0, done.output
    return Path(output) / "odd"


def check_name_came_through(project: Path, name: str) -> None:
    configuration = yaml.safe_load((project / "conf/project.yaml").read_text(encoding="utf-8"))
    assert configuration["description"] == name
    assert len(configuration) == 16
    heading = (project / "README.md").read_text(encoding="utf-8").split("\n")[0]
    assert heading.removeprefix("# ").replace("&lt;", "<").replace("&amp;", "&") == name
    assert "<" not in heading


@pytest.mark.parametrize("name", ODD)
def test_odd_name_comes_through(template: Path, settings: Path, tmp_path: Path, name: str) -> None:
    check_name_came_through(answer_by_hand(template, settings, str(tmp_path), name), name)


@given(name=NAMES)
@examples(max_examples=25, deadline=None)
def test_any_visible_name_comes_through(template: Path, settings: Path, name: str) -> None:
    with tempfile.TemporaryDirectory() as output:
        check_name_came_through(answer_by_hand(template, settings, output, name), name)
