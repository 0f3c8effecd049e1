"""The TensorFlow Serving container of SageMaker: handlers of ``code/inference.py`` around a SavedModel.

Contract: https://github.com/aws/sagemaker-tensorflow-serving-container (pre- and post-processing).
TensorFlow Serving's own REST API is there too, at `Context.rest_uri`; gRPC is not.
"""

import importlib.util
import io
import json
import os
import re
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from local_sagemaker.serving.http_server import HOST, Answer, HttpServer, Request
from local_sagemaker.serving.tensorflow.saved_models import RequestError, SavedModel, find
from local_sagemaker.serving.user_code import ModelError, guarded

_JSON = "application/json"
_JSON_TYPES = (_JSON, "application/jsonlines", "application/jsons")
_ATTRIBUTES = "x-amzn-sagemaker-custom-attributes"
_ATTRIBUTE = re.compile(r"(tfs-[a-z-]+)=([^,]+)")
_PATH = re.compile(r"/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<version>\d+))?(?::(?P<method>\w+))?")
_IS_REQUEST = re.compile(r'"(instances|inputs|examples)"\s*:')
_IS_NUMBERS = re.compile(r'\s*("|[\d.Ee+-])')


@dataclass(frozen=True)
class Context:
    """What handlers know of a request. There is no gRPC, so `grpc_port` and `channel` are None."""

    model_name: str | None
    model_version: str | None
    method: str | None
    rest_uri: str
    grpc_port: str | None
    channel: Any
    custom_attributes: str | None
    request_content_type: str
    accept_header: str
    content_length: int


@dataclass(frozen=True)
class Response:
    """TensorFlow Serving's answer as an output_handler sees it, after ``requests.Response``."""

    status_code: int
    content: bytes
    headers: Mapping[str, str]

    @property
    def ok(self) -> bool:
        return self.status_code < 400

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        return json.loads(self.content)

    def raise_for_status(self) -> None:
        if not self.ok:
            raise OSError(f"{self.status_code} Client Error: {self.text}")


Handler = Callable[[Any, Context], tuple[Any, str]]


class TensorFlowServing:
    """All SavedModels of a folder, behind the handlers of ``code/inference.py`` or the default ones."""

    def __init__(self, folder: Path) -> None:
        self._models = find(folder)
        if not self._models:
            raise ModelError(
                f"no SavedModel bundles found: there is no <number>/saved_model.pb below {folder};"
                " model.tar.gz of a tensorflow-inference image has to hold one"
            )
        self._default = self._choose()
        self._loaded: dict[tuple[str, int], SavedModel] = {}
        self._turn = threading.Lock()
        name, versions = self._default, self._models[self._default]
        what = f"the SavedModel {name}/{max(versions)} cannot be loaded"
        guarded(what, lambda: self._load(name, None))
        self._rest = HttpServer(self._respond)
        threading.Thread(target=self._rest.serve_forever, daemon=True).start()
        self._handler = self._import(folder / "code")

    def execution_parameters(self) -> dict[str, Any] | None:
        return None

    def invoke(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        given = dict(_ATTRIBUTE.findall(headers.get(_ATTRIBUTES, "")))
        context = self._context(given, headers, len(body))
        if self._handler is None:
            return self._default_handler(body, headers, context)
        try:
            result, content_type = self._handler(io.BytesIO(body), context)
            if not isinstance(result, str | bytes | bytearray):
                kind = type(result).__name__
                raise TypeError(f"output_handler returned {kind}: it has to return text or bytes")
        except Exception as error:
            traceback.print_exc()
            message = {"error": str(error) or type(error).__name__}
            return Answer(500, json.dumps(message).encode(), _JSON)
        return Answer(200, result.encode() if isinstance(result, str) else bytes(result), content_type)

    def _respond(self, request: Request) -> Answer:
        return self._answer(request.path, request.body if request.method == "POST" else None)

    def _answer(self, path: str, body: bytes | None) -> Answer:
        """TensorFlow Serving's REST API: predict for a POST, the model's status for a GET (no body)."""
        match = _PATH.fullmatch(path)
        if match is None or match["name"] not in self._models:
            return _error(404, f"Servable not found for request: {path}")
        version = int(match["version"]) if match["version"] else None
        if version is not None and version not in self._models[match["name"]]:
            return _error(404, f"Servable not found for request: Specific({match['name']}, {version})")
        if body is None:
            return self._status(match["name"], version)
        if match["method"] != "predict":
            return _error(400, f"the method {match['method']} is not emulated here: use predict")
        try:
            with self._turn:
                return Answer(200, self._load(match["name"], version).predict(body), _JSON)
        except RequestError as error:
            return _error(400, str(error))

    def _status(self, name: str, version: int | None) -> Answer:
        versions = sorted(self._models[name]) if version is None else [version]
        status = {"error_code": "OK", "error_message": ""}
        states = [{"version": str(one), "state": "AVAILABLE", "status": status} for one in versions]
        return Answer(200, json.dumps({"model_version_status": states}).encode(), _JSON)

    def _choose(self) -> str:
        wanted = os.environ.get("SAGEMAKER_TFS_DEFAULT_MODEL_NAME")
        if wanted and wanted not in self._models:
            raise ModelError(
                f"SAGEMAKER_TFS_DEFAULT_MODEL_NAME is {wanted!r}, and the models are:"
                f" {', '.join(self._models)}"
            )
        return wanted or next(iter(self._models))

    def _load(self, name: str, version: int | None) -> SavedModel:
        number = max(self._models[name]) if version is None else version
        if (name, number) not in self._loaded:
            self._loaded[name, number] = SavedModel(self._models[name][number])
        return self._loaded[name, number]

    def _context(self, given: dict[str, str], headers: Mapping[str, str], length: int) -> Context:
        name = given.get("tfs-model-name", self._default)
        version = f"/versions/{given['tfs-model-version']}" if "tfs-model-version" in given else ""
        return Context(
            model_name=given.get("tfs-model-name"),
            model_version=given.get("tfs-model-version"),
            method=given.get("tfs-method"),
            rest_uri=f"http://{HOST}:{self._rest.server_port}/v1/models/{name}{version}"
            f":{given.get('tfs-method', 'predict')}",
            grpc_port=None,
            channel=None,
            custom_attributes=headers.get(_ATTRIBUTES),
            request_content_type=headers.get("content-type") or _JSON,
            accept_header=headers.get("accept") or _JSON,
            content_length=length,
        )

    def _import(self, code: Path) -> Handler | None:
        script = code / "inference.py"
        if not script.is_file():
            return None
        sys.path[:0] = [str(code), str(code / "lib")]
        spec = importlib.util.spec_from_file_location("inference", script)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["inference"] = module
        guarded("inference.py cannot be imported", partial(spec.loader.exec_module, module))
        if hasattr(module, "handler"):
            own: Handler = module.handler
            return own
        if not (hasattr(module, "input_handler") and hasattr(module, "output_handler")):
            raise ModelError(
                "Handlers are not implemented correctly in user script: inference.py needs input_handler and"
                " output_handler, or handler"
            )

        def both(data: Any, context: Context) -> tuple[Any, str]:
            response = self._ask(module.input_handler(data, context), context)
            return module.output_handler(response, context)  # type: ignore[no-any-return]

        return both

    def _ask(self, request: Any, context: Context) -> Response:
        body = request.encode() if isinstance(request, str) else request
        if not isinstance(body, bytes | bytearray):
            raise TypeError(
                f"input_handler returned {type(request).__name__}: it has to return text or bytes"
            )
        answer = self._answer(urlsplit(context.rest_uri).path, bytes(body))
        return Response(answer.status, answer.body, {"Content-Type": answer.content_type})

    def _default_handler(self, body: bytes, headers: Mapping[str, str], context: Context) -> Answer:
        """What the container does by itself: JSON, JSON lines and CSV become ``instances``."""
        kind = headers.get("content-type", "")
        try:
            if kind in _JSON_TYPES:
                request = _json_request(body.decode())
            elif kind == "text/csv":
                request = _csv_request(body.decode())
            else:
                return _error(415, f"Unsupported Media Type: {kind or 'Unknown'}")
        except ValueError as error:
            return _error(400, f"JSON Parse error: {error}")
        response = self._ask(request, context)
        accepted = headers.get("accept", "").replace(" ", "").split(",")
        jsons = {_JSON, "application/jsonlines"} & set(accepted)
        return Answer(response.status_code, response.content, accepted[0] if jsons else _JSON)


def _json_request(text: str) -> str:
    """JSON of any kind as a predict request: itself, one row, rows, or a row a line."""
    if _IS_REQUEST.search(text):
        return text
    try:
        value = json.loads(text)
    except ValueError:
        value = [json.loads(line) for line in text.splitlines() if line.strip()]
        return json.dumps({"instances": value})
    is_rows = isinstance(value, list) and bool(value) and isinstance(value[0], list)
    return json.dumps({"instances": value if is_rows else [value]})


def _csv_request(text: str) -> str:
    """Lines as rows: of numbers and quoted texts, or, when the first is neither, of bare texts."""
    has_values = _IS_NUMBERS.match(text) is not None
    rows: list[Any] = []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        cells = json.loads(f"[{line}]") if has_values else line.split(",")
        rows.append(cells if "," in line else cells[0])
    return json.dumps({"instances": rows})


def _error(status: int, message: str) -> Answer:
    return Answer(status, json.dumps({"error": message}).encode(), _JSON)
