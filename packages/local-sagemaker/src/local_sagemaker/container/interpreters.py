"""The interpreter of jobs, and what they see of it: its packages, less those that are hidden.

In AWS a job's image has neither these services nor the program that started the job. To hide them, the
entries of the interpreter's site folders and of its ``bin`` are linked, all but theirs, into a folder that
all jobs share.
"""

import contextlib
import functools
import hashlib
import importlib.metadata
import json
import os
import re
import shlex
import shutil
import subprocess
import threading
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from local_sagemaker.core.errors import LocalError

ALWAYS_HIDDEN = "local-sagemaker"

_COMPLETE = "complete.json"
_QUERY = """
import json, os, site, sys
folders = site.getsitepackages() + ([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])
print(json.dumps([
    getattr(sys, "_base_executable", sys.executable), "%d.%d" % sys.version_info[:2], sys.version.split()[0],
    sys.prefix, [folder for folder in dict.fromkeys(folders) if os.path.isdir(folder)]
]))
"""
_linking = threading.Lock()


@dataclass(frozen=True)
class Interpreter:
    """A Python: `executable` outside any environment, `sites` its folders of packages."""

    executable: Path
    series: str
    version: str
    prefix: Path
    sites: tuple[Path, ...]


@dataclass(frozen=True)
class Base:
    """An interpreter as jobs see it: `sites` and `bin` have links to all that is not hidden.

    `visible` are the folders in which distributions are found: `sites`, and what path files in them add.
    """

    interpreter: Interpreter
    sites: tuple[Path, ...]
    bin: Path
    visible: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """Changes when the interpreter or the version of any visible package does."""
        names = [
            entry
            for folder in self.visible
            if os.path.isdir(folder)
            for entry in os.listdir(folder)
            if entry.endswith("-info")
        ]
        interpreter = self.interpreter
        return json.dumps([str(interpreter.executable), interpreter.version, sorted(names)], allow_nan=False)


@functools.cache
def interpreter(python: Path) -> Interpreter:
    """Ask `python` about itself. Raises LocalError when it does not run."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    try:
        done = subprocess.run(
            [python, "-c", _QUERY], cwd="/", env=clean, capture_output=True, check=False, text=True
        )
        executable, series, version, prefix, sites = json.loads(done.stdout)
    except OSError as error:
        raise LocalError(_not_a_python(python, str(error.strerror))) from error
    except (ValueError, TypeError) as error:
        printed = (done.stderr.strip() or done.stdout.strip() or "it says nothing").splitlines()
        raise LocalError(_not_a_python(python, printed[-1])) from error
    return Interpreter(Path(executable), series, version, Path(prefix), tuple(map(Path, sites)))


def _not_a_python(path: Path, reason: str) -> str:
    return (
        f"{path} does not work as the Python of jobs ({reason}): make its environment again, or start the"
        " services with another Python"
    )


def base(root: Path, python: Path, hidden: Collection[str] = ()) -> Base:
    """What jobs see of `python` without the distributions `hidden`; links below `root`, made on first use.

    A distribution, installed or editable, is hidden with all top-level entries that it has in a site
    folder: it must not share a namespace package with one that is to be seen.

    Raises LocalError when `python` does not run.
    """
    known = interpreter(python)
    names = frozenset(map(_normalised, (ALWAYS_HIDDEN, *hidden)))
    seen = json.dumps(
        [*map(str, (known.executable, known.version, known.prefix)), sorted(names), _state(known)],
        allow_nan=False,
    )
    folder = root / f"base-{hashlib.sha256(seen.encode()).hexdigest()[:16]}"
    with _linking:
        if not (folder / _COMPLETE).exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            draft = folder / "draft.json"
            draft.write_text(json.dumps(_link(folder, known, names), allow_nan=False))
            draft.replace(folder / _COMPLETE)
    sites = tuple(folder / f"site-{number}" for number in range(len(known.sites)))
    added = json.loads((folder / _COMPLETE).read_text())
    return Base(known, sites, folder / "bin", (*map(str, sites), *added))


def _state(known: Interpreter) -> list[object]:
    """What the links depend on: the names that are there, and which path files are new."""
    state: list[object] = []
    for folder in (*known.sites, known.prefix / "bin"):
        names = sorted(os.listdir(folder)) if folder.is_dir() else []
        stamps = [(folder / name).lstat().st_mtime_ns for name in names if name.endswith(".pth")]
        state.append([str(folder), names, stamps])
    return state


def _link(folder: Path, known: Interpreter, hidden: Collection[str]) -> list[str]:
    """Fill `folder`; returns the folders that path files add to those of packages."""
    added: list[str] = []
    hidden_commands: set[str] = set()
    for number, site in enumerate(known.sites):
        entries, names = _entries(site, hidden)
        hidden_commands |= names
        target = folder / f"site-{number}"
        target.mkdir()
        for name in sorted(os.listdir(site)):
            if name in entries:
                continue
            if name.endswith(".pth"):
                lines = _path_file(site, name)
                (target / name).write_text("\n".join(lines), errors="surrogateescape")
                added += [line for line in lines if os.path.isdir(line)]
            else:
                (target / name).symlink_to(site / name)
    (folder / "bin").mkdir()
    commands = known.prefix / "bin"
    for path in sorted(commands.iterdir()) if commands.is_dir() else ():
        if path.is_file() and path.name not in hidden_commands:
            _link_command(folder / "bin" / path.name, path)
    return added


def _entries(site: Path, hidden: Collection[str]) -> tuple[set[str], set[str]]:
    """The names in `site` that belong to the distributions `hidden`, and the names of their commands."""
    entries: set[str] = set()
    commands: set[str] = set()
    for name in os.listdir(site):
        if not name.endswith((".dist-info", ".egg-info")) or _normalised(name.split("-")[0]) not in hidden:
            continue
        entries.add(name)
        for file in importlib.metadata.Distribution.at(site / name).files or ():
            if file.parts[0] != "..":
                entries.add(file.parts[0])
            elif file.parts[-2] == "bin":
                commands.add(file.name)
    return entries - {"__pycache__"}, commands


def _path_file(site: Path, name: str) -> list[str]:
    """The lines of a path file of `site`, with paths that are right wherever the file is."""
    try:
        lines = (site / name).read_text(errors="surrogateescape").splitlines()
    except OSError:  # Python ignores it as well
        return []
    code = ("import ", "import\t", "#")
    return [line if not line.strip() or line.startswith(code) else str(site / line.strip()) for line in lines]


def _link_command(target: Path, command: Path) -> None:
    """A command of the interpreter's environment; one written in Python runs with the job's own Python."""
    head = b""
    with contextlib.suppress(OSError), command.open("rb") as file:
        if file.read(2) == b"#!":
            head = file.readline() + file.readline()
    if b"python" in head:
        target.write_text(f'#!/bin/sh\nexec python3 {shlex.quote(str(command))} "$@"\n')
        target.chmod(0o755)
    else:
        target.symlink_to(command)


def _normalised(name: str) -> str:
    """The name of a distribution as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()
