"""The order of the folders, what may import what, and how much one folder holds."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from configurations import make

import job_toolkit
import local_sagemaker
import retraining

ROOT = Path(retraining.__file__).parent
# Each group of folders may import those above it, and no other.
GROUPS = [
    ("errors", "console"),
    ("config",),
    ("compile", "drawing", "scaffold"),
    ("runs",),
    ("results", "planning"),
    ("cli",),
    ("__main__", "__init__", "testing"),
]
# Inside config likewise.
CONFIG = [("schema",), ("files",), ("flow",), ("checks",), ("configuration",)]
ENTRIES = 14
# The modules that use the local services, and the names of their package that each uses.
LOCAL = {"runs/targets.py": None, "planning/cache_prediction.py": {"duration"}}


def sources() -> list[Path]:
    return [path for path in sorted(ROOT.rglob("*.py")) if "examples" not in path.relative_to(ROOT).parts]


def module_of(path: Path) -> str:
    return ".".join(("retraining", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")


def imported(path: Path) -> Iterator[str]:
    """What a module's imports may mean, be they inside functions: modules, and modules or names in one."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


KNOWN = {module_of(path): path for path in sources()}
IMPORTS = {
    module: set(imported(path)) & KNOWN.keys() - {"retraining", module} for module, path in KNOWN.items()
}


def rank(name: str, groups: list[tuple[str, ...]]) -> int:
    ranks = [number for number, group in enumerate(groups) if name in group]
    assert ranks, f"{name} has no place in the order"
    return ranks[0]


def below_too_high(groups: list[tuple[str, ...]], depth: int, prefix: str) -> list[str]:
    """The imports that go against the order: from a lower group, or from another folder of the same one."""
    wrong = []
    for module, others in IMPORTS.items():
        for other in others:
            if not (module.startswith(prefix) and other.startswith(prefix)):
                continue
            one, two = ([*name.split("."), "__init__"][depth] for name in (module, other))
            same = one != two and rank(one, groups) == rank(two, groups)
            if rank(one, groups) < rank(two, groups) or same:
                wrong.append(f"{module} imports {other}")
    return wrong


def test_folders_import_those_before_them_only() -> None:
    assert below_too_high(GROUPS, 1, "retraining") == []


def test_so_do_the_folders_of_the_configuration() -> None:
    inner = "retraining.config."
    assert below_too_high(CONFIG, 2, inner) == []


def test_no_modules_import_each_other() -> None:
    order = list(TopologicalSorter(IMPORTS).static_order())
    assert order.index("retraining.errors") < order.index("retraining.cli.app")


def test_no_folder_is_crowded() -> None:
    for folder in {path.parent for path in sources()}:
        entries = [
            path.name for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()
        ]
        assert len(entries) <= ENTRIES, f"{folder}: {sorted(entries)}"


def test_the_local_services_are_used_in_two_modules_by_public_names() -> None:
    for path in sources():
        name = path.relative_to(ROOT).as_posix()
        used = {item for item in imported(path) if item.partition(".")[0] == "local_sagemaker"}
        assert name in LOCAL or not used, f"{name} imports {used}"
        members = {
            node.attr
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Attribute)
            if isinstance(node.value, ast.Name) and node.value.id == "local_sagemaker"
        }
        names = members | {item.partition(".")[2] for item in used} - {""}
        allowed = LOCAL.get(name) or set(local_sagemaker.__all__)
        assert names <= allowed, f"{name} uses {names - allowed} of local_sagemaker"


def test_what_jobs_share_is_used_by_its_public_modules() -> None:
    public = set(getattr(job_toolkit, "__all__", ()))
    for path in sources():
        used = {item.split(".")[1] for item in imported(path) if item.startswith("job_toolkit.")}
        assert used <= public, f"{path.relative_to(ROOT)} uses {used - public} of job_toolkit"


def test_private_parts_of_other_packages_are_used_in_one_module() -> None:
    for path in sources():
        name = path.relative_to(ROOT).as_posix()
        private = [
            item
            for item in imported(path)
            if item.partition(".")[0] not in ("retraining", "__future__")
            and any(part.startswith("_") and not part.startswith("__") for part in item.split("."))
        ]
        text = path.read_text(encoding="utf-8")
        if name != "compile/sdk_internals.py":
            assert not private, f"{name} imports {private}"
            assert "unittest" not in text, f"{name} patches something"


def test_private_attributes_are_those_of_the_module_itself() -> None:
    for path in sources():
        if path.relative_to(ROOT).as_posix() == "compile/sdk_internals.py":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        own = {
            name
            for node in ast.walk(tree)
            for name in (getattr(node, "name", None), getattr(node, "attr", None), getattr(node, "id", None))
            if name
            and (isinstance(node, ast.FunctionDef) or isinstance(getattr(node, "ctx", None), ast.Store))
        }
        used = {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
            and node.attr.startswith("_")
            and not node.attr.startswith("__")
        }
        used.discard("_exit")  # os documents it
        assert used <= own, f"{path.name} uses {used - own} of another module"


@pytest.mark.parametrize("name", retraining.__all__)
def test_the_public_interface_is_there(name: str) -> None:
    assert getattr(retraining, name) is not None


def test_the_pipeline_of_a_project_uses_the_public_interface_only() -> None:
    path = ROOT.parents[3] / "{{cookiecutter.project_slug}}" / "pipeline.py"
    used = {item for item in imported(path) if item.partition(".")[0] == "retraining"} - {"retraining"}
    assert used == {f"retraining.{name}" for name in retraining.__all__}


def test_a_check_loads_neither_aws_nor_rich(tmp_path: Path) -> None:
    """They take longer to load than `retrain check` takes."""
    heavy = ("boto3", "botocore", "sagemaker", "mlflow", "rich", "local_sagemaker.daemon", "ministack")
    code = (
        "import sys; sys.argv[1:] = ['check']; from retraining.__main__ import main\n"
        f"try: main()\nfinally: print(*sorted({set(heavy)!r} & sys.modules.keys()), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=make(tmp_path), capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("demo-pipeline: ok (")
    assert done.stderr.split() == []


def test_every_folder_has_its_place_in_the_order() -> None:
    present = {path.stem for path in ROOT.iterdir() if path.is_dir() or path.suffix == ".py"}
    named = {name for group in GROUPS for name in group}
    assert present - {"examples", "__pycache__"} == named
