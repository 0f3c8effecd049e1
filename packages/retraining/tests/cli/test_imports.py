"""No modules of `retraining` import each other, be it inside functions."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import retraining

ROOT = Path(retraining.__file__).parents[1]


def modules() -> dict[str, Path]:
    found = (path.relative_to(ROOT) for path in (ROOT / "retraining").rglob("*.py"))
    return {".".join(path.with_suffix("").parts).removesuffix(".__init__"): path for path in found}


def imported(path: Path) -> set[str]:
    """What a module's imports may mean: modules, and what may be one or a name in one."""
    names: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def test_no_circle() -> None:
    known = modules()
    graph = {name: imported(path) & known.keys() - {"retraining"} for name, path in known.items()}
    order = list(TopologicalSorter(graph).static_order())
    assert order.index("retraining.errors") < order.index("retraining.cli.app")
