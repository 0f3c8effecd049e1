"""bootstrap.sh on machines that lack something: one line that says what, exit status 2, nothing left."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT

TOOLS = ["cat", "dirname", "ln", "mkdir", "rm", "sed", "sh"]
# Stands for a Python of the right version: it says so, and runs nothing else.
BARE_PYTHON = '#!/bin/sh\n[ "$2" = -c ] && echo "$0"\n'
# Stands for one of the wrong version: it refuses the first question, and answers the one for its version.
OLD_PYTHON = '#!/bin/sh\ncase "$3" in *platform*) echo "python3 is 3.9.2";; *) exit 1;; esac\n'
FAILING_SHIM = "#!/bin/sh\necho 'python3.12: command not found' >&2\nexit 127\n"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs bootstrap.sh in a folder of its own with these programs on PATH and no others but the shell's."""
    layer = tmp_path / "layer"
    layer.mkdir()
    for name in ("bootstrap.sh", "tools.lock"):
        shutil.copy(ROOT / name, layer)
    programs = tmp_path / "bin"
    programs.mkdir()
    for tool in TOOLS:
        (programs / tool).symlink_to(str(shutil.which(tool)))

    def run_with(
        scripts: dict[str, str], make: list[str] | None = None, **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        for name, text in scripts.items():
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        environment = {"PATH": str(programs), "HOME": str(tmp_path), **variables}
        command = make or ["sh", "bootstrap.sh"]
        return subprocess.run(
            command, cwd=layer, env=environment, capture_output=True, text=True, check=False
        )

    return run_with


@pytest.mark.parametrize(
    ("scripts", "variables", "reason"),
    [
        ({}, {}, "and no python3 runs here: install one"),
        ({"python3": FAILING_SHIM, "python3.12": FAILING_SHIM}, {}, "and no python3 runs here: install one"),
        (
            {"python3": OLD_PYTHON},
            {},
            "3.13 is needed (TensorFlow has wheels for these) and python3 is 3.9.2",
        ),
        ({"python3": BARE_PYTHON}, {}, "python3 has neither venv nor pip: install one of them"),
        ({"python3": OLD_PYTHON, "python3.11": BARE_PYTHON}, {}, "python3.11 has neither venv nor pip"),
        ({"python3": BARE_PYTHON}, {"PYTHON": "/no/python"}, "PYTHON=/no/python is not a Python 3.11, 3.12"),
    ],
)
def test_what_is_missing_is_said_in_one_line(
    run: Run, tmp_path: Path, scripts: dict[str, str], variables: dict[str, str], reason: str
) -> None:
    done = run(scripts, **variables)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: ")
    assert done.stderr.index("\n") == len(done.stderr) - 1
    assert reason in done.stderr
    assert sorted(os.listdir(tmp_path / "layer")) == ["bootstrap.sh", "tools.lock"]


def test_make_hands_the_reason_on(run: Run, tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path / "layer")
    (tmp_path / "layer/requirements.lock").write_text("")
    (tmp_path / "bin/git").symlink_to(sys.executable)
    done = run({}, [str(shutil.which("make")), "install"])
    assert done.returncode == 2
    assert done.stderr.startswith("Error: Python 3.11, 3.12 or 3.13 is needed")


@pytest.mark.slow
def test_a_python_without_venv_brings_uv_by_pip(run: Run, tmp_path: Path) -> None:
    fits, no_venv = '[ "$2" = -c ] && echo "$0" && exit', '[ "$3" = venv ] && exit 1'
    base = f"{sys.base_prefix}/bin/python3"
    if subprocess.run([base, "-m", "pip", "--version"], capture_output=True, check=False).returncode:
        pytest.skip(f"{base} has no pip")
    python = f'#!/bin/sh\n{fits}\n{no_venv}\nexec {base} "$@"\n'
    registry = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_"))}
    done = run({"python3": python}, **registry)
    assert done.returncode == 0, done.stderr
    layer = tmp_path / "layer"
    assert os.readlink(layer / ".tools/uv") == "pip/bin/uv"
    assert os.access(layer / ".tools/uv", os.X_OK)
    assert os.access(layer / ".venv/bin/python", os.X_OK)
