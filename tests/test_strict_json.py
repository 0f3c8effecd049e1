"""No code of ours writes NaN or Infinity into JSON, which SageMaker and browsers cannot read."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = [*sorted(ROOT.glob("packages/*/src")), ROOT / "{{cookiecutter.project_slug}}", ROOT / "hooks"]
# What takes the place of programs that write them, TensorFlow Serving and the toolkit's default handlers; and
# what keeps ministack's state, which ministack alone reads.
OTHERS = ("serving/tensorflow/", "serving/toolkit/defaults.py", "daemon/service_state.py")


def lenient(text: str) -> Iterator[int]:
    """The lines in which `json` writes without `allow_nan=False`."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call) or ast.unparse(node.func) not in ("json.dump", "json.dumps"):
            continue
        if "allow_nan=False" not in map(ast.unparse, node.keywords):
            yield node.lineno


def test_a_call_that_would_write_nan_is_found() -> None:
    assert list(lenient("json.dumps(1)\njson.dumps(1, allow_nan=False)\njson.dump(1, file, indent=2)")) == [
        1,
        3,
    ]


@pytest.mark.parametrize("folder", SOURCES, ids=lambda path: path.parent.name)
def test_all_json_is_strict(folder: Path) -> None:
    files = [path for path in folder.rglob("*.py") if not {"tests", "vendor"} & set(path.parts)]
    assert files
    assert [
        f"{path.relative_to(ROOT)}:{line}"
        for path in files
        if not any(part in path.as_posix() for part in OTHERS)
        for line in lenient(path.read_text(encoding="utf-8"))
    ] == []
