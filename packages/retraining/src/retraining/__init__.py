"""The retraining platform: configuration, pipeline definition, runs, experiments and the model registry.

A project's pipeline.py uses what this module exports; all else is free to move.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from retraining.compile.build import Build
    from retraining.compile.steps import STEP_CLASSES

__all__ = ["STEP_CLASSES", "Build"]

_MODULES = {"Build": "compile.build", "STEP_CLASSES": "compile.steps"}


def __getattr__(name: str) -> Any:
    # What a name needs is imported when the name is used: most commands do without.
    from importlib import import_module

    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
