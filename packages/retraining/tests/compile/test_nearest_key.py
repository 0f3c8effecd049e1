"""Keys that stand in several places: the job's, the model's, the project's; and parameters in full."""

from pathlib import Path
from typing import Any

import pytest
from keyed_project import ABSENT, Compiled, compiled, documents

ROLE = "arn:aws:iam::111122223333:role/"
MODEL, STEPS = "conf/models/first", "conf/sagemakerPipeline/models/first/steps"
VPC = {"SMP_SUBNETS": ["subnet-0a"], "SMP_SECURITYGROUPS": ["sg-0a"]}
RETRY = [{"exceptions": ["Step.THROTTLING"], "max_attempts": 9}]


@pytest.fixture(scope="module")
def everywhere(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    """The same keys in the project, in the model and in one job or step."""
    settings: dict[str, Any] = {}
    for place, words in (("project", "project"), (MODEL, "model"), (f"{MODEL}/preprocess", "job")):
        settings[f"{place}/kms_key"] = words
        settings[f"{place}/tags"] = {words: "here", "from": words}
        settings["project/SMP_ROLE" if place == "project" else f"{place}/role"] = ROLE + words
    for place, days in (("project", "P1D"), (MODEL, "P2D"), (f"{STEPS}/0", "P3D")):
        settings[f"{place}/cache_expires_after"] = days
    settings |= {"project/retry": RETRY, f"{MODEL}/retry": [], f"{STEPS}/0/retry": RETRY}
    settings[f"{STEPS}/2/enable_cache"] = True
    return compiled(tmp_path_factory.mktemp("everywhere"), settings)


def tags(compilation: Compiled, step: str) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in compilation.at(f"{step}/Arguments/Tags")}


def test_the_job_wins(everywhere: Compiled) -> None:
    assert everywhere.at("Preprocess/Arguments/RoleArn") == f"{ROLE}job"
    assert everywhere.at("Preprocess/Arguments/ProcessingOutputConfig/KmsKeyId") == "job"
    assert tags(everywhere, "Preprocess") == {
        "project": "here",
        "model": "here",
        "job": "here",
        "from": "job",
    }
    assert everywhere.at("Preprocess/CacheConfig/ExpireAfter") == "P3D"
    assert everywhere.at("Preprocess/RetryPolicies/0/MaxAttempts") == 9


def test_then_the_model(everywhere: Compiled) -> None:
    assert everywhere.at("Train/Arguments/RoleArn") == f"{ROLE}model"
    assert everywhere.at("Train/Arguments/OutputDataConfig/KmsKeyId") == "model"
    assert tags(everywhere, "Train") == {"project": "here", "model": "here", "from": "model"}
    assert everywhere.at("Train/CacheConfig/ExpireAfter") == "P2D"
    assert everywhere.at("Train/RetryPolicies") == ABSENT


def test_then_the_project(everywhere: Compiled) -> None:
    assert everywhere.at("Second/Arguments/RoleArn") == f"{ROLE}project"
    assert everywhere.at("Second/Arguments/OutputDataConfig/KmsKeyId") == "project"
    assert tags(everywhere, "Second") == {"project": "here", "from": "project"}
    assert everywhere.at("Second/RetryPolicies/0/MaxAttempts") == 9


@pytest.mark.parametrize(
    "own", [{"encrypt_inter_container_traffic": True}, {"enable_network_isolation": True}]
)
def test_a_model_that_says_nothing_of_subnets_keeps_the_projects(own: dict[str, Any], tmp_path: Path) -> None:
    compilation = compiled(tmp_path, {"project": _project(), f"{MODEL}/network": own})
    for place in ("Preprocess/Arguments/NetworkConfig", "Train/Arguments", "Create/Arguments"):
        assert compilation.at(f"{place}/VpcConfig/Subnets") == ["subnet-0a"]


def _project() -> dict[str, Any]:
    return {**documents({})["project"], **VPC}


def test_a_model_may_leave_the_projects_vpc(tmp_path: Path) -> None:
    nothing: dict[str, Any] = {"subnets": [], "security_groups_id": []}
    compilation = compiled(tmp_path, {"project": _project(), f"{MODEL}/network": nothing})
    assert compilation.at("Train/Arguments/VpcConfig") == ABSENT
    assert compilation.at("Second/Arguments/VpcConfig/Subnets") == ["subnet-0a"]


def test_parameters_in_full(tmp_path: Path) -> None:
    values = {
        "Text": "gini",
        "Whole": 3,
        "Number": 0.5,
        "Flag": False,
    }
    settings: dict[str, Any] = {
        f"{MODEL}/train/hyperparams/{name}": {"parameter": name, "default": value}
        for name, value in values.items()
    }
    settings[f"{MODEL}/train/hyperparams/Text"]["choices"] = ["gini", "entropy"]
    compilation = compiled(tmp_path, settings)
    listed = {item["Name"]: item for item in compilation.at("pipeline/Parameters")}
    types = {"Text": "String", "Whole": "Integer", "Number": "Float", "Flag": "Boolean"}
    assert {name: listed[name]["Type"] for name in values} == types
    assert {name: listed[name]["DefaultValue"] for name in values} == values
    assert listed["Text"]["EnumValues"] == ["gini", "entropy"]
    for name in values:
        assert f"Parameters.{name}" in str(compilation.at(f"Train/Arguments/HyperParameters/{name}"))
