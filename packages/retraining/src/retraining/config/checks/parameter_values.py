"""Whether a value is allowed where a pipeline parameter is declared."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from retraining.config.checks.model import check_model
from retraining.config.files.problems import Problems
from retraining.config.files.yaml_file import EMPTY
from retraining.config.schema.model import Model
from retraining.config.schema.values import is_parameter


def problem(root: Path, sections: Iterable[BaseModel], values: Mapping[str, Any]) -> str | None:
    """What is wrong with the values as defaults of the parameters; None where all is right.

    A default, a choice and a value on the command line so have one rule: that of the keys which declare
    the parameter.

    Args:
        root: the project's folder.
        sections: the models, and the pipeline.
    """
    for section in sections:
        content = section.model_dump(by_alias=True, exclude_unset=True)
        replaced = _with(content, values)
        if replaced == content:
            continue
        try:
            changed = type(section).model_validate(replaced)
        except ValidationError as error:
            detail = error.errors()[0]
            return str(detail.get("ctx", {}).get("error", detail["msg"]))
        if isinstance(section, Model) and isinstance(changed, Model):
            # A model may have mistakes of its own, which are reported elsewhere.
            before = set(_mistakes(root, section))
            for words in _mistakes(root, changed):
                if words not in before:
                    return words
    return None


def _mistakes(root: Path, model: Model) -> Iterator[str]:
    problems = Problems(EMPTY)
    check_model(problems, root, model)
    return (item.words for item in problems.collected)


def _with(content: Any, values: Mapping[str, Any]) -> Any:
    if is_parameter(content) and "default" in content:
        name = content.get("parameter")
        return {"parameter": name, "default": values[name]} if name in values else content
    if isinstance(content, dict):
        return {key: _with(item, values) for key, item in content.items()}
    if isinstance(content, list | tuple):
        return [_with(item, values) for item in content]
    return content
