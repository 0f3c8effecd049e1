"""Files in the format of AWS's dynamic SageMaker pipelines framework compile to the graph they describe."""

import io
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from framework_project import (
    IMAGE,
    PROJECT,
    REGISTRY,
    VARIABLES,
    chain,
    channels,
    explicit,
    inputs,
    output,
    outputs,
    pipeline,
    red,
    referred,
    scripts,
    types,
)
from keyed_project import Compiled
from projects import TEMPLATE

from retraining.compile.definition import compile_pipeline
from retraining.config import configuration

Compile = Callable[..., Compiled]


@pytest.fixture
def compile_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compile:
    """A function from the contents of files, by their paths, to the compiled pipeline."""
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)

    def run(files: dict[str, str]) -> Compiled:
        for name, text in {"conf/project.yaml": PROJECT, **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (tmp_path / "pipeline.py").write_text((TEMPLATE / "pipeline.py").read_text())
        loaded = configuration.load(tmp_path)
        return Compiled(loaded, compile_pipeline(loaded))

    return run


def test_one_model(compile_files: Compile) -> None:
    compilation = compile_files(
        {
            "red/conf/conf.yaml": red(pipeline=pipeline("red")),
            **scripts("red/scripts", "split.py", "fit.py", "taste.py", "judge.py"),
        }
    )
    assert types(compilation) == {
        "red-Split": "Processing",
        "red-Fit": "Training",
        "red-Model": "Model",
        "red-Taste": "Transform",
        "red-Judge": "Processing",
        "red-Shelf": "RegisterModel",
    }
    names = tuple(types(compilation))
    assert explicit(compilation) == chain(*names)
    assert referred(compilation) == {
        ("red-Split", "red-Fit"),
        ("red-Fit", "red-Model"),
        ("red-Model", "red-Taste"),
        ("red-Split", "red-Taste"),
        ("red-Split", "red-Judge"),
        ("red-Taste", "red-Judge"),
        ("red-Judge", "red-Shelf"),
        ("red-Fit", "red-Shelf"),
    }
    folder = "/opt/ml/processing"
    assert inputs(compilation, "red-Split") == {
        "bottles": (f"{folder}/input/bottles", "s3://wine-bucket/wine/bottles.csv")
    }
    assert outputs(compilation, "red-Split") == {"train": f"{folder}/output/train"}
    assert channels(compilation, "red-Fit") == {"red-Split-train": output("red-Split", "train")}
    assert inputs(compilation, "red-Judge") == {
        "red-Split-input": (f"{folder}/input/red-Split-train", output("red-Split", "train")),
        "red-Taste-input": (
            f"{folder}/input/red-Taste-train",
            {"Get": "Steps.red-Taste.TransformOutput.S3OutputPath"},
        ),
    }
    assert outputs(compilation, "red-Judge") == {"model_evaluation_metrics": f"{folder}/output"}


def test_what_one_model_serves_and_registers(compile_files: Compile) -> None:
    compilation = compile_files(
        {
            "red/conf/conf.yaml": red(pipeline=pipeline("red")),
            **scripts("red/scripts", "split.py", "fit.py", "taste.py", "judge.py"),
        }
    )
    assert compilation.at("red-Taste/Arguments/TransformInput/DataSource/S3DataSource/S3Uri") == {
        "Std:Join": {"On": "/", "Values": [output("red-Split", "train"), "held_out/x.csv"]}
    }
    assert compilation.at("red-Shelf/Arguments/ModelMetrics/ModelQuality/Statistics") == {
        "ContentType": "application/json",
        "S3Uri": {
            "Std:Join": {
                "On": "/",
                "Values": [
                    output("red-Judge", "model_evaluation_metrics"),
                    "model_evaluation_metrics.json",
                ],
            }
        },
    }
    assert compilation.at("red-Model/Arguments/PrimaryContainer") == {
        "Image": "111122223333.dkr.ecr.eu-west-1.amazonaws.com/wine:3",
        "ModelDataUrl": {"Get": "Steps.red-Fit.ModelArtifacts.S3ModelArtifacts"},
        "Environment": {
            "SAGEMAKER_PROGRAM": "taste.py",
            "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
        },
    }
    cached = {name for name, step in compilation.steps.items() if step.get("CacheConfig", {}).get("Enabled")}
    assert cached == {"red-Split", "red-Taste", "red-Judge"}
    network = {"Subnets": ["subnet-0a", "subnet-0b"], "SecurityGroupIds": ["sg-0c"]}
    assert compilation.at("red-Fit/Arguments/VpcConfig") == network


def test_models_below_a_container(compile_files: Compile) -> None:
    """As in the framework's first version."""
    text = red(pipeline=pipeline("red"))
    start, end = text.index("    red:"), text.index("  sagemakerPipeline:")
    deeper = "    modelContainer:\n" + re.sub("(?m)^", "  ", text[start:end])
    files = scripts("red/scripts", "split.py", "fit.py", "taste.py", "judge.py")
    flat, compilation = (
        compile_files({"red/conf/conf.yaml": given, **files})
        for given in (text, text[:start] + deeper.rstrip(" ") + text[end:])
    )
    assert compilation.steps == flat.steps
    assert len(compilation.steps) == 6


TWO_STEPS = """
  sagemakerPipeline:
    pipelineName: cellar
    models:
      nose:
        steps:
          - {step_name: nose-Split, step_class: Processing, step_type: preprocess}
          - {step_name: nose-Fit, step_class: Training, chain_input_source_step: [nose-Split]}
          - {step_name: nose-Shelf, step_class: RegisterModel}
      palate:
        steps:
          - {step_name: palate-Split, step_class: Processing, step_type: preprocess,
             chain_input_source_step: [nose-Fit, nose-Split]}
          - {step_name: palate-Fit, step_class: Training, chain_input_source_step: [palate-Split]}
          - {step_name: palate-Shelf, step_class: RegisterModel}
    dependencies:
      - nose-Split >> nose-Fit >> nose-Shelf
      - palate-Split >> palate-Fit >> palate-Shelf
      - nose-Shelf >> palate-Shelf
"""


def small(model: str, channels: str, of_train: str = "") -> str:
    """A model that is preprocessed, trained and registered."""
    return f"""
conf:
  models:
    {model}:
      source_directory: {model}/scripts
      preprocess:
        image_uri: {IMAGE}
        entry_point: split.py
{channels}
      train:
        image_uri: {IMAGE}
        entry_point: fit.py
{of_train}
{REGISTRY}
"""


FILES = """
        channels:
          train: {dataFiles: [{sourceName: young, fileName: s3://SMP_S3BUCKETNAME/young}]}
          check: {dataFiles: [{sourceName: old, fileName: s3://SMP_S3BUCKETNAME/old}]}
"""


def test_two_models_in_two_files(compile_files: Compile) -> None:
    compilation = compile_files(
        {
            "nose/conf/conf.yaml": small("nose", FILES),
            "palate/conf/conf.yaml": small("palate", FILES) + TWO_STEPS,
            **scripts("nose/scripts", "split.py", "fit.py"),
            **scripts("palate/scripts", "split.py", "fit.py"),
        }
    )
    models = {name: step for name, step in types(compilation).items() if step == "RegisterModel"}
    assert set(models) == {"nose-Shelf", "palate-Shelf"}
    assert explicit(compilation) == {
        *chain("nose-Split", "nose-Fit", "nose-Shelf", "palate-Shelf"),
        *chain("palate-Split", "palate-Fit", "palate-Shelf"),
    }
    assert {("nose-Fit", "palate-Split"), ("nose-Split", "palate-Split")} <= referred(compilation)
    base = "/opt/ml/processing/input"
    assert inputs(compilation, "palate-Split") == {
        "young": (f"{base}/young", "s3://wine-bucket/young"),
        "old": (f"{base}/old", "s3://wine-bucket/old"),
        "nose-Fit-input-train": (
            f"{base}/nose-Fit-input-train",
            {"Get": "Steps.nose-Fit.ModelArtifacts.S3ModelArtifacts"},
        ),
        "nose-Split-input-train": (f"{base}/nose-Split-input-train", output("nose-Split", "train")),
        "nose-Split-input-check": (f"{base}/nose-Split-input-check", output("nose-Split", "check")),
    }


ONE_STEPS = """
  sagemakerPipeline:
    pipelineName: rose
    models:
      rose:
        steps:
          - {step_name: Split, step_class: Processing, step_type: preprocess, enable_cache: True}
          - {step_name: Fit, step_class: Training, step_type: train, chain_input_source_step: [Split]}
          - {step_name: Shelf, step_class: RegisterModel, enable_cache: False}
    dependencies:
      - Split >> Fit >> Shelf
"""


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (FILES, {"train", "check"}),
        ("        channels: grapes", {"grapes"}),
        ("        channels:\n          must:", {"must"}),
        ("        channels:", {"train"}),
        ("", {"train"}),
    ],
    ids=["files", "bare", "empty", "nothing", "absent"],
)
@pytest.mark.parametrize("of_train", ["", "        channels:"], ids=["absent", "nothing"])
def test_channels_are_outputs_where_none_are_declared(
    compile_files: Compile, written: str, read: set[str], of_train: str
) -> None:
    compilation = compile_files(
        {
            "rose/conf/conf.yaml": small("rose", written, of_train) + ONE_STEPS,
            **scripts("rose/scripts", "split.py", "fit.py"),
        }
    )
    assert outputs(compilation, "Split") == {name: f"/opt/ml/processing/output/{name}" for name in read}
    assert channels(compilation, "Fit") == {f"Split-{name}": output("Split", name) for name in read}
    assert explicit(compilation) == chain("Split", "Fit", "Shelf")


STATIC = f"""
conf:
  models:
    white:
      source_directory: white
      train:
        instance_type: ml.c5.xlarge
        image_uri: {IMAGE}
        entry_point: fitting/fit.py
        base_job_name: white-fit
        env: {{LEVEL: 'info'}}
        channels:
          train: {{dataFiles: [{{sourceName: grapes_train, fileName: s3://SMP_S3BUCKETNAME/white/train}}]}}
          test: {{dataFiles: [{{sourceName: grapes_test, fileName: s3://SMP_S3BUCKETNAME/white/test}}]}}
      transform:
        image_uri: {IMAGE}
        entry_point: tasting/taste.py
        content_type: application/x-npy
        channels:
          test:
            s3BucketName: SMP_S3BUCKETNAME
            dataFiles: [{{sourceName: grapes_test, fileName: s3://SMP_S3BUCKETNAME/white/test/x.npy}}]
      evaluate:
        image_uri: {IMAGE}
        entry_point: judging/judge.py
        max_runtime_in_seconds: 600
        content_type: application/json
        channels:
          test:
            s3BucketName: SMP_S3BUCKETNAME
            dataFiles: [{{sourceName: grapes_y, fileName: s3://SMP_S3BUCKETNAME/white/test/y.npy}}]
{REGISTRY}
  sagemakerPipeline:
    pipelineName: white
    models:
      white:
        steps:
          - {{step_name: Fit, step_class: Training, enable_cache: True}}
          - {{step_name: Model, step_class: CreateModel}}
          - {{step_name: Taste, step_class: Transform, enable_cache: True}}
          - {{step_name: Judge, step_class: Metrics, chain_input_source_step: [Taste], enable_cache: True}}
          - {{step_name: Shelf, step_class: RegisterModel}}
    dependencies:
      - Fit >> Model >> Taste >> Judge >> Shelf
"""


def test_files_of_ones_own_and_scripts_below_the_folder(compile_files: Compile) -> None:
    places = ("fitting/fit.py", "tasting/taste.py", "judging/judge.py", "grapes.py")
    compilation = compile_files({"white/conf/conf.yaml": STATIC, **scripts("white", *places)})
    assert explicit(compilation) == chain("Fit", "Model", "Taste", "Judge", "Shelf")
    assert channels(compilation, "Fit") == {
        "train": "s3://wine-bucket/white/train",
        "test": "s3://wine-bucket/white/test",
    }
    assert compilation.at("Taste/Arguments/TransformInput/DataSource/S3DataSource/S3Uri") == (
        "s3://wine-bucket/white/test/x.npy"
    )
    assert inputs(compilation, "Judge") == {
        "grapes_y": ("/opt/ml/processing/input/grapes_y", "s3://wine-bucket/white/test/y.npy"),
        "Taste-input": (
            "/opt/ml/processing/input/Taste-test",
            {"Get": "Steps.Taste.TransformOutput.S3OutputPath"},
        ),
    }
    assert compilation.at("Judge/Arguments/StoppingCondition/MaxRuntimeInSeconds") == 600
    assert compilation.at("Fit/Arguments/Environment/LEVEL") == "info"
    assert compilation.at("Model/Arguments/PrimaryContainer/Environment/SAGEMAKER_PROGRAM") == "tasting.taste"
    (runner,) = compilation.uploaded(
        compilation.at("Judge/Arguments/ProcessingInputs/InputName=entrypoint/S3Input/S3Uri")
    ).values()
    assert runner.splitlines()[-1] == b'python3 judging/judge.py "$@"'
    code = compilation.uploaded(
        compilation.at("Judge/Arguments/ProcessingInputs/InputName=code/S3Input/S3Uri")
    )
    with tarfile.open(fileobj=io.BytesIO(code["sourcedir.tar.gz"])) as packed:
        assert packed.getnames() == ["judging/judge.py"]


def test_a_training_data_files_name_is_for_people(compile_files: Compile) -> None:
    named = STATIC.replace("sourceName: grapes_train", "sourceName: grapes of last year")
    files = scripts("white", "fitting/fit.py", "tasting/taste.py", "judging/judge.py")
    compilation = compile_files({"white/conf/conf.yaml": named, **files})
    assert channels(compilation, "Fit") == {
        "train": "s3://wine-bucket/white/train",
        "test": "s3://wine-bucket/white/test",
    }


def test_a_hundred_models_grow_by_as_much_each(compile_files: Compile) -> None:
    """Ten times the models: ten times the steps, and as many bytes for each."""
    sizes = {}
    for count in (10, 100):
        names = [f"model{index:03d}" for index in range(count)]
        files = {f"{name}/conf/conf.yaml": red(name) for name in names}
        files[f"{names[0]}/conf/conf.yaml"] = red(names[0], pipeline(*names))
        for name in names:
            files |= scripts(f"{name}/scripts", "split.py", "fit.py", "taste.py", "judge.py")
        compilation = compile_files(files)
        assert len(compilation.steps) == 6 * count
        assert len(explicit(compilation)) == 5 * count
        sizes[count] = len(compilation.definition.text)
    assert sizes[100] == pytest.approx(10 * sizes[10], rel=0.02)
