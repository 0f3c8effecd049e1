"""Names in AWS that are made of the project's, the models' and the files' names."""

from pathlib import PurePosixPath

from retraining.config.schema.model import Unit
from retraining.config.schema.project import Project

# The function that finds the champion of a gate.
CHAMPION = "champion.py"


def package_group(project: Project, model: str, unit: Unit) -> str:
    """The model package group of a model; without one in its registry, named after project and model."""
    given = unit.registry.model_package_group if unit.registry else None
    made = f"{project.project}-{model}".replace("_", "-").replace(".", "-")[:63].rstrip("-")
    return given or made


def function_name(project: Project, entry_point: str) -> str:
    """``register_models.py`` of the project demo is the function ``demo-register-models``."""
    stem = PurePosixPath(entry_point).with_suffix("").as_posix()
    return f"{project.project}-{stem}".replace("_", "-").replace("/", "-")
