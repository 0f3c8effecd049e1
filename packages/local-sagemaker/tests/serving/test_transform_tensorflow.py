"""The TensorFlow Serving container's contract, on real SavedModels: served, and in transform jobs."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from models_to_serve import (
    TENSORFLOW,
    Served,
    Transforming,
    archive,
    refusal,
    serving,
)

from local_sagemaker.core.settings import Settings

# A signature of one input and two outputs, and another of two inputs and one output.
MAKE = """
import sys
import tensorflow as tf

INTEGERS = [tf.TensorSpec([None], tf.int32, name=name) for name in "ab"]

class Model(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="features")])
    def serve(self, features):
        total = tf.reduce_sum(features, axis=1)
        return {"score": total * 0.5, "label": tf.where(total > 3.0, "high", "low")}

    @tf.function(input_signature=INTEGERS)
    def add(self, a, b):
        return {"sum": a + b}

model = Model()
signatures = {"serving_default": model.serve, "add": model.add}
tf.saved_model.save(model, sys.argv[1], signatures=signatures)
"""

HANDLERS = """
import json

def input_handler(data, context):
    assert context.request_content_type == "text/csv", context
    rows = [[float(cell) for cell in line.split(",")] for line in data.read().decode().splitlines()]
    return json.dumps({"instances": rows})

def output_handler(response, context):
    if response.status_code != 200:
        raise ValueError(response.content.decode())
    rows = json.loads(response.content)["predictions"]
    return "".join(f"{row['score']},{row['label']}\\n" for row in rows), context.accept_header
"""

OVER_HTTP = """
import json
import urllib.request

def handler(data, context):
    rows = [json.loads(line) for line in data.read().splitlines()]
    body = json.dumps({"instances": rows, "signature_name": "add"}).encode()
    assert context.rest_uri.endswith("/v1/models/scorer:predict"), context
    assert context.custom_attributes == "tfs-method=predict", context
    with urllib.request.urlopen(context.rest_uri.removesuffix(":predict")) as answer:
        states = json.load(answer)["model_version_status"]
    assert [state["version"] for state in states] == ["7"], states
    with urllib.request.urlopen(context.rest_uri, body) as answer:
        return answer.read(), "application/json"
"""

ROWS = {"predictions": [{"score": 1.5, "label": "low"}, {"score": 3.5, "label": "high"}]}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a SavedModel."""
    folder = tmp_path_factory.mktemp("saved") / "1"
    subprocess.run([sys.executable, "-c", MAKE, str(folder)], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def served(saved: Path) -> Iterator[Served]:
    """That model without handlers."""
    with serving("tensorflow", saved.parent) as server:
        yield server


@pytest.fixture
def pack(saved: Path) -> Callable[[str], bytes]:
    """inference.py -> model.tar.gz."""
    files = {f"1/{path.relative_to(saved)}": path.read_bytes() for path in saved.rglob("*") if path.is_file()}
    return lambda code: archive({**files, "code/inference.py": code})


@pytest.fixture
def transforming(local: Settings, sagemaker: Any, s3: Any) -> Transforming:
    return Transforming(local, sagemaker, s3)


def unpacked(folder: Path, saved: Path, code: str, place: str = "1") -> Path:
    """A model folder with the SavedModel at `place` and `code` as its inference.py."""
    shutil.copytree(saved, folder / "model" / place)
    (folder / "model" / "code").mkdir()
    (folder / "model" / "code" / "inference.py").write_text(code)
    return folder / "model"


def test_a_job_with_handlers(transforming: Transforming, name: str, pack: Callable[[str], bytes]) -> None:
    transforming.model(name, pack(HANDLERS), TENSORFLOW)
    transforming.put(f"{name}/in/bad.csv", b"1,2,3\n")
    transforming.put(f"{name}/in/good.csv", b"1,2\n3,4\n")
    job = transforming.run(name)
    assert transforming.outputs(name) == {"good.csv.out": b"1.5,low\n3.5,high\n"}, transforming.log(name)
    reason = job["FailureReason"]
    assert reason.startswith("AlgorithmError: See job logs for more information: ")
    assert "/in/bad.csv: Bad HTTP status received from algorithm: 500: " in reason
    assert "input 'features' has the shape (1, 3), the model takes (None, 2)" in reason


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/csv", b"1,2\n3,4\n"),
        ("application/jsonlines", b"[1, 2]\n[3, 4]\n"),
        ("application/json", b"[[1, 2], [3, 4]]"),
        ("application/json", b'{"instances": [[1, 2], [3, 4]]}'),
        ("application/json", b'{"instances": [{"features": [1, 2]}, {"features": [3, 4]}]}'),
    ],
)
def test_bodies_without_handlers(served: Served, content_type: str, body: bytes) -> None:
    status, kind, content = served.post(body, content_type=content_type, accept="application/jsonlines")
    assert (status, kind) == (200, "application/jsonlines")
    assert json.loads(content) == ROWS
    assert b"\n" not in content


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ({"inputs": [[1, 2]]}, {"outputs": {"score": [1.5], "label": ["low"]}}),
        ({"inputs": {"a": [1], "b": [2]}, "signature_name": "add"}, {"outputs": [3]}),
        ({"instances": [{"a": 1, "b": 2}], "signature_name": "add"}, {"predictions": [3]}),
    ],
)
def test_columns_and_signatures(served: Served, request_: Any, answer: Any) -> None:
    status, _, content = served.post(json.dumps(request_).encode(), content_type="application/json")
    assert status == 200, content
    assert json.loads(content) == answer


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"instances": [[1, "x"]]}', "Failed to process element of input 'features'"),
        (b'{"instances": [[1, 2], [3]]}', "Failed to process element of input 'features'"),
        (b'{"instances": []}', "'instances' must be a list of at least one row"),
        (b'{"inputs": [], "instances": []}', "Missing 'inputs' or 'instances' key"),
        (b'{"instances": [[1, 2]], "signature_name": "x"}', 'Serving signature name: "x" not found'),
        (b'{"instances": [{"z": 1}]}', "the request has the inputs z, the signature features"),
        (b"[1, 2", "JSON Parse error"),
    ],
)
def test_requests_that_are_refused(served: Served, body: bytes, message: str) -> None:
    status, kind, content = served.post(body, content_type="application/json")
    assert (status, kind) == (400, "application/json")
    assert message in json.loads(content)["error"]


def test_other_requests(served: Served) -> None:
    assert served.get("/ping") == (200, b"")
    assert served.get("/execution-parameters")[0] == 404
    assert served.get("/elsewhere")[0] == 404
    assert served.post(b"x", content_type="image/png")[0] == 415
    other = {"X-Amzn-SageMaker-Custom-Attributes": "tfs-model-name=other"}
    assert served.post(b"[[1, 2]]", content_type="application/json", **other)[0] == 404


def test_one_handler_that_asks_by_itself(saved: Path, tmp_path: Path) -> None:
    folder = unpacked(tmp_path, saved, OVER_HTTP, "scorer/7")
    with serving("tensorflow", folder) as server:
        lines = b'{"a": 1, "b": 2}\n{"a": 3, "b": 4}\n'
        custom = {"X-Amzn-SageMaker-Custom-Attributes": "tfs-method=predict"}
        status, kind, content = server.post(lines, content_type="application/jsonlines", **custom)
        assert (status, kind) == (200, "application/json"), content
        assert json.loads(content) == {"predictions": [3, 7]}
        status, _, content = server.post(b"?", content_type="application/jsonlines")
        assert status == 500
        assert "Expecting value" in json.loads(content)["error"]


def test_models_that_cannot_be_served(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "no SavedModel bundles found" in refusal("tensorflow", tmp_path / "empty")
    half = unpacked(tmp_path / "half", saved, "def input_handler(data, context): pass")
    assert "Handlers are not implemented correctly in user script" in refusal("tensorflow", half)
    wish = {"SAGEMAKER_TFS_DEFAULT_MODEL_NAME": "other"}
    assert "SAGEMAKER_TFS_DEFAULT_MODEL_NAME is 'other'" in refusal("tensorflow", half, **wish)
