"""The rooms of the package: what each may import, and that each stays small."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import local_sagemaker

ROOT = Path(local_sagemaker.__file__).parent
# Each folder imports from folders of earlier groups only; modules at the top may import everything.
ORDER = (
    {"core"},
    {"definition", "registry", "container", "serving"},
    {"jobs"},
    {"engine"},
    {"api"},
    {"daemon"},
)
MOST_ENTRIES = 14
MODULES = {
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in ROOT.rglob("*.py")
}
OTHERS = ("retrain", "conf/project.yaml", "make install", "job_toolkit", "job-toolkit", "mlflow_tracking")


def imports(path: Path) -> Iterator[str]:
    """The modules and packages of this package that a module imports, also inside functions."""
    for name in imported_names(path):
        while name and name not in MODULES:
            name = name.rpartition(".")[0]
        if name:
            yield name


def imported_names(path: Path) -> Iterator[str]:
    """The modules that a module imports, and what may be one or a name in one."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports name the whole path"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(module: str) -> str:
    """The folder of a module; "" for one at the top."""
    path = MODULES[module].relative_to(ROOT)
    return path.parts[0] if len(path.parts) > 1 else ""


def rank(folder: str) -> int:
    return next(number for number, group in enumerate(ORDER) if folder in group)


@pytest.mark.parametrize("module", sorted(name for name in MODULES if room(name)))
def test_a_folder_imports_earlier_folders_only(module: str) -> None:
    own = room(module)
    for name in imports(MODULES[module]):
        other = room(name)
        assert other == own or (other and rank(other) < rank(own)), f"{module} imports {name}"


def test_no_module_imports_itself_through_others() -> None:
    graph = {name: set(imports(path)) - {name, "local_sagemaker"} for name, path in MODULES.items()}
    order = list(TopologicalSorter(graph).static_order())
    assert order.index("local_sagemaker.core.errors") < order.index("local_sagemaker.daemon.server")


def test_every_folder_has_its_place_in_the_order() -> None:
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert folders == set().union(*ORDER)


@pytest.mark.parametrize("folder", [ROOT, *(path.parent for path in ROOT.rglob("*/__init__.py"))], ids=str)
def test_a_folder_has_few_entries(folder: Path) -> None:
    entries = [path for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()]
    assert len(entries) <= MOST_ENTRIES


def test_what_runs_inside_jobs_imports_nothing_of_the_rest() -> None:
    """A transform job has a copy of the folder `serving` alone, and the pip of jobs of two modules."""
    for name, path in MODULES.items():
        if room(name) == "serving":
            assert {room(other) for other in imports(path)} <= {"serving"}, name
    for name in ("pip_shim", "requirements"):
        assert not list(imports(MODULES[f"local_sagemaker.container.{name}"]))


@pytest.mark.parametrize("word", OTHERS)
def test_the_emulator_does_not_know_who_uses_it(word: str) -> None:
    knowing = [str(path) for path in MODULES.values() if word in path.read_text().lower()]
    assert knowing == []


def test_importing_the_package_is_cheap() -> None:
    code = (
        "import sys, local_sagemaker; local_sagemaker.Settings, local_sagemaker.duration\n"
        "print(sorted({'boto3', 'botocore', 'sqlite3', 'starlette', 'ministack', 'local_sagemaker.daemon'}"
        " & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_public_names_are_there() -> None:
    for name in local_sagemaker.__all__:
        assert getattr(local_sagemaker, name)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        local_sagemaker.nothing  # noqa: B018
