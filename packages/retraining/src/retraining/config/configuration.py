"""The configuration: conf/project.yaml and the models' files, checked.

The models' format is that of AWS's dynamic SageMaker pipelines framework. No key is ignored: one that is
not described here is an error that names file, line and the nearest known key.
"""

import copy
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from retraining.config.checks import model as unit_checks
from retraining.config.checks import steps
from retraining.config.checks.project import (
    blame_the_environment,
    check,
    check_count,
    check_parameters,
    check_units,
)
from retraining.config.files.reader import Reader
from retraining.config.files.schema_errors import explain
from retraining.config.files.yaml_file import Document, Location, dotted
from retraining.config.flow import images, order, sections
from retraining.config.schema import aws_names
from retraining.config.schema.model import Unit
from retraining.config.schema.parameter import Parameter
from retraining.config.schema.pipeline import Pipeline
from retraining.config.schema.project import Project
from retraining.errors import UserError

_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True)
class Configuration:
    """Everything a pipeline is made of; `root` is the project's folder, `notes` are not errors.

    `models` are the models' files, as they were read, for the places of what is found wrong later.
    """

    root: Path
    project: Project
    units: dict[str, Unit]
    pipeline: Pipeline
    notes: tuple[str, ...] = ()
    models: Document = field(default=Document({}, {}), repr=False, compare=False)

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """The pipeline parameters that the steps read, by name and in the order of the files."""
        return sections.parameters(self.pipeline, self.units)

    @cached_property
    def dag(self) -> order.Dag:
        return order.of(self.pipeline, self.units)

    def package_group(self, model: str) -> str:
        """The model package group of a model; without one in its registry, named after project and model."""
        return aws_names.package_group(self.project, model, self.units[model])

    def image(self, image: str, version: str | None = None) -> str:
        """The URI of an image in the project's region.

        Raises:
            UserError: AWS publishes no such image there; the line names the file.
        """
        try:
            return images.uri(image, self.project.SMP_REGION, version)
        except images.NoRegistry as error:
            here = next(images.places(self.units, image), ())
            raise UserError(f"{self.models.where(here)}: {dotted(here)}: {error}") from None


def load(root: Path, environment: str | None = None) -> Configuration:
    """Read and check the whole configuration of the project in `root`.

    Args:
        root: the project's folder.
        environment: ``prod`` lays conf/prod.yaml over the other files.

    Raises:
        UserError: anything is wrong; one line per error, each with file and line.
    """
    reader = Reader(root, environment)
    errors = reader.errors
    project = _validate(Project, reader.project, (), errors) if reader.has_project else None
    reader.replace_variables()
    conf = reader.models.content["conf"]
    units = {}
    for name in conf["models"]:
        here: Location = ("conf", "models", name)
        wrong: set[Location] = set()
        unit = _validate(Unit, reader.models, here, errors, reader.refused, wrong)
        if unit is not None:
            units[name] = unit
            errors += unit_checks.check(root, reader.models, name, unit)
        elif rest := _rest(reader.models, here, wrong):
            found = unit_checks.check(root, reader.models, name, rest)
            errors += [line for line in found if not _may_follow(line, wrong)]
    pipeline = None
    if "sagemakerPipeline" in conf:
        pipeline = _validate(Pipeline, reader.models, ("conf", "sagemakerPipeline"), errors, reader.refused)
    models = list(conf["models"]) if reader.has_models else None
    if pipeline is not None:
        errors += steps.check(root, reader.models, pipeline, units, models)
    if project is not None:
        errors += check(reader.project, project, models)
    errors += check_units(reader.models, project, units)
    errors += check_parameters(reader.models, units, pipeline)
    if errors or project is None or pipeline is None:
        raise UserError("\n".join(dict.fromkeys(errors)))
    active = order.without_disabled(pipeline, units)
    if errors := check_count(sections.parameters(active, units)):
        raise UserError("\n".join(errors))
    notes = tuple(_notes(pipeline, active, units))
    return Configuration(root.absolute(), project, units, active, notes, reader.models)


def _notes(pipeline: Pipeline, active: Pipeline, units: dict[str, Unit]) -> Iterator[str]:
    for name, unit in units.items():
        if name not in pipeline.models:
            yield f"model {name!r} has no steps in conf.sagemakerPipeline.models: nothing of it runs"
        elif name in active.models:
            for section in sections.unused(unit, active.models[name].steps):
                yield f"model {name!r} has a section {section}, but no step runs it"
            if any(step.step_class == "CreateModel" for step in active.models[name].steps):
                yield from _serving_notes(name, unit)


def _serving_notes(name: str, unit: Unit) -> Iterator[str]:
    given = unit.transform.image_uri if unit.transform else None
    registered = unit.registry.InferenceSpecification.image_uri if unit.registry else None
    if given is not None and images.is_placeholder(given):
        words = f"transform.image_uri is no image ({given!r}): CreateModel steps serve with registry's"
        yield f"model {name!r}: {words}"
    elif None not in (given, registered) and given != registered:
        words = "transform.image_uri serves in CreateModel steps, and registry registers another image"
        yield f"model {name!r}: {words}"


def _validate(
    model: type[_Model],
    document: Document,
    location: Location,
    errors: list[str],
    refused: Collection[Location] = (),
    wrong: set[Location] | None = None,
) -> _Model | None:
    """The model, or None after a line for each error; `wrong` gets the places that these are about."""
    try:
        return model.model_validate(_value(document.content, location))
    except ValidationError as error:
        lines, places = explain(error, model, document, location, refused)
        errors += map(blame_the_environment, lines) if model is Project else lines
        if wrong is not None:
            wrong |= places
        return None
    except RecursionError:
        errors.append(f"{document.where(location)}: {dotted(location)}: this nests too deeply")
        return None


def _rest(document: Document, location: Location, wrong: set[Location]) -> Unit | None:
    """A unit without the keys that are wrong, where that is one: what else is wrong in it is told as well."""
    content = copy.deepcopy(_value(document.content, location))
    for place in wrong:
        *path, key = place[len(location) :] or ("",)
        try:
            del _value(content, tuple(path))[key]
        except (KeyError, IndexError, TypeError):
            continue  # a key that is missing, or inside one that is gone
    try:
        return Unit.model_validate(content)
    except (ValidationError, RecursionError):
        return None


def _may_follow(line: str, wrong: set[Location]) -> bool:
    """Whether an error may be due to one that is told already: it is at that key, at a section around it, or
    names it."""
    _, here, words = line.split(": ", 2)
    for place in wrong:
        at, key = dotted(place[:5]), str(place[:5][-1])
        around = [dotted(place[:end]) for end in range(3, len(place))]
        if here in (at, *around) or here.startswith((f"{at}.", f"{at}[")):
            return True
        if re.search(rf"\b{re.escape(key)}\b", words):
            return True
    return False


def _value(content: Any, location: Location) -> Any:
    for part in location:
        content = content[part]
    return content
