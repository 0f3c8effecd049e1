"""What README.md says is so: its example runs, its tables are those of the service."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_sagemaker.core.settings import Settings
from local_sagemaker.definition import conditions, expressions, parse
from local_sagemaker.testing import free_ports

README = (Path(__file__).parents[1] / "README.md").read_text()
COMMAND = Path(sys.executable).with_name("local-sagemaker")


def section(title: str) -> str:
    """The text below a heading, up to the next."""
    return re.split(r"^#+ ", README.partition(f"# {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def names(text: str) -> list[str]:
    """What is in backticks in a table's rows."""
    return [
        name for row in text.splitlines() if row.startswith("|") for name in re.findall(r"`([^`]+)`", row)
    ]


def test_the_example_runs_as_it_is_shown(tmp_path: Path) -> None:
    (tmp_path / "example.py").write_text(blocks("python")[0])
    typed, printed = blocks("console")[0].removeprefix("$ ").split("\n", 1)
    ports = dict(zip(("LOCAL_SAGEMAKER_PORT", "LOCAL_AWS_PORT"), map(str, free_ports(2)), strict=True))
    path = f"{COMMAND.parent}:{os.environ['PATH']}"
    shell = {"cwd": tmp_path, "env": {"PATH": path, "HOME": str(tmp_path / "home"), **ports}}
    try:
        for _ in range(2):  # it can be run again
            done: Any = subprocess.run(
                ["sh", "-c", typed],
                capture_output=True,
                text=True,
                check=False,
                **shell,  # type: ignore[call-overload]
            )
            assert (done.returncode, done.stdout) == (0, printed), done.stderr
    finally:
        subprocess.run([COMMAND, "down"], check=True, capture_output=True, **shell)  # type: ignore[call-overload]


def test_the_test_with_the_fixture_passes(tmp_path: Path) -> None:
    (tmp_path / "test_upload.py").write_text(blocks("python")[1])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_the_operations_are_those_that_the_service_knows(local: Settings, sagemaker: Any) -> None:
    with pytest.raises(ClientError) as caught:
        sagemaker.list_domains()
    known = caught.value.response["Error"]["Message"].partition("it knows: ")[2].split(", ")
    listed = names(section("Operations"))
    assert sorted(listed) == known


def test_the_steps_are_those_that_run() -> None:
    text = section("Steps")
    listed = names(text)
    assert set(listed) == {*parse.STEP_TYPES, *conditions.TYPES}
    for function in expressions.FUNCTIONS:
        assert f"`{function}`" in text


@pytest.mark.parametrize(
    "module", ["jobs.training", "jobs.transform", "jobs.tuning.request", "registry.models"]
)
def test_what_is_refused_by_name_is_listed(module: str) -> None:
    text = section("Jobs")
    for member in importlib.import_module(f"local_sagemaker.{module}").REFUSED:
        owner, _, name = member.rpartition(".")
        if owner == "TrainingJobDefinition":
            continue  # the same thing has another place in the request
        assert f"`{name}`" in text, member


def test_commands_and_variables_are_those_of_the_help() -> None:
    done = subprocess.run([COMMAND, "--help"], capture_output=True, text=True, check=True)
    for command in names(section("Commands")):
        if command.startswith("local-sagemaker "):
            assert re.search(rf"^    {command.split()[1]} ", done.stdout, re.MULTILINE)
    variables = {name for name in names(section("Variables")) if re.fullmatch("[A-Z_]+", name)}
    assert variables == set(re.findall(r"^  ([A-Z]+_[A-Z_]+)", done.stdout, re.MULTILINE)) | {
        "AWS_DEFAULT_REGION"
    }
