"""Which keys the schema has, and where a path of a file leads in it."""

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from retraining.config.schema.fields import SPELLINGS
from retraining.config.schema.model import Model
from retraining.config.schema.parameter import Parameter
from retraining.config.schema.pipeline import Pipeline
from retraining.config.schema.project import Project

# The roots of the schema by where they stand; `*` is any name, or any place in a list.
ROOTS: dict[str, type[BaseModel]] = {
    "project": Project,
    "conf/models/*": Model,
    "conf/sagemakerPipeline": Pipeline,
}
_MEANT = {other: name for name, other in SPELLINGS.items()}


def alternatives(annotation: Any) -> Iterator[Any]:
    """What an annotation allows, without the wrapping of Annotated and unions."""
    if get_origin(annotation) is Annotated:
        yield from alternatives(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, UnionType):
        for argument in get_args(annotation):
            yield from alternatives(argument)
    else:
        yield annotation


def _children(annotation: Any) -> Iterator[tuple[str, Any]]:
    for kind in alternatives(annotation):
        if get_origin(kind) in (dict, list):
            yield "*", get_args(kind)[-1]
        elif isinstance(kind, type) and issubclass(kind, BaseModel) and kind is not Parameter:
            yield from (
                (str(field.alias or name), field.annotation) for name, field in kind.model_fields.items()
            )


def all_keys() -> dict[str, Any]:
    """Every key with the annotation of its value."""
    keys: dict[str, Any] = {}
    waiting: list[tuple[str, Any]] = list(ROOTS.items())
    while waiting:
        place, annotation = waiting.pop()
        for name, inner in _children(annotation):
            keys[f"{place}/{name}"] = inner
            waiting.append((f"{place}/{name}", inner))
    return keys


def key_of(path: str) -> str:
    """A path of a file as a key of the schema: names and numbers that are no keys become ``*``."""
    known = all_keys()
    *_, last = (root for root in ROOTS if _fits(root, path))
    place, parts = last, path.split("/")[last.count("/") + 1 :]
    for part in parts:
        names = [f"{place}/{part}", f"{place}/{_MEANT.get(part, part)}", f"{place}/*"]
        place = next(name for name in names if name in known)
    return place


def _fits(root: str, path: str) -> bool:
    pairs = zip(root.split("/"), path.split("/"), strict=False)
    return all(part in ("*", other) for part, other in pairs)


def may_be_parameter(key: str) -> bool:
    """Whether a pipeline parameter may stand there."""
    return Parameter in alternatives(all_keys()[key])
