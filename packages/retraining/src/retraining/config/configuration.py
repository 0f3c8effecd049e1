"""The configuration: conf/project.yaml and the models' files, checked.

The models' format is that of AWS's dynamic SageMaker pipelines framework. No key is ignored: an unknown
one is a problem that names file, line and the nearest known key.
"""

import copy
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from retraining.config.checks import project as project_checks
from retraining.config.checks.model import check_model
from retraining.config.checks.platform import check_platform
from retraining.config.checks.programs import check_pipeline_file, check_scripts
from retraining.config.checks.steps import check_steps
from retraining.config.files.problems import Problems
from retraining.config.files.reader import Reader
from retraining.config.files.schema_errors import explain
from retraining.config.files.yaml_file import EMPTY, Document
from retraining.config.flow import images, order, sections
from retraining.config.flow.sections import ResolvedStep
from retraining.config.schema import aws_names
from retraining.config.schema.model import Model
from retraining.config.schema.parameter import Parameter
from retraining.config.schema.pipeline import Pipeline, Step
from retraining.config.schema.project import Project
from retraining.errors import Location, Problem, UserError

_Section = TypeVar("_Section", bound=BaseModel)


@dataclass(frozen=True)
class Configuration:
    """Everything that a pipeline is made of.

    Attributes:
        root: the project's folder.
        models: by name, disabled ones included.
        pipeline: the steps that are not disabled.
        notes: what looks unintended and is no mistake.
        document: the models' files as they were read, to say where a later mistake is.
    """

    root: Path
    project: Project
    models: dict[str, Model]
    pipeline: Pipeline
    notes: tuple[str, ...] = ()
    document: Document = field(default=EMPTY, repr=False, compare=False)

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """The pipeline parameters that the steps read, by name and in the order of the files."""
        return sections.parameters(self.pipeline, self.models)

    @cached_property
    def dag(self) -> order.Dag:
        """The order of the steps."""
        return order.dag_of(self.pipeline, self.models)

    @cached_property
    def steps(self) -> dict[str, ResolvedStep[Any]]:
        """The steps by name, in an order in which they can be built."""
        return sections.resolve(self.pipeline, self.models, self.dag)

    @property
    def pipeline_name(self) -> str:
        return self.pipeline.pipelineName

    @property
    def package_groups(self) -> dict[str, str]:
        """The model package group of each model that is registered."""
        return {name: self.package_group(name) for name, model in self.models.items() if model.registry}

    def package_group(self, model_name: str) -> str:
        """The model package group of a model; one that names none is called after project and model."""
        return aws_names.package_group(self.project, model_name, self.models[model_name])

    def image(self, image: str, version: str | None = None) -> str:
        """The URI of an image in the project's region.

        Raises:
            UserError: AWS publishes no such image there.
        """
        try:
            return images.uri(image, self.project.SMP_REGION, version)
        except images.NoRegistry as error:
            key = next(images.keys_of(self.models, image), ())
            raise UserError(Problem(self.document.where(key), key, str(error))) from None


@dataclass(frozen=True)
class Outline:
    """What a command needs that looks at what a project made, or stops it.

    Attributes:
        whole: the configuration; None where it has mistakes, and the rest is what is sound of it.
    """

    root: Path
    project: Project
    pipeline_name: str
    package_groups: dict[str, str]
    whole: Configuration | None


AnyConfiguration = Configuration | Outline


def load_outline(root: Path, environment: str | None = None) -> Outline:
    """Read what is sound of the configuration.

    Raises:
        UserError: conf/project.yaml is wrong, or no pipeline has a name; a problem for each mistake.
    """
    try:
        whole = load(root, environment)
        return Outline(whole.root, whole.project, whole.pipeline_name, whole.package_groups, whole)
    except UserError:
        reader = Reader(root, environment)
        project, _ = _validated(Project, reader.problems.at(document=reader.project))
        reader.replace_variables()
        conf = reader.models.content["conf"]
        name = _pipeline_name(conf)
        if project is None or name is None:
            raise
        groups = {
            model_name: aws_names.package_group(project, model_name, model)
            for model_name, model in _sound_models(reader)
            if model.registry
        }
        return Outline(root.absolute(), project, name, groups, None)


def load_project(root: Path, environment: str | None = None) -> Outline:
    """Read conf/project.yaml alone; the names are empty.

    Raises:
        UserError: it is wrong; a problem for each mistake.
    """
    reader = Reader(root, environment)
    own = Problems(reader.project)
    project = None
    if reader.has_project:
        project, _ = _validated(Project, own)
    if project is None:
        raise UserError(*(own.collected or reader.problems.collected))
    return Outline(root.absolute(), project, "", {}, None)


def _pipeline_name(conf: dict[str, Any]) -> str | None:
    pipeline = conf.get("sagemakerPipeline")
    name = pipeline.get("pipelineName") if isinstance(pipeline, dict) else None
    return name if isinstance(name, str) and name else None


def _sound_models(reader: Reader) -> Iterator[tuple[str, Model]]:
    for name in reader.models.content["conf"]["models"]:
        below = Problems(reader.models, ("conf", "models", name))
        model, _ = _validated(Model, below, reader.refused)
        if model is not None:
            yield name, model


def load(root: Path, environment: str | None = None) -> Configuration:
    """Read and check the whole configuration of the project in `root`.

    Args:
        root: the project's folder.
        environment: ``prod`` lays conf/prod.yaml over the other files.

    Raises:
        UserError: anything is wrong; a problem for each mistake.
    """
    reader = Reader(root, environment)
    problems = reader.problems
    _require_platform(reader)
    project = None
    if reader.has_project:
        project, _ = _validated(Project, problems.at(document=reader.project))
    reader.replace_variables()
    conf = reader.models.content["conf"]
    in_models = problems.at(document=reader.models)
    models = dict(_models(root, in_models, list(conf["models"]), reader.refused))
    pipeline = None
    if "sagemakerPipeline" in conf:
        pipeline, _ = _validated(Pipeline, in_models.at("conf", "sagemakerPipeline"), reader.refused)
    names = list(conf["models"]) if reader.has_models else None
    if pipeline is not None:
        check_steps(in_models, root, pipeline, models, names)
    if project is not None:
        project_checks.check_project(problems.at(document=reader.project), project, names)
    project_checks.check_models(in_models, project, models)
    check_pipeline_file(problems, root)
    project_checks.check_parameters(in_models, root, models, pipeline)
    if problems.collected or project is None or pipeline is None:
        raise UserError(*dict.fromkeys(problems.collected))
    active = order.without_disabled(pipeline, models)
    if too_many := project_checks.check_count(sections.parameters(active, models)):
        raise UserError(too_many)
    notes = tuple(_notes(pipeline, active, models))
    return Configuration(root.absolute(), project, models, active, notes, reader.models)


def _require_platform(reader: Reader) -> None:
    """Another version of the platform may know other keys, so nothing else is reported then."""
    problems = Problems(reader.project)
    check_platform(problems)
    if problems.collected:
        raise UserError(*problems.collected)


def _models(
    root: Path, problems: Problems, names: list[str], refused: Collection[Location]
) -> Iterator[tuple[str, Model]]:
    """The models whose form is right; of the others, what is right of them is checked."""
    for name in names:
        own = problems.at("conf", "models", name)
        model, wrong = _validated(Model, own, refused)
        if model is not None:
            check_model(own, root, model)
            check_scripts(own, root, model)
            yield name, model
        elif rest := _rest(own, wrong):
            further = Problems(problems.document, own.below)
            check_model(further, root, rest)
            problems.collected += [item for item in further.collected if not _may_follow(item, wrong)]


def _validated(
    section: type[_Section], problems: Problems, refused: Collection[Location] = ()
) -> tuple[_Section | None, set[Location]]:
    """What `problems` collects below, as an object of `section`, or None; and the keys that are wrong."""
    try:
        return section.model_validate(_value(problems.document.content, problems.below)), set()
    except ValidationError as error:
        return None, explain(error, section, problems, refused)
    except RecursionError:
        problems.add((), "this nests too deeply")
        return None, set()


def _rest(problems: Problems, wrong: set[Location]) -> Model | None:
    """A model without the keys that are wrong, where that is one: all mistakes are reported at once."""
    content = copy.deepcopy(_value(problems.document.content, problems.below))
    for key in wrong:
        *path, last = key[len(problems.below) :] or ("",)
        try:
            del _value(content, tuple(path))[last]
        except (KeyError, IndexError, TypeError):
            continue  # a key that is missing, or below one that is removed
    try:
        return Model.model_validate(content)
    except (ValidationError, RecursionError):
        return None


def _may_follow(problem: Problem, wrong: set[Location]) -> bool:
    """Whether a problem may be due to a wrong key, which its own key or one that it depends on overlaps."""
    return any(_overlap(key, other) for key in (problem.key, *problem.related) for other in wrong)


def _overlap(key: Location, wrong: Location) -> bool:
    """Whether one key contains the other; a key of a section (``conf.models.m.train.env``) counts whole."""
    length = min(len(key), len(wrong), 5)
    return key[:length] == wrong[:length]


def _value(content: Any, key: Location) -> Any:
    for part in key:
        content = content[part]
    return content


def _notes(pipeline: Pipeline, active: Pipeline, models: dict[str, Model]) -> Iterator[str]:
    for name, model in models.items():
        if name not in pipeline.models:
            yield f"model {name!r} has no steps in conf.sagemakerPipeline.models: nothing of it runs"
        elif name in active.models:
            for section in sections.unused(model, active.models[name].steps):
                yield f"model {name!r} has a section {section}, but no step runs it"
            yield from _registration_notes(active.models[name].steps)
            if any(step.step_class == "CreateModel" for step in active.models[name].steps):
                yield from _serving_notes(name, model)


def _registration_notes(steps: list[Step]) -> Iterator[str]:
    for step in steps:
        if step.step_class == "RegisterModel":
            words = "SageMaker's RegisterModel adds a version in each run, also where nothing was trained"
            advice = "for each model once, write step_class: Lambda, step_type: registry"
            yield f"step {step.step_name!r}: {words}: {advice}"


def _serving_notes(name: str, model: Model) -> Iterator[str]:
    given = model.transform.image_uri if model.transform else None
    registered = model.registry.InferenceSpecification.image_uri if model.registry else None
    if given is not None and images.is_placeholder(given):
        words = f"transform.image_uri is not an image ({given!r}): CreateModel steps serve with registry's"
        yield f"model {name!r}: {words}"
    elif None not in (given, registered) and given != registered:
        words = "transform.image_uri serves in CreateModel steps, and registry registers another image"
        yield f"model {name!r}: {words}"
