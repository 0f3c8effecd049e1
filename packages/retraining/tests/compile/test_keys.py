"""Every key of the configuration is honoured: what it sets stands in the compiled pipeline."""

import os
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from job_keys import JOBS
from key import SAME, Key
from keyed_project import Compiled, compiled, documents, write
from model_keys import MODEL_KEYS
from pipeline_keys import PIPELINE
from project_keys import ELSEWHERE, PROJECT
from schema_paths import all_keys, key_of, may_be_parameter

from retraining.config import configuration
from retraining.config.configuration import Configuration
from retraining.config.schema.fields import SPELLINGS
from retraining.errors import UserError
from retraining.planning import schedule
from retraining.results import mlflow_ui
from retraining.runs import targets

KEYS = [*JOBS, *MODEL_KEYS, *PIPELINE, *PROJECT]
PARAMETERS = [
    key
    for key in KEYS
    if key.place and key.expected in (SAME, str(key.value)) and may_be_parameter(key_of(key.path))
]
REQUESTS = {
    "Processing": ("CreateProcessingJobRequest", {"ProcessingJobName": "job"}),
    "Training": ("CreateTrainingJobRequest", {"TrainingJobName": "job"}),
    "Tuning": ("CreateHyperParameterTuningJobRequest", {"HyperParameterTuningJobName": "job"}),
    "Transform": ("CreateTransformJobRequest", {"TransformJobName": "job"}),
    "Model": ("CreateModelInput", {"ModelName": "model"}),
    "RegisterModel": ("CreateModelPackageInput", {}),
}


def settings(keys: list[Key]) -> dict[str, Any]:
    """All of them together; what a key needs beside it comes first, and the shorter path."""
    own = {key.path: key.value for key in keys}
    needed = {path: value for key in keys for path, value in key.beside.items() if path not in own}
    return {path: needed[path] for path in sorted(needed, key=lambda path: path.count("/"))} | own


def parameter(key: Key) -> dict[str, Any]:
    name = f"P{list(dict.fromkeys(other.path for other in PARAMETERS)).index(key.path)}"
    return {"parameter": name, "default": key.value}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    return compiled(tmp_path_factory.mktemp("base"), {})


@pytest.fixture(scope="module")
def variants(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Compiled]:
    """One project for the keys of each variant."""
    return {
        name: compiled(
            tmp_path_factory.mktemp("keys"), settings([key for key in KEYS if key.variant == name])
        )
        for name in dict.fromkeys(key.variant for key in KEYS)
    }


@pytest.fixture(scope="module")
def with_parameters(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Compiled]:
    """The same projects with a pipeline parameter as the value of each key."""
    made = {}
    for name in dict.fromkeys(key.variant for key in PARAMETERS):
        keys = [key for key in KEYS if key.variant == name]
        wanted = settings(keys) | {key.path: parameter(key) for key in PARAMETERS if key in keys}
        made[name] = compiled(tmp_path_factory.mktemp("parameters"), wanted)
    return made


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_a_key_shows_its_effect(key: Key, base: Compiled, variants: dict[str, Compiled]) -> None:
    assert not key.is_honoured(base), "it shows without being set"
    assert key.is_honoured(variants[key.variant]), variants[key.variant].at(
        key.place or "pipeline/Parameters"
    )


@pytest.mark.parametrize("key", PARAMETERS, ids=str)
def test_a_key_may_be_a_parameter(key: Key, with_parameters: dict[str, Compiled]) -> None:
    compilation, name = with_parameters[key.variant], parameter(key)["parameter"]
    value = compilation.at(key.place)
    reference = {"Get": f"Parameters.{name}"}
    assert value in (reference, {"Std:Join": {"On": "", "Values": [reference]}})
    assert compilation.at(f"pipeline/Parameters/Name={name}/DefaultValue") == key.value


def test_no_key_of_the_schema_is_forgotten() -> None:
    tested = {place for key in KEYS for place in _above(key_of(key.path))}
    missing = {key for key in all_keys() if not key.endswith("/*")} - tested - set(ELSEWHERE)
    assert not missing


def test_no_parameter_is_forgotten() -> None:
    tested = {key_of(key.path) for key in PARAMETERS}
    assert not {key for key in all_keys() if may_be_parameter(key)} - tested


@pytest.mark.parametrize("other", SPELLINGS.values())
def test_other_spellings_are_tested(other: str) -> None:
    assert any(key.path.endswith(f"/{other}") for key in KEYS)


@pytest.mark.parametrize("test", sorted(set(ELSEWHERE.values())))
def test_what_is_tested_apart_is_tested_here(test: str) -> None:
    assert test in globals()


def _above(key: str) -> list[str]:
    parts = key.split("/")
    return ["/".join(parts[:length]) for length in range(1, len(parts) + 1)]


def test_requests_fit_the_real_api(
    base: Compiled, variants: dict[str, Compiled], with_parameters: dict[str, Compiled]
) -> None:
    """With every reference resolved, botocore's own shapes accept what SageMaker will be sent."""
    model = botocore.session.get_session().get_service_model("sagemaker")
    seen = set()
    for compilation in (base, *variants.values(), *with_parameters.values()):
        values = {item["Name"]: item["DefaultValue"] for item in compilation.at("pipeline/Parameters")}
        for step in compilation.steps.values():
            if step["Type"] in REQUESTS:
                shape, name = REQUESTS[step["Type"]]
                arguments = _resolved(step["Arguments"], values) | name
                report = ParamValidator().validate(arguments, model.shape_for(shape))
                assert not report.has_errors(), f"{step['Name']}: {report.generate_report()}"
                seen.add(step["Type"])
    assert seen == set(REQUESTS)


def _resolved(value: Any, parameters: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        if set(value) == {"Get"}:
            return parameters.get(value["Get"].removeprefix("Parameters."), "text")
        if set(value) == {"Std:Join"}:
            return "text"
        return {name: _resolved(item, parameters) for name, item in value.items()}
    return [_resolved(item, parameters) for item in value] if isinstance(value, list) else value


def loaded(folder: Path, changes: dict[str, Any]) -> Configuration:
    return configuration.load(write(folder, documents(changes)))


class Recorder:
    """Stands for a client of AWS: keeps what it is asked, answers with `answer`."""

    exceptions = SimpleNamespace(ConflictException=KeyError)

    def __init__(self, answer: dict[str, Any]) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answer = answer

    def __getattr__(self, operation: str) -> Any:
        def ask(**request: Any) -> dict[str, Any]:
            self.asked.append(request)
            return self.answer

        return ask


def test_the_schedule_is_put_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder({"PipelineArn": "arn:aws:sagemaker:eu-west-1:111122223333:pipeline/keys"})
    monkeypatch.setattr("boto3.client", lambda service: recorder)
    assert schedule.put(loaded(tmp_path, {"project/schedule": "rate(3 days)"})) == "rate(3 days)"
    assert recorder.asked[-1]["ScheduleExpression"] == "rate(3 days)"


def test_without_a_schedule_there_is_none_to_put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("boto3.client", lambda service: Recorder({}))
    with pytest.raises(UserError, match="none is given"):
        schedule.put(loaded(tmp_path, {}))


def test_another_version_of_the_platform_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^[^\n]+: platform: retraining \S+, .* needs >=99: run [^\n]+$"):
        loaded(tmp_path, {"project/platform": ">=99"})


def test_the_tracking_server_is_told_to_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("boto3.client", lambda service: Recorder({"Account": "111122223333"}))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///here.db")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    server = "arn:aws:sagemaker:eu-west-1:111122223333:mlflow-tracking-server/runs"
    targets.enter("aws", loaded(tmp_path, {"project/mlflow_tracking_uri": server}), lambda words: None)
    assert os.environ["MLFLOW_TRACKING_URI"] == server


def test_the_pages_of_mlflow_open_at_their_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that is in use is refused by name: so it is the one that would be opened."""
    monkeypatch.delenv("LOCAL_MLFLOW_PORT", raising=False)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError) as caught:
            mlflow_ui.serve(loaded(tmp_path, {"project/local/mlflow_port": port}), "local")
    said = str(caught.value)
    assert said.startswith(f"port {port} is in use by another program (pid {os.getpid()}: ")
    assert said.endswith("set local.mlflow_port in conf/project.yaml or the variable LOCAL_MLFLOW_PORT")


def test_the_name_of_a_source_is_a_label_outside_of_processing(tmp_path: Path) -> None:
    """As in the framework: a training channel is called by its own name."""
    project = loaded(tmp_path, {"conf/models/first/train/channels/more/dataFiles/0/sourceName": "label"})
    names = [item.name for item in project.steps["Train"].inputs]
    assert names == ["more", "train"]


_TRAIN, _TRANSFORM = "conf/models/first/train/channels/more", "conf/models/first/transform/channels/test"
_FOLDER = {"outputLocalFilepath": "/opt/ml/x"}
UNUSED = [
    (f"{_TRAIN}/inputLocalFilepath", "/opt/ml/x"),
    (f"{_TRAIN}/location", _FOLDER),
    (f"{_TRANSFORM}/inputLocalFilepath", "/opt/ml/x"),
    (f"{_TRANSFORM}/location", _FOLDER),
    (f"{_TRANSFORM}/dataFiles", [{"fileName": "s3://demo-bucket/beside-the-chained-step"}]),
    ("conf/models/first/transform/framework_version", "1.4-2"),
    ("conf/models/first/preprocess/channels/raw/location", _FOLDER),
    ("conf/models/first/evaluate/channels/truth/location", _FOLDER),
]


@pytest.mark.parametrize(("path", "value"), UNUSED, ids=[path for path, _ in UNUSED])
def test_a_key_that_would_have_no_effect_is_an_error(tmp_path: Path, path: str, value: Any) -> None:
    with pytest.raises(UserError) as caught:
        loaded(tmp_path, {path: value})
    assert path.split("/")[-1] in str(caught.value)
