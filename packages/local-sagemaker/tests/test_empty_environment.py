"""The emulator in an environment with what its pyproject.toml asks for, and a client with boto3 alone."""

import re
import subprocess
import venv
from importlib.metadata import distribution
from pathlib import Path

import three_steps
from packaging.requirements import Requirement

from local_sagemaker.testing import free_ports


def closure(name: str) -> set[str]:
    """A distribution of this environment with all that it requires."""
    names: set[str] = set()
    waiting = [name]
    while waiting:
        current = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if current in names:
            continue
        names.add(current)
        requirements = map(Requirement, distribution(current).requires or ())
        waiting += [one.name for one in requirements if not one.marker or one.marker.evaluate({"extra": ""})]
    return names


class Environment:
    """A virtual environment with links to some of this environment's distributions: no network is needed."""

    def __init__(self, folder: Path, *names: str) -> None:
        venv.create(folder, with_pip=False)
        self.bin = folder / "bin"
        self.python = self.bin / "python"
        site = next((folder / "lib").glob("python*")) / "site-packages"
        for name in set().union(*map(closure, names)):
            for file in distribution(name).files or ():
                top = site / file.parts[0]
                if file.parts[0] not in ("..", "__pycache__") and not top.exists():
                    top.symlink_to(Path(str(distribution(name).locate_file(file.parts[0]))))
            self._commands(name)

    def _commands(self, name: str) -> None:
        for command in distribution(name).entry_points.select(group="console_scripts"):
            script = self.bin / command.name
            script.write_text(
                f"#!{self.python}\nimport sys\nfrom {command.module} import {command.attr}\n"
                f"sys.exit({command.attr}())\n"
            )
            script.chmod(0o755)

    def has(self, module: str) -> bool:
        done = subprocess.run([self.python, "-c", f"import {module}"], capture_output=True, check=False)
        return done.returncode == 0


def test_a_pipeline_of_three_steps(tmp_path: Path) -> None:
    emulator = Environment(tmp_path / "emulator", "local-sagemaker")
    client = Environment(tmp_path / "client", "boto3")
    assert not emulator.has("sagemaker.core")
    assert not emulator.has("retraining")
    assert not client.has("local_sagemaker")
    assert not client.has("numpy")
    ports = dict(zip(("LOCAL_SAGEMAKER_PORT", "LOCAL_AWS_PORT"), map(str, free_ports(2)), strict=True))
    shell = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path / "home"), **ports}
    command = emulator.bin / "local-sagemaker"
    try:
        done = subprocess.run(
            [command, "run", "--", client.python, three_steps.__file__],
            cwd=tmp_path,
            env=shell,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.splitlines() == [
            "Succeeded ",
            "Prepare  Succeeded",
            "Train    Succeeded",
            "Gate     Succeeded",
            "Score    Succeeded",
            '{"score": 0.4}',
        ]
        log = next((tmp_path / ".local" / "jobs").glob("*-Train-*/log.txt")).read_text()
        assert "mean=4.0" in log
    finally:
        subprocess.run([command, "down"], cwd=tmp_path, env=shell, check=True, capture_output=True)


def test_closures_are_those_of_this_environment() -> None:
    assert {"boto3", "botocore", "s3transfer", "urllib3"} <= closure("boto3")
    assert {"ministack", "starlette", "uvicorn", "boto3"} <= closure("local-sagemaker")
    assert not {"sagemaker", "mlflow", "retraining", "rich", "typer"} & closure("local-sagemaker")
