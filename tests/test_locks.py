"""The locks name versions and hashes, and nothing of the machine that they were made on."""

import re
import tomllib

import pytest
from conftest import FOLDER, ROOT

LOCKS = ["requirements.lock", "tools.lock", f"{FOLDER}/requirements.lock", f"{FOLDER}/tools.lock"]
LAYERS = [".", FOLDER]
PACKAGE = re.compile(
    r"[a-z0-9][a-z0-9-]*(\[[a-z0-9,-]+\])?==[0-9][0-9a-z.+!]*( ; [a-z_ '<>=!.0-9()A-Z-]+)? \\"
)
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_holds_versions_and_hashes_only(lock: str) -> None:
    lines = (ROOT / lock).read_text().splitlines()
    assert lines
    assert [line for line in lines if not PACKAGE.fullmatch(line) and not HASH.fullmatch(line)] == []


@pytest.mark.parametrize("layer", LAYERS)
def test_everything_required_is_locked(layer: str) -> None:
    required = re.findall(r"^[A-Za-z0-9_-]+", (ROOT / layer / "requirements.in").read_text(), re.MULTILINE)
    locked = re.findall(r"^[a-z0-9-]+", (ROOT / layer / "requirements.lock").read_text(), re.MULTILINE)
    assert required
    assert {name.lower().replace("_", "-") for name in required} <= set(locked)


def test_ministack_has_the_botocore_that_it_pins() -> None:
    lock = (ROOT / FOLDER / "requirements.lock").read_text()
    assert "ministack==1.5.33 " in lock
    assert "botocore==1.43.106 " in lock


def test_the_packages_have_the_version_of_the_changelog() -> None:
    newest = re.search(r"^## ([0-9]+\.[0-9]+\.[0-9]+) - ", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest
    for package in ("job-toolkit", "local-sagemaker", "retraining"):
        project = tomllib.loads((ROOT / "packages" / package / "pyproject.toml").read_text())["project"]
        assert project["version"] == newest[1], package
