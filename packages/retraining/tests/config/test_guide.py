"""The guide's page on the configuration: every key is in its tables, and its blocks are right."""

import json
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import guide
import pytest
from pydantic import BaseModel

from retraining.compile.definition import compile_pipeline
from retraining.config import configuration, schema
from retraining.config.schema.fields import SPELLINGS
from retraining.config.schema.parameter import Parameter

# Which heading of the reference has the keys of a section of the schema.
HEADINGS = {
    "Project": "conf/project.yaml",
    "FrameworkConfiguration": "conf of conf/project.yaml",
    "NetworkSecurity": "conf.sagemakerNetworkSecurity",
    "LocalPorts": "local",
    "Parameter": "A parameter",
    "Model": "A model",
    "Network": "network",
    "Job": "preprocess, train, evaluate",
    "ProcessingJob": "preprocess",
    "EvaluationJob": "evaluate",
    "TrainingJob": "train",
    "TuningJob": "tune",
    "Range": "A range",
    "TransformJob": "transform",
    "Channel": "A channel",
    "DataFile": "A data file",
    "Location": "location",
    "Gate": "gate",
    "Champion": "champion",
    "LambdaFunction": "lambda",
    "Registry": "registry",
    "JsonFile": "model_quality",
    "InferenceSpecification": "InferenceSpecification",
    "Pipeline": "conf.sagemakerPipeline",
    "Steps": "Steps of a model",
    "Step": "A step",
    "RetryPolicy": "A retry policy",
}


def sections() -> dict[str, type[BaseModel]]:
    """All sections of the schema that have keys, by the name of their class."""
    classes = {
        value.__name__: value
        for module in iter_modules(schema.__path__)
        for value in vars(import_module(f"{schema.__name__}.{module.name}")).values()
        if isinstance(value, type) and issubclass(value, BaseModel) and value is not BaseModel
    }
    return {name: section for name, section in classes.items() if section.model_fields}


def alternatives(annotation: Any) -> list[Any]:
    """What an annotation allows, without the wrapping of Annotated, unions, lists and mappings."""
    if get_origin(annotation) is Annotated:
        return alternatives(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [kind for argument in get_args(annotation) for kind in alternatives(argument)]
    if get_origin(annotation) in (list, dict):
        return alternatives(get_args(annotation)[-1])
    return [annotation]


def default(field: Any) -> str:
    """The default as the guide writes it."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value in ("", [], {}) or isinstance(value, BaseModel):
        return "-"
    if isinstance(value, list):
        return f"`[{', '.join(value)}]`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def own_keys(section: type[BaseModel]) -> dict[str, tuple[str, bool]]:
    """The keys that a section adds, each with its default and whether it may be a pipeline parameter."""
    return {
        field.alias or name: (default(field), Parameter in alternatives(field.annotation))
        for name, field in section.model_fields.items()
        if name in section.__annotations__
    }


def test_the_sections_are_found() -> None:
    known = sections()
    assert {"Project", "Model", "TrainingJob", "Step", "Parameter", "RetryPolicy"} <= set(known)
    assert {"SMP_REGION", "local"} <= set(own_keys(known["Project"]))
    assert {"lambda", "preprocess"} <= set(own_keys(known["Model"]))
    assert {"step_name", "else_step"} <= set(own_keys(known["Step"]))


@pytest.mark.parametrize("name", sorted(sections()))
def test_every_key_is_documented_as_it_is(name: str) -> None:
    assert name in HEADINGS, f"which heading of docs/configuration.md documents the keys of {name}?"
    documented = guide.tables()[HEADINGS[name]]
    keys = own_keys(sections()[name])
    assert set(documented) == set(keys)
    for key in set(keys) - {"project"}:  # its default is no value of the schema
        assert documented[key] == keys[key], f"{name}.{key}"


def test_no_table_is_of_something_else() -> None:
    assert set(guide.tables()) == set(HEADINGS.values())
    assert set(HEADINGS) == set(sections())


@pytest.mark.parametrize("other", sorted(SPELLINGS.values()))
def test_other_spellings_are_documented(other: str) -> None:
    assert f"`{other}`" in guide.GUIDE.read_text()


def test_the_blocks_of_the_guide_are_found() -> None:
    blocks = guide.blocks()
    assert len(blocks) > 25
    assert sum(block.is_whole for block in blocks) >= 3
    assert {block.file for block in blocks} == {None, "conf/project.yaml", guide.PIPELINE, "conf/prod.yaml"}


@pytest.mark.parametrize("block", guide.blocks(), ids=str)
def test_blocks_of_the_guide_are_right(block: guide.Block, tmp_path: Path) -> None:
    project = configuration.load(tmp_path, guide.make_project(tmp_path, block))
    if block.is_whole or "steps" in block.content:
        assert json.loads(compile_pipeline(project).text)["Steps"]
