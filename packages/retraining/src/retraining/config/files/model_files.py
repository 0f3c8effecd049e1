"""The files that describe models: what a path or a glob finds below the project's folder."""

import glob
from pathlib import Path

from retraining.config.files.yaml_file import Document, Location
from retraining.errors import seen

_CONTAINER: Location = ("conf", "models", "modelContainer")


def find(root: Path, pattern: str) -> tuple[list[Path], list[Path], str | None]:
    """The files; what stands in the place of one, such as a link that leads nowhere; what is wrong with
    the pattern, None where it found something."""
    if ".." in Path(pattern).parts:
        words = f"a path below the project's folder, without .., is expected, not {seen(pattern)}"
        return [], [], words
    try:
        found = sorted(map(Path, glob.glob(str(root / pattern), recursive=True)))
        files = [path for path in found if path.is_file()]
    except (ValueError, NotImplementedError, OSError, RecursionError):
        found = files = []
    others = [path for path in found if path.suffix in (".yaml", ".yml") and path not in files]
    if root / "conf" / "project.yaml" in files:
        words = f"{seen(pattern)} finds conf/project.yaml too: write one that finds the models' files only"
        return [], [], words
    return files, others, None if files or others else f"no file matches {seen(pattern)} below {root}"


def without_container(document: Document) -> Document:
    """Files of the framework's first version have their models one level deeper, below `modelContainer`."""
    conf = document.content.get("conf")
    models = conf.get("models") if isinstance(conf, dict) else None
    container = models.get("modelContainer") if isinstance(models, dict) and len(models) == 1 else None
    if not isinstance(container, dict) or not all(isinstance(unit, dict) for unit in container.values()):
        return document
    if "train" in container:
        return document  # a model of that name
    depth = len(_CONTAINER)
    marks = {
        (*_CONTAINER[:-1], *place[depth:])
        if len(place) > depth and place[:depth] == _CONTAINER
        else place: mark
        for place, mark in document.marks.items()
    }
    return Document(document.content | {"conf": {**conf, "models": container}}, marks)
