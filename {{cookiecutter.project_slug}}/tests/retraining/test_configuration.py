"""conf/project.yaml and conf.yaml: what is wrong is said with file, line and key, all of it at once."""

import re
from pathlib import Path

import pytest

from retraining import configuration
from retraining.errors import UserError

PROJECT = "conf/project.yaml"
MODEL = "models/scarcegan/conf.yaml"


def edit(project: Path, file: str, old: str, new: str) -> None:
    path = project / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def error_of(project: Path) -> str:
    with pytest.raises(UserError) as caught:
        configuration.load(project)
    return str(caught.value)


def test_the_shipped_configuration_is_in_order(project: Path) -> None:
    found = configuration.load(project)
    steps = [step.step_name for step in found.pipeline.models["scarcegan"].steps]
    assert steps == ["Preprocess", "Train", "Evaluate", "QualityGate", "Register"]
    assert {"RiskyData", "Epochs", "TrainingInstanceType", "TrainingInstanceCount", "MinimumRecall"} <= set(
        found.parameters
    )
    assert found.parameters["ModelApprovalStatus"].default == "PendingManualApproval"
    assert found.parameters["RiskyData"].default == "s3://sagemaker-eu-west-1-111122223333/data/risky/"


CASES = [
    (
        MODEL,
        " >> QualityGate >> Register",
        " >> QualityGate",
        r"step 'Register' must follow the gate and only the gate",
    ),
    (
        MODEL,
        " >> QualityGate >> Register",
        " >> QualityGate >> Register\n    - Evaluate >> Register",
        r"only the gate",
    ),
    (
        MODEL,
        "QualityGate >> Register",
        "QualityGate >> Register >> Train",
        r"the steps wait in a circle: .*Train >> ",
    ),
    (
        MODEL,
        "chain_input_source_step: [Preprocess]",
        "chain_input_source_step: [Train]",
        r"'Train' chains 'Train', which must",
    ),
    (
        MODEL,
        "        output: evaluation",
        "        output: evaluations",
        r"gate.output: no output 'evaluations'",
    ),
    (MODEL, "minimum: {parameter: MinimumRecall, default: 0.7}", "minimum: .nan", r"minimum: .*finite"),
    (
        PROJECT,
        "description: A project under test",
        "description: 2026-99-99",
        r"project.yaml: not valid YAML: month must be",
    ),
    (PROJECT, "description: A project under test", "description: !!int x", r"project.yaml: not valid YAML"),
    (PROJECT, "description: A project under test", "description: a\0b", r"project.yaml: not valid YAML"),
    (PROJECT, "tags:\n  project: demo", "tags: &a {b: *a}", r"project.yaml: aliases .* endless"),
    (PROJECT, "tags:\n  project: demo", "tags: " + "[" * 2000 + "]" * 2000, r"project.yaml: not valid YAML"),
    (PROJECT, "models/*/conf.yaml", "/models/*", r"SMP_MODEL_CONFIGPATH: no file matches '/models/\*'"),
    (PROJECT, "models/*/conf.yaml", "a**b", r"SMP_MODEL_CONFIGPATH: no file matches"),
    (
        PROJECT,
        "SMP_SUBNETS: []",
        "SMP_SUBNETS: [subnet-0a]",
        r"project.yaml:8: SMP_SUBNETS and SMP_SECURITYGROUPS: fill both",
    ),
    (
        PROJECT,
        "SMP_MODELNAME: scarcegan",
        "SMP_MODELNAME: scarcegann",
        r"no model 'scarcegann'; did you mean 'scarcegan'\?",
    ),
    (
        PROJECT,
        "schedule: cron(0 3 ? * MON *)",
        "schedule: daily",
        r"schedule: cron\(...\) or rate\(...\) is expected, not 'daily'",
    ),
    (PROJECT, "SMP_ACCOUNTID: '111122223333'", "SMP_ACCOUNTID: 111122223333", r"twelve digits, in quotes"),
    (PROJECT, "SMP_REGION: eu-west-1", "SMP_REGION: Ireland", r"project.yaml:4: SMP_REGION: .*'Ireland'"),
    (
        PROJECT,
        "kms_key: null",
        "kms_keyy: null",
        r"project.yaml:\d+: kms_keyy: unknown key; did you mean 'kms_key'\?",
    ),
    (PROJECT, "SMP_MODELNAME: scarcegan\n", "", r"SMP_MODELNAME: this key is required"),
    (
        PROJECT,
        "project: demo\n",
        "project: demo\nproject: other\n",
        r"project.yaml:2: key 'project' stands here again, first on line 1",
    ),
    (
        PROJECT,
        "tags:\n  project: demo",
        "tags: [demo]",
        r"tags: a mapping of keys and values is expected here, not list",
    ),
    (PROJECT, "project: demo", "project: [", r"project.yaml:\d+: not valid YAML"),
    (
        PROJECT,
        "models/*/conf.yaml",
        "model/*/conf.yaml",
        r"SMP_MODEL_CONFIGPATH: no file matches 'model/\*/conf.yaml'",
    ),
    (PROJECT, "sagemaker_port: ", "sagemaker_port: 9", r"local.sagemaker_port: .*65535"),
    (
        MODEL,
        "instance_count: 1\n",
        "instance_cout: 1\n",
        r"conf.yaml:\d+: .*instance_cout: unknown key; did you mean 'instance_count'",
    ),
    (
        MODEL,
        "default: 20}",
        "default: 20, chioces: [a]}",
        r"parameter.chioces: unknown key; did you mean 'choices'",
    ),
    (
        MODEL,
        "entry_point: train.py",
        "entry_point: trian.py",
        r"conf.yaml:\d+: entry_point: no file 'trian.py'",
    ),
    (
        MODEL,
        "source_directory: models/scarcegan",
        "source_directory: model",
        r"source_directory: no folder 'model'",
    ),
    (
        MODEL,
        "step_class: Metrics",
        "step_class: Metric",
        r"step_class: input should be .*'Metrics'.*, not 'Metric'",
    ),
    (MODEL, "step_name: Train", "step_name: Preprocess", r"step_name 'Preprocess' stands twice"),
    (
        MODEL,
        "[Train, Preprocess]",
        "[Trian, Preprocess]",
        r"chain_input_source_step: no step 'Trian'; known: ",
    ),
    (MODEL, "Preprocess >> Train", "Preprocess >> Trian", r"dependencies: no step 'Trian'"),
    (
        MODEL,
        "default: s3://SMP_S3BUCKETNAME/data/risky/",
        "default: data/risky",
        r"must be an S3 URI such as .*'data/risky'",
    ),
    (
        MODEL,
        "parameter: SplitSeed, default: 7",
        "parameter: Folds, default: 7",
        r"parameter 'Folds' is declared twice",
    ),
    (
        MODEL,
        "sagemakerPipeline:",
        "sagemakerPipelines:",
        r"sagemakerPipelines: unknown key; did you mean 'sagemakerPipeline'",
    ),
    (
        MODEL,
        "          - test\n",
        "          - test\n          - more\n",
        r"outputs: list should have at most 10 items",
    ),
    (
        MODEL,
        "model_package_group: SMP_PROJECT-scarcegan",
        "model_package_group: a_b c",
        r"model_package_group: .*'a_b c'",
    ),
]


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"), CASES, ids=[case[2].strip()[:40] for case in CASES]
)
def test_what_is_wrong_is_said_in_one_line(
    project: Path, file: str, old: str, new: str, expected: str
) -> None:
    edit(project, file, old, new)
    lines = error_of(project).splitlines()
    assert any(re.search(expected, line) for line in lines), lines
    assert all(file.rpartition("/")[2] in line or "parameter" in line for line in lines)


def test_all_errors_are_reported_at_once_in_the_order_of_the_file(project: Path) -> None:
    edit(project, PROJECT, "SMP_REGION: eu-west-1", "SMP_REGION: 3")
    edit(project, PROJECT, "kms_key: null", "kms: null")
    edit(project, PROJECT, "schedule:", "shedule:")
    lines = error_of(project).splitlines()
    numbers = [int(re.search(r":(\d+):", line).group(1)) for line in lines if "required" not in line]  # type: ignore[union-attr]
    assert len(lines) >= 3
    assert numbers == sorted(numbers)


def test_the_environment_wins_over_the_file(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMP_S3BUCKETNAME", "another-bucket")
    monkeypatch.setenv("SMP_SUBNETS", "subnet-0a, subnet-0b")
    monkeypatch.setenv("SMP_SECURITYGROUPS", "sg-0a")
    found = configuration.load(project)
    assert found.project.SMP_SUBNETS == ["subnet-0a", "subnet-0b"]
    assert found.parameters["RiskyData"].default == "s3://another-bucket/data/risky/"


def test_a_missing_file_is_named(project: Path) -> None:
    (project / PROJECT).unlink()
    assert re.search(r"conf/project.yaml: no such file", error_of(project))


def test_multiplying_aliases_are_refused(project: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, 9)]
    (project / PROJECT).write_text("\n".join(lines))
    assert "larger than 100000 values" in error_of(project)


def test_ports_must_differ(project: Path) -> None:
    path = project / PROJECT
    text = re.sub(r"(_port): \d+", r"\1: 9000", path.read_text())
    path.write_text(text)
    assert "local: the three ports must differ" in error_of(project)


def test_a_value_from_the_environment_is_not_the_files_fault(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMP_REGION", "mars")
    assert (
        error_of(project)
        == "environment variable SMP_REGION: a region such as eu-west-1 is expected, not 'mars'"
    )
