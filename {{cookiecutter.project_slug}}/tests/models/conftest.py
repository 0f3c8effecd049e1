"""Several models have modules of the same names (train, preprocess, ...): a test sees those of its own model.

The modules of models/<model>/ and of tests/models/<model>/ are imported by plain name, as in the model's
containers. They are importable, and in sys.modules, only while tests of that model are collected or run.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent
MODELS = HERE.parents[1] / "models"
_imported: dict[str, dict[str, ModuleType]] = {}


@contextmanager
def modules_of(model: str) -> Iterator[None]:
    """Within it, the model's modules are the ones that were imported before for the same model."""
    folders = [MODELS / model, HERE / model]
    roots = {path.stem for folder in folders for path in folder.iterdir()}  # modules and packages
    hidden = _taken_out(roots)
    search = [str(folder) for folder in folders]
    sys.path[:0] = search
    sys.modules.update(_imported.get(model, {}))
    try:
        yield
    finally:
        _imported[model] = _taken_out(roots)
        sys.modules.update(hidden)
        for folder in search:
            sys.path.remove(folder)


def _taken_out(roots: set[str]) -> dict[str, ModuleType]:
    """The imported modules of these names, and those inside them: no longer in sys.modules."""
    inside = [name for name in sys.modules if name.partition(".")[0] in roots]
    return {name: sys.modules.pop(name) for name in inside}


def _model_of(path: Path) -> str | None:
    parts = path.relative_to(HERE).parts if path.is_relative_to(HERE) else ()
    return parts[0] if len(parts) > 1 else None


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    model = _model_of(collector.path)
    if model is None:
        return (yield)
    with modules_of(model):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    model = _model_of(item.path)
    if model is None:
        return (yield)
    with modules_of(model):
        return (yield)
