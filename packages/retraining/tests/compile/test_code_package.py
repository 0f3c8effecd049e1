"""A job's code package: its entry point and what it imports."""

from pathlib import Path

import pytest

from retraining.compile import code_package
from retraining.errors import UserError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {
        "train.py": "import json\nimport networks\nfrom deep.inner import thing\n",
        "networks.py": "import losses as l\nfrom job_toolkit import training\n",
        "losses.py": "def f():\n    import late\n",
        "late.py": "",
        "evaluate.py": "import inference",
        "inference.py": "import networks",
        "deep/__init__.py": "",
        "deep/inner.py": "from . import sibling\nfrom .other import x\n",
        "deep/sibling.py": "",
        "deep/other.py": "",
        "deep/unused.py": "",
        "schema.json": "{}",
        "conf.yaml": "# the model\nconf: {}\n",
        "prod.yaml": "conf:\n  models: {}\n",
        "labels.yaml": "conf_matrix: [a, b]\n",
        ".hidden/file.txt": "",
        "__pycache__/train.pyc": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_what_the_entry_point_reaches(folder: Path) -> None:
    found = code_package.files(folder, "train.py")
    assert [str(path) for path in found] == [
        "deep/__init__.py",
        "deep/inner.py",
        "deep/other.py",
        "deep/sibling.py",
        "job_toolkit/__init__.py",
        "job_toolkit/failure.py",
        "job_toolkit/training.py",
        "labels.yaml",
        "late.py",
        "losses.py",
        "networks.py",
        "schema.json",
        "train.py",
    ]
    assert found[Path("train.py")] == folder / "train.py"
    assert Path("inference.py") in code_package.files(folder, "evaluate.py")


def test_an_entry_point_below_the_folder(folder: Path) -> None:
    (folder / "deep" / "job.py").write_text("import unused\nimport losses\n")
    names = {str(path) for path in code_package.files(folder, "deep/job.py")}
    assert {"deep/job.py", "deep/unused.py", "losses.py"} <= names


@pytest.mark.parametrize("entry_point", ["train.py", "evaluate.py"])
def test_staging_copies_just_that(entry_point: str, folder: Path, tmp_path: Path) -> None:
    target = tmp_path.parent / f"{tmp_path.name}-staged"
    code_package.stage(folder, target, entry_point)
    found = code_package.files(folder, entry_point)
    staged = {path.relative_to(target) for path in target.rglob("*") if path.is_file()}
    assert staged == set(found)
    assert all((target / path).read_bytes() == file.read_bytes() for path, file in found.items())


def test_a_models_own_folder_goes_before_the_installed_package(folder: Path) -> None:
    (folder / "job_toolkit").mkdir()
    (folder / "job_toolkit" / "training.py").write_text("")
    found = code_package.files(folder, "train.py")
    assert found[Path("job_toolkit/training.py")] == folder / "job_toolkit" / "training.py"


def test_a_module_that_is_not_python(folder: Path) -> None:
    (folder / "networks.py").write_text("def (:\n")
    with pytest.raises(UserError, match=r"networks.py:1: not valid Python"):
        code_package.files(folder, "train.py")
