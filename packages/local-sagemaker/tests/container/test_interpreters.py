"""What jobs see of an interpreter: all of its packages but the hidden ones."""

import dataclasses
import importlib.util
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

import pytest
from jobs_to_run import Processing

from local_sagemaker.container import environments, interpreters, requirements
from local_sagemaker.core.errors import LocalError
from local_sagemaker.core.settings import Settings
from local_sagemaker.daemon import stack
from local_sagemaker.testing import make_settings

PYTHON = Path(sys.executable)
MODULE = "VALUE = 42\n\ndef main():\n    print(VALUE)\n"


class Environment:
    """A virtual environment to install small distributions into, by hand."""

    def __init__(self, folder: Path, system_site_packages: bool = False) -> None:
        venv.create(folder, with_pip=False, system_site_packages=system_site_packages)
        self.folder = folder
        self.python = folder / "bin" / "python"
        self.site = next((folder / "lib").glob("python*")) / "site-packages"

    def install(self, name: str, files: Mapping[str, str], command: str = "") -> None:
        """A distribution of these files in the site folder, and a command that runs its main()."""
        install(self.site, name, files, command)
        if command:
            script = self.folder / "bin" / command
            module = next(iter(files)).partition("/")[0].removesuffix(".py")
            script.write_text(f"#!{self.python}\nimport sys\nfrom {module} import main\nsys.exit(main())\n")
            script.chmod(0o755)


def install(site: Path, name: str, files: Mapping[str, str], command: str = "") -> None:
    info = f"{name.replace('-', '_')}-1.0.dist-info"
    files = {**files, f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"}
    for path, content in files.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(content)
    record = [*files, f"{info}/RECORD", *([f"../../../bin/{command}"] if command else [])]
    (site / info / "RECORD").write_text("".join(f"{path},,\n" for path in record))


class Job:
    """The environment of a job on an interpreter."""

    def __init__(self, folder: Path, python: Path, *hidden: str) -> None:
        self.base = interpreters.base(folder / "envs", python, hidden)
        self.folder = folder / "job"
        environments.create(self.folder, self.base)

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        variables = {"PATH": f"{self.folder}/bin:{self.base.bin}:/usr/bin:/bin", "HOME": str(self.folder)}
        return subprocess.run(words, env=variables, cwd="/", capture_output=True, text=True, check=False)

    def says(self, program: str) -> str:
        """What a Python program prints last, or the last line of its error."""
        done = self.run("python3", "-c", program)
        return (done.stdout + done.stderr).strip().splitlines()[-1]


@pytest.fixture(autouse=True)
def _asked_again() -> Iterator[None]:
    """Interpreters are asked once in a process; those of tests differ from test to test."""
    interpreters.interpreter.cache_clear()
    yield
    interpreters.interpreter.cache_clear()


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """An environment with one installed, one editable and one single-module distribution, and another one."""
    made = Environment(tmp_path / "an {environment} of 'its' own")
    made.install("secret-tool", {"secret_tool/__init__.py": MODULE, "secret_tool/inner.py": ""}, "secret")
    source = tmp_path / "src"
    (source / "secret_source").mkdir(parents=True)
    (source / "secret_source" / "__init__.py").write_text(MODULE)
    made.install("Secret.Source", {"secret_source.pth": f"{source}\n"})
    made.install("secret-module", {"secret_module.py": MODULE})
    made.install("open-tool", {"open_tool/__init__.py": MODULE}, "open-tool")
    return made


HIDDEN = ("Secret_Tool", "secret-source", "secret-module")


@pytest.mark.parametrize("module", ["secret_tool", "secret_tool.inner", "secret_source", "secret_module"])
def test_hidden_distributions_cannot_be_imported(
    tmp_path: Path, environment: Environment, module: str
) -> None:
    hiding, open_to_all = (
        Job(tmp_path / "a", environment.python, *HIDDEN),
        Job(tmp_path / "b", environment.python),
    )
    program = f"import {module}; print('here')"
    assert hiding.says(program).startswith("ModuleNotFoundError")
    assert open_to_all.says(program) == "here"


@pytest.mark.parametrize("name", HIDDEN)
def test_hidden_distributions_are_not_installed(tmp_path: Path, environment: Environment, name: str) -> None:
    job = Job(tmp_path, environment.python, *HIDDEN)
    program = f"import importlib.metadata; importlib.metadata.version({name!r})"
    assert job.says(program).startswith("importlib.metadata.PackageNotFoundError")
    assert requirements.satisfied(name, job.base.visible) is None
    assert requirements.satisfied("open-tool==1.0", job.base.visible) == ["open-tool 1.0"]


def test_everything_else_is_as_it_was(tmp_path: Path, environment: Environment) -> None:
    job = Job(tmp_path, environment.python, *HIDDEN)
    assert job.says("import open_tool; print(open_tool.VALUE)") == "42"
    assert job.says("import importlib.metadata as m; print(m.version('open-tool'))") == "1.0"
    assert job.says("import sys; print(sys.prefix)") == str(job.folder)


def test_commands_run_with_the_jobs_python(tmp_path: Path, environment: Environment) -> None:
    environment.install(
        "which-python",
        {"which_python.py": "def main():\n    import sys\n    print(sys.prefix)\n    import secret_tool\n"},
        "which-python",
    )
    (environment.folder / "bin" / "no-python").symlink_to("/bin/echo")
    job = Job(tmp_path, environment.python, *HIDDEN)
    assert job.run("open-tool").stdout == "42\n"
    assert job.run("no-python", "said").stdout == "said\n"
    done = job.run("which-python")
    assert done.stdout == f"{job.folder}\n"
    assert "ModuleNotFoundError: No module named 'secret_tool'" in done.stderr
    with pytest.raises(FileNotFoundError):
        job.run("secret")


def test_a_jobs_own_copy_of_a_hidden_package_is_used(tmp_path: Path, environment: Environment) -> None:
    job = Job(tmp_path, environment.python, *HIDDEN)
    (tmp_path / "code" / "secret_tool").mkdir(parents=True)
    (tmp_path / "code" / "secret_tool" / "__init__.py").write_text("VALUE = 'mine'\n")
    program = f"import sys; sys.path.insert(0, {str(tmp_path / 'code')!r})"
    assert job.says(f"{program}; import secret_tool; print(secret_tool.VALUE)") == "mine"


def test_path_files_lead_where_they_did(tmp_path: Path, environment: Environment) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "absolute.py").write_text(MODULE)
    (environment.site / "below").mkdir()
    (environment.site / "below" / "relative.py").write_text(MODULE)
    (environment.site.parent / "above").mkdir()
    (environment.site.parent / "above" / "upwards.py").write_text(MODULE)
    code = "import sys; sys.made_by_a_path_file = True"
    lines = [str(tmp_path / "elsewhere"), "# remark", "", "below", "../above", "not-there", code]
    (environment.site / "several.pth").write_text("\n".join(lines))
    (environment.site / "dangling.pth").symlink_to(tmp_path / "not-there.pth")
    (environment.folder / "bin" / "dangling").symlink_to(tmp_path / "not-there")
    job = Job(tmp_path, environment.python)
    for module in ("absolute", "relative", "upwards"):
        assert job.says(f"import {module}; print({module}.VALUE)") == "42"
    assert job.says("import sys; print(sys.made_by_a_path_file)") == "True"


def test_links_follow_what_is_installed(tmp_path: Path, environment: Environment) -> None:
    first = Job(tmp_path / "first", environment.python, *HIDDEN).base
    again = interpreters.base(tmp_path / "first" / "envs", environment.python, HIDDEN)
    assert again == first
    environment.install("new-tool", {"new_tool.py": MODULE})
    job = Job(tmp_path / "second", environment.python, *HIDDEN)
    assert job.says("import new_tool; print(new_tool.VALUE)") == "42"
    assert job.base.fingerprint != first.fingerprint
    # Reinstalled as an editable package, of the same version:
    for path in (environment.site / "secret_tool").iterdir():
        path.unlink()
    (environment.site / "secret_tool").rmdir()
    (tmp_path / "src" / "secret_tool.py").write_text(MODULE)
    environment.install("secret-tool", {"secret_tool.pth": f"{tmp_path / 'src'}\n"})
    job = Job(tmp_path / "third", environment.python, *HIDDEN)
    assert job.says("import secret_tool").startswith("ModuleNotFoundError")


def test_requirements_are_installed_again_only_when_visible_packages_change(
    tmp_path: Path, environment: Environment
) -> None:
    first = interpreters.base(tmp_path / "envs", environment.python, HIDDEN)
    environment.install("secret-source", {"other.pth": "\n"})
    (environment.site / "notes.txt").write_text("mine")
    second = interpreters.base(tmp_path / "envs", environment.python, HIDDEN)
    assert second.sites != first.sites
    assert second.fingerprint == first.fingerprint


def test_several_site_folders(tmp_path: Path) -> None:
    """An environment that sees the packages of the Python that it was made from, and the user's own."""
    outer = Environment(tmp_path / "outer", system_site_packages=True)
    outer.install("open-tool", {"open_tool.py": MODULE})
    known = interpreters.interpreter(outer.python)
    assert len(known.sites) > 1
    job = Job(tmp_path, outer.python)
    assert len(job.base.sites) == len(known.sites)
    assert job.says("import open_tool; print(open_tool.VALUE)") == "42"


def test_the_users_own_site_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    python = Path(getattr(sys, "_base_executable", sys.executable))
    asked = [python, "-c", "import site; print(site.getusersitepackages())"]
    user_site = Path(subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip())
    install(user_site, "secret-tool", {"secret_tool.py": MODULE})
    install(user_site, "open-tool", {"open_tool.py": MODULE})
    job = Job(tmp_path, python, "secret-tool")
    assert user_site in interpreters.interpreter(python).sites
    assert job.says("import open_tool; print(open_tool.VALUE)") == "42"
    assert job.says("import secret_tool").startswith("ModuleNotFoundError")


def test_an_interpreter_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match=r"python does not work .* \(No such file or directory\): make"):
        interpreters.interpreter(tmp_path / "python")


@pytest.mark.parametrize(
    ("script", "reason"),
    [("", "it says nothing"), ("echo 3.11", "3.11"), ("echo one >&2; echo two >&2; exit 1", "two")],
)
def test_a_program_that_is_no_python_is_named(tmp_path: Path, script: str, reason: str) -> None:
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    with pytest.raises(LocalError) as caught:
        interpreters.interpreter(program)
    assert str(caught.value).startswith(f"{program} does not work as the Python of jobs ({reason}): ")
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    "module", ["tensorflow", "sklearn.ensemble", "matplotlib.pyplot", "polars", "lightgbm"]
)
def test_frameworks_import_through_the_links(tmp_path: Path, module: str) -> None:
    if importlib.util.find_spec(module.partition(".")[0]) is None:
        pytest.skip(f"{module} is not installed here")
    job = Job(tmp_path, PYTHON)
    done = job.run("python3", "-c", f"import {module} as m; print(m.__file__)")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(job.base.sites[0]))


def test_a_job_does_not_see_the_services(processing: Processing, name: str) -> None:
    program = "import boto3; print('boto3', boto3.__version__); import local_sagemaker"
    done = processing.run(name, f'python3 -c "{program}"; which local-sagemaker; exit 1')
    assert done["ProcessingJobStatus"] == "Failed"
    log = processing.log(name)
    assert f"boto3 {version('boto3')}" in log
    assert "ModuleNotFoundError: No module named 'local_sagemaker'" in log
    assert "/local-sagemaker" not in log


def test_a_job_has_its_own_copy_of_a_hidden_package(processing: Processing, name: str) -> None:
    script = (
        "mkdir local_sagemaker && echo 'print(\"a copy\")' > local_sagemaker/__init__.py"
        " && python3 -c 'import local_sagemaker'"
    )
    assert processing.run(name, script)["ProcessingJobStatus"] == "Completed"
    assert "a copy" in processing.log(name)


def test_settings_name_what_else_is_hidden(tmp_path: Path, name: str) -> None:
    settings: Settings = dataclasses.replace(make_settings(tmp_path / ".local"), hidden=("boto3",))
    stack.up(settings)
    try:
        processing = Processing(settings, settings.client("sagemaker"), settings.client("s3"))
        done = processing.run(name, "python3 -c 'import botocore, boto3'")
        assert "No module named 'boto3'" in done["FailureReason"]
    finally:
        stack.down(settings)
