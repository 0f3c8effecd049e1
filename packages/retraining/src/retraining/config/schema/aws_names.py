"""Names in AWS that are made of the project's, the models' and the files' names."""

from pathlib import PurePosixPath

from retraining.config.schema.model import Model
from retraining.config.schema.project import Project

# The functions that steps call without naming them: for the champion of a gate, and to register models.
CHAMPION = "champion.py"
REGISTERING = "register_models.py"


def package_group(project: Project, name: str, model: Model) -> str:
    """The model package group of the model `name`; one that names none is called after project and model."""
    given = model.registry.model_package_group if model.registry else None
    made = f"{project.project}-{name}".replace("_", "-").replace(".", "-")[:63].rstrip("-")
    return given or made


def function_name(project: Project, entry_point: str) -> str:
    """``register_models.py`` of the project demo is the function ``demo-register-models``."""
    stem = PurePosixPath(entry_point).with_suffix("").as_posix()
    return f"{project.project}-{stem}".replace("_", "-").replace("/", "-")
