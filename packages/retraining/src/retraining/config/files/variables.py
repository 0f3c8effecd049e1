"""The SMP_ names: their values, and their replacement inside other values."""

import re
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from retraining.config.files.problems import Problems
from retraining.config.files.yaml_file import Document
from retraining.config.schema.project import VARIABLES, Project
from retraining.errors import Location, suggestion_or_all

PROJECT = "SMP_PROJECT"
_KNOWN = tuple(sorted({*VARIABLES, PROJECT}))
_NAME = re.compile(r"\$\{(SMP_[A-Z0-9_]+)\}|(SMP_[A-Z0-9_]+)")
# For values that are refused themselves, so that one mistake is not reported again wherever its name is used.
_STAND_INS = {
    "SMP_ACCOUNTID": "111122223333",
    "SMP_REGION": "us-east-1",
    "SMP_S3BUCKETNAME": "bucket",
    "SMP_ROLE": "arn:aws:iam::111122223333:role/role",
    "SMP_MODEL_CONFIGPATH": "models/*/conf.yaml",
    "SMP_SUBNETS": "subnet-0a",
    "SMP_SECURITYGROUPS": "sg-0a",
    "SMP_MODELNAME": "model",
    PROJECT: "project",
}


def values_of(content: dict[str, Any]) -> dict[str, str]:
    """The values of the names that are set; a list as the framework writes it, separated by commas."""
    given = {PROJECT: content.get("project")} | {name: content.get(name) for name in VARIABLES}
    values = {
        name: ",".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in given.items()
        if value is not None and value != []
    }
    return values | {name: _STAND_INS[name] for name in _refused(content)}


def _refused(content: dict[str, Any]) -> set[str]:
    """The names whose values are missing or not allowed."""
    own = {key: content[key] for key in ("project", *VARIABLES) if key in content}
    try:
        Project.model_validate(own)
    except ValidationError as error:
        names = {str(detail["loc"][0]) for detail in error.errors(include_url=False, include_context=False)}
        return {PROJECT if name == "project" else name for name in names}
    return set()


def replaced(value: Any, values: dict[str, str]) -> Any:
    """`value` with the names in its texts replaced. A text that is a name without a value becomes null."""
    if isinstance(value, dict):
        return {key: replaced(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [replaced(item, values) for item in value]
    if not isinstance(value, str) or "SMP_" not in value:
        return value
    if value in VARIABLES and value not in values:
        return None
    return _in_text(value, values)


def _in_text(text: str, values: dict[str, str]) -> str:
    """One text with the names replaced, the longest of two that begin alike."""
    for name in sorted(values, key=len, reverse=True):
        text = text.replace(f"${{{name}}}", values[name]).replace(name, values[name])
    return text


class Replacement:
    """The models' document with all names replaced; a name without a value is a problem.

    `refused` are the keys of those problems: what else is wrong there follows from them.
    """

    def __init__(self, document: Document, values: dict[str, str], problems: Problems) -> None:
        self._values = values
        self._problems = problems.at(document=document)
        self.refused: set[Location] = set()
        self.document = document.with_content(self._visit(document.content, ()))

    def _visit(self, value: Any, key: Location) -> Any:
        if isinstance(value, dict):
            self._check_keys(value, key)
            return {name: self._visit(item, (*key, name)) for name, item in value.items()}
        if isinstance(value, list):
            return [self._visit(item, (*key, index)) for index, item in enumerate(value)]
        if not isinstance(value, str) or "SMP_" not in value:
            return value
        new = _in_text(value, self._values)
        for name in _names_in(new):
            if name in _KNOWN:
                self._add(key, f"{name} has no value: set it in conf/project.yaml or in the environment")
            else:
                self._add(key, f"no variable {name}{suggestion_or_all(name, _KNOWN)}")
        return new

    def _check_keys(self, value: dict[str, Any], key: Location) -> None:
        for name in value:
            if "SMP_" not in name:
                continue
            for variable in _names_in(name):
                if variable in _KNOWN or f"${{{variable}}}" in name:
                    words = f"{variable} is replaced in values only, not in a key: write the key out"
                    self._add((*key, name), words)
                    break

    def _add(self, key: Location, words: str) -> None:
        self.refused.add(key)
        self._problems.add(key, words)


def _names_in(text: str) -> Iterator[str]:
    for match in _NAME.finditer(text):
        yield match[1] or match[2]
