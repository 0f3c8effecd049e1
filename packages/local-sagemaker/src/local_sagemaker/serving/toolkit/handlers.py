"""The SageMaker inference toolkit: a user's ``model_fn``, ``input_fn``, ``predict_fn``, ``output_fn``.

Contract: https://github.com/aws/sagemaker-inference-toolkit and the documentation of the images that
are built on it. The user's module is SAGEMAKER_PROGRAM (``inference.py``) in
SAGEMAKER_SUBMIT_DIRECTORY (``code/`` of the model); any function may be left out, and the image's own
takes its place. ``transform_fn`` stands for all but ``model_fn``.
"""

import importlib
import importlib.util
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from local_sagemaker.serving.http_server import Answer
from local_sagemaker.serving.toolkit import defaults
from local_sagemaker.serving.toolkit.defaults import CSV, JSON, UnsupportedFormat
from local_sagemaker.serving.user_code import ModelError, guarded, inside

_PROGRAM = "inference.py"
_OWN = ("input_fn", "predict_fn", "output_fn")


class Context:
    """What a function that takes one more argument is given: properties of the server and the request."""

    def __init__(self, folder: Path) -> None:
        self.system_properties: dict[str, Any] = {"model_dir": str(folder), "gpu_id": None, "batch_size": 1}
        self.headers: Mapping[str, str] = {}
        self.response_content_type: str | None = None

    def get_request_header(self, _index: int, key: str) -> str | None:
        return self.headers.get(key.lower())

    def get_all_request_header(self, _index: int) -> dict[str, str]:
        return dict(self.headers)

    def set_response_content_type(self, _index: int, value: str) -> None:
        self.response_content_type = value


class Toolkit:
    """A model behind the functions of its user's module."""

    def __init__(self, kind: str, folder: Path) -> None:
        self._defaults = defaults.for_kind(kind)
        self._context = Context(folder)
        module = _user_module(inside(folder, os.environ.get("SAGEMAKER_SUBMIT_DIRECTORY")), kind)
        self._functions = self._choose(module)
        self._wishes = getattr(module, "execution_parameters_fn", None)
        load = getattr(module, "model_fn", None) or self._defaults.model_fn
        self._model = guarded("model_fn failed", lambda: self._call(load, str(folder)))

    def execution_parameters(self) -> dict[str, Any] | None:
        return dict(self._wishes()) if self._wishes else None

    def invoke(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        content_type = headers.get("content-type") or self._defaults.content_type
        accept = headers.get("accept", "*/*")
        if accept in ("", "*/*"):
            accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", JSON)
        if content_type and self._defaults.ignores_parameters:
            content_type = content_type.partition(";")[0].strip()
        self._context.headers = headers
        self._context.response_content_type = None
        try:
            data = body.decode() if content_type in (CSV, JSON) else body
            return self._answer(self._transform(data, content_type, accept), accept)
        except UnsupportedFormat as error:
            return _failure(415, error)
        except Exception as error:
            return _failure(500, error)

    def _transform(self, data: Any, content_type: str | None, accept: str) -> Any:
        if "transform_fn" in self._functions:
            return self._call(self._functions["transform_fn"], self._model, data, content_type, accept)
        value = self._call(self._functions["input_fn"], data, content_type)
        prediction = self._call(self._functions["predict_fn"], value, self._model)
        return self._call(self._functions["output_fn"], prediction, accept)

    def _choose(self, module: object) -> dict[str, Callable[..., Any]]:
        transform = getattr(module, "transform_fn", None)
        own = {name: function for name in _OWN if (function := getattr(module, name, None))}
        if transform and own:
            raise ModelError(
                "Cannot use transform_fn implementation in conjunction with input_fn, predict_fn, and/or"
                f" output_fn implementation; the module has {', '.join(own)} too"
            )
        if transform:
            return {"transform_fn": transform}
        return {name: getattr(self._defaults, name) for name in _OWN} | own

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """`function` with `arguments`, and with the context too when it takes one more."""
        takes = len(inspect.signature(function).parameters)
        if takes == len(arguments):
            return function(*arguments)
        if takes == len(arguments) + 1:
            return function(*arguments, self._context)
        name = getattr(function, "__name__", "the function")
        raise TypeError(f"{name} takes {takes} arguments but {len(arguments)} were given.")

    def _answer(self, result: Any, accept: str) -> Answer:
        content_type = accept
        if isinstance(result, tuple):
            result, content_type = result
        elif hasattr(result, "get_data"):  # a response object of Flask, which the scikit-learn image knows
            result, content_type = result.get_data(), getattr(result, "mimetype", None) or accept
        if isinstance(result, str):
            result = result.encode()
        if not isinstance(result, bytes | bytearray):
            raise TypeError(f"output_fn returned {type(result).__name__}: it has to return text or bytes")
        return Answer(200, bytes(result), self._context.response_content_type or content_type)


def _user_module(folder: Path, kind: str) -> object:
    """The user's module; raises ModelError where it is not there or cannot be imported."""
    program = os.environ.get("SAGEMAKER_PROGRAM")
    name = (program or _PROGRAM).removesuffix(".py")
    sys.path.insert(0, str(folder))
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        spec = None
    if spec is None and (program or not defaults.for_kind(kind).has_model):
        said = f"SAGEMAKER_PROGRAM is {program!r}, and" if program else f"the {kind} image needs one, and"
        raise ModelError(
            f"no inference code: {said} there is no {name.replace('.', '/')}.py in {folder}; put it, with a"
            " model_fn, into code/ of model.tar.gz"
        )
    if spec is None:
        return object()
    return guarded(f"{name}.py cannot be imported", lambda: importlib.import_module(name))


def _failure(status: int, error: Exception) -> Answer:
    trace = traceback.format_exc()
    print(trace, file=sys.stderr, flush=True)
    return Answer(status, f"{str(error) or type(error).__name__}\n{trace}".encode(), "text/plain")
