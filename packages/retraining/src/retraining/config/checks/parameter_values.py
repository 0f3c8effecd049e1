"""Whether a value is allowed where a pipeline parameter is declared."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from retraining.config.schema.model import Model
from retraining.config.schema.values import is_parameter


def problem(models: Iterable[Model], values: Mapping[str, Any]) -> str | None:
    """What a section says of the values as defaults of the parameters; None where all accept them."""
    for model in models:
        content = model.model_dump(by_alias=True, exclude_unset=True)
        replaced = _with(content, values)
        if replaced == content:
            continue
        try:
            Model.model_validate(replaced)
        except ValidationError as error:
            detail = error.errors()[0]
            return str(detail.get("ctx", {}).get("error", detail["msg"]))
    return None


def _with(content: Any, values: Mapping[str, Any]) -> Any:
    if is_parameter(content) and "default" in content:
        name = content.get("parameter")
        return {"parameter": name, "default": values[name]} if name in values else content
    if isinstance(content, dict):
        return {key: _with(item, values) for key, item in content.items()}
    if isinstance(content, list | tuple):
        return [_with(item, values) for item in content]
    return content
