"""The versions of the platform: what is installed, and the range that a project asks for."""

import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest
from configurations import CHURN, PROJECT, edit, lines_of, make
from projects import COMMAND

from retraining.config import configuration
from retraining.config.checks import platform

INSTALLED = {"retraining": "1.3.0", "local-sagemaker": "1.3.0", "job-toolkit": "1.3.0"}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(make(tmp_path))
    monkeypatch.setattr(platform, "installed", lambda: INSTALLED)
    return tmp_path


def ask_for(root: Path, versions: str) -> None:
    edit(root, PROJECT, "project: demo\n", f"project: demo\nplatform: {versions}\n")


@pytest.mark.parametrize("versions", ['">=1.2,<2"', '">=1.3.0"', '"~=1.3"', '"==1.3.*"', "==1.3.0", "null"])
def test_a_version_in_the_range_is_accepted(root: Path, versions: str) -> None:
    ask_for(root, versions)
    configuration.load(root)


def test_another_version_is_the_only_thing_reported(root: Path) -> None:
    ask_for(root, '">=1.4,<2"')
    # Another version may know these keys.
    edit(root, CHURN, "entry_point: train.py", "entry_point: train.py\n        turbo: true")
    listed = "retraining 1.3.0, local-sagemaker 1.3.0, job-toolkit 1.3.0"
    assert lines_of(root) == [
        f"conf/project.yaml:2: platform: {listed} installed, but the project needs >=1.4,<2: run "
        "`make install`, or change the range"
    ]


def test_one_package_of_another_version_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "installed", lambda: INSTALLED | {"job-toolkit": "1.1.0"})
    ask_for(root, '">=1.2,<2"')
    (line,) = lines_of(root)
    assert "platform: job-toolkit 1.1.0 installed, but" in line


def test_a_prerelease_counts_as_its_version(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "installed", lambda: {"retraining": "1.3.0rc1"})
    ask_for(root, '">=1.2,<2"')
    configuration.load(root)


@pytest.mark.parametrize(
    ("versions", "shown"), [("soon", "'soon'"), ("1.2", "1.2"), ("[1]", "a list"), ("''", "''"), ("1", "1")]
)
def test_what_is_no_range_is_refused(root: Path, versions: str, shown: str) -> None:
    ask_for(root, versions)
    (line,) = lines_of(root)
    assert line.startswith("conf/project.yaml:2: platform: a range of versions such as >=1.2,<2 is expected")
    assert line.endswith(f"not {shown}")


def test_the_command_prints_what_is_installed(tmp_path: Path) -> None:
    done = subprocess.run([*COMMAND, "--version"], cwd=tmp_path, capture_output=True, text=True, check=True)
    names = ("retraining", "local-sagemaker", "job-toolkit")
    assert done.stdout.splitlines() == [f"{name} {version(name)}" for name in names]
    assert done.stderr == ""
