"""The files that describe models: what a path or a glob matches below the project's folder."""

import glob
from pathlib import Path

from retraining.config.files.yaml_file import Document
from retraining.errors import Location, seen

# Where a project describes its pipeline, below its folder.
PIPELINE = Path("conf", "pipeline.yaml")
_CONTAINER: Location = ("conf", "models", "modelContainer")


def find(root: Path, pattern: str) -> tuple[list[Path], list[Path], str | None]:
    """Find the models' files.

    Returns:
        The files; what has the name of one but is none, such as a dangling link; and what is wrong with
        the pattern, None where it matches something.
    """
    if ".." in Path(pattern).parts:
        words = f"a path below the project's folder, without .., is expected, not {seen(pattern)}"
        return [], [], words
    try:
        paths = sorted(map(Path, glob.glob(str(root / pattern), recursive=True)))
        files = [path for path in paths if path.is_file()]
    except (ValueError, NotImplementedError, OSError, RecursionError):
        paths = files = []
    others = [path for path in paths if path.suffix in (".yaml", ".yml") and path not in files]
    if root / "conf" / "project.yaml" in files:
        words = f"{seen(pattern)} finds conf/project.yaml too: write one that finds the models' files only"
        return [], [], words
    return files, others, None if files or others else f"no file matches {seen(pattern)} below {root}"


def without_container(document: Document) -> Document:
    """Files of the framework's first version have their models one level deeper, below `modelContainer`."""
    conf = document.content.get("conf")
    models = conf.get("models") if isinstance(conf, dict) else None
    container = models.get("modelContainer") if isinstance(models, dict) and len(models) == 1 else None
    if not isinstance(container, dict) or not all(isinstance(model, dict) for model in container.values()):
        return document
    if "train" in container:
        return document  # a model of that name
    depth = len(_CONTAINER)
    marks = {
        (*_CONTAINER[:-1], *key[depth:]) if len(key) > depth and key[:depth] == _CONTAINER else key: mark
        for key, mark in document.marks.items()
    }
    return Document(document.content | {"conf": {**conf, "models": container}}, marks)
