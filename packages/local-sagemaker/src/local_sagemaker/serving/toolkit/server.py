"""A model server as SageMaker's inference images have one.

``python -m local_sagemaker.serving.toolkit.server``:

GET /ping, GET /execution-parameters and POST /invocations on 127.0.0.1, for a model unpacked into a
folder. What happens to a request is `model_handlers` or `tensorflow_serving`, chosen by the image.
Needs nothing but the standard library and what the model needs, and knows nothing of who calls it.
"""

import argparse
import json
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from local_sagemaker.serving.http_server import Answer, HttpServer, Request
from local_sagemaker.serving.user_code import ModelError


class Model(Protocol):
    """A loaded model. One request at a time comes to it."""

    def invoke(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """The answer to POST /invocations, errors of the model's own code included."""

    def execution_parameters(self) -> dict[str, Any] | None:
        """What GET /execution-parameters answers; None for 404."""


def load(kind: str, folder: Path) -> Model:
    """Load the model in `folder` as an image of `kind` would. Raises ModelError.

    `kind` is one of those that `inference_images.kind_of` gives.
    """
    if kind == "tensorflow":
        from local_sagemaker.serving.tensorflow.server import TensorFlowServing

        return TensorFlowServing(folder)
    from local_sagemaker.serving.toolkit.handlers import Toolkit

    return Toolkit(kind, folder)


class ModelServer(HttpServer):
    """Serves `model`."""

    def __init__(self, model: Model, port: int = 0) -> None:
        super().__init__(self._respond, port)
        self._model = model
        # The containers let one worker process run the user's code for one request at a time.
        self._turn = threading.Lock()

    def _respond(self, request: Request) -> Answer:
        if (request.method, request.path) == ("POST", "/invocations"):
            with self._turn:
                return self._model.invoke(request.body, request.headers)
        if (request.method, request.path) == ("GET", "/ping"):
            return Answer(200, b"", "text/plain")
        if (request.method, request.path) == ("GET", "/execution-parameters"):
            wishes = self._model.execution_parameters()
            if wishes is not None:
                return Answer(200, json.dumps(wishes, allow_nan=False).encode(), "application/json")
        return Answer(404, b"", "text/plain")


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM; 1 when the model cannot be loaded, its reason the last line printed."""
    parser = argparse.ArgumentParser(prog="local_sagemaker.serving.toolkit.server")
    parser.add_argument("--kind", required=True)
    parser.add_argument("--model-dir", required=True, type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--port-file", type=Path, help="where to write the port once it can be asked")
    given = parser.parse_args(arguments)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    try:
        model = load(given.kind, given.model_dir)
    except ModelError as error:
        print(error, file=sys.stderr, flush=True)
        return 1
    server = ModelServer(model, given.port)
    if given.port_file:
        draft = given.port_file.with_name(given.port_file.name + ".new")
        draft.write_text(str(server.server_port))
        draft.replace(given.port_file)
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
