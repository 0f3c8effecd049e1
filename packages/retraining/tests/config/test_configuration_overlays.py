"""What an environment's file or variable says wrongly is blamed on it, in one line."""

import os
from pathlib import Path

import pytest
from configurations import CHURN, PROJECT, edit, lines_of, make

from retraining.config import configuration
from retraining.config.schema.project import VARIABLES


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(make(tmp_path))
    return tmp_path


def overlay(root: Path, text: str) -> None:
    (root / "conf" / "prod.yaml").write_text(text)


def test_an_overlay_changes_single_keys(root: Path) -> None:
    overlay(
        root,
        "SMP_S3BUCKETNAME: prod-bucket\n"
        "tags: {stage: prod}\n"
        "conf:\n"
        "  s3Bucket: other-bucket\n"
        "  models: {churn: {train: {instance_count: 2}, transform: {env: {A: b}}}}\n"
        "  sagemakerPipeline: {pipelineName: prod}\n",
    )
    loaded = configuration.load(root, "prod")
    train, transform = loaded.models["churn"].train, loaded.models["churn"].transform
    assert transform is not None
    assert (train.instance_count, train.volume_size_in_gb, transform.env) == (2, 30, {"A": "b"})
    assert loaded.project.tags == {"team": "data", "stage": "prod"}
    assert loaded.project.bucket == "other-bucket"
    assert loaded.pipeline.pipelineName == "prod"
    assert loaded.models["churn"].preprocess is not None
    assert "s3://prod-bucket/raw/" in str(loaded.models["churn"].preprocess.channels["raw"])
    assert configuration.load(root).models["churn"].train.instance_count == 1


@pytest.mark.parametrize("text", ["", "conf:\n", "conf: {models: }\n", "conf: {models: {churn: {}}}\n"])
def test_an_empty_overlay_changes_nothing(root: Path, text: str) -> None:
    overlay(root, text)
    assert configuration.load(root, "prod") == configuration.load(root)


MAPPING = "a mapping of keys and values is expected"
OVERLAYS = [
    ("SMP_REGION: eu-wst-1", "SMP_REGION: no AWS region 'eu-wst-1'; did you mean 'eu-west-1'?"),
    ("models: {churn: {}}", "models: unknown key; it belongs under conf"),
    ("conf: {sagemakerPipeline: }", f"conf.sagemakerPipeline: {MAPPING}, not null"),
    ("conf: {sagemakerPipeline: {models: }}", f"conf.sagemakerPipeline.models: {MAPPING}, not null"),
    ("SMP_REGION: mars", "SMP_REGION: a region such as eu-west-1 is expected, not 'mars'"),
    ("conf: {models: {chrun: {}}}", "conf.models.chrun: no such model; did you mean 'churn'?"),
    (
        "conf: {models: {churn: {train: {instance_cout: 2}}}}",
        "conf.models.churn.train.instance_cout: unknown key; did you mean 'instance_count'?",
    ),
    ("conf: {models: {churn: {train: 5}}}", f"conf.models.churn.train: {MAPPING}, not 5"),
    ("conf: {models: {churn: [a]}}", f"conf.models.churn: {MAPPING}, not a list"),
    ("conf: {models: 5}", f"conf.models: {MAPPING}, not 5"),
    ("conf: true", f"conf: {MAPPING}, not true"),
    ("conf: {sagemakerPipelin: {}}", "conf.sagemakerPipelin: unknown key; did you mean 'sagemakerPipeline'?"),
    ("conf: {sagemakerPipeline: 5}", f"conf.sagemakerPipeline: {MAPPING}, not 5"),
    (
        "conf: {sagemakerPipeline: {models: {tuned: {steps: []}}}}",
        "conf.sagemakerPipeline.models.tuned.steps: at least 1 item must stand here, not 0",
    ),
    (
        "conf: {sagemakerPipeline: {dependencies: [Train >> Serach]}}",
        "conf.sagemakerPipeline.dependencies[0]: no step 'Serach'; did you mean 'Search'?",
    ),
    ("- a", f"{MAPPING}, not a list"),
    (
        "conf: {models: {churn: {train: {instance_count: {parameter: Folds, default: 2}}}}}",
        "conf.models.churn.train.instance_count: parameter 'Folds' is declared twice: default 2 here, 3 in "
        "models/churn/conf.yaml:12; give both the same default and choices",
    ),
    (
        "conf: {models: {churn: {train: {tags: {x: SMP_FOO}}}}}",
        "conf.models.churn.train.tags.x: no variable SMP_FOO; did you mean 'SMP_ROLE'?",
    ),
    (
        "conf: {models: {churn: {preprocess: {max_runtime_seconds: 1.5}}}}",
        "conf.models.churn.preprocess.max_runtime_seconds: 1 to 432000 seconds (5 days) is expected, not 1.5",
    ),
]


@pytest.mark.parametrize(("text", "said"), OVERLAYS, ids=[text for text, _ in OVERLAYS])
def test_what_an_overlay_says_wrongly_is_blamed_on_it(root: Path, text: str, said: str) -> None:
    overlay(root, text)
    assert lines_of(root, "prod") == [f"conf/prod.yaml:1: {said}"]


def test_an_overlay_may_take_a_section_away_that_a_step_needs(root: Path) -> None:
    overlay(root, "conf: {models: {churn: {preprocess: }}}")
    assert lines_of(root, "prod") == [
        "models/churn/conf.yaml:59: step 'Prepare': step_class: "
        "a Processing step needs the section 'preprocess' of model 'churn'"
    ]


def test_an_unknown_environment_is_named(root: Path) -> None:
    overlay(root, "")
    assert lines_of(root, "pord") == [
        "conf/pord.yaml: no such file, nor one next to a model's, for --env pord; did you mean 'prod'?"
    ]


def test_an_overlay_beside_a_models_file_goes_with_the_model(root: Path) -> None:
    beside = root / "models" / "churn" / "prod.yaml"
    beside.write_text("conf: {models: {churn: {train: {instance_count: 2, volume_size_in_gb: 99}}}}")
    train = configuration.load(root, "prod").models["churn"].train
    assert (train.instance_count, train.volume_size_in_gb) == (2, 99)
    assert configuration.load(root).models["churn"].train.instance_count == 1
    overlay(root, "conf: {models: {churn: {train: {instance_count: 3}}}}")
    train = configuration.load(root, "prod").models["churn"].train
    assert (train.instance_count, train.volume_size_in_gb) == (3, 99)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tags: {a: b}", "tags: unknown key; known: conf"),
        ("conf: {s3Bucket: a-bucket}", "conf.s3Bucket: it concerns the project: put it into conf/"),
        ("conf: {models: {chrun: {}}}", "conf.models.chrun: no such model; did you mean 'churn'?"),
        ("conf: {models: {churn: {train: {epochs: 1}}}}", "conf.models.churn.train.epochs: unknown key"),
    ],
)
def test_an_overlay_beside_a_models_file_speaks_of_models_only(root: Path, text: str, said: str) -> None:
    (root / "models" / "churn" / "prod.yaml").write_text(text)
    (line,) = lines_of(root, "prod")
    assert line.startswith(f"models/churn/prod.yaml:1: {said}")


VALUES = [
    ("SMP_REGION", "mars", "a region such as eu-west-1 is expected, not 'mars'"),
    ("SMP_REGION", "eu-wst-1", "no AWS region 'eu-wst-1'; did you mean 'eu-west-1'?"),
    (
        "SMP_S3BUCKETNAME",
        "Bad_Bucket",
        "a bucket's name (3 to 63 of a-z, 0-9, single dots and -) is expected, not 'Bad_Bucket'",
    ),
    ("SMP_SUBNETS", "subnet-0a, nothing", "a subnet such as subnet-0a1b is expected, not 'nothing'"),
    ("SMP_MODELNAME", "chrun", "no model 'chrun'; did you mean 'churn'?"),
    ("SMP_MODEL_CONFIGPATH", "", "a string that is not empty is expected, not ''"),
    ("SMP_ACCOUNTID", "12", "an account of twelve digits, in quotes, is expected, not '12'"),
    ("SMP_ROLE", "me", "a role's ARN, arn:aws:iam::111122223333:role/name, is expected, not 'me'"),
]


@pytest.mark.parametrize(("name", "value", "said"), VALUES, ids=[name for name, _, _ in VALUES])
def test_a_variable_is_blamed_and_not_the_file(
    root: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    assert lines_of(root) == [f"environment variable {name}: {said}"]


def test_a_path_that_a_variable_gave_is_blamed_on_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMP_MODEL_CONFIGPATH", "nowhere/*")
    assert lines_of(root) == [
        f"environment variable SMP_MODEL_CONFIGPATH: no file matches 'nowhere/*' below {root}"
    ]


def test_variables_come_in_quotes_and_lists_with_commas(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMP_REGION", " 'us-east-1' ")
    monkeypatch.setenv("SMP_S3BUCKETNAME", '"another-bucket"')
    monkeypatch.setenv("SMP_SUBNETS", '["subnet-0a", "subnet-0b"]')
    monkeypatch.setenv("SMP_SECURITYGROUPS", "'sg-0a, sg-0b'")
    loaded = configuration.load(root)
    assert loaded.project.SMP_REGION == "us-east-1"
    assert loaded.project.subnets == ["subnet-0a", "subnet-0b"]
    assert loaded.project.security_groups == ["sg-0a", "sg-0b"]
    assert "s3://another-bucket/raw/" in str(loaded.models["churn"].preprocess)


def test_half_a_vpc_is_blamed_on_the_variable(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMP_SUBNETS", "subnet-0a")
    assert lines_of(root) == [
        "environment variable SMP_SUBNETS: set both SMP_SUBNETS and SMP_SECURITYGROUPS, or neither for no VPC"
    ]


def test_a_name_without_a_value_is_said_where_it_stands(root: Path) -> None:
    assert "SMP_MODELNAME" not in os.environ
    edit(root, PROJECT, "SMP_MODELNAME: churn\n", "")
    edit(root, CHURN, "SMP_PROJECT-pipeline", "${SMP_MODELNAME}-pipeline")
    assert lines_of(root) == [
        "models/churn/conf.yaml:55: conf.sagemakerPipeline.pipelineName: "
        "SMP_MODELNAME has no value: set it in conf/project.yaml or in the environment"
    ]


def test_one_wrong_value_is_not_reported_wherever_its_name_stands(root: Path) -> None:
    edit(root, PROJECT, "project: demo", "project: Demo")
    edit(root, PROJECT, "demo-bucket", "Demo_Bucket")
    edit(root, PROJECT, "kms_key: null", "conf: {s3Bucket: SMP_S3BUCKETNAME}")
    assert [line.partition(": ")[0] for line in lines_of(root)] == [
        "conf/project.yaml:1",
        "conf/project.yaml:5",
    ]


def test_other_files_for_once_need_no_other_model_name(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "elsewhere").mkdir()
    for path in (root / "models").glob("*/conf.yaml"):
        text = path.read_text().replace("churn", "loyal").replace("models/loyal", "models/churn")
        (root / "elsewhere" / f"{path.parent.name}.yaml").write_text(text)
    monkeypatch.setenv("SMP_MODEL_CONFIGPATH", str(root / "elsewhere" / "*.yaml"))
    assert "loyal" in configuration.load(root).models
