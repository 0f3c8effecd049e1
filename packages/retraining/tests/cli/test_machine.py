"""What a machine may lack: git, a folder that can be written, a place for output."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from projects import COMMAND

from retraining.runs import deployment

_READ_ONLY = 'mount --bind . . && mount -o remount,bind,ro . && cd "$PWD" && exec "$@"'


def test_without_git_the_commit_is_unknown(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for words in (["init", "-q"], ["add", "pipeline.py"]):
        subprocess.run(["git", *words], cwd=project, check=True)
    author = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", *author, "commit", "-qm", "first"], cwd=project, check=True)
    assert deployment.git_commit(project).endswith("-dirty")
    monkeypatch.setenv("PATH", str(project / "nothing"))
    assert deployment.git_commit(project) == "unknown"


def test_a_plan_without_git(project: Path) -> None:
    environment = {"PATH": str(project / "nothing"), "HOME": str(project)}
    try:
        done = subprocess.run(
            [*COMMAND, "plan"], cwd=project, env=environment, capture_output=True, text=True, check=False
        )
    finally:
        subprocess.run([*COMMAND, "local", "down"], cwd=project, env=environment, check=True)
    assert done.returncode == 0, done.stderr


def read_only(project: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    enter = ["unshare", "--mount", "--map-root-user"]
    if not shutil.which("unshare") or subprocess.run([*enter, "true"], check=False).returncode:
        pytest.skip("mount namespaces are not available here")
    return subprocess.run(
        [*enter, "sh", "-ec", _READ_ONLY, "sh", *COMMAND, *words],
        cwd=project,
        env={"PATH": os.environ["PATH"], "HOME": str(project), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "words",
    [
        "new-model other --like lightgbm",
        "new-model other --like scarcegan",
        "data",
        "run",
        "plan",
        "runs",
        "ui",
        "local up",
        "graph --svg pipeline.svg",
        "definition --out pipeline.json",
    ],
)
def test_a_folder_that_is_read_only_is_one_line(project: Path, words: str) -> None:
    before = sorted(project.rglob("*"))
    done = read_only(project, *words.split())
    lines = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert (done.returncode, done.stdout, len(lines)) == (2, "", 1), done.stderr
    assert "Traceback" not in done.stderr
    assert "ead-only" in lines[0] or "cannot be" in lines[0]
    assert sorted(project.rglob("*")) == before


@pytest.mark.parametrize("words", ["check", "graph", "definition", "local status", "local down"])
def test_what_writes_nothing_works_there(project: Path, words: str) -> None:
    assert read_only(project, *words.split()).returncode == 0


def test_output_that_cannot_be_written_is_one_line(project: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "check"],
            cwd=project,
            env={"PATH": os.environ["PATH"], "HOME": str(project)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("Error: No space left on device"), done.stderr
