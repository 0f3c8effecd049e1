"""What a bake holds: the exact tree, the rendered files, the chosen example and CI."""

import ast
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from conftest import EXAMPLES, FOLDER, ROOT, Bake, Baked
from cookiecutter.generate import is_copy_only_path

TREE = ROOT / "tests" / "tree.txt"
RENDERED = ["README.md", "conf/project.yaml"]
QUESTIONS = json.loads((ROOT / "cookiecutter.json").read_text())


def template_files(template: Path) -> list[str]:
    """Files of the template folder, also those behind its links to the packages and the guide."""
    root = template / FOLDER
    paths = (Path(folder, name) for folder, _, names in os.walk(root, followlinks=True) for name in names)
    return sorted(path.relative_to(root).as_posix() for path in paths)


def test_default_bake_has_exactly_this_tree(default: Baked, request: pytest.FixtureRequest) -> None:
    own = [name for name in default.files() if not name.startswith("vendor/")]
    if request.config.getoption("--rewrite-tree"):
        TREE.write_text("".join(f"{name}\n" for name in own))
    assert own == TREE.read_text().splitlines()


def test_what_a_team_owns_is_small(default: Baked) -> None:
    own = [name for name in default.files() if not name.startswith("vendor/")]
    python = [default.folder / name for name in own if name.endswith(".py")]
    assert len(own) <= 130
    assert sum(len(path.read_text().splitlines()) for path in python) <= 11_000


def test_vendor_has_the_packages_without_their_tests_and_the_guide(default: Baked, template: Path) -> None:
    sources = {"docs": template / "docs"}
    for package in ("job-toolkit", "local-sagemaker", "retraining"):
        for name in ("LICENSE", "README.md", "pyproject.toml", "src"):
            sources[f"{package}/{name}"] = template / "packages" / package / name
    expected = {
        Path("vendor", name, path.relative_to(source)): path
        for name, source in sources.items()
        for path in ([source] if source.is_file() else source.rglob("*"))
        if path.is_file()
    }
    assert {name for name in default.files() if name.startswith("vendor/")} == set(map(str, expected))
    for copy, source in expected.items():
        assert (default.folder / copy).read_bytes() == source.read_bytes()


def is_of(model: str, example: str) -> bool:
    return model == example or model.startswith(f"{example}_")


def project_path(path: Path) -> Path:
    """Where a file of an example is in a project."""
    if path.name == "pipeline.yaml":
        return Path("conf", path.name)
    if "tests" in path.parts:
        return Path("tests", "models", path.parts[0], *path.parts[2:])
    return Path("models", *path.parts)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_chosen_example_is_in_models_and_tests(
    baked_example: Callable[[str], Baked], default: Baked, example: str
) -> None:
    baked = baked_example(example)
    sources = baked.folder / "vendor/retraining/src/retraining/examples"
    chosen = {
        project_path(path): sources / path
        for path in (path.relative_to(sources) for path in sources.rglob("*") if path.is_file())
        if is_of(path.parts[0], example)
    }
    assert chosen
    for copy, source in chosen.items():
        assert (baked.folder / copy).read_bytes() == source.read_bytes()

    def others(project: Baked) -> list[str]:
        own = ("models/", "tests/models/", "conf/pipeline.yaml")
        return [name for name in project.files() if not name.startswith(own)]

    assert sorted(set(baked.files()) - set(others(baked))) == sorted(map(str, chosen))
    assert others(baked) == others(default)


@pytest.mark.parametrize(
    ("example", "main"),
    [("lightgbm", "lightgbm"), ("housing", "housing_mlp"), ("summarization", "summarization")],
)
def test_the_main_model_is_one_of_the_example(
    baked_example: Callable[[str], Baked], example: str, main: str
) -> None:
    folder = baked_example(example).folder
    assert yaml.safe_load((folder / "conf/project.yaml").read_text())["SMP_MODELNAME"] == main
    assert (folder / "models" / main / "conf.yaml").is_file()


def test_the_examples_are_the_answers() -> None:
    assert QUESTIONS["example"] == EXAMPLES


def test_six_questions_and_each_is_asked_in_words() -> None:
    asked = [name for name in QUESTIONS if not name.startswith("_")]
    assert len(asked) == 6
    assert sorted(QUESTIONS["__prompts__"]) == sorted(asked)
    for name in asked:
        if isinstance(QUESTIONS[name], list):
            assert set(QUESTIONS["__prompts__"][name]) == {"__prompt__", *QUESTIONS[name]}


def test_only_these_files_are_rendered(template: Path, default: Baked) -> None:
    context = {"cookiecutter": QUESTIONS}
    folders = {name: Path(name).parents for name in template_files(template)}
    rendered = [
        name
        for name, parents in folders.items()
        if not any(is_copy_only_path(path, context) for path in (name, *map(str, parents)))
    ]
    assert rendered == RENDERED
    for name in set(template_files(template)) & set(default.files()) - set(RENDERED):
        assert (default.folder / name).read_bytes() == (template / FOLDER / name).read_bytes(), name


def test_no_jinja_outside_the_rendered_files(template: Path) -> None:
    jinja = re.compile(rb"\{\{-?\s*cookiecutter|\{%-?\s*(if|for|set|raw|include|block|macro)\b")
    held = [
        name for name in template_files(template) if jinja.search((template / FOLDER / name).read_bytes())
    ]
    assert held == RENDERED


def test_every_copied_python_file_parses(template: Path) -> None:
    names = [name for name in template_files(template) if name.endswith(".py")]
    assert names
    for name in names:
        ast.parse((template / FOLDER / name).read_bytes(), name)


def test_rendered_files_of_the_default_bake(default: Baked) -> None:
    project = yaml.safe_load((default.folder / "conf/project.yaml").read_text())
    assert project == {
        "project": "retraining",
        "description": "Retraining",
        "SMP_ACCOUNTID": "111122223333",
        "SMP_REGION": "eu-west-1",
        "SMP_S3BUCKETNAME": "sagemaker-eu-west-1-111122223333",
        "SMP_ROLE": "arn:aws:iam::111122223333:role/retraining-sagemaker",
        "SMP_MODEL_CONFIGPATH": "models/*/conf.yaml",
        "SMP_SUBNETS": [],
        "SMP_SECURITYGROUPS": [],
        "SMP_MODELNAME": "scarcegan",
        "kms_key": None,
        "lambda_role": "arn:aws:iam::111122223333:role/retraining-lambda",
        "mlflow_tracking_uri": None,
        "schedule": "cron(0 3 ? * MON *)",
        "tags": {"project": "retraining"},
        "local": {"sagemaker_port": 8571, "aws_port": 8572, "mlflow_port": 8573},
    }


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("us-east-1", "aws"),
        ("cn-northwest-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("eusc-de-east-1", "aws-eusc"),
    ],
)
def test_region_decides_the_partition(bake: Bake, region: str, partition: str) -> None:
    project = yaml.safe_load((bake(aws_region=region).folder / "conf/project.yaml").read_text())
    assert project["SMP_ROLE"] == f"arn:{partition}:iam::111122223333:role/retraining-sagemaker"
    assert project["lambda_role"] == f"arn:{partition}:iam::111122223333:role/retraining-lambda"
    assert project["SMP_S3BUCKETNAME"] == f"sagemaker-{region}-111122223333"


@pytest.mark.parametrize(
    ("provider", "kept"),
    [("github", [".github/workflows/ci.yml"]), ("codebuild", ["buildspec.yml"]), ("none", [])],
)
def test_only_the_chosen_ci_is_kept(bake: Bake, default: Baked, provider: str, kept: list[str]) -> None:
    files = bake(ci_provider=provider).files()
    both = {".github/workflows/ci.yml", "buildspec.yml"}
    assert [name for name in files if name in both] == kept
    assert set(files) - both == set(default.files()) - both


def test_ci_runs_the_checks_that_a_person_runs(template: Path) -> None:
    workflow = yaml.safe_load((template / FOLDER / ".github/workflows/ci.yml").read_text())
    assert workflow["jobs"]["check"]["steps"][-1] == {"run": "make check"}
    buildspec = yaml.safe_load((template / FOLDER / "buildspec.yml").read_text())
    assert buildspec["phases"]["build"]["commands"] == ["make check"]


def test_ci_names_actions_by_commit(template: Path) -> None:
    """A tag can be moved to other code; images and included files of other systems can be, too."""
    workflows = [*template.glob(".github/workflows/*.y*ml"), *(template / FOLDER).glob(".github/**/*.y*ml")]
    lines = [line for path in workflows for line in path.read_text().splitlines() if "uses:" in line]
    assert lines
    for line in lines:
        assert re.fullmatch(r"\s*(- )?uses: [\w.-]+(/[\w.-]+)+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def test_leftovers_of_work_in_the_template_do_not_reach_a_project(
    bake: Bake, default: Baked, template: Path, tmp_path: Path
) -> None:
    source = tmp_path / "template"
    shutil.copytree(template, source)
    folders = [
        ".venv/bin",
        ".local",
        ".tools",
        "build",
        "x.egg-info",
        ".mypy_cache",
        "vendor/retraining/src/retraining/__pycache__",
    ]
    for folder in [*folders, "__pycache__", ".hypothesis", "tests/.hypothesis", "vendor/docs/.ruff_cache"]:
        (source / FOLDER / folder).mkdir(parents=True, exist_ok=True)
        (source / FOLDER / folder / "leftover").write_bytes(b"{{ \x91 {%")
    assert bake(source=source).files() == default.files()


def test_next_step_is_said_last(default: Baked) -> None:
    assert default.stdout.splitlines()[-1] == f"retraining is made. Next: cd {default.folder} && make run"
    assert default.stderr == ""


def test_both_layers_bring_their_tools_in_the_same_way(template: Path) -> None:
    for name in ("bootstrap.sh", "tools.lock"):
        assert (template / name).read_bytes() == (template / FOLDER / name).read_bytes(), name
