"""One folder, one place of execution: imports run one way."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OWN = {"pipeline", "retraining", "serving", "local_sagemaker", "lambdas", "models", "examples"}
# What each part may import of the project's own; a file's rule goes before its folder's.
ALLOWED: dict[str, set[str]] = {
    "pipeline.py": {"retraining"},
    "retraining/places.py": {"retraining", "local_sagemaker"},
    "retraining": {"retraining"},
    "serving": {"serving", "retraining"},
    "local_sagemaker": {"local_sagemaker"},
    "lambdas": set(),
    "models": set(),
    "examples": set(),
}
# Folders with one folder for each model; a team may have no examples.
MODELS = ("models", "examples")
# AWS Lambda's Python has these and the standard library.
LAMBDA_PACKAGES = {"boto3", "botocore"}


def modules(folder: str) -> list[str]:
    """Paths of a folder's modules; the tests that an example keeps in its own folder are none of them."""
    found = (path.relative_to(ROOT) for path in (ROOT / folder).rglob("*.py"))
    return sorted(path.as_posix() for path in found if path.parts[2:3] != ("tests",))


def imported(path: str) -> set[str]:
    """Names of the top-level packages that a module imports, also inside its functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"), path)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(path.split("/")[0] if node.level else str(node.module).split(".")[0])
    return names


PARTS = [part for part in ALLOWED if part.endswith(".py") or (ROOT / part).is_dir()]
CODE = [path for part in PARTS for path in ([part] if part.endswith(".py") else modules(part))]


@pytest.mark.parametrize("part", ["pipeline.py", "retraining/cli.py", "local_sagemaker/__init__.py"])
def test_the_parts_are_where_the_rules_look_for_them(part: str) -> None:
    assert part in CODE
    assert modules("lambdas")
    assert modules("models")


@pytest.mark.parametrize("path", sorted(set(CODE)))
def test_imports_run_one_way(path: str) -> None:
    allowed = ALLOWED[path] if path in ALLOWED else ALLOWED[path.split("/")[0]]
    # A model's own modules are imported by plain name, and may be called as one of the parts is.
    part, *below = path.split("/")
    siblings = {Path(name).stem for name in modules(f"{part}/{below[0]}")} if part in MODELS else set()
    assert (imported(path) & OWN) - siblings <= allowed


@pytest.mark.parametrize("path", modules("lambdas"))
def test_a_lambda_function_is_one_self_contained_file(path: str) -> None:
    assert imported(path) - sys.stdlib_module_names <= LAMBDA_PACKAGES


@pytest.mark.parametrize("path", sorted(set(CODE)))
def test_modules_are_split_by_noun(path: str) -> None:
    assert Path(path).stem not in {"utils", "common", "helpers", "manager", "service"}
