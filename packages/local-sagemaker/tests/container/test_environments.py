"""Environments of jobs, and the question whether requirements are satisfied."""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wheels import make_wheel

from local_sagemaker.container import environments, interpreters, requirements

BOTO3 = version("boto3")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n\n",
        "boto3",
        f"boto3=={BOTO3}  # pinned",
        f"boto3=={BOTO3} \\\n    --hash=sha256:{'0' * 64} \\\n    --hash=sha256:{'1' * 64}\n",
        "BOTO3>=1",
        "absent-package; python_version < '3'",
        "--index-url https://example.org/simple\n-f /wheels\nboto3",
        "requests[socks]; python_version < '3'",
    ],
)
def test_satisfied(text: str) -> None:
    assert requirements.satisfied(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "absent-package",
        "boto3==0.0.1",
        "boto3\nabsent-package",
        "boto3[no-such-extra-but-fine]==0.0.1",
        "-r other.txt",
        "-c constraints.txt\nboto3",
        "-e .",
        "./package",
        "boto3 @ https://example.org/boto3.whl",
        "https://example.org/boto3.whl",
        "boto3 ==",
    ],
)
def test_not_satisfied(text: str) -> None:
    assert requirements.satisfied(text) is None


def test_extras_count() -> None:
    assert requirements.satisfied("uvicorn") is not None
    missing = requirements.satisfied("botocore[crt]")
    assert (missing is None) == (requirements.installed("awscrt") is None)


@given(st.text())
def test_any_text_has_an_answer(text: str) -> None:
    assert requirements.satisfied(text) is None or all(
        line.startswith("-") or requirements.satisfied(line) is not None for line in requirements.lines(text)
    )


@given(st.lists(st.sampled_from(["boto3", "uvicorn>=0.1", "# remark", "", "  starlette  "])))
def test_together_as_one_by_one(lines: list[str]) -> None:
    present = requirements.satisfied("\n".join(lines))
    assert present is not None
    assert len(present) == sum(not line.startswith("#") and bool(line) for line in lines)


@pytest.fixture
def base(tmp_path: Path) -> interpreters.Base:
    return interpreters.base(tmp_path / "envs", Path(sys.executable))


def ask(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [folder / "bin" / "python", *words],
        env={"HOME": str(folder)},
        capture_output=True,
        text=True,
        cwd="/",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.strip()


def test_an_environment_of_links(tmp_path: Path, base: interpreters.Base) -> None:
    folder = tmp_path / "an {environment} of 'its' own"
    environments.create(folder, base)
    assert ask(folder, "-c", "import sys; print(sys.prefix)") == str(folder)
    assert ask(folder, "-c", "import boto3; print(boto3.__version__)") == BOTO3
    assert ask(folder, "-m", "pip", "--version").startswith("pip ")
    assert ask(folder, "-c", "import pip; print(pip.__version__)")


def test_what_the_project_has_is_not_installed(tmp_path: Path, base: interpreters.Base) -> None:
    assert environments.shared(tmp_path / "root", base, f"boto3=={BOTO3}", {}, pytest.fail) is None
    assert not (tmp_path / "root").exists()


def test_what_it_lacks_is_installed_once_and_shared(tmp_path: Path, base: interpreters.Base) -> None:
    wheels, root = tmp_path / "wheels", tmp_path / "root"
    wheels.mkdir()
    make_wheel(wheels)
    text = f"--no-index\n--find-links {wheels}\ntiny-dependency\nboto3\n"
    said: list[str] = []
    first = environments.shared(root, base, text, dict(os.environ), said.append)
    assert first is not None
    assert any("tiny" in line for line in said)
    said.clear()
    assert environments.shared(root, base, "# again\n" + text, dict(os.environ), said.append) == first
    assert said == []
    assert not list(environments.site_packages(first, base).glob("boto3*")), "the project's own is used"

    job = tmp_path / "job"
    environments.create(job, base, first)
    assert ask(job, "-c", "import tiny_dependency; print(tiny_dependency.VALUE)") == "42"
    (tmp_path / "requirements.txt").write_text(text)
    said_by_pip = ask(job, "-m", "pip", "install", "-r", str(tmp_path / "requirements.txt"))
    assert said_by_pip.splitlines() == [
        "Requirement already satisfied: tiny-dependency 1.5",
        f"Requirement already satisfied: boto3 {BOTO3}",
    ]


def test_a_job_installs_into_its_own_environment(tmp_path: Path, base: interpreters.Base) -> None:
    make_wheel(tmp_path)
    job = tmp_path / "job"
    environments.create(job, base)
    ask(job, "-m", "pip", "-q", "install", "--no-index", "--find-links", str(tmp_path), "tiny-dependency")
    assert ask(job, "-c", "import tiny_dependency; print(tiny_dependency.__file__)").startswith(str(job))
    assert requirements.installed("tiny-dependency") is None


def test_a_failed_installation_is_tried_again(tmp_path: Path, base: interpreters.Base) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    text = f"--no-index\n--find-links {wheels}\ntiny-dependency\n"
    with pytest.raises(environments.RequirementsError, match="tiny-dependency"):
        environments.shared(tmp_path / "root", base, text, dict(os.environ), lambda _: None)
    make_wheel(wheels)
    assert environments.shared(tmp_path / "root", base, text, dict(os.environ), lambda _: None) is not None
