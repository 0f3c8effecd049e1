"""The contract of the SageMaker inference toolkit, on servers that really run."""

import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from models_to_serve import Served, refusal, serving

CSV, JSON, NPY = "text/csv", "application/json", "application/x-npy"

# A regression y = 1 + 2a + 3b.
FIT = """
import sys
import joblib, numpy
from sklearn.linear_model import LinearRegression
rows = numpy.array([[0, 0], [1, 0], [0, 1], [1, 1]])
joblib.dump(LinearRegression().fit(rows, rows @ [2, 3] + 1), sys.argv[1])
"""
LOAD = """
import os
import joblib

def model_fn(model_dir):
    return joblib.load(os.path.join(model_dir, "model.joblib"))
"""
ROUND = "\ndef predict_fn(data, model):\n    return model.predict(data).round(3)\n"

Serve = Callable[..., Served]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("fitted") / "model.joblib"
    subprocess.run([sys.executable, "-c", FIT, str(path)], check=True)
    return path.read_bytes()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """(inference.py, kind, model file, program's path, variables) -> a server."""
    with ExitStack() as stack:

        def start(
            code: str,
            kind: str = "scikit-learn",
            model: bytes = b"",
            program: str = "inference.py",
            **environment: str,
        ) -> Served:
            write(tmp_path / "model", code, model, program)
            return stack.enter_context(serving(kind, tmp_path / "model", **environment))

        yield start


def write(folder: Path, code: str, model: bytes = b"", program: str = "inference.py") -> Path:
    path = folder / "code" / program
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(code)
    (folder / "model.joblib").write_bytes(model)
    return folder


def test_what_scikit_learn_does_by_itself(serve: Serve, model: bytes) -> None:
    server = serve(LOAD + ROUND, model=model)
    rows = b"1,1\n2,0\n"
    assert server.post(rows, content_type=CSV, accept=CSV) == (200, CSV, b"6.0\n5.0\n")
    assert server.post(rows, content_type="text/csv; charset=utf-8") == (200, JSON, b"[6.0, 5.0]")
    assert server.post(b"[[1, 1]]", accept="*/*") == (200, JSON, b"[6.0]")
    import numpy

    content = io.BytesIO()
    numpy.save(content, numpy.array([[0.0, 1.0]]))
    status, kind, body = server.post(content.getvalue(), content_type=NPY, accept=NPY)
    assert (status, kind) == (200, NPY)
    assert numpy.load(io.BytesIO(body)).tolist() == [4.0]


def test_formats_that_nobody_reads_or_writes(serve: Serve, model: bytes) -> None:
    server = serve(LOAD, model=model)
    for headers in ({"content_type": "image/png"}, {"content_type": JSON, "accept": "image/png"}):
        status, _, body = server.post(b"[[1, 1]]", **headers)
        assert status == 415
        assert body.startswith(b"Content type image/png is not supported by this framework.")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Host": "evil.example"},
        {"Host": "evil.example:{port}"},
    ],
    ids=str,
)
def test_web_pages_are_refused(serve: Serve, headers: dict[str, str]) -> None:
    """What it reads may run code: numpy's files and a model's own formats."""
    server = serve("def model_fn(folder):\n    return 0\n")
    sent = {name: value.format(port=server.port) for name, value in headers.items()}
    status, _, body = server.post(b"[[1]]", content_type=JSON, **sent)
    assert status == 403
    assert b"requests of web pages" in body or b"the header Host" in body
    assert server.post(b"[[1]]", content_type=JSON)[0] != 403


def test_an_error_is_told_with_its_trace(serve: Serve, model: bytes) -> None:
    status, _, body = serve(LOAD, model=model).post(b"[[1]]", content_type=JSON)
    first, *trace = body.decode().splitlines()
    assert status == 500
    assert first.startswith("X has 1 features, but LinearRegression is expecting 2")
    assert trace[0] == "Traceback (most recent call last):"


def test_functions_that_take_the_context(serve: Serve) -> None:
    code = (
        "def model_fn(folder, context):\n    return context.system_properties['model_dir'] == folder\n"
        "def input_fn(data, kind, context):\n    return context.get_request_header(0, 'X-Mine') + data\n"
        "def predict_fn(data, model):\n    return [model, data]\n"
        "def output_fn(prediction, accept, context):\n    return str(prediction), 'text/plain'\n"
    )
    answer = serve(code, "pytorch").post(b"1", content_type=CSV, X_Mine="me ")
    assert answer == (200, "text/plain", b"[True, 'me 1']")


def test_one_function_for_all(serve: Serve) -> None:
    code = (
        "def model_fn(model_dir):\n    return 'm'\n"
        "def transform_fn(model, data, content_type, accept):\n"
        "    return f'{model} {data!r} {content_type} {accept}'\n"
        "def execution_parameters_fn():\n    return {'MaxPayloadInMB': 2}\n"
    )
    server = serve(code, "mxnet", SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT=CSV)
    assert server.post(b"x", content_type="a/b") == (200, CSV, b"m b'x' a/b text/csv")
    assert json.loads(server.get("/execution-parameters")[1]) == {"MaxPayloadInMB": 2}


def test_pipelines_of_transformers(serve: Serve) -> None:
    code = (
        "def model_fn(model_dir):\n    return lambda texts, top=1: [text.upper()[:top] for text in texts]\n"
    )
    server = serve(code, "huggingface")
    request = {"inputs": ["abc", "def"], "parameters": {"top": 2}}
    assert server.post(json.dumps(request).encode(), content_type=JSON)[2] == b'["AB", "DE"]'
    assert server.post(b"inputs\nabc\n", content_type=CSV)[2] == b'["A"]'


def test_where_the_code_is(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    (tmp_path / "elsewhere" / "deep" / "entry.py").write_text(
        "def model_fn(model_dir):\n    return 1\ndef predict_fn(data, model):\n    return data + model\n"
    )
    places = {"SAGEMAKER_PROGRAM": "deep.entry", "SAGEMAKER_SUBMIT_DIRECTORY": str(tmp_path / "elsewhere")}
    assert serve("raise SystemExit", **places).post(b"[1, 2]", content_type=JSON)[2] == b"[2.0, 3.0]"


@pytest.mark.parametrize("output", ["1.5", "None", "{'a': 1}"])
def test_results_that_are_no_text(serve: Serve, output: str) -> None:
    code = f"def model_fn(_): pass\ndef transform_fn(*_):\n    return {output}\n"
    status, _, body = serve(code.replace("*_", "a, b, c, d")).post(b"x")
    assert status == 500
    assert b"it has to return text or bytes" in body


@pytest.mark.parametrize(
    ("kind", "code", "reason"),
    [
        (
            "scikit-learn",
            "",
            "Please provide a model_fn implementation: the scikit-learn image has no default",
        ),
        ("xgboost", "", "Please provide a model_fn implementation: the xgboost image"),
        ("huggingface", "", "the environment variable HF_TASK is needed where there is no model_fn"),
        ("scikit-learn", "def model_fn(a, b, c): pass", "model_fn takes 3 arguments but 1 were given."),
        (
            "pytorch",
            "def model_fn(a): raise KeyError('weights\\nand more\\n')",
            "model_fn failed: KeyError: ",
        ),
        (
            "pytorch",
            "def model_fn(a): raise RuntimeError('Error(s) in loading:\\n  Missing key')",
            "model_fn failed: RuntimeError: Error(s) in loading:",
        ),
        ("pytorch", "import sys\ndef model_fn(a): sys.exit(3)", "model_fn failed: SystemExit: 3"),
        ("scikit-learn", "1 +", "inference.py cannot be imported: SyntaxError: invalid syntax"),
    ],
)
def test_modules_that_cannot_be_served(tmp_path: Path, kind: str, code: str, reason: str) -> None:
    assert reason in refusal(kind, write(tmp_path / "model", code))


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    folder = write(tmp_path / "model", "")
    said = refusal("pytorch", folder, SAGEMAKER_PROGRAM="serve.py")
    assert said.startswith("no inference code: SAGEMAKER_PROGRAM is 'serve.py', and there is no serve.py in ")


def test_what_xgboost_does_by_itself(serve: Serve, tmp_path: Path) -> None:
    """With a stand-in for the library, which is not installed here."""
    path = tmp_path / "model" / "code" / "xgboost.py"
    path.parent.mkdir(parents=True)
    path.write_text("class DMatrix:\n    def __init__(self, rows):\n        self.rows = rows\n")
    code = (
        "def model_fn(_):\n    return Booster()\nclass Booster:\n"
        "    def predict(self, data, validate_features):\n        return data.rows.sum(axis=1)\n"
    )
    server = serve(code, "xgboost")
    assert server.post(b"1,2\n3,4\n", content_type=CSV, accept=CSV) == (200, CSV, b"3\n7\n")
    assert server.post(b"1,2\n", content_type=CSV, accept=JSON) == (200, JSON, b"[3]")


def test_what_pytorch_does_by_itself(serve: Serve, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="needs torch")
    (tmp_path / "model").mkdir()
    torch.jit.script(torch.nn.ReLU()).save(str(tmp_path / "model" / "model.pt"))
    answer = serve("", "pytorch").post(b"[[-1.0, 2.0]]", content_type=JSON)
    assert answer == (200, JSON, b"[[0.0, 2.0]]")
