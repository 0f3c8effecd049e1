"""What is not ours is printed as it is, without markup, emoji or control characters, in every listing."""

import ast
import io
import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from projects import COMMAND
from rich.console import Console

import retraining
from retraining import console
from retraining.cli import models, plan_report, tables
from retraining.planning.plan import Plan, PlannedStep
from retraining.results.evaluations import Candidate
from retraining.results.registry import ModelPackage
from retraining.runs.executions import Execution, StepRun

FOREIGN = (
    "[bold]age[/x]",
    "[/]",
    "[link=https://x.org]a[/link]",
    "64:100:8",
    "conf.yaml:100: wrong",
    ":smiley:",
    "a\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "one\ntwo\rthree\tfour",
    "\x00\x7f\x9b31m",
    "\u202egnp.exe\u2066",
    "\udcff bytes \u2028",
    "\\[escaped]",
    "{braces} 100% 'quotes'",
)
HIDDEN = "\x00\x07\x1b\x7f\x9b\n\r\t\u202e\u2066\udcff\u2028"
NOW = datetime(2026, 1, 2, tzinfo=UTC)
ARN = "arn:aws:sagemaker:eu-west-1:111122223333:pipeline/p/execution/abc"


def seen(text: str) -> str:
    """As something that obeys no control character shows it."""
    return "".join(ascii(character)[1:-1] if character in HIDDEN else character for character in text)


@pytest.mark.parametrize("text", FOREIGN)
def test_the_text_itself(text: str) -> None:
    assert console.visible(text) == seen(text)


@given(st.text())
def test_any_text_is_one_line_that_controls_nothing(text: str) -> None:
    shown = console.visible(text)
    shown.encode()  # no halves of characters
    assert len(shown.splitlines()) <= 1
    assert "\x1b" not in shown
    if text.isprintable():
        assert shown == text
    terminal = io.StringIO()
    Console(file=terminal, soft_wrap=True).print(console.text(text))
    assert terminal.getvalue() == shown + "\n"


def execution(text: str) -> Execution:
    failed = StepRun("Train", "Failed", False, 1.0, NOW, text, {"TrainingJob": {"Arn": f"x/{text}"}}, 2)
    return Execution(ARN, "Failed", NOW, NOW, text, [failed, StepRun("B", text, False, None, NOW, None)])


def model(text: str) -> ModelPackage:
    return ModelPackage("a", text, 1, text, text, {text: 1.0}, "", "")


def plan(text: str) -> Plan:
    step = PlannedStep("A", "Training", "changed", (f"x: {text}",), "miss", (text,))
    newer: Any = text  # printed as it is
    return Plan("p", "local", True, (step,), (text,), {}, (newer,))


def show_model(text: str) -> None:
    details = {"metrics": {text: 1.0}, "metadata": {text: text}, "approval_description": text}
    for line in models.lines(details):
        console.line(line)


LISTINGS: dict[str, Callable[[str], Any]] = {
    "steps": lambda text: console.print_table(tables.step_table(execution(text), ["more"])),
    "runs": lambda text: console.print_table(tables.run_table([execution(text)], {})),
    "a run that failed as a whole": lambda text: console.print_table(
        tables.run_table([Execution(ARN, "Failed", NOW, NOW, text, [])], {})
    ),
    "parameters": lambda text: console.print_table(tables.run_table([execution("")], {ARN: {"Note": text}})),
    "models": lambda text: console.print_table(tables.model_table([model(text)])),
    "candidates": lambda text: console.print_table(
        tables.candidate_table([Candidate(text, text, text, {text: 1.0}), Candidate("b", "", "", {})])
    ),
    "a model": show_model,
    "a plan": lambda text: plan_report.show(plan(text)),
    "notes": console.note,
    "errors": console.error,
    "check": console.plain_line,
}


@pytest.mark.parametrize("listing", LISTINGS)
@pytest.mark.parametrize("text", FOREIGN)
def test_every_listing(listing: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    LISTINGS[listing](text)
    printed = "".join(capsys.readouterr())
    assert seen(text) in printed
    assert not set(printed) & set(HIDDEN.replace("\n", ""))


def test_no_other_module_prints_or_makes_texts() -> None:
    root = Path(retraining.__file__).parent
    allowed = {
        "console.py": {"print", "Text"},
        "drawing/text.py": {"Text"},  # of names that the configuration restricts to letters
        "cli/app.py": {"print"},  # the definition, JSON
        "cli/local.py": {"print"},  # lines for a shell
    }
    for path in root.rglob("*.py"):
        name = path.relative_to(root).as_posix()
        if not name.startswith("examples/"):
            called = {
                getattr(node.func, "id", "")
                for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.Call)
            }
            assert called & {"print", "Text"} <= allowed.get(name, set()), name


def test_the_line_of_a_mistake_is_no_emoji(project: Path) -> None:
    file = project / "conf" / "project.yaml"
    file.write_text(file.read_text() + "\n" * (99 - file.read_text().count("\n")) + "smiley[red]: 1\n")
    done = subprocess.run(
        [*COMMAND, "check"],
        cwd=project,
        env={"PATH": os.environ["PATH"], "HOME": str(project), "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("Error: conf/project.yaml:100: smiley[red]: unknown key"), done.stderr
