"""`retrain new-model`: one command makes a model that is checked, compiled, tested and run as it stands."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from projects import COMMAND, EXAMPLES, make_project

from retraining.config import configuration
from retraining.errors import UserError
from retraining.scaffold import new_model

MODELS = {
    "scarcegan": ["scarcegan"],
    "lightgbm": ["lightgbm"],
    "housing": ["housing_pca", "housing_mlp"],
    "summarization": ["summarization"],
}
ANCHOR = "models/lightgbm/conf.yaml"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project whose one model is the example lightgbm."""
    project = make_project(tmp_path, "lightgbm")
    (project / "tests" / "models").mkdir(parents=True)
    return project


def retrain(project: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": os.environ["PATH"], "HOME": str(project)}
    return subprocess.run(
        [*COMMAND, *arguments], cwd=project, env=environment, capture_output=True, text=True, check=False
    )


def files(project: Path) -> dict[str, bytes]:
    files = (path for path in project.rglob("*") if path.is_file())
    return {path.relative_to(project).as_posix(): path.read_bytes() for path in files}


def error_of(project: Path, name: str, like: str, data: str | None = None) -> str:
    """What is said of a new model that cannot be made; the project stays as it is, to the byte."""
    before = files(project)
    with pytest.raises(UserError) as caught:
        new_model.create(project, name, like, data)
    assert files(project) == before
    return str(caught.value)


@pytest.mark.parametrize("example", MODELS)
def test_a_model_like_an_example(shop: Path, example: str) -> None:
    before = configuration.load(shop)
    made = new_model.create(shop, "churn_risk", example)
    endings = [model.removeprefix(example) for model in MODELS[example]]
    assert made.models == [f"churn_risk{ending}" for ending in endings]
    loaded = configuration.load(shop)
    assert list(loaded.models) != list(before.models)
    assert set(loaded.pipeline.models) == {"lightgbm", *made.models}
    assert set(loaded.parameters) > set(before.parameters)
    assert all(name.startswith("ChurnRisk") for name in set(loaded.parameters) - set(before.parameters))
    assert all(step.startswith("ChurnRisk") for step in set(loaded.dag.steps) - set(before.dag.steps))
    assert set(loaded.dag.steps) == {*before.dag.steps, *made.steps}
    groups = [loaded.package_group(model) for model in loaded.models]
    assert len(set(groups)) == len(groups)
    bucket = "s3://sagemaker-eu-west-1-111122223333/data/churn_risk/"
    places = [str(parameter.default) for name, parameter in loaded.parameters.items() if "Data" in name]
    assert any(place.startswith(bucket) for place in places)
    compiled = retrain(shop, "definition")
    assert compiled.returncode == 0, compiled.stderr
    assert retrain(shop, "definition").stdout == compiled.stdout
    for name, source in zip(made.models, MODELS[example], strict=True):
        copied = {path.name for path in (shop / "models" / name).iterdir()}
        assert copied == {path.name for path in (EXAMPLES / source).iterdir()} - {"tests", "__pycache__"}
        assert loaded.models[name].source_directory == f"models/{name}"


def test_the_graph_is_that_of_the_example(shop: Path) -> None:
    before = configuration.load(make_project(shop / "other", *reversed(MODELS["housing"]))).dag
    new_model.create(shop, "prices", "housing")
    after = configuration.load(shop).dag

    def renamed(name: str) -> str:
        return f"Prices{name}"

    for name in before.steps:
        assert {renamed(other) for other in before.before[name]} == set(after.before[renamed(name)])
        assert after.steps[renamed(name)].step_class == before.steps[name].step_class


def test_the_pipeline_keeps_its_comments_and_its_text(shop: Path) -> None:
    path = shop / ANCHOR
    text = path.read_text().replace(
        "    dependencies:\n", "    # in this order\n    dependencies: # always\n"
    )
    path.write_text(text.rstrip("\n"))
    new_model.create(shop, "churn", "lightgbm")
    old = iter(path.read_text().splitlines())
    assert all(line in old for line in text.splitlines())
    assert "# The retraining pipeline of the model `churn`" in (shop / "models/churn/conf.yaml").read_text()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    dependencies:\n      - ", "    dependencies: ["),
        ("\n      - ", "\n    - "),
        ("\n", "\r\n"),
        (
            "models:\n      lightgbm:\n        steps:",
            "models: # all\n          lightgbm:\n            steps:",
        ),
    ],
    ids=["in brackets", "not indented", "lines of another system", "indented more"],
)
def test_the_pipeline_may_be_written_in_other_ways(shop: Path, old: str, new: str) -> None:
    path = shop / ANCHOR
    text = path.read_text().replace("Transform >> Metrics >> QualityGate >> Register", "Transform >> Metrics")
    text = text.rstrip() + "\n      - Metrics >> QualityGate >> Register\n"
    if new.endswith("["):
        text = text.replace("\n      - Metrics >>", ", Metrics >>").rstrip() + "]\n"
    if "all" in new:
        head, steps = text.split("        steps:\n")
        steps, chains = steps.split("    dependencies:")
        moved = "".join(f"    {line}\n" for line in steps.splitlines())
        text = f"{head}        steps:\n{moved}    dependencies:{chains}"
    assert old in text
    path.write_bytes(text.replace(old, new).encode())
    new_model.create(shop, "churn", "lightgbm")
    loaded = configuration.load(shop)
    assert list(loaded.pipeline.models) == ["lightgbm", "churn"]
    assert len(loaded.dag.steps) == 14
    assert path.read_bytes().count(b"\r\n") in (0, path.read_bytes().count(b"\n"))


def test_a_model_like_one_that_was_made(shop: Path) -> None:
    new_model.create(shop, "churn", "lightgbm", "s3://raw-data/churn")
    new_model.create(shop, "loyalty", "churn")
    parameters = configuration.load(shop).parameters
    assert parameters["ChurnShoppersData"].default == "s3://raw-data/churn/shoppers/"
    assert "LoyaltyTestFraction" in parameters
    assert not any("Churn" in name.removeprefix("Churn") for name in parameters)
    assert not (shop / "models/churn/conf.yaml").read_text().count("sagemakerPipeline")


def test_every_name_that_must_differ_does(shop: Path) -> None:
    path = shop / ANCHOR
    content = yaml.safe_load(path.read_text())
    model = content["conf"]["models"]["lightgbm"]
    model["name"] = "lightgbm"
    model["train"] |= {
        "base_job_name": "lightgbm-training",
        "use_spot_instances": True,
        "max_wait_seconds": 7200,
        "checkpoint_s3_uri": "s3://checkpoints/lightgbm/latest",
        "output_path": {"parameter": "Out", "default": "s3://models/trained"},
    }
    model["preprocess"]["base_job_name"] = "prepare"
    model["preprocess"]["arguments"] = {"reference": "s3://kept/lightgbm/profile.json"}
    model["preprocess"]["channels"]["shoppers"] = {
        "s3BucketName": "raw-data",
        "dataFiles": [{"sourceName": "shoppers", "fileName": "data/lightgbm/shoppers.csv"}],
    }
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    new_model.create(shop, "churn_risk", "lightgbm")
    copy = yaml.safe_load((shop / "models/churn_risk/conf.yaml").read_text())["conf"]["models"]["churn_risk"]
    assert copy["name"] == "churn-risk"
    assert copy["train"]["base_job_name"] == "churn-risk-training"
    assert copy["preprocess"]["base_job_name"] == "churn-risk-prepare"
    assert copy["train"]["checkpoint_s3_uri"] == "s3://checkpoints/churn_risk/latest"
    assert copy["train"]["output_path"]["default"] == "s3://models/trained/churn_risk"
    assert copy["preprocess"]["arguments"]["reference"] == "s3://kept/churn_risk/profile.json"
    file = copy["preprocess"]["channels"]["shoppers"]["dataFiles"][0]
    assert file["fileName"] == "data/churn_risk/shoppers.csv"
    assert copy["registry"]["model_package_group"] == "SMP_PROJECT-churn-risk"


BAD = [
    ("Churn", "lightgbm", "'Churn' cannot be a model's name"),
    ("churn__risk", "lightgbm", "cannot be a model's name"),
    ("../churn", "lightgbm", "cannot be a model's name"),
    ("x" * 41, "lightgbm", "at most 40 of a-z"),
    ("lightgbm", "lightgbm", "a model 'lightgbm' is in the project already"),
    ("churn", "lightgmb", "neither a model of this project nor an example; did you mean 'lightgbm'?"),
    ("churn", "xgboost", "neither a model of this project nor an example; known: housing, housing_mlp"),
    ("tests", "lightgbm", "tests/models/tests is there already"),
    ("notes", "lightgbm", "models/notes is there already"),
]


@pytest.mark.parametrize(("name", "like", "reason"), BAD)
def test_what_cannot_be_made_is_refused(shop: Path, name: str, like: str, reason: str) -> None:
    (shop / "tests/models/tests").mkdir()
    (shop / "models/notes").mkdir()
    assert reason in error_of(shop, name, like)


@pytest.mark.parametrize("data", ["churn/", "s3:/bucket", "s3://b/"])
def test_a_bad_place_of_data_is_refused(shop: Path, data: str) -> None:
    assert "an S3 URI such as s3://bucket/prefix/ is expected" in error_of(shop, "churn", "lightgbm", data)


@pytest.mark.parametrize(("data", "odd"), [("s3://bucket/a b", "' '"), ("s3://bucket/{x}", "'{'")])
def test_a_place_of_data_that_yaml_would_read_otherwise_is_refused(shop: Path, data: str, odd: str) -> None:
    assert f"{odd} is not allowed" in error_of(shop, "churn", "lightgbm", data)


def test_half_of_an_example_is_refused(shop: Path) -> None:
    assert "copy both by --like housing" in error_of(shop, "prices", "housing_mlp")


def test_where_the_outcome_is_not_in_order_nothing_is_changed(shop: Path) -> None:
    path = shop / ANCHOR
    path.write_text(path.read_text().replace("step_name: Transform", f"step_name: {'T' * 62}", 1))
    path.write_text(path.read_text().replace("CreateModel >> Transform", f"CreateModel >> {'T' * 62}", 1))
    path.write_text(
        path.read_text().replace("Preprocess, Train, Transform]", f"Preprocess, Train, {'T' * 62}]")
    )
    error = error_of(shop, "churn", "lightgbm")
    assert f"Churn{'T' * 62}" in error
    assert error.splitlines()[-1].startswith("nothing was changed")


def test_a_pipeline_in_braces_is_refused(shop: Path) -> None:
    path = shop / ANCHOR
    content = yaml.safe_load(path.read_text())
    models = yaml.safe_dump(content["conf"]["sagemakerPipeline"], default_flow_style=True, width=10_000)
    del content["conf"]["sagemakerPipeline"]
    path.write_text(yaml.safe_dump(content) + f"  sagemakerPipeline: {models}")
    assert "without braces" in error_of(shop, "churn", "lightgbm")


def test_one_file_for_all_models_has_no_place_for_another(shop: Path) -> None:
    path = shop / "conf/project.yaml"
    path.write_text(path.read_text().replace("models/*/conf.yaml", ANCHOR))
    assert "write it like models/*/conf.yaml" in error_of(shop, "churn", "lightgbm")


def test_the_command_says_what_comes_next(shop: Path) -> None:
    done = retrain(shop, "new-model", "churn", "--like", "lightgbm")
    assert done.returncode == 0, done.stderr
    first, *following = done.stdout.splitlines()
    assert first.startswith("churn: ")
    assert first.endswith(f"files, 7 steps in {ANCHOR}")
    assert len(following) == 2
    assert "retrain data --model churn && retrain run" in following[1]
    again = retrain(shop, "new-model", "churn", "--like", "lightgbm")
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr == "Error: a model 'churn' is in the project already: choose another name\n"


def test_the_copied_tests_pass(tmp_path: Path) -> None:
    project = make_project(tmp_path, "scarcegan")
    (project / "tests" / "models").mkdir(parents=True)
    shutil.copytree(EXAMPLES / "scarcegan" / "tests", project / "tests/models/scarcegan")
    new_model.create(project, "bots", "scarcegan")
    command = [sys.executable, "-m", "pytest", "--import-mode=importlib", "-q", "-p", "no:cacheprovider"]
    # The first imports modules of the name that the others have too; and each must find its own.
    chosen = ["bots/test_dataset.py", "scarcegan/test_simulate.py", "bots/test_simulate.py"]
    done = subprocess.run(
        [*command, *chosen], cwd=project / "tests/models", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:]


def test_data_is_simulated_for_the_models_that_are_meant(shop: Path) -> None:
    new_model.create(shop, "churn", "lightgbm")
    for arguments, reason in (
        (["--model", "chrun"], "--model chrun: no such model; did you mean 'churn'?"),
        (["--visitors", "300"], "--visitors: say whose option this is: --model lightgbm or churn"),
    ):
        done = retrain(shop, "data", *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"Error: {reason}\n"
    assert not (shop / ".local").exists()


@pytest.mark.slow
def test_a_new_model_runs_beside_the_first(shop: Path) -> None:
    new_model.create(shop, "churn", "lightgbm")
    try:
        simulated = retrain(shop, "data")
        assert simulated.returncode == 0, simulated.stderr
        assert "data/shoppers/: " in simulated.stdout
        assert "data/churn/shoppers/: " in simulated.stdout
        done = retrain(shop, "run", "--param", "ChurnNumLeaves=7")
        assert done.returncode == 0, done.stdout + done.stderr
        models = json.loads(retrain(shop, "models", "list", "--json").stdout)
        assert {model["group"] for model in models} == {"demo-lightgbm", "demo-churn"}
    finally:
        retrain(shop, "local", "down")


def test_what_environments_say_is_renamed_or_named(shop: Path) -> None:
    overlay = {"train": {"hyperparams": {"num_leaves": {"parameter": "NumLeaves", "default": 7}}}}
    text = yaml.safe_dump({"conf": {"models": {"lightgbm": overlay}}})
    (shop / "models/lightgbm/prod.yaml").write_text(text)
    (shop / "models/lightgbm/plain.yaml").write_text("kept: as it is\n")
    (shop / "conf/prod.yaml").write_text(text)
    made = new_model.create(shop, "churn", "lightgbm")
    copy = yaml.safe_load((shop / "models/churn/prod.yaml").read_text())["conf"]["models"]
    leaves = copy["churn"]["train"]["hyperparams"]["num_leaves"]
    assert (list(copy), leaves) == (["churn"], {"parameter": "ChurnNumLeaves", "default": 7})
    assert (shop / "models/churn/plain.yaml").read_text() == "kept: as it is\n"
    assert len(made.notes) == 1
    assert "conf/prod.yaml has settings of lightgbm; none of them was copied" in made.notes[0]
    parameters = configuration.load(shop, "prod").parameters
    assert parameters["ChurnNumLeaves"].default == 7


@pytest.mark.parametrize("moment", range(8))
def test_a_call_that_is_killed_leaves_nothing_or_is_named(shop: Path, moment: int) -> None:
    """Killed at the n-th change that others see: a rename or a replacement."""
    (shop / "tests/models/lightgbm").mkdir()
    (shop / "tests/models/lightgbm/test_it.py").write_text("")
    kill = (
        "import os, signal\n"
        "left = [MOMENT]\n"
        "def cut(change):\n"
        "    def wrapped(*arguments, **options):\n"
        "        if left[0] == 0: os.kill(os.getpid(), signal.SIGKILL)\n"
        "        left[0] -= 1\n"
        "        return change(*arguments, **options)\n"
        "    return wrapped\n"
        "os.rename, os.replace, os.mkdir = cut(os.rename), cut(os.replace), cut(os.mkdir)\n"
        "from pathlib import Path\n"
        "from retraining.scaffold import new_model\n"
        "new_model.create(Path.cwd(), 'churn', 'lightgbm')\n"
    ).replace("MOMENT", str(moment))
    before = configuration.load(shop)
    environment = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", kill], cwd=shop, env=environment, check=False)
    loaded = configuration.load(shop)
    if done.returncode == 0:
        assert set(loaded.pipeline.models) == {"lightgbm", "churn"}
        return
    assert done.returncode == -signal.SIGKILL
    assert loaded.dag.steps.keys() == before.dag.steps.keys()
    if "churn" in loaded.models:
        with pytest.raises(
            UserError, match=r"models/churn has no steps in the pipeline.* remove models/churn"
        ):
            new_model.create(shop, "churn", "lightgbm")
        for place in ("models/churn", "tests/models/churn"):
            shutil.rmtree(shop / place, ignore_errors=True)
    new_model.create(shop, "churn", "lightgbm")
    assert set(configuration.load(shop).pipeline.models) == {"lightgbm", "churn"}
    assert not (shop / ".new-model").exists()
