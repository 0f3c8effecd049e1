"""Model and Transform steps of pipelines, and what becomes of cached results that were removed."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from models_to_serve import ROLE, SKLEARN, SUMS, Transforming, sums
from pipelines_to_run import (
    Runner,
    definition,
    get,
    processing,
    step,
    training,
    until,
)

from local_sagemaker.core.settings import Settings

ENABLED = {"Enabled": True, "ExpireAfter": "30d"}
# Fits y = 1 + 2a + 3b, and packs the model together with its inference code.
FIT = """
mkdir -p /opt/ml/model/code && python3 - <<'END'
import joblib, numpy
from sklearn.linear_model import LinearRegression
rows = numpy.array([[0, 0], [1, 0], [0, 1], [1, 1]])
joblib.dump(LinearRegression().fit(rows, rows @ [2, 3] + 1), "/opt/ml/model/model.joblib")
END
cat > /opt/ml/model/code/inference.py <<'END'
import os, joblib
def model_fn(model_dir):
    return joblib.load(os.path.join(model_dir, "model.joblib"))
def predict_fn(data, model):
    return model.predict(data).round(3)
END
"""


@pytest.fixture
def transforming(local: Settings, sagemaker: Any, s3: Any) -> Transforming:
    return Transforming(local, sagemaker, s3)


def transform(model: Any, source: Any, target: str, **arguments: Any) -> dict[str, Any]:
    """Arguments of a Transform step."""
    return {
        "ModelName": model,
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": source}},
            "ContentType": "text/csv",
            "SplitType": "Line",
        },
        "TransformOutput": {"S3OutputPath": target, "Accept": "text/csv", "AssembleWith": "Line"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        **arguments,
    }


def model(data: Any, **arguments: Any) -> dict[str, Any]:
    """Arguments of a Model step."""
    return {
        "PrimaryContainer": {"Image": SKLEARN, "ModelDataUrl": data, "Environment": {}},
        "ExecutionRoleArn": ROLE,
        **arguments,
    }


def test_train_then_transform_then_evaluate(transforming: Transforming, runner: Runner, name: str) -> None:
    source = transforming.put(f"{name}/in/rows.csv", b"1,1\n2,0\n").rpartition("/")[0]
    code = transforming.put(f"{name}/code/fit.sh", FIT.encode()).rpartition("/")[0]
    channel = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": code}}
    fit = training(
        "sh /opt/ml/input/data/code/fit.sh",
        transforming.uri(f"{name}/train"),
        InputDataConfig=[{"ChannelName": "code", "DataSource": channel}],
    )
    train = step("Train", "Training", fit)
    data = get("Steps.Train.ModelArtifacts.S3ModelArtifacts")
    create = step("Create", "Model", model(data))
    apply = step(
        "Apply",
        "Transform",
        transform(get("Steps.Create.ModelName"), source, transforming.uri(f"{name}/out")),
    )
    given = {
        "InputName": "predictions",
        "S3Input": {
            "S3Uri": get("Steps.Apply.TransformOutput.S3OutputPath"),
            "LocalPath": "/opt/ml/processing/input/predictions",
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
        },
    }
    script = "cp /opt/ml/processing/input/predictions/rows.csv.out /opt/ml/processing/output/o/seen"
    evaluation = processing(script, {"o": transforming.uri(f"{name}/seen")}, ProcessingInputs=[given])
    done = runner.run(name, definition(train, create, apply, step("Evaluate", "Processing", evaluation)))
    steps = runner.steps(done["PipelineExecutionArn"])
    assert done["PipelineExecutionStatus"] == "Succeeded", done
    seen = transforming.s3.get_object(Bucket=transforming.settings.bucket, Key=f"{name}/seen/seen")
    assert seen["Body"].read() == b"6.0\n5.0\n"
    made = steps["Create"]["Metadata"]["Model"]["Arn"]
    model_name = made.rpartition("/")[2]
    execution_id = done["PipelineExecutionArn"].rpartition("/")[2]
    assert model_name.startswith(f"pipelines-{execution_id}-Create-")
    job = steps["Apply"]["Metadata"]["TransformJob"]["Arn"]
    assert job.rpartition("/")[2].startswith(f"pipelines-{execution_id}-Apply-")
    description = transforming.sagemaker.describe_transform_job(TransformJobName=job.rpartition("/")[2])
    assert description["ModelName"] == model_name
    for arn, step_name in ((made, "Create"), (job, "Apply")):
        tags = {tag["Key"]: tag["Value"] for tag in transforming.sagemaker.list_tags(ResourceArn=arn)["Tags"]}
        assert tags["sagemaker:pipeline-step-name"] == step_name


def test_a_model_under_a_prefix_of_ones_own(transforming: Transforming, runner: Runner, name: str) -> None:
    data = transforming.put(f"{name}/model.tar.gz", sums())
    done = runner.run(name, definition(step("Create", "Model", model(data, ModelName="mine"))))
    made = runner.steps(done["PipelineExecutionArn"])["Create"]["Metadata"]["Model"]["Arn"]
    assert ":model/mine-" in made


def test_steps_that_fail_say_why(transforming: Transforming, runner: Runner, name: str) -> None:
    data = transforming.put(f"{name}/model.tar.gz", sums())
    source = transforming.put(f"{name}/in/rows.csv", b"x\n")
    other = model(data)
    other["PrimaryContainer"] = {**other["PrimaryContainer"], "Image": "registry/own-image:1"}
    target = transforming.uri(f"{name}/out")
    text = definition(
        step("Absent", "Model", model(transforming.uri(f"{name}/absent.tar.gz"))),
        step("Create", "Model", model(data)),
        step("Bad", "Transform", transform(get("Steps.Create.ModelName"), source, target)),
        step("Other", "Model", other),
        step("Own", "Transform", transform(get("Steps.Other.ModelName"), source, target)),
    )
    steps = runner.steps(runner.run(name, text)["PipelineExecutionArn"])
    reasons = {key: value["FailureReason"] for key, value in steps.items() if value["StepStatus"] == "Failed"}
    assert reasons.keys() == {"Absent", "Bad", "Own"}
    assert "Could not find model data at" in reasons["Absent"]
    assert "Bad HTTP status received from algorithm: 500: could not convert string to float" in reasons["Bad"]
    assert "the image registry/own-image:1 of model" in reasons["Own"]


def test_a_transform_is_stopped_with_its_pipeline(
    transforming: Transforming, runner: Runner, name: str
) -> None:
    slow = (
        SUMS
        + "\ndef predict_fn(rows, constant):\n    import time\n    print('asleep')\n    time.sleep(600)\n"
    )
    transforming.model(name, sums(slow))
    source = transforming.put(f"{name}/in/rows.csv", b"1\n")
    apply = step("Apply", "Transform", transform(name, source, transforming.uri(f"{name}/out")))
    runner.create(name, definition(apply))
    execution = runner.start(name)

    def asleep() -> bool:
        job = runner.steps(execution).get("Apply", {}).get("Metadata", {}).get("TransformJob")
        log = transforming.settings.job_log(job["Arn"].rpartition("/")[2]) if job else None
        return bool(log and log.exists() and "asleep" in log.read_text())

    until(asleep)
    runner.client.stop_pipeline_execution(PipelineExecutionArn=execution)
    assert runner.wait(execution)["PipelineExecutionStatus"] == "Stopped"
    assert runner.statuses(execution) == {"Apply": "Stopped"}
    assert transforming.outputs(name) == {}


def sources(runner: Runner, arn: str) -> dict[str, str | None]:
    return {
        name: item.get("CacheHitResult", {}).get("SourcePipelineExecutionArn")
        for name, item in runner.steps(arn).items()
    }


def run(runner: Runner, name: str, **parameters: str) -> str:
    done = runner.wait(runner.start(name, parameters))
    assert done["PipelineExecutionStatus"] == "Succeeded", done
    return str(done["PipelineExecutionArn"])


def test_a_transform_is_reused_by_what_goes_into_it(
    transforming: Transforming, runner: Runner, name: str
) -> None:
    """The key is DataProcessing, Environment, ModelName and TransformInput; nothing else counts."""
    transforming.model(name, sums())
    source = transforming.put(f"{name}/in/rows.csv", b"1\n")
    arguments = transform(
        name, source, transforming.uri(f"{name}/out"), Environment={"A": get("Parameters.A")}
    )
    arguments["TransformResources"]["InstanceType"] = get("Parameters.Type")
    declared = [
        {"Name": "A", "Type": "String", "DefaultValue": "a"},
        {"Name": "Type", "Type": "String", "DefaultValue": "ml.m5.large"},
    ]
    apply = step("Apply", "Transform", arguments, CacheConfig=ENABLED)
    runner.create(name, definition(apply, Parameters=declared))
    first = run(runner, name)
    assert sources(runner, first) == {"Apply": None}
    assert sources(runner, run(runner, name)) == {"Apply": first}
    assert sources(runner, run(runner, name, Type="ml.m5.xlarge")) == {"Apply": first}
    assert sources(runner, run(runner, name, A="b")) == {"Apply": None}


def test_results_that_were_removed_are_made_again(
    transforming: Transforming, runner: Runner, name: str
) -> None:
    transforming.model(name, sums())
    source = transforming.put(f"{name}/in/rows.csv", b"1\n")
    script = "echo 1 > /opt/ml/processing/output/full/file"
    outputs = {key: transforming.uri(f"{name}/{key}") for key in ("full", "empty")}
    runner.create(
        name,
        definition(
            step("Process", "Processing", processing(script, outputs), CacheConfig=ENABLED),
            step(
                "Train",
                "Training",
                training("echo 1 > /opt/ml/model/m", transforming.uri(f"{name}/t")),
                CacheConfig=ENABLED,
            ),
            step(
                "Apply",
                "Transform",
                transform(name, source, transforming.uri(f"{name}/out")),
                CacheConfig=ENABLED,
            ),
        ),
    )
    first = run(runner, name)
    steps = runner.steps(first)
    assert sources(runner, run(runner, name)) == dict.fromkeys(("Process", "Train", "Apply"), first)
    artifact = transforming.sagemaker.describe_training_job(
        TrainingJobName=steps["Train"]["Metadata"]["TrainingJob"]["Arn"].rpartition("/")[2]
    )["ModelArtifacts"]["S3ModelArtifacts"]
    bucket = transforming.settings.bucket
    for gone, key in (
        ("Process", f"{name}/full/file"),
        ("Train", artifact.removeprefix(f"s3://{bucket}/")),
        ("Apply", f"{name}/out/rows.csv.out"),
    ):
        transforming.s3.delete_object(Bucket=bucket, Key=key)
        again = run(runner, name)
        hits = sources(runner, again)
        assert hits.pop(gone) is None
        assert all(hits.values())
        metadata = json.dumps(runner.steps(again)[gone]["Metadata"])
        job = metadata.rpartition("/")[2].partition('"')[0]
        assert "not reused from" in transforming.log(job)
        assert "any more" in transforming.log(job)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (step("X", "Model", {"PrimaryContainer": {"Imge": "x"}}), "Unknown member 'Imge'"),
        (
            step("X", "Model", model("s3://b/m"), CacheConfig=ENABLED),
            "a Model step has no member CacheConfig",
        ),
        (step("X", "Transform", {"ModelName": "m"}), "'transformInput' failed to satisfy constraint"),
        (
            step("X", "Transform", {**transform("m", "s3://b/i", "s3://b/o"), "BatchStrategy": "All"}),
            "Member must satisfy enum value set: [MultiRecord, SingleRecord]",
        ),
    ],
)
def test_definitions_that_are_refused(runner: Runner, name: str, bad: dict[str, Any], message: str) -> None:
    with pytest.raises(runner.client.exceptions.ClientError) as caught:
        runner.create(name, definition(bad))
    assert message in str(caught.value)


def test_properties_are_checked(runner: Runner, name: str) -> None:
    create = step("Create", "Model", model("s3://b/m"))
    apply = step("Apply", "Transform", transform(get("Steps.Create.Nmae"), "s3://b/i", "s3://b/o"))
    with pytest.raises(runner.client.exceptions.ClientError) as caught:
        runner.create(name, definition(create, apply))
    assert "DescribeModelOutput has no 'Nmae'" in str(caught.value)


SDK = """
    import sys
    from sagemaker.core.transformer import Transformer
    from sagemaker.core.workflow.functions import Join
    from sagemaker.core.workflow.parameters import ParameterString
    from sagemaker.core.workflow.pipeline_context import PipelineSession
    from sagemaker.mlops.workflow.model_step import ModelStep
    from sagemaker.mlops.workflow.pipeline import Pipeline
    from sagemaker.mlops.workflow.steps import CacheConfig, TransformStep
    from sagemaker.serve.model_builder import ModelBuilder

    bucket, name, image = sys.argv[1:]
    session, role = PipelineSession(default_bucket=bucket), "arn:aws:iam::123456789012:role/x"
    word = ParameterString("Word", default_value="hello")
    builder = ModelBuilder(
        image_uri=image, s3_model_data_url=f"s3://{bucket}/{name}/model.tar.gz", role_arn=role,
        env_vars={"WORD": "model"}, sagemaker_session=session,
    )
    create = ModelStep(name="Create", step_args=builder.build())
    transformer = Transformer(
        model_name=create.properties.ModelName, instance_count=1, instance_type="ml.m5.large",
        strategy="MultiRecord", assemble_with="Line", accept="text/csv", max_payload=1,
        output_path=f"s3://{bucket}/{name}/out", env={"WORD": word}, sagemaker_session=session,
    )
    apply = TransformStep(
        name="Apply",
        step_args=transformer.transform(
            data=Join(on="/", values=[f"s3://{bucket}/{name}", "in", "rows.csv"]), content_type="text/csv",
            split_type="Line", input_filter="$[1:]", join_source="Input", output_filter="$[0,-1]",
            model_client_config={"InvocationsTimeoutInSeconds": 60},
        ),
        cache_config=CacheConfig(enable_caching=True, expire_after="P30D"),
    )
    steps = [create, apply]
    Pipeline(name=name, parameters=[word], steps=steps, sagemaker_session=session).upsert(role_arn=role)
"""


def test_what_the_sdk_makes_runs_unchanged(
    transforming: Transforming, runner: Runner, name: str, tmp_path: Path
) -> None:
    transforming.put(f"{name}/model.tar.gz", sums(SUMS + "\nprint('word', os.environ['WORD'])\n"))
    transforming.put(f"{name}/in/rows.csv", b"a,1\nb,2\n")
    settings = transforming.settings
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "SAGEMAKER_VALIDATE_ROLE": "false"}
    compiled = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SDK), settings.bucket, name, SKLEARN],
        env=environment | settings.environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert compiled.returncode == 0, compiled.stderr
    execution = run(runner, name, Word="bye")
    assert transforming.outputs(name) == {"rows.csv.out": b"a,1.5\nb,2.5\n"}
    job = runner.steps(execution)["Apply"]["Metadata"]["TransformJob"]["Arn"].rpartition("/")[2]
    assert "word bye" in transforming.log(job).splitlines()
