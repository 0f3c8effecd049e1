"""SavedModels answered as TensorFlow Serving's REST API answers them (``:predict``).

Source: https://www.tensorflow.org/tfx/serving/api_rest. Rows (``instances`` -> ``predictions``) and
columns (``inputs`` -> ``outputs``), ``signature_name``, binary values as ``{"b64": text}``.
"""

import base64
import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_DEFAULT_SIGNATURE = "serving_default"


class RequestError(Exception):
    """A request that the model cannot answer (HTTP 400); TensorFlow Serving's ``error`` text."""


def find(folder: Path) -> dict[str, dict[int, Path]]:
    """Models by name, each with its versions: every ``<name>/<number>/saved_model.pb`` below `folder`."""
    models: dict[str, dict[int, Path]] = {}
    for path in sorted(folder.rglob("saved_model.pb")):
        version, model = path.parent, path.parent.parent
        if version.name.isdecimal():
            models.setdefault(model.name, {})[int(version.name)] = version
    return models


class SavedModel:
    """One loaded version of a model."""

    def __init__(self, folder: Path) -> None:
        self._tf: Any = importlib.import_module("tensorflow")
        self._loaded = self._tf.saved_model.load(str(folder))
        self._signatures: Mapping[str, Any] = self._loaded.signatures

    def predict(self, body: bytes) -> bytes:
        """The JSON answer to a JSON request. Raises RequestError."""
        try:
            request = json.loads(body)
        except ValueError as error:
            raise RequestError(f"JSON Parse error: {error}") from error
        if not isinstance(request, dict) or ("instances" in request) == ("inputs" in request):
            raise RequestError("Missing 'inputs' or 'instances' key")
        name = request.get("signature_name", _DEFAULT_SIGNATURE)
        if name not in self._signatures:
            raise RequestError(f'Serving signature name: "{name}" not found in signature def')
        signature = self._signatures[name]
        by_row = "instances" in request
        values = _columns(request["instances"], signature) if by_row else _named(request["inputs"], signature)
        outputs = self._run(signature, values)
        return json.dumps(_rows(outputs) if by_row else _whole(outputs)).encode()

    def _run(self, signature: Any, values: dict[str, Any]) -> dict[str, Any]:
        inputs = _inputs(signature)
        if values.keys() != inputs.keys():
            raise RequestError(
                f"the request has the inputs {', '.join(sorted(values)) or 'none'}, the signature"
                f" {', '.join(sorted(inputs)) or 'none'}"
            )
        tensors = {}
        for name, spec in inputs.items():
            try:
                tensors[name] = self._tf.constant(_binary(values[name]), dtype=spec.dtype)
            except (TypeError, ValueError, self._tf.errors.OpError) as error:
                raise RequestError(f"Failed to process element of input '{name}': {_first(error)}") from error
            if not spec.shape.is_compatible_with(tensors[name].shape):
                raise RequestError(
                    f"input '{name}' has the shape {tensors[name].shape}, the model takes {spec.shape}"
                )
        try:
            outputs = signature(**tensors)
        except (TypeError, ValueError, self._tf.errors.OpError) as error:
            raise RequestError(_first(error)) from error
        return {name: _plain(name, tensor.numpy()) for name, tensor in outputs.items()}


def _inputs(signature: Any) -> dict[str, Any]:
    specs: dict[str, Any] = signature.structured_input_signature[1]
    return specs


def _columns(instances: Any, signature: Any) -> dict[str, Any]:
    """Rows as one list per input."""
    if not isinstance(instances, list) or not instances:
        raise RequestError("JSON Value: 'instances' must be a list of at least one row")
    names = list(_inputs(signature))
    if isinstance(instances[0], dict) and set(instances[0]) != {"b64"}:
        keys = set(instances[0])
        if any(not isinstance(row, dict) or set(row) != keys for row in instances):
            raise RequestError("JSON Value: the rows of 'instances' do not all have the same inputs")
        return {key: [row[key] for row in instances] for key in sorted(keys)}
    if len(names) != 1:
        raise RequestError(f"rows must be objects with the inputs {', '.join(sorted(names))}")
    return {names[0]: instances}


def _named(inputs: Any, signature: Any) -> dict[str, Any]:
    names = list(_inputs(signature))
    if isinstance(inputs, dict) and set(inputs) != {"b64"}:
        return inputs
    if len(names) != 1:
        raise RequestError(f"'inputs' must be an object with {', '.join(sorted(names))}")
    return {names[0]: inputs}


def _rows(outputs: dict[str, Any]) -> dict[str, Any]:
    """``predictions``: bare values for a single output, else one object per row."""
    if len(outputs) == 1:
        return {"predictions": next(iter(outputs.values()))}
    lengths = {len(value) if isinstance(value, list) else None for value in outputs.values()}
    if len(lengths) != 1 or None in lengths:
        raise RequestError("the outputs do not all have one value per row: ask with 'inputs'")
    names = list(outputs)
    rows = zip(*outputs.values(), strict=True)
    return {"predictions": [dict(zip(names, row, strict=True)) for row in rows]}


def _whole(outputs: dict[str, Any]) -> dict[str, Any]:
    return {"outputs": next(iter(outputs.values())) if len(outputs) == 1 else outputs}


def _binary(value: Any) -> Any:
    if isinstance(value, dict) and set(value) == {"b64"}:
        return base64.b64decode(value["b64"])
    return [_binary(item) for item in value] if isinstance(value, list) else value


def _plain(name: str, array: Any) -> Any:
    """An output as JSON has it; 32-bit numbers with the digits that they have."""
    if array.dtype.kind == "f" and array.dtype.itemsize < 8:
        array = array.astype("U").astype("f8")
    return _text(array.tolist(), name.endswith("_bytes"))


def _text(value: Any, is_binary: bool) -> Any:
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode()} if is_binary else value.decode(errors="replace")
    return [_text(item, is_binary) for item in value] if isinstance(value, list) else value


def _first(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
