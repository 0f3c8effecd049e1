"""What a script reaches, and a copy of it that runs where the package is not installed."""

import subprocess
import sys
from pathlib import Path

import pytest

import job_toolkit
from job_toolkit import imports

SOURCES = Path(job_toolkit.__file__).parent
FILES = {
    "train.py": "import json\nimport networks\nfrom deep.inner import thing\n",
    "networks.py": "import losses as l\n",
    "losses.py": "def f():\n    import late\n",
    "late.py": "",
    "evaluate.py": "from job_toolkit import measures\nimport report\n",
    "report.py": "import job_toolkit.pages.report as frame\n",
    "deep/__init__.py": "",
    "deep/inner.py": "from . import sibling\nfrom .other import x\nfrom job_toolkit.failure import run\n",
    "deep/sibling.py": "",
    "deep/other.py": "",
    "deep/unused.py": "",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def names(folder: Path, *entry_points: str) -> list[str]:
    return [path.as_posix() for path in imports.reached(folder, *entry_points)]


def test_modules_of_the_folder_and_of_this_package(folder: Path) -> None:
    assert names(folder, "train.py") == [
        "deep/__init__.py",
        "deep/inner.py",
        "deep/other.py",
        "deep/sibling.py",
        "job_toolkit/__init__.py",
        "job_toolkit/failure.py",
        "late.py",
        "losses.py",
        "networks.py",
        "train.py",
    ]
    assert names(folder, "evaluate.py") == [
        "evaluate.py",
        "job_toolkit/__init__.py",
        "job_toolkit/failure.py",
        "job_toolkit/measures.py",
        "job_toolkit/metrics.py",
        "job_toolkit/model_quality.py",
        "job_toolkit/pages/__init__.py",
        "job_toolkit/pages/report.py",
        "job_toolkit/ranking.py",
        "job_toolkit/strict_json.py",
        "report.py",
    ]
    found = imports.reached(folder, "evaluate.py")
    assert found[Path("report.py")] == folder / "report.py"
    assert found[Path("job_toolkit/pages/report.py")] == SOURCES / "pages" / "report.py"


def test_a_module_reaches_what_it_names_and_no_more(folder: Path) -> None:
    (folder / "a.py").write_text("import job_toolkit.failure, numpy\nfrom job_toolkit import nothing\n")
    assert names(folder, "a.py") == ["a.py", "job_toolkit/__init__.py", "job_toolkit/failure.py"]


def test_an_entry_point_below_the_folder(folder: Path) -> None:
    (folder / "deep" / "job.py").write_text("import unused\nimport losses\nfrom job_toolkit import failure\n")
    found = names(folder, "deep/job.py")
    assert {"deep/job.py", "deep/unused.py", "losses.py", "job_toolkit/failure.py"} <= set(found)


def test_a_module_that_is_not_python_is_named(folder: Path) -> None:
    (folder / "networks.py").write_text("def (:\n")
    with pytest.raises(SyntaxError) as raised:
        imports.reached(folder, "train.py")
    assert raised.value.filename == str(folder / "networks.py")


def test_a_copy_runs_where_the_package_is_not_installed_and_can_copy_itself(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """As in a container: only the archive is there, and training packs `code/` of what it finds in it."""
    target = tmp_path_factory.mktemp("container")
    (folder / "inference.py").write_text(
        "from pathlib import Path\n"
        "from job_toolkit import failure, imports\n"
        "print(Path(failure.__file__).parent)\n"
        "imports.copy(Path(__file__), Path(__file__).parent / 'model' / 'code')\n"
    )
    imports.copy(folder / "inference.py", target / "first")
    for place in (target / "first", target / "first" / "model" / "code"):
        command = [
            sys.executable,
            "-I",
            "-c",
            f"import sys; sys.path = [{str(place)!r}, *sys.path[:3]]; import inference",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == str(place / "job_toolkit")
    again = target / "first" / "model" / "code" / "model" / "code"
    expected = ["inference.py", "job_toolkit/__init__.py", "job_toolkit/failure.py", "job_toolkit/imports.py"]
    assert sorted(path.relative_to(again).as_posix() for path in again.rglob("*.py")) == expected
