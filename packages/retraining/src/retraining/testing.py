"""A pytest plugin for the tests of models, which is active wherever this package is installed.

Several models have modules of the same names (train, preprocess, ...), imported by plain name as in the
model's containers. A model's modules, and those of its tests, are importable and in sys.modules only while
tests of that model are collected or run.
"""

import fcntl
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).with_name("examples")
_imported: dict[Path, dict[str, ModuleType]] = {}


def model_folder(path: str | Path) -> Path:
    """The folder of the model whose tests `path` is in.

    A project has models/<model>/ and tests/models/<model>/, an example has its tests in its own folder.

    Raises:
        ValueError: `path` is in no such folder.
    """
    folders = _folders(Path(path))
    if folders is None:
        raise ValueError(f"{path} is in no folder of a model's tests")
    return folders[0]


def shared_folder(
    tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]
) -> Path:
    """A folder that `make` fills once in a run of pytest, whichever of pytest-xdist's workers asks first.

    The others wait, and get the same folder: copy what a test changes. A `make` that raises leaves nothing.
    """
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # each worker has a folder of its own in it
    folder, is_made = root / name, root / f"{name}.made"
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_made.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            is_made.touch()
    return folder


def _folders(path: Path) -> tuple[Path, ...] | None:
    """The folder of a model and those of its tests, of which an example has two in its own repository."""
    for tests in (path, *path.parents):
        if tests.name == "tests" and (tests.parent / "conf.yaml").is_file():
            return tests.parent, tests
        if tests.parent.name == "models" and tests.parent.parent.name == "tests":
            model = tests.parents[2] / "models" / tests.name
            if model.is_dir():
                return model, tests
            example = EXAMPLES / tests.name
            return (example, example / "tests", tests) if example.is_dir() else None
    return None


@contextmanager
def _modules(folders: tuple[Path, ...]) -> Iterator[None]:
    """Within it, the model's modules are the ones that were imported before for the same model."""
    roots = {path.stem for folder in folders for path in folder.iterdir()}  # modules and packages
    hidden = _taken_out(roots)
    search = [str(folder) for folder in folders]
    sys.path[:0] = search
    sys.modules.update(_imported.get(folders[0], {}))
    try:
        yield
    finally:
        _imported[folders[0]] = _taken_out(roots)
        sys.modules.update(hidden)
        for folder in search:
            sys.path.remove(folder)


def _taken_out(roots: set[str]) -> dict[str, ModuleType]:
    """The imported modules of these names, and those inside them: no longer in sys.modules."""
    inside = [name for name in sys.modules if name.partition(".")[0] in roots]
    return {name: sys.modules.pop(name) for name in inside}


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    folders = _folders(collector.path)
    if folders is None:
        return (yield)
    with _modules(folders):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    folders = _folders(item.path)
    if folders is None:
        return (yield)
    with _modules(folders):
        return (yield)
