"""What each inference image does where the user's module has no function of its own.

Source: the images' own documentation ("Deploy a Scikit-learn Model" and so on in the SageMaker Python
SDK's). Frameworks are imported only when they are needed.
"""

import csv
import importlib
import io
import json
import os
from pathlib import Path
from typing import Any

CSV = "text/csv"
JSON = "application/json"
NPY = "application/x-npy"


class UnsupportedFormat(Exception):
    """A content type that the defaults neither read nor write (HTTP 415)."""

    def __init__(self, content_type: str | None) -> None:
        super().__init__(
            f"Content type {content_type} is not supported by this framework. Please implement input_fn to"
            " deserialize the request data or an output_fn to serialize the response."
        )


class Defaults:
    """The toolkit's own functions: numpy arrays in, anything that numpy can write out."""

    kind = ""
    content_type: str | None = None  # taken for a request without one
    ignores_parameters = False  # of a content type (``; charset=...``)
    has_model = False  # a model_fn of its own

    def model_fn(self, model_dir: str) -> Any:
        raise NotImplementedError(
            f"Please provide a model_fn implementation: the {self.kind} image has no default for it"
        )

    def input_fn(self, data: Any, content_type: str) -> Any:
        return decode(data, content_type)

    def predict_fn(self, data: Any, model: Any) -> Any:
        raise NotImplementedError(
            f"Please provide a predict_fn implementation: that of the {self.kind} image is not emulated here"
        )

    def output_fn(self, prediction: Any, accept: str) -> tuple[Any, str]:
        return encode(prediction, accept), accept


class ScikitLearn(Defaults):
    kind = "scikit-learn"
    content_type = JSON
    ignores_parameters = True

    def input_fn(self, data: Any, content_type: str) -> Any:
        array = decode(data, content_type)
        return array.astype("float32") if content_type in (CSV, JSON) else array

    def predict_fn(self, data: Any, model: Any) -> Any:
        return model.predict(data)


class XGBoost(Defaults):
    kind = "xgboost"
    content_type = CSV
    ignores_parameters = True

    def input_fn(self, data: Any, content_type: str) -> Any:
        array = decode(data, content_type)
        return _import("xgboost").DMatrix(array.reshape(1, -1) if array.ndim == 1 else array)

    def predict_fn(self, data: Any, model: Any) -> Any:
        return model.predict(data, validate_features=False)


class PyTorch(Defaults):
    kind = "pytorch"
    has_model = True

    def model_fn(self, model_dir: str) -> Any:
        """A TorchScript model, ``model.pt`` or the only file of its kind."""
        files = sorted(path for path in Path(model_dir).iterdir() if path.suffix in (".pt", ".pth"))
        chosen = [path for path in files if path.stem == "model"] or files
        if len(chosen) != 1:
            raise FileNotFoundError(
                f"the pytorch image loads model.pt or model.pth by itself, and {model_dir} has"
                f" {', '.join(path.name for path in files) or 'none'}: provide a model_fn"
            )
        return _import("torch").jit.load(str(chosen[0]), map_location="cpu").eval()

    def input_fn(self, data: Any, content_type: str) -> Any:
        return _import("torch").FloatTensor(decode(data, content_type))

    def predict_fn(self, data: Any, model: Any) -> Any:
        with _import("torch").no_grad():
            return model(data)

    def output_fn(self, prediction: Any, accept: str) -> tuple[Any, str]:
        array = prediction.detach().cpu().numpy() if hasattr(prediction, "detach") else prediction
        return encode(array, accept), accept


class HuggingFace(Defaults):
    """Requests are objects with ``inputs`` and ``parameters``, models are pipelines of transformers."""

    kind = "huggingface"
    content_type = JSON
    has_model = True

    def model_fn(self, model_dir: str) -> Any:
        task = os.environ.get("HF_TASK")
        if not task:
            raise ValueError("the environment variable HF_TASK is needed where there is no model_fn")
        return _import("transformers").pipeline(task=task, model=model_dir)

    def input_fn(self, data: Any, content_type: str) -> Any:
        if content_type == JSON:
            return json.loads(data)
        if content_type == CSV:
            rows = list(csv.DictReader(io.StringIO(data)))
            return {"inputs": [row.get("inputs", row) for row in rows]}
        return decode(data, content_type)

    def predict_fn(self, data: Any, model: Any) -> Any:
        given = dict(data) if isinstance(data, dict) else {"inputs": data}
        parameters = given.pop("parameters", None) or {}
        inputs = given.pop("inputs", given)
        return model(**inputs, **parameters) if isinstance(inputs, dict) else model(inputs, **parameters)


class MXNet(Defaults):
    kind = "mxnet"


def _import(name: str) -> Any:
    """A framework that only models of its kind need."""
    return importlib.import_module(name)


def for_kind(kind: str) -> Defaults:
    """The defaults of an image of that kind."""
    return {one.kind: one for one in (ScikitLearn, XGBoost, PyTorch, HuggingFace, MXNet)}[kind]()


def decode(data: Any, content_type: str | None) -> Any:
    """A request's body as a numpy array. Raises UnsupportedFormat."""
    import numpy

    if content_type == CSV:
        return numpy.genfromtxt(io.StringIO(data), dtype=None, delimiter=",")
    if content_type == JSON:
        return numpy.array(json.loads(data))
    if content_type == NPY:
        return numpy.load(io.BytesIO(data), allow_pickle=True)
    raise UnsupportedFormat(content_type)


def encode(value: Any, accept: str) -> str | bytes:
    """An array, or what can be made one, in the format `accept`. Raises UnsupportedFormat."""
    import numpy

    if accept == CSV:
        text = io.StringIO()
        numpy.savetxt(text, value, delimiter=",", fmt="%s")
        return text.getvalue()
    if accept == JSON:
        return json.dumps(value, default=_as_list)
    if accept == NPY:
        content = io.BytesIO()
        numpy.save(content, value)
        return content.getvalue()
    raise UnsupportedFormat(accept)


def _as_list(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
