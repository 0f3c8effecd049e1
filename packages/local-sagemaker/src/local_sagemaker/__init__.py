"""The SageMaker API on this machine: pipelines, jobs and a model registry, done as local processes.

The public interface is what this module exports; all else is free to move.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from local_sagemaker.core.errors import LocalError, PortsInUse
    from local_sagemaker.core.settings import Settings
    from local_sagemaker.daemon import programs, shell, stack
    from local_sagemaker.definition.durations import duration
    from local_sagemaker.serving.browsers import OwnPages

__all__ = ["LocalError", "OwnPages", "PortsInUse", "Settings", "duration", "programs", "shell", "stack"]

_MODULES = {
    "LocalError": "core.errors",
    "OwnPages": "serving.browsers",
    "PortsInUse": "core.errors",
    "Settings": "core.settings",
    "duration": "definition.durations",
    "programs": "daemon.programs",
    "shell": "daemon.shell",
    "stack": "daemon.stack",
}


def __getattr__(name: str) -> Any:
    # Imported when it is used: what some names need takes long to load.
    from importlib import import_module

    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{_MODULES[name]}")
    return getattr(module, name, module)
