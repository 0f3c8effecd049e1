"""The compiled pipeline: no side effects, the same bytes each time, cache keys that follow the code."""

import json
import os
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from projects import COMMAND, make_project

from retraining.compile import sdk_internals
from retraining.compile.definition import Definition, compile_pipeline
from retraining.config import configuration
from retraining.errors import UserError


def compiled(project: Path) -> Definition:
    return compile_pipeline(configuration.load(project))


def steps(definition: Definition) -> dict[str, Any]:
    by_name: dict[str, Any] = {}
    for step in json.loads(definition.text)["Steps"]:
        by_name[step["Name"]] = step
        for branch in ("IfSteps", "ElseSteps"):
            by_name |= (
                {inner["Name"]: inner for inner in step["Arguments"].get(branch, [])}
                if "Arguments" in step
                else {}
            )
    return by_name


def code_uris(step: dict[str, Any]) -> list[str]:
    arguments = step["Arguments"]
    inputs = arguments.get("ProcessingInputs", []) + arguments.get("InputDataConfig", [])
    uris = [
        item["S3Input"]["S3Uri"] if "S3Input" in item else item["DataSource"]["S3DataSource"]["S3Uri"]
        for item in inputs
    ]
    return [uri for uri in uris if isinstance(uri, str) and "/code/" in uri]


def test_two_compilations_give_the_same_bytes(project: Path) -> None:
    first = compiled(project)
    for path in project.rglob("*.py"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    second = compiled(project)
    assert first.text == second.text
    assert first.uploads == second.uploads


def test_the_steps_chain_through_properties_and_parameters(project: Path) -> None:
    by_name = steps(compiled(project))
    assert [step["Type"] for step in by_name.values()] == [
        "Processing",
        "Training",
        "Processing",
        "Condition",
        "Lambda",
        "Fail",
    ]
    channels = {item["ChannelName"]: item for item in by_name["Train"]["Arguments"]["InputDataConfig"]}
    assert channels["train_data"]["DataSource"]["S3DataSource"]["S3Uri"] == {
        "Get": "Steps.Preprocess.ProcessingOutputConfig.Outputs['train_data'].S3Output.S3Uri"
    }
    assert "test" not in channels
    assert by_name["Evaluate"]["Arguments"]["ProcessingInputs"][0]["S3Input"]["S3Uri"] == {
        "Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"
    }
    assert by_name["Register"]["Arguments"]["approval_status"] == {"Get": "Parameters.ModelApprovalStatus"}
    for name in ("Preprocess", "Train", "Evaluate"):
        assert by_name[name]["CacheConfig"] == {"Enabled": True, "ExpireAfter": "P6D"}
        assert by_name[name]["RetryPolicies"]
    assert len(by_name["Train"]["Arguments"]["AlgorithmSpecification"]["MetricDefinitions"]) >= 4


def test_the_experiment_stands_in_the_definition(project: Path) -> None:
    assert json.loads(compiled(project).text)["PipelineExperimentConfig"] == {
        "ExperimentName": "demo-retraining",
        "TrialName": {"Get": "Execution.PipelineExecutionId"},
    }


def test_key_network_and_tags_stand_in_the_definition(project: Path) -> None:
    path = project / "conf" / "project.yaml"
    text = path.read_text().replace("kms_key: null", "kms_key: arn:aws:kms:eu-west-1:111122223333:key/k")
    text = text.replace("SMP_SUBNETS: []", "SMP_SUBNETS: [subnet-0a]")
    path.write_text(text.replace("SMP_SECURITYGROUPS: []", "SMP_SECURITYGROUPS: [sg-0b]"))
    by_name = steps(compiled(project))
    network = {"Subnets": ["subnet-0a"], "SecurityGroupIds": ["sg-0b"]}
    assert by_name["Preprocess"]["Arguments"]["NetworkConfig"]["VpcConfig"] == network
    assert by_name["Train"]["Arguments"]["VpcConfig"] == network
    key = "arn:aws:kms:eu-west-1:111122223333:key/k"
    assert by_name["Preprocess"]["Arguments"]["ProcessingOutputConfig"]["KmsKeyId"] == key
    assert by_name["Train"]["Arguments"]["OutputDataConfig"]["KmsKeyId"] == key
    assert {"Key": "project", "Value": "demo"} in by_name["Train"]["Arguments"]["Tags"]


@pytest.mark.parametrize(
    ("script", "changed"),
    [
        ("preprocess.py", {"Preprocess"}),
        ("train.py", {"Train"}),
        ("evaluate.py", {"Evaluate"}),
        ("simulate.py", set()),
    ],
)
def test_a_changed_script_changes_the_code_of_its_step_only(
    project: Path, script: str, changed: set[str]
) -> None:
    before = steps(compiled(project))
    path = project / "models" / "scarcegan" / script
    path.write_text(path.read_text() + "\n# changed\n")
    after = steps(compiled(project))
    assert {name for name in before if before[name] != after[name]} == changed
    for name in changed:
        assert code_uris(before[name]) != code_uris(after[name])


def test_code_uris_are_uploaded(project: Path) -> None:
    definition = compiled(project)
    uploaded = {f"s3://{bucket}/{key}" for bucket, key in definition.uploads}
    uris = [uri for step in steps(definition).values() if "Arguments" in step for uri in code_uris(step)]
    assert len(uris) == 6
    for uri in uris:
        assert any(name.startswith(uri) for name in uploaded), uri


def test_arguments_fit_the_real_api(project: Path) -> None:
    """With every reference replaced by a text, botocore's own shapes accept what SageMaker will be sent."""
    model = botocore.session.get_session().get_service_model("sagemaker")
    shapes = {"Processing": "CreateProcessingJobRequest", "Training": "CreateTrainingJobRequest"}
    names = {"Processing": "ProcessingJobName", "Training": "TrainingJobName"}
    for step in steps(compiled(project)).values():
        if step["Type"] in shapes:
            arguments = _resolve(step["Arguments"]) | {names[step["Type"]]: "job"}
            report = ParamValidator().validate(arguments, model.shape_for(shapes[step["Type"]]))
            assert not report.has_errors(), report.generate_report()


def _resolve(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        if set(value) == {"Get"} or set(value) == {"Std:Join"}:
            return 1 if key == "InstanceCount" else "text"
        return {name: _resolve(item, name) for name, item in value.items()}
    return [_resolve(item) for item in value] if isinstance(value, list) else value


def test_compiling_needs_no_credentials_and_no_network(project: Path, tmp_path: Path) -> None:
    """In a network namespace without interfaces, with an empty home and a broken AWS configuration."""
    home = tmp_path / "home"
    home.mkdir()
    out = tmp_path / "out.json"
    command = [
        *COMMAND,
        "definition",
        "--out",
        str(out),
    ]
    isolated = ["unshare", "--user", "--map-root-user", "--net", *command]
    if subprocess.run([*isolated[:4], "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine allows no network namespaces")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "AWS_PROFILE": "absent",
    }
    before = sorted(path for path in project.rglob("*") if "home" not in path.parts)
    result = subprocess.run(
        isolated, cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(out.read_text())["Version"] == "2020-12-01"
    after = sorted(
        path for path in project.rglob("*") if "home" not in path.parts and "__pycache__" not in path.parts
    )
    assert [path for path in after if path not in before] == [out]


def test_compiled_files_beside_the_sources_are_not_uploaded(tmp_path: Path) -> None:
    # Else the code of a step would change as soon as a program imports the SDK's drivers.
    (tmp_path / "common" / "__pycache__").mkdir(parents=True)
    (tmp_path / "common" / "utils.py").write_text("")
    (tmp_path / "common" / "__pycache__" / "utils.cpython-311.pyc").write_text("")
    uploads: sdk_internals.Uploads = {}
    session = SimpleNamespace()
    sdk_internals.keep_uploads(session, uploads, "bucket")
    session.upload_data(str(tmp_path), key_prefix="drivers")
    assert list(uploads) == [("bucket", "drivers/common/utils.py")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def (:", r"pipeline.py:1: not valid Python"),
        ("raise KeyError('x')", r"pipeline.py:1: the pipeline does not compile: KeyError"),
        ("import nowhere", r"pipeline.py:1: .*No module named 'nowhere'"),
        ("def pipeline(build):\n    return build.nothing", r"pipeline.py:2: .*'nothing'"),
        ("pipeline = 3", r"the pipeline does not compile: TypeError"),
        ("x = 1", r"the pipeline does not compile: AttributeError"),
    ],
)
def test_a_broken_pipeline_file_is_one_line(project: Path, text: str, expected: str) -> None:
    (project / "pipeline.py").write_text(text)
    with pytest.raises(UserError) as caught:
        compiled(project)
    assert re.search(expected, str(caught.value))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("environment", "gpus"), [("prod", 4), ("falcon-40b", 8)])
def test_the_overlays_of_the_summarization_compile(tmp_path: Path, environment: str, gpus: int) -> None:
    root = make_project(tmp_path / "project", "summarization")
    compiled = json.loads(compile_pipeline(configuration.load(root, environment)).text)
    defaults = {item["Name"]: item["DefaultValue"] for item in compiled["Parameters"]}
    (train,) = (step["Arguments"] for step in compiled["Steps"] if step["Name"] == "Train")
    assert train["ResourceConfig"]["InstanceType"] == {"Get": "Parameters.TrainingInstanceType"}
    assert {"ml.g5.12xlarge": 4, "ml.g5.48xlarge": 8}[defaults["TrainingInstanceType"]] == gpus
    assert defaults["ModelId"] == {"prod": "tiiuae/falcon-7b"}.get(environment, f"tiiuae/{environment}")
    assert defaults["FourBit"] == ("true" if environment == "falcon-40b" else "false")
    assert train["HyperParameters"]["four_bit"] == {"Get": "Parameters.FourBit"}
