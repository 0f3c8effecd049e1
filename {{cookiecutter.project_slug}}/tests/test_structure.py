"""Each folder runs in one place: models in SageMaker's containers, lambdas in AWS Lambda."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# None of these is installed in a container or a function; what scripts share is packed with them.
ELSEWHERE = {"pipeline", "retraining", "local_sagemaker", "lambdas", "models"}
# AWS Lambda's Python has these and the standard library.
LAMBDA_PACKAGES = {"boto3", "botocore"}


def modules(folder: str) -> list[str]:
    paths = (path.relative_to(ROOT) for path in (ROOT / folder).rglob("*.py"))
    return sorted(path.as_posix() for path in paths)


def imported(path: str) -> set[str]:
    """Top-level packages that a module imports, also inside its functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"), path)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(str(node.module).split(".")[0])
    return names


def test_there_are_models_and_functions() -> None:
    assert modules("models")
    assert modules("lambdas")


@pytest.mark.parametrize("path", modules("models"))
def test_a_model_imports_no_platform(path: str) -> None:
    # A model's own modules are imported by plain name, and may be called as one of the packages is.
    model = ROOT / "models" / path.split("/")[1]
    own = {entry.stem for entry in model.iterdir()}
    assert imported(path) & ELSEWHERE <= own


@pytest.mark.parametrize("path", modules("lambdas"))
def test_a_lambda_function_is_one_self_contained_file(path: str) -> None:
    assert imported(path) - sys.stdlib_module_names <= LAMBDA_PACKAGES
