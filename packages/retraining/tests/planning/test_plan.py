"""`retrain plan` against real local runs: what it says comes true, and it changes nothing."""

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from tiny_project import CHAIN, JOBS, MODEL, SCRIPTS, STEPS, Tiny, retrain, running, step

from job_toolkit import imports
from local_sagemaker.definition import cache as local_cache
from retraining.compile import code_differences, definition
from retraining.compile.compiled import Run, read
from retraining.compile.differences import differences
from retraining.planning import cache_prediction, history
from retraining.planning.plan import Plan
from retraining.runs import executions

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiny]:
    with running(tmp_path_factory.mktemp("tiny")) as project:
        yield project


@pytest.fixture(scope="module")
def first(services: Tiny) -> Plan:
    """The plan before anything ran; then the pipeline runs once."""
    planned = services.plan()
    services.run()
    return planned


@pytest.fixture
def tiny(services: Tiny, first: Plan) -> Tiny:
    services.reset()
    return services


def test_the_key_is_the_same_here_and_on_the_local_services() -> None:
    assert cache_prediction.KEYS == local_cache.ATTRIBUTES


def test_before_the_first_run_everything_is_new(first: Plan) -> None:
    assert not first.is_deployed
    assert {step.change for step in first.steps} == {"added"}
    assert {name: step(first, name).reasons for name in JOBS} == dict.fromkeys(JOBS, ("never ran",))
    assert "pipeline demo-tiny is new" in first.others
    assert "Lambda function demo-tell is new" in first.others


def test_nothing_changed_and_all_is_reused(tiny: Tiny) -> None:
    planned = tiny.plan()
    assert {step.change for step in planned.steps} == {"unchanged"}
    assert {step.name: step.cache for step in planned.steps} == {
        "Preprocess": "hit",
        "Train": "hit",
        "Evaluate": "hit",
        "Gate": "never",
        "GateFailed": "never",
        "Tell": "miss",
    }
    assert planned.others == ()
    assert step(planned, "Tell").reasons == ("caching is off",)
    assert step(planned, "Tell").behind == "if Gate"
    assert tiny.comes_true() == {"Tell": ("caching is off",)}


def test_a_changed_script_and_what_follows(tiny: Tiny) -> None:
    tiny.write("models/tiny/train.py", SCRIPTS["train.py"] + "print('more')\n")
    tiny.write("models/tiny/evaluate.py", SCRIPTS["evaluate.py"])
    planned = tiny.plan()
    assert step(planned, "Train").change == "changed"
    assert step(planned, "Train").changes == ("code: train.py changed",)
    assert step(planned, "Evaluate").change == "unchanged"
    reasons = tiny.comes_true()
    assert reasons["Train"] == ("code: train.py changed",)
    assert reasons["Evaluate"] == ("Train will run again",)
    assert "Preprocess" not in reasons


def test_a_changed_module_of_the_first_step(tiny: Tiny) -> None:
    tiny.write("models/tiny/rows.py", "ROWS = 4\n")
    reasons = tiny.comes_true()
    assert reasons["Preprocess"] == ("code: rows.py changed",)
    assert reasons["Train"] == ("Preprocess will run again",)
    assert set(reasons["Evaluate"]) == {"Preprocess will run again", "Train will run again"}


def test_new_and_gone_files_of_a_package(tiny: Tiny) -> None:
    tiny.write("models/tiny/columns.py", "COLUMNS = 3\n")
    tiny.write("models/tiny/preprocess.py", SCRIPTS["preprocess.py"].replace("import rows", "import columns"))
    assert set(step(tiny.plan(), "Preprocess").reasons) == {
        "code: columns.py is new",
        "code: preprocess.py changed",
        "code: rows.py is gone",
    }
    tiny.comes_true()


def test_a_changed_module_of_the_toolkit_concerns_the_steps_that_reach_it(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toolkit = tmp_path / "job_toolkit"
    shutil.copytree(imports.PACKAGE, toolkit)
    monkeypatch.setattr(imports, "PACKAGE", toolkit)
    for script, modules in (("train.py", "failure"), ("evaluate.py", "failure, strict_json")):
        tiny.write(f"models/tiny/{script}", f"from job_toolkit import {modules}\n{SCRIPTS[script]}")
    assert set(step(tiny.plan(), "Train").reasons) == {
        "code: job_toolkit/__init__.py is new",
        "code: job_toolkit/failure.py is new",
        "code: train.py changed",
    }
    tiny.run()
    for module, concerned in (
        ("tables", set()),
        ("strict_json", {"Evaluate"}),
        ("failure", {"Train", "Evaluate"}),
    ):
        with (toolkit / f"{module}.py").open("a") as file:
            file.write("# changed\n")
        reasons = tiny.comes_true()
        changed = f"code: job_toolkit/{module}.py changed"
        assert {name for name in JOBS if changed in reasons.get(name, ())} == concerned
        assert set(reasons) & set(JOBS) == concerned


def test_a_parameter_then_its_old_value_again(tiny: Tiny) -> None:
    reasons = tiny.comes_true("Epochs=5")
    assert reasons["Train"] == ("HyperParameters.epochs: 20 -> 5",)
    assert reasons["Evaluate"] == ("Train will run again",)
    assert not set(tiny.comes_true()) & set(JOBS)
    assert {step(tiny.plan("Epochs=5"), name).cache for name in JOBS} == {"hit"}


def test_an_argument_of_a_processing_job(tiny: Tiny) -> None:
    reasons = tiny.comes_true("Rows=7")
    assert reasons["Preprocess"] == ("AppSpecification.ContainerArguments.--rows: 3 -> 7",)
    assert reasons["Train"] == ("Preprocess will run again",)


def test_what_is_not_in_the_key_does_not_matter(tiny: Tiny) -> None:
    assert not set(tiny.comes_true("TrainingInstanceType=ml.m5.xlarge", "MinimumAccuracy=0.1")) & set(JOBS)


def test_a_hyperparameter_and_a_default(tiny: Tiny) -> None:
    train = MODEL["train"] | {"hyperparams": {"epochs": {"parameter": "Epochs", "default": 30}, "depth": 5}}  # type: ignore[operator]
    tiny.configure(MODEL | {"train": train}, STEPS, CHAIN)
    planned = tiny.plan()
    assert step(planned, "Train").changes == ("HyperParameters.depth: 4 -> 5",)
    assert planned.others == ("parameter Epochs: default 20 -> 30",)
    reasons = tiny.comes_true()
    assert {reason.split(": ")[0] for reason in reasons["Train"]} == {
        "HyperParameters.epochs",
        "HyperParameters.depth",
    }


def test_caching_off_and_on_again(tiny: Tiny) -> None:
    steps = [STEPS[0], {**STEPS[1], "enable_cache": False}, *STEPS[2:]]
    tiny.configure(MODEL, steps, CHAIN)
    planned = tiny.plan()
    assert step(planned, "Train").change == "changed"
    reasons = tiny.comes_true()
    assert reasons["Train"] == ("caching is off",)
    assert reasons["Evaluate"] == ("Train will run again",)
    tiny.reset()
    # The run without the cache is the last one with this key: its model is what is reused.
    assert not set(tiny.comes_true()) & set(JOBS)


def test_an_expired_result(tiny: Tiny) -> None:
    new = read(definition.compile_pipeline(tiny.configuration).text)
    past, has_more = history.load("demo-tiny", 100)
    assert not has_more
    run = Run(new, history.values(new.parameters, {}), None, "demo-tiny")
    soon, late = (cache_prediction.predict(run, past, now) for now in (NOW, NOW + timedelta(days=4000)))
    assert soon["Preprocess"].outcome == "hit"
    assert late["Preprocess"].reasons[0].startswith("its cache expired on 2")
    assert late["Train"].reasons == ("Preprocess will run again",)


def test_an_input_more_and_one_less_are_said_once(tiny: Tiny) -> None:
    evaluate = MODEL["evaluate"] | {"channels": {"model": None, "train": None}}  # type: ignore[operator]
    tiny.configure(MODEL | {"evaluate": evaluate}, STEPS, CHAIN)
    planned = tiny.plan()
    assert step(planned, "Evaluate").changes == step(planned, "Evaluate").reasons
    assert step(planned, "Evaluate").changes == ("input test is gone", "input train is new")
    assert retrain(tiny, "plan").stdout.count("input train is new") == 1
    # What stands in the table already does not stand below it; what does not matter to the cache does.
    train = MODEL["train"] | {"volume_size_in_gb": 40}  # type: ignore[operator]
    tiny.configure(MODEL | {"evaluate": evaluate, "train": train}, STEPS, CHAIN)
    below = retrain(tiny, "plan").stdout.split("\n\n")[2].splitlines()
    assert [line.strip() for line in below] == ["~ Train", "ResourceConfig.VolumeSizeInGB: 32 -> 40"]


def test_a_step_more_and_one_less(tiny: Tiny) -> None:
    more = {"step_name": "Again", "step_class": "Processing", "step_type": "preprocess", "enable_cache": True}
    tiny.configure(MODEL, [*STEPS, more], CHAIN)
    planned = tiny.plan()
    assert (step(planned, "Again").change, step(planned, "Again").reasons) == ("added", ("never ran",))
    tiny.comes_true()
    tiny.reset()
    planned = tiny.plan()
    assert (step(planned, "Again").change, step(planned, "Again").cache) == ("removed", None)
    tiny.comes_true()


def test_deleted_outputs(tiny: Tiny) -> None:
    tiny.run("Epochs=77")
    source = step(tiny.plan("Epochs=77"), "Train").source
    assert source
    bucket = boto3.resource("s3").Bucket(tiny.configuration.project.bucket)
    bucket.objects.filter(Prefix=f"demo-tiny/{source.rsplit('/', 1)[-1]}/Train/").delete()
    reasons = tiny.comes_true("Epochs=77")
    assert reasons["Train"] == ("its outputs were deleted",)
    assert reasons["Evaluate"] == ("Train will run again",)


def test_functions_and_the_pipelines_own_settings(tiny: Tiny) -> None:
    tiny.write("lambdas/tell.py", "def handler(event, context):\n    return {'told': 'no'}\n")
    tiny.configure(MODEL | {"lambda": MODEL["lambda"] | {"timeout_seconds": 70}}, STEPS, CHAIN)  # type: ignore[operator]
    settings = (tiny.root / "conf" / "project.yaml").read_text()
    tags = settings.replace("tags:\n  project: demo", "tags:\n  team: data")
    changed = tags.replace("A project under test", "Another")
    tiny.write("conf/project.yaml", changed)
    try:
        assert set(tiny.plan().others) == {
            "pipeline: PipelineDescription: A project under test -> Another",
            "pipeline: Tags.team: data is new",
            "pipeline: Tags.project: demo is gone",
            "Lambda function demo-tell: Tags.team: data is new",
            "Lambda function demo-tell: Tags.project: demo is gone",
            "Lambda function demo-tell: code changed",
            "Lambda function demo-tell: Timeout: 60 -> 70",
        }
        tiny.run()
        assert tiny.plan().others == ()
    finally:
        tiny.write("conf/project.yaml", settings)


def state(tiny: Tiny) -> Any:
    """All that a plan could change."""
    s3, sagemaker, functions = boto3.client("s3"), boto3.client("sagemaker"), boto3.client("lambda")
    objects = s3.list_objects_v2(Bucket=tiny.configuration.project.bucket)["Contents"]
    return (
        [(item["Key"], item["LastModified"]) for item in objects],
        sagemaker.describe_pipeline(PipelineName="demo-tiny")["LastModifiedTime"],
        len(executions.arns("demo-tiny")),
        functions.get_function_configuration(FunctionName="demo-tell")["LastModified"],
    )


def test_nothing_is_changed(tiny: Tiny) -> None:
    before = state(tiny)
    tiny.write("models/tiny/train.py", "print('other')\n")
    tiny.write("lambdas/tell.py", "def handler(event, context):\n    return {}\n")
    assert tiny.plan("Rows=9").others
    assert state(tiny) == before


def test_the_command(tiny: Tiny) -> None:
    shown = retrain(tiny, "plan", "--param", "Epochs=6")
    assert shown.returncode == 0, shown.stderr
    assert "HyperParameters.epochs: " in shown.stdout
    assert "\x1b[" not in shown.stdout
    listed = retrain(tiny, "runs").stdout
    assert listed.startswith("execution ")
    assert [line for line in (shown.stdout + listed).splitlines() if line.endswith(" ")] == []
    document = json.loads(retrain(tiny, "plan", "--json").stdout)
    assert document["pipeline"] == "demo-tiny"
    assert {step["name"] for step in document["steps"]} >= {"Preprocess", "Train", "Evaluate", "Gate"}


def test_aws_without_credentials_ends_in_one_line(tiny: Tiny) -> None:
    result = retrain(tiny, "plan", "--on", "aws", AWS_EC2_METADATA_DISABLED="true")
    assert result.returncode == 2
    assert [line for line in result.stderr.splitlines() if line.startswith("Error: ")][-1].startswith(
        "Error: AWS: "
    )
    assert "Traceback" not in result.stderr


def test_many_new_parameters_share_a_line_and_the_run_is_counted(tiny: Tiny) -> None:
    many = {f"option_{letter}": {"parameter": f"Option{letter.upper()}", "default": 1} for letter in "abcdef"}
    preprocess = MODEL["preprocess"] | {"arguments": MODEL["preprocess"]["arguments"] | many}  # type: ignore[index, operator]
    tiny.configure(MODEL | {"preprocess": preprocess}, STEPS, CHAIN)
    new = "6 new parameters: OptionA, OptionB, OptionC, OptionD, OptionE, OptionF"
    assert [line for line in tiny.plan().others if "parameter" in line] == [new]
    said = retrain(tiny, "plan")
    assert said.stdout.splitlines()[0].endswith("; in a run 4 run, 2 may run"), said.stdout


def test_the_same_code_under_another_bucket(tiny: Tiny) -> None:
    path = tiny.root / "conf" / "project.yaml"
    text = path.read_text()
    path.write_text(
        text.replace("SMP_S3BUCKETNAME: sagemaker-eu-west-1-111122223333", "SMP_S3BUCKETNAME: other")
    )
    new = definition.compile_pipeline(tiny.configuration)
    path.write_text(text)
    old = definition.compile_pipeline(tiny.configuration)
    packages = code_differences.CodePackages({**old.uploads, **new.uploads})
    contents = [read(compiled.text).steps["Preprocess"].content for compiled in (old, new)]
    said = [packages.changes(change) for change in differences(*contents)]
    expected = "the same files, in the bucket other instead of sagemaker-eu-west-1-111122223333"
    assert {line for lines in said if lines for line in lines} == {expected}
