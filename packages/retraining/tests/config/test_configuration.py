"""What is in order is accepted, in every spelling of the format; all errors are reported at once."""

from pathlib import Path

import pytest
import yaml
from configurations import CHURN, PIPELINE, PROJECT, TEXTS, TUNED, edit, lines_of, make
from projects import STEPS, make_project

from retraining.config import configuration
from retraining.config.configuration import Configuration
from retraining.errors import UserError


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(make(tmp_path))
    return tmp_path


def write(root: Path, file: str, text: str) -> None:
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).write_text(text)


def test_the_shipped_configuration_is_in_order(tmp_path: Path) -> None:
    loaded = configuration.load(make_project(tmp_path))
    assert [step.step_name for step in loaded.pipeline.models["scarcegan"].steps] == STEPS
    assert loaded.parameters["RiskyData"].default == "s3://sagemaker-eu-west-1-111122223333/data/risky/"


def test_the_good_configuration_is_in_order(root: Path) -> None:
    loaded = configuration.load(root)
    assert list(loaded.models) == ["churn", "tuned"]
    assert loaded.pipeline.pipelineName == "demo-pipeline"
    assert list(loaded.parameters) == ["MachineType", "Folds", "Epochs", "MinimumRecall"]
    assert loaded.dag.branch["Tell"] == "Gate"
    assert loaded.notes == ()


FRAMEWORK = """\
conf:
  models:
    prices:
      source_directory: prices
      preprocess:
        image_uri: SMP_ACCOUNTID.dkr.ecr.SMP_REGION.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3
        entry_point: steps/prepare.py
        base_job_name: prices-prepare
        instance_type: ml.m5.large
        instance_count: 1
        volume_size_in_gb: 20
        max_runtime_in_seconds: 900
        env: {LEVEL: "3"}
        tags: [{Key: owner, Value: data}]
        kms_key: alias/prices
        role: SMP_ROLE
        framework_version: "1.2"
        inputLocalFilepath: /opt/ml/processing/input
        location: {outputLocalFilepath: /opt/ml/processing/output}
        channels:
          train:
            s3BucketName: SMP_S3BUCKETNAME
            dataFiles:
              - sourceName: raw_data
                fileName: s3://SMP_S3BUCKETNAME/prices/raw.csv
      train:
        image_uri: SMP_ACCOUNTID.dkr.ecr.SMP_REGION.amazonaws.com/tensorflow-training:2.11.0-cpu-py39
        entry_point: steps/train.py
        hyperparams: {epochs: 3, rate: 0.1, verbose: true, name: "x", shape: [1, 2], nested: {a: null}}
        input_mode: File
        distribution: FullyReplicated
        enable_network_isolation: false
        output_path: s3://SMP_S3BUCKETNAME/models/
        model_data_uri: s3://SMP_S3BUCKETNAME/start/model.tar.gz
        content_type: text/csv
        channels: train
      transform:
        image_uri: SMP_ACCOUNTID.dkr.ecr.SMP_REGION.amazonaws.com/tensorflow-inference:2.11.0-cpu
        entry_point: steps/inference.py
        strategy: SingleRecord
        max_payload: 6
        output_path: s3://SMP_S3BUCKETNAME/scores/
        channels:
          train:
      evaluate:
        image_uri: SMP_ACCOUNTID.dkr.ecr.SMP_REGION.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3
        entry_point: steps/evaluate.py
        content_type: application/json
        channels: train
      registry:
        ModelRepack: "False"
        ModelPackageDescription: prices of houses
        InferenceSpecification:
          image_uri: SMP_ACCOUNTID.dkr.ecr.SMP_REGION.amazonaws.com/tensorflow-inference:2.11.0-cpu
          supported_content_types: [application/json]
          supported_response_MIME_types: [application/json]
          SupportedTransformInstanceTypes: [ml.m5.xlarge]
          SupportedRealtimeInferenceInstanceTypes: [ml.t2.medium]
          approval_status: PendingManualApproval
  sagemakerPipeline:
    pipelineName: prices
    models:
      prices:
        steps:
          - {step_name: register, step_class: RegisterModel}
          - {step_name: prepare, step_class: Processing, step_type: preprocess, enable_cache: True}
          - {step_name: train, step_class: Training, step_type: train, chain_input_source_step: prepare}
          - {step_name: create, step_class: CreateModel, step_type: create}
          - step_name: transform
            step_class: Transform
            chain_input_source_step: [prepare]
            chain_input_additional_prefix: test/x.csv
          - step_name: metrics
            step_class: Metrics
            chain_input_source_step: [prepare, transform]
    dependencies:
      - prepare >> train >> create >> transform >> metrics >> register
"""
OWN_FILE = """\
conf:
  s3Bucket: SMP_S3BUCKETNAME
  modelConfigFilePath: SMP_MODEL_CONFIGPATH
  sagemakerNetworkSecurity:
    role: SMP_ROLE
    subnets: SMP_SUBNETS
    security_groups_id: SMP_SECURITYGROUPS
    kms_key: alias/all
"""


@pytest.fixture
def framework(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in the format of AWS's framework, with its variables in the environment, in quotes."""
    write(tmp_path, "conf/project.yaml", OWN_FILE)
    write(tmp_path, "prices/conf/conf.yaml", FRAMEWORK)
    for name in ("prepare", "train", "inference", "evaluate"):
        write(tmp_path, f"prices/steps/{name}.py", "")
    variables = {
        "SMP_ACCOUNTID": '"111122223333"',
        "SMP_REGION": "'us-east-1'",
        "SMP_S3BUCKETNAME": "prices-bucket",
        "SMP_ROLE": "arn:aws:iam::111122223333:role/service-role/prices",
        "SMP_MODEL_CONFIGPATH": "*/conf/conf.yaml",
        "SMP_SUBNETS": "subnet-0a, subnet-0b",
        "SMP_SECURITYGROUPS": "['sg-0a']",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check_framework(loaded: Configuration) -> None:
    model = loaded.models["prices"]
    assert model.preprocess is not None
    assert model.registry is not None
    assert loaded.project.subnets == ["subnet-0a", "subnet-0b"]
    assert loaded.project.security_groups == ["sg-0a"]
    assert loaded.project.bucket == "prices-bucket"
    assert loaded.project.encryption_key == "alias/all"
    assert model.preprocess.max_runtime_seconds == 900
    assert model.preprocess.tags == {"owner": "data"}
    assert list(model.train.channels) == ["train"]
    assert model.registry.ModelRepack is False
    assert model.registry.description == "prices of houses"
    assert list(loaded.dag.steps) == ["prepare", "train", "create", "transform", "metrics", "register"]


def test_the_framework_s_files_are_accepted(framework: Path) -> None:
    check_framework(configuration.load(framework))


def test_the_framework_s_own_file_may_stand_beside_the_models(framework: Path) -> None:
    (framework / "conf" / "project.yaml").write_text("description: prices\n")
    write(framework, "framework/conf/conf.yaml", OWN_FILE)
    check_framework(configuration.load(framework))


def test_what_is_wrong_in_the_framework_s_own_file_is_said_there(framework: Path) -> None:
    write(framework, "framework/conf/conf.yaml", "conf:\n  s3Bucket: Prices\n  s3Bukket: x\n")
    (framework / "conf" / "project.yaml").write_text("description: prices\n")
    bucket = "a bucket's name (3 to 63 of a-z, 0-9, single dots and -)"
    assert lines_of(framework) == [
        f"framework/conf/conf.yaml:2: conf.s3Bucket: {bucket} is expected, not 'Prices'",
        "framework/conf/conf.yaml:3: conf.s3Bukket: unknown key; did you mean 's3Bucket'?",
    ]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (CHURN, "channels: features", "channels: {features: }"),
        (CHURN, "channels: features", "channels: {features: {}}"),
        (CHURN, "channels: features", "channels:"),
        (CHURN, "model_package_group: churn", "ModelRepack: 'true'"),
        (CHURN, "model_package_group: churn", "ModelRepack: false"),
        (CHURN, "tags: {stage: data}", "tags:\n          - {Key: stage, Value: data}"),
        (CHURN, "tags: {stage: data}", "tags:"),
        (CHURN, "env: {MODE: fast}", "env: {MODE: ''}"),
        (CHURN, "env: {MODE: fast}", "env:"),
        (CHURN, "env: {MODE: fast}", "env: {on: 2026-11-21, at: 12:30}"),
        (CHURN, "max_runtime_seconds: 600", "max_runtime_in_seconds: 600"),
        (CHURN, "chain_input_source_step: [Measure]", "chain_input_source_step: Measure"),
        (CHURN, "instance_count: 1", "instance_count: {parameter: Count, default: 1}"),
        (CHURN, "{parameter: Folds, default: 3}", "{parameter: Folds, default: a, choices: [a, b]}"),
        (CHURN, "{parameter: Epochs, default: 4}", "{parameter: Folds, default: 3}"),
        (CHURN, "{epochs: {parameter: Epochs, default: 4}}", "{grid: {parameters: [a], defaults: {}}}"),
        (CHURN, "{epochs: {parameter: Epochs, default: 4}}", ""),
        (CHURN, "minimum: {parameter: MinimumRecall, default: 0.7}", "maximum: 1"),
        (CHURN, "minimum: {parameter: MinimumRecall, default: 0.7}", "minimum: 1.0e-3"),
        (CHURN, "json_path: recall", "json_path: recall\n        champion: {tolerance: 0.01}"),
        (CHURN, "json_path: recall", "json_path: recall\n        champion: {}"),
        (CHURN, ", else_step: Stop}", "}\n          - {step_name: X, step_class: Lambda, disabled: true}"),
        (TUNED, "objective_type: Minimize", "objective_type: Minimize\n        early_stopping_type: Off"),
        (TUNED, "{min: 1, max: 4}", "{values: [1, 2, 4]}"),
        (PROJECT, "schedule: cron(0 3 ? * MON *)", "schedule: rate(7 days)"),
        (PROJECT, "schedule: cron(0 3 ? * MON *)", "schedule: cron(0 3 1 * ? *)"),
        (PROJECT, "retry: [{exceptions: [Step.THROTTLING], max_attempts: 3}]", "retry: []"),
    ],
)
def test_every_spelling_of_the_format_is_accepted(root: Path, file: str, old: str, new: str) -> None:
    edit(root, file, old, new)
    if "else_step" in old:  # the Fail step that was named goes as well
        edit(root, CHURN, "          - {step_name: Stop, step_class: Fail, error_message: too weak}\n", "")
    configuration.load(root)


def test_keys_are_texts_whatever_they_look_like(root: Path) -> None:
    edit(root, CHURN, "env: {MODE: fast}", "env: {on: a, yes: b}")
    preprocess = configuration.load(root).models["churn"].preprocess
    assert preprocess is not None
    assert preprocess.env == {"on": "a", "yes": "b"}


def test_merge_keys_and_aliases_are_read(root: Path) -> None:
    edit(root, CHURN, "      preprocess:\n", "      preprocess: &job\n")
    edit(root, CHURN, "      evaluate:\n", "      evaluate:\n        <<: *job\n")
    evaluate = configuration.load(root).models["churn"].evaluate
    assert evaluate is not None
    assert evaluate.max_runtime_seconds == 600
    assert evaluate.entry_point == "evaluate.py"


def test_what_an_alias_brings_is_blamed_where_it_stands(root: Path) -> None:
    edit(root, CHURN, "      preprocess:\n", "      preprocess: &job\n")
    here = edit(root, CHURN, "max_runtime_seconds: 600", "max_runtime_seconds: none")
    edit(root, CHURN, "      evaluate:\n", "      evaluate:\n        <<: *job\n")
    lines = lines_of(root)
    assert [line.split(": ")[1].split(".")[3] for line in lines] == ["preprocess", "evaluate"]
    assert all(line.startswith(f"{CHURN}:{here}: ") for line in lines)


def test_mistakes_in_all_files_are_reported_at_once(root: Path) -> None:
    write(
        root, "conf/prod.yaml", "SMP_REGION: mars\nconf:\n  models:\n    churn:\n      gate: {minimun: 1}\n"
    )
    edit(root, PROJECT, "kms_key", "kms_kee")
    edit(root, PROJECT, "schedule: cron", "schedule: corn")
    edit(root, CHURN, "instance_count: 1", "instance_count: 0")
    edit(root, CHURN, "MultiRecord", "ManyRecords")
    edit(root, TUNED, "max_jobs: 4", "max_jobs: 0")
    edit(root, CHURN, "Register >> Search", "Register >> Serach")
    edit(root, CHURN, "else_step: Stop", "else_step: Stopp")
    assert {line.rpartition("; did")[0] or line for line in lines_of(root, "prod")} == {
        "conf/prod.yaml:1: SMP_REGION: a region such as eu-west-1 is expected, not 'mars'",
        "conf/project.yaml:11: kms_kee: unknown key",
        "conf/project.yaml:12: schedule: cron(0 3 ? * MON *) with six fields and one ?, or rate(7 days), "
        "is expected, not 'corn(0 3 ? * MON *)'",
        "conf/prod.yaml:5: conf.models.churn.gate.minimun: unknown key",
        "models/churn/conf.yaml:20: conf.models.churn.train.instance_count: "
        "a whole number of instances from 1 to 100 is expected, not 0",
        "models/churn/conf.yaml:30: conf.models.churn.transform.strategy: "
        "SingleRecord or MultiRecord is expected, not 'ManyRecords'",
        "models/tuned/conf.yaml:13: conf.models.tuned.tune.max_jobs: 1 to 750 jobs is expected, not 0",
        "models/churn/conf.yaml:64: step 'Gate': else_step: no step 'Stopp'",
        "models/churn/conf.yaml:73: conf.sagemakerPipeline.dependencies[1]: no step 'Serach'",
    }


def test_a_circle_is_seen_beside_other_mistakes(root: Path) -> None:
    edit(root, CHURN, "instance_count: 1", "instance_count: 0")
    edit(root, CHURN, "      - Register >> Search", "      - Register >> Search >> Train")
    assert any("the steps form a cycle: Train >> Create" in line for line in lines_of(root))


def test_all_keys_that_stand_twice_are_reported(root: Path) -> None:
    edit(root, PROJECT, "project: demo\n", "project: demo\nproject: other\nkms_key: null\n")
    edit(root, TUNED, "max_jobs: 4", "max_jobs: 4\n        max_jobs: 5")
    assert lines_of(root) == [
        "conf/project.yaml:2: project: duplicate key, first on line 1: keep one",
        "conf/project.yaml:13: kms_key: duplicate key, first on line 3: keep one",
        "models/tuned/conf.yaml:14: conf.models.tuned.tune.max_jobs: duplicate key, "
        "first on line 13: keep one",
    ]


@pytest.mark.parametrize("file", [PROJECT, CHURN, TUNED])
def test_a_file_that_cannot_be_read_is_the_only_thing_said(root: Path, file: str) -> None:
    (root / file).write_bytes(b"\xff\xfe\xfa")
    (line,) = lines_of(root)
    assert line == f"{file}:1: cannot be read as UTF-8 text: invalid byte 0xff: save it as UTF-8"


def test_a_missing_project_file_is_named(root: Path) -> None:
    (root / PROJECT).unlink()
    assert lines_of(root) == ["conf/project.yaml: no such file"]


def test_an_anchor_is_required(root: Path) -> None:
    text = TEXTS[CHURN]
    (root / CHURN).write_text(text[: text.index("  sagemakerPipeline")])
    assert lines_of(root) == [
        "conf/pipeline.yaml: conf.sagemakerPipeline: this file, or a model's, must have it: "
        "the steps of the models, and their order"
    ]


@pytest.fixture
def apart(root: Path) -> Path:
    """The same project with the pipeline in a file of its own."""
    text = TEXTS[CHURN]
    start = text.index("  sagemakerPipeline")
    (root / CHURN).write_text(text[:start])
    (root / PIPELINE).write_text(f"conf:\n{text[start:]}")
    return root


def test_the_pipeline_has_a_file_of_its_own(apart: Path, tmp_path: Path) -> None:
    loaded = configuration.load(apart)
    before = configuration.load(make(tmp_path / "before"))
    assert (loaded.pipeline, loaded.models, loaded.parameters) == (
        before.pipeline,
        before.models,
        before.parameters,
    )
    edit(apart, PIPELINE, "step_name: Search", "step_name: Prepare")
    assert [line.partition(" ")[0] for line in lines_of(apart)] == [f"{PIPELINE}:18:", f"{PIPELINE}:21:"]


def test_an_environment_changes_the_pipeline_too(apart: Path) -> None:
    (apart / "conf/prod.yaml").write_text("conf: {sagemakerPipeline: {pipelineName: prod}}\n")
    assert configuration.load(apart, "prod").pipeline.pipelineName == "prod"
    (apart / "conf/prod.yaml").unlink()
    with pytest.raises(UserError, match=r"--env pipeline: conf/pipeline\.yaml is not an environment"):
        configuration.load(apart, "pipeline")
    with pytest.raises(UserError, match="for --env pipelin; known: none"):
        configuration.load(apart, "pipelin")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ":1: conf: this file has neither models nor sagemakerPipeline"),
        ("5\n", ":1: a mapping of keys and values is expected, not 5"),
        ("conf: 5\n", ":1: conf: a mapping of keys and values is expected, not 5"),
        (
            "conf: {sagemakerPipeline: 5}",
            ":1: conf.sagemakerPipeline: a mapping of keys and values is expected, not 5",
        ),
        (
            "conf: {sagemakerPipelines: {}}",
            ":1: conf.sagemakerPipelines: unknown key; did you mean 'sagemakerPipeline'?",
        ),
        ("sagemakerPipeline: {pipelineName: x}", ":1: sagemakerPipeline: unknown key; it belongs under conf"),
        ("conf: {models: {}}", ":1: conf.models: it belongs into the models' files, models/*/conf.yaml"),
        ("conf: {s3Bucket: b}", ":1: conf.s3Bucket: it belongs into conf/project.yaml"),
        ("conf: [", ":2: not valid YAML"),
    ],
)
def test_a_bad_pipeline_file_is_one_line(apart: Path, text: str, line: str) -> None:
    (apart / PIPELINE).write_text(text)
    (said,) = lines_of(apart)
    assert said.startswith(f"{PIPELINE}{line}")


def test_a_pipeline_file_that_cannot_be_read_is_one_line(apart: Path) -> None:
    (apart / PIPELINE).unlink()
    (apart / PIPELINE).symlink_to("nowhere.yaml")
    (said,) = lines_of(apart)
    assert said.startswith(f"{PIPELINE}: ")
    (apart / PIPELINE).unlink()
    (apart / PIPELINE).mkdir()
    (said,) = lines_of(apart)
    assert said.startswith(f"{PIPELINE}: ")


def test_two_places_of_the_pipeline_are_one_line(apart: Path) -> None:
    (apart / CHURN).write_text(TEXTS[CHURN])
    assert lines_of(apart) == [
        f"{PIPELINE}:2: conf.sagemakerPipeline: it is in {CHURN}:54 too: exactly one file may have it"
    ]


def test_one_file_may_be_all(root: Path) -> None:
    """A project whose only file of models is conf/pipeline.yaml: it is read once."""
    content = {"conf": {key: {} for key in ("models", "sagemakerPipeline")}}
    for file in (CHURN, TUNED):
        for key, value in yaml.safe_load((root / file).read_text())["conf"].items():
            content["conf"][key] |= value
        (root / file).unlink()
    (root / PIPELINE).write_text(yaml.safe_dump(content, sort_keys=False))
    edit(root, PROJECT, "models/*/conf.yaml", PIPELINE)
    assert set(configuration.load(root).models) == {"churn", "tuned"}


@pytest.mark.parametrize("text", ["", "conf:\n", "conf: {}\n"])
def test_an_empty_model_file_is_a_mistake(root: Path, text: str) -> None:
    (root / TUNED).write_text(text)
    assert lines_of(root) == [
        "models/tuned/conf.yaml:1: conf: this file has neither models nor sagemakerPipeline"
    ]


def test_multiplying_aliases_are_refused(root: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, 9)]
    (root / PROJECT).write_text("\n".join(lines))
    assert lines_of(root) == [
        "conf/project.yaml:6: not valid YAML: aliases (*name) make this endless or larger than 100000 values"
    ]


def test_packages_to_install_need_a_network(root: Path) -> None:
    write(root, "models/churn/requirements.txt", "rich\n")
    source = "source_directory: models/churn"
    edit(root, CHURN, source, source + "\n      network: {enable_network_isolation: true}")
    assert lines_of(root) == [
        "models/churn/conf.yaml:5: conf.models.churn.network.enable_network_isolation: requirements.txt in "
        "models/churn cannot be installed without a network: use an image that has the packages, "
        "or leave the isolation"
    ]


def test_a_model_that_is_repacked_needs_its_inference_code(root: Path) -> None:
    (root / "models/churn/inference.py").unlink()
    edit(root, CHURN, "        entry_point: inference.py\n", "")
    (line,) = lines_of(root)
    assert line.startswith(
        "models/churn/conf.yaml:46: conf.models.churn.registry: no file 'inference.py' in "
    )


def test_what_is_disabled_does_not_run(root: Path) -> None:
    edit(
        root, TUNED, "source_directory: models/tuned", "source_directory: models/tuned\n      disabled: true"
    )
    assert "Search" not in configuration.load(root).dag.steps
    edit(
        root, CHURN, "source_directory: models/churn", "source_directory: models/churn\n      disabled: true"
    )
    assert lines_of(root) == [
        "models/churn/conf.yaml:57: conf.sagemakerPipeline.models: all models and steps are disabled: "
        "nothing would run"
    ]


def test_two_hundred_parameters_are_the_most(root: Path) -> None:
    values = ", ".join(f"h{index}: {{parameter: P{index}, default: 1}}" for index in range(98))
    edit(root, CHURN, "{epochs: {parameter: Epochs, default: 4}}", f"{{{values}}}")
    values = values.replace("parameter: P", "parameter: Q")
    edit(root, TUNED, "{layers: 2}", f"{{{values}}}")
    configuration.load(root)
    more = ", ".join(f"a{index}: {{parameter: R{index}, default: 1}}" for index in range(1))
    edit(root, CHURN, "arguments: {", f"arguments: {{{more}, ")
    assert lines_of(root) == [
        "parameters: 200 pipeline parameters are declared: SageMaker allows 200, and `retrain` adds GitCommit"
    ]


def test_the_order_of_the_steps_in_the_file_is_free(root: Path) -> None:
    before = configuration.load(root).dag.before
    content = yaml.safe_load((root / CHURN).read_text())
    content["conf"]["sagemakerPipeline"]["models"]["churn"]["steps"].reverse()
    (root / CHURN).write_text(yaml.safe_dump(content))
    assert {name: set(names) for name, names in configuration.load(root).dag.before.items()} == {
        name: set(names) for name, names in before.items()
    }
