"""The package's tests under Python 3.10, the oldest that SageMaker's images have, and with old libraries."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
LOCK = TESTS / "python3.10.lock"
ROOT = TESTS.parents[2]
UV = ROOT / ".tools" / "uv"
ENVIRONMENT = ROOT / "build" / "python3.10"


def python_3_10() -> str | None:
    """An interpreter on the path, or one of pyenv's."""
    home = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    pyenv = sorted(home.glob("versions/3.10.*/bin/python"))
    for command in ("python3.10", *map(str, pyenv)):
        path = shutil.which(command)
        # A version manager's shim may be there and fail.
        if path and subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0:
            return path
    return None


@pytest.fixture(scope="module")
def environment() -> Path:
    """An environment of what the lock names, made once."""
    interpreter = python_3_10()
    if interpreter is None:
        pytest.skip("there is no Python 3.10 here: install one to run the package's tests under it")
    if not UV.exists():
        pytest.skip("there is no .tools/uv: `make install` brings it")
    ready, digest = ENVIRONMENT / "ready", hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if not ready.is_file() or ready.read_text() != digest:
        make = [str(UV), "venv", "--quiet", "--clear", "--python", interpreter, str(ENVIRONMENT)]
        fill = [
            str(UV),
            "pip",
            "sync",
            "--quiet",
            "--python",
            str(ENVIRONMENT),
            "--require-hashes",
            str(LOCK),
        ]
        for command in (make, fill):
            subprocess.run(command, check=True)
        ready.write_text(digest)
    return ENVIRONMENT


def test_the_packages_tests_pass_there(environment: Path) -> None:
    done = subprocess.run(
        [
            *(str(environment / "bin" / "python"), "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *("-n", "2", "--ignore", __file__, str(TESTS)),
        ],
        cwd=TESTS.parent,
        env={name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")}
        | {"PYTHONPATH": str(TESTS.parent / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
