"""A project takes in a newer version of the template by `make update`."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import FOLDER, clean_environment

pytestmark = pytest.mark.slow

WAY = Path("packages/retraining/src/retraining")
CHAMPION = Path("lambdas/champion.py")


class Team:
    """A team's project, made by `cruft create`, and what they type in it."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        identity = {"NAME": "Team", "EMAIL": "team@example.com"}
        self.environment = clean_environment() | {
            **{
                f"GIT_{who}_{key}": value
                for who in ("AUTHOR", "COMMITTER")
                for key, value in identity.items()
            },
            "HOME": str(home),
            "UV_CACHE_DIR": uv_cache(),
        }

    def run(self, *command: str, status: int | None = 0, folder: Path | None = None) -> str:
        done = subprocess.run(
            command,
            cwd=folder or self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert status is None or done.returncode == status, done.stdout[-6000:]
        return done.stdout

    def commit(self, message: str, folder: Path | None = None) -> None:
        self.run("git", "add", "--all", folder=folder)
        self.run("git", "commit", "--quiet", "--message", message, folder=folder)

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))


def uv_cache() -> str:
    """uv's own cache folder, so that an empty home folder makes no second one."""
    found = os.environ.get("UV_CACHE_DIR")
    return found or os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "uv")


def write_template(repository: Path, template: Path, team: Team) -> None:
    """A first version of the template, in which the platform has a module that the next one lacks."""
    shutil.copytree(template, repository, symlinks=True)
    (repository / WAY / "obsolete.py").write_text('"""Deleted in the next version."""\n')
    team.run("git", "init", "--quiet", folder=repository)
    team.commit("first", repository)


def change_template(repository: Path, team: Team) -> None:
    """The next version: a module less, a dependency more, edits next to the team's and in what it deleted."""
    (repository / WAY / "obsolete.py").unlink()
    packages = repository / "packages"
    for name in ("job-toolkit", "local-sagemaker", "retraining"):
        path = packages / name / "pyproject.toml"
        path.write_text(
            re.sub(r'^version = ".*"', 'version = "99.0.0"', path.read_text(), flags=re.MULTILINE)
        )
    path = packages / "retraining/pyproject.toml"
    path.write_text(path.read_text().replace("dependencies = [\n", 'dependencies = [\n    "zipstream-ng",\n'))
    for path in (repository / WAY / "examples/lightgbm").glob("*.py"):
        path.write_text(path.read_text() + "\n# the template's new line\n")
    path = repository / FOLDER / "conf/dev.yaml"
    path.write_text("# The template's new first line.\n" + path.read_text())
    path = repository / FOLDER / CHAMPION
    path.write_text("# The template's new first line.\n" + path.read_text())
    team.commit("second", repository)


def own_the_example(team: Team) -> None:
    """The team makes a model of its own like the example, and deletes the example."""
    team.run(".venv/bin/retrain", "new-model", "churn", "--like", "lightgbm")
    team.run(".venv/bin/retrain", "remove-model", "lightgbm", "--yes")


@pytest.fixture(scope="module")
def team(template: Path, settings: Path, tmp_path_factory: pytest.TempPathFactory) -> Team:
    """A project of the first version with the team's own edits; the template has a second version."""
    root = tmp_path_factory.mktemp("update")
    made = Team(root / "shop", root)
    repository = root / "template"
    write_template(repository, template, made)
    answers = {"project_slug": "shop", "example": "lightgbm"}
    words = ["--no-input", "--config-file", str(settings), "--extra-context", json.dumps(answers)]
    cruft = os.path.join(os.path.dirname(sys.executable), "cruft")
    made.run(cruft, "create", str(repository), *words, folder=root)
    made.run("git", "init", "--quiet")
    made.commit("made")
    made.run("make", "--silent", "install")
    own_the_example(made)
    made.edit("models/churn/train.py", "\n\n", "\n\nThe team's own words.\n\n")
    made.edit("conf/dev.yaml", "{environment: development}", "{environment: development, team: shop}")
    with (made.folder / "requirements.in").open("a") as file:
        file.write("boltons\n")
    made.run("make", "--silent", "lock", "install")
    made.commit("our own")
    change_template(repository, made)
    return made


def test_the_update_keeps_what_the_team_did_and_passes_the_checks(team: Team) -> None:
    assert (team.folder / "vendor/retraining/src/retraining/obsolete.py").is_file()
    team.run("make", "update")
    assert not (team.folder / "vendor/retraining/src/retraining/obsolete.py").exists()
    assert "template's new first line" in (team.folder / "conf/dev.yaml").read_text()
    assert "team: shop" in (team.folder / "conf/dev.yaml").read_text()
    assert "The team's own words." in (team.folder / "models/churn/train.py").read_text()
    assert not (team.folder / "models/lightgbm").exists()
    assert not (team.folder / "tests/models/lightgbm").exists()
    lock = (team.folder / "requirements.lock").read_text()
    assert re.search("^boltons==", lock, re.MULTILINE)
    assert re.search("^zipstream-ng==", lock, re.MULTILINE)
    team.run(".venv/bin/python", "-c", "import boltons, zipstream")
    team.run(".venv/bin/python", "-c", "import retraining.obsolete", status=1)
    assert "99.0.0" in team.run(".tools/uv", "pip", "show", "--python", ".venv", "retraining")
    assert "churn" in team.run(".venv/bin/retrain", "check")
    team.commit("updated")
    team.run("make", "check")
    # Installing and checking leave nothing in vendor/: the next update finds a clean tree.
    assert team.run("git", "status", "--porcelain") == ""


def test_an_install_that_failed_is_made_again(team: Team) -> None:
    team.run("make", "install", "PLATFORM=../nowhere", status=2)
    team.run("make", "install")
    team.run(".venv/bin/retrain", "--version")


def test_what_cannot_be_merged_ends_the_update_with_the_files(team: Team) -> None:
    team.run("git", "reset", "--quiet", "--hard", "HEAD")
    if "updated" in team.run("git", "log", "--format=%s", "--max-count=1"):
        team.run("git", "reset", "--quiet", "--hard", "HEAD~1")
    path = team.folder / CHAMPION
    path.write_text("# The team's new first line.\n" + path.read_text())
    team.commit("the same line")
    words = team.run("make", "update", status=2)
    assert f"Error: merge these by hand, then run make lock install: {CHAMPION}" in words


def test_without_a_link_to_the_template_the_update_says_so(team: Team) -> None:
    team.run("git", "reset", "--quiet", "--hard", "HEAD")
    (team.folder / ".cruft.json").unlink()
    words = team.run("make", "update", status=2)
    assert "Error: there is no .cruft.json: vendor/docs/updating.md says how to link the template\n" in words
