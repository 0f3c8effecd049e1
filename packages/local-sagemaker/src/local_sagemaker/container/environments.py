"""What `python` means in a job: the packages that its interpreter has, and the job's own requirements.

Every job has an environment of its own, a few links made in a millisecond. What a job's requirements ask
for beyond the packages of its `Base` is installed once per (requirements, interpreter, its packages) under
``envs/`` and shared by all jobs that ask the same.
"""

import hashlib
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from local_sagemaker.container import pip_shim, requirements
from local_sagemaker.container.interpreters import Base

_COMPLETE = "complete"
# Runs at the start of every interpreter of a job. `sys.prefix`: inside the sandbox the folder has
# another name.
_SITE = """import os
import site
import sys

sys.path.insert(0, os.path.join(sys.prefix, "shim"))
for folder in {folders!r}:
    site.addsitedir(folder)
"""
# `python -m pip` is ours; `import pip` is pip.
_SHIM = """import os
import sys

if sys.argv[:1] != ["-m"]:
    del sys.modules["pip"]
    sys.path.remove(os.path.join(sys.prefix, "shim"))
    import pip
"""
_filling = threading.Lock()


class RequirementsError(Exception):
    """Requirements that cannot be installed; the installer's own last line."""


def create(folder: Path, base: Base, shared: Path | None = None) -> None:
    """Make an environment at `folder` that sees the packages of `shared`, then those of `base`."""
    packages = site_packages(folder, base)
    packages.mkdir(parents=True)
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    known = base.interpreter
    for name in ("python", "python3", f"python{known.series}"):
        (bin_folder / name).symlink_to(known.executable)
    for name in ("pip", "pip3"):
        script = bin_folder / name
        script.write_text('#!/bin/sh\nexec "${0%/*}/python" -m pip "$@"\n')
        script.chmod(0o755)
    (folder / "pyvenv.cfg").write_text(
        f"home = {known.executable.parent}\ninclude-system-site-packages = false\nversion = {known.version}\n"
    )
    shim = folder / "shim" / "pip"
    shim.mkdir(parents=True)
    (shim / "__init__.py").write_text(_SHIM)
    shutil.copyfile(pip_shim.__file__, shim / "__main__.py")
    shutil.copyfile(requirements.__file__, shim / "requirements.py")
    seen = [str(site_packages(shared, base))] if shared else []
    seen += map(str, base.sites)
    (packages / "_local_sagemaker.py").write_text(_SITE.format(folders=seen))
    (packages / "_local_sagemaker.pth").write_text("import _local_sagemaker\n")


def site_packages(folder: Path, base: Base) -> Path:
    """Where the environment at `folder` has its packages."""
    return folder / "lib" / f"python{base.interpreter.series}" / "site-packages"


def shared(
    root: Path, base: Base, text: str, variables: Mapping[str, str], log: Callable[[str], None]
) -> Path | None:
    """The environment under `root` with the requirements `text` installed, made on first use.

    None when the interpreter's packages satisfy them: that takes no network. `variables` are the environment
    of pip. Raises RequirementsError when they cannot be installed.
    """
    if requirements.satisfied(text, base.visible) is not None:
        return None
    wanted = "\n".join(requirements.lines(text))
    folder = root / hashlib.sha256(f"{wanted}\0{base.fingerprint}".encode()).hexdigest()[:16]
    with _filling:
        if not (folder / _COMPLETE).exists():
            shutil.rmtree(folder, ignore_errors=True)
            create(folder, base)
            (folder / "requirements.txt").write_text(text)
            log(f"installing requirements: {', '.join(requirements.lines(text))}")
            _install(folder, variables, log)
            (folder / _COMPLETE).touch()
    return folder


def _install(folder: Path, variables: Mapping[str, str], log: Callable[[str], None]) -> None:
    process = subprocess.run(
        [folder / "bin" / "python", "-m", "pip", "install", "--no-input", "-r", folder / "requirements.txt"],
        env={**variables, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_REQUIRE_VIRTUALENV": "0"},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    printed = [line for line in process.stdout.splitlines() if line.strip()]
    for line in printed:
        if not line.startswith("Requirement already satisfied"):
            log(line)
    if process.returncode != 0:
        errors = [line for line in printed if line.startswith("ERROR")] or printed[-1:] or ["pip failed"]
        raise RequirementsError(errors[-1].removeprefix("ERROR: "))
