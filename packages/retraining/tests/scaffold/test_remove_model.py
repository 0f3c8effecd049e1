"""`retrain remove-model`: a model goes with all that is its own, and nothing else."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from projects import COMMAND, make_project

from retraining.config import configuration
from retraining.errors import UserError
from retraining.scaffold import new_model, remove_model

ANCHOR = "conf/pipeline.yaml"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project whose one model is the example lightgbm."""
    project = make_project(tmp_path, "lightgbm")
    (project / "tests/models/lightgbm").mkdir(parents=True)
    (project / "tests/models/lightgbm/test_it.py").write_text("")
    return project


def files(project: Path) -> dict[str, bytes]:
    own = (path for path in project.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(project).as_posix(): path.read_bytes() for path in own}


def retrain(project: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": os.environ["PATH"], "HOME": str(project)}
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=project,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def removed(project: Path, name: str) -> list[str]:
    return remove_model.remove(remove_model.plan(project, name))


def refused(project: Path, name: str) -> str:
    before = files(project)
    with pytest.raises(UserError) as caught:
        removed(project, name)
    assert files(project) == before
    return str(caught.value)


@pytest.mark.parametrize("like", ["minimal", "scarcegan", "summarization"])
def test_what_new_model_made_is_gone_to_the_byte(shop: Path, like: str) -> None:
    before = files(shop)
    new_model.create(shop, "churn", like)
    assert removed(shop, "churn") == []
    assert files(shop) == before


def test_a_team_removes_the_example_that_it_started_from(shop: Path) -> None:
    new_model.create(shop, "churn", "minimal")
    churn = configuration.load(shop)
    (shop / "lambdas/tell.py").write_text("GROUP = 'shop-lightgbm'\nMODEL = 'lightgbm'\n")
    (shop / "conf/prod.yaml").write_text(
        "conf:\n  models:\n    lightgbm:\n      train: {instance_count: 2}\n"
    )
    done = retrain(shop, "remove-model", "lightgbm", "--yes")
    assert done.returncode == 0, done.stderr
    loaded = configuration.load(shop)
    assert (list(loaded.models), loaded.project.SMP_MODELNAME) == (["churn"], "churn")
    assert list(loaded.steps) == [name for name in churn.steps if name.startswith("Churn")]
    assert loaded.dag.before == {name: churn.dag.before[name] for name in loaded.steps}
    assert not (shop / "models/lightgbm").exists()
    assert not (shop / "tests/models/lightgbm").exists()
    assert not (shop / ".remove-model").exists()
    first = done.stderr.splitlines()
    assert re.fullmatch("models/lightgbm: 1[0-9] files", first[0])
    assert first[1] == "tests/models/lightgbm: 1 file"
    assert first[2].startswith(f"{ANCHOR}: 7 steps, Preprocess, Train, ")
    assert first[3] == "the project is not in git: nothing brings these files back"
    assert "SMP_MODELNAME in conf/project.yaml is churn now" in done.stdout
    lines = [line.strip() for line in done.stdout.splitlines() if line.startswith("  ")]
    assert lines == [
        "conf/prod.yaml:3: conf.models.lightgbm: no such model; known: churn (with --env prod)",
        "lambdas/tell.py:2: MODEL = 'lightgbm'",
    ]


def test_chains_are_joined_where_the_steps_were(shop: Path) -> None:
    new_model.create(shop, "churn", "minimal")
    path = shop / ANCHOR
    text = path.read_text()
    text = text.replace("- ChurnPreprocess >> ", "- Preprocess >> Train >> ChurnPreprocess >> ")
    path.write_text(
        text.replace(
            ">> ChurnTransform\n",
            ">> ChurnTransform\n      # theirs first\n      - Train >> ChurnTrain >> Metrics\n",
        )
    )
    assert removed(shop, "churn") == []
    chains = yaml.safe_load(path.read_text())["conf"]["sagemakerPipeline"]["dependencies"]
    assert chains[1:] == ["Preprocess >> Train", "Train >> Metrics"]
    assert "# theirs first" in path.read_text()


@pytest.mark.parametrize("style", ["in brackets", "lines of another system"])
def test_the_pipeline_may_be_written_in_other_ways(shop: Path, style: str) -> None:
    new_model.create(shop, "churn", "minimal")
    path = shop / ANCHOR
    content = yaml.safe_load(path.read_text())
    chains = content["conf"]["sagemakerPipeline"]["dependencies"]
    text = path.read_text()
    if style == "in brackets":
        text = text[: text.index("    dependencies:")] + f"    dependencies: [{', '.join(chains)}]\n"
    else:
        text = text.replace("\n", "\r\n")
    path.write_bytes(text.encode())
    removed(shop, "churn")
    assert list(configuration.load(shop).pipeline.models) == ["lightgbm"]
    assert path.read_bytes().count(b"\r\n") in (0, path.read_bytes().count(b"\n"))


def test_a_pipeline_in_the_models_file_moves_to_its_own(shop: Path) -> None:
    """As in AWS's framework: removing the model would remove the pipeline."""
    new_model.create(shop, "churn", "minimal")
    pipeline, conf = shop / ANCHOR, shop / "models/lightgbm/conf.yaml"
    text = pipeline.read_text()
    conf.write_text(conf.read_text() + text[text.index("  sagemakerPipeline:") :])
    pipeline.unlink()
    before = configuration.load(shop).dag.before
    removed(shop, "lightgbm")
    loaded = configuration.load(shop)
    assert loaded.dag.before == {name: before[name] for name in loaded.steps}
    assert pipeline.read_text().startswith("conf:\n  sagemakerPipeline:\n")


def test_a_file_of_several_models_keeps_the_others(shop: Path) -> None:
    new_model.create(shop, "churn", "minimal")
    conf, own = shop / "models/lightgbm/conf.yaml", shop / "models/churn/conf.yaml"
    text = own.read_text()
    conf.write_text(conf.read_text() + text[text.index("    churn:") :])
    own.unlink()
    removed(shop, "lightgbm")
    assert list(configuration.load(shop).models) == ["churn"]
    assert conf.is_file()
    assert not (shop / "tests/models/lightgbm").exists()


def test_a_folder_that_another_model_uses_stays(shop: Path) -> None:
    new_model.create(shop, "churn", "minimal")
    conf = shop / "models/churn/conf.yaml"
    shutil.copytree(
        shop / "models/churn", shop / "models/lightgbm", dirs_exist_ok=True, ignore=lambda *_: ["conf.yaml"]
    )
    conf.write_text(
        conf.read_text().replace("source_directory: models/churn", "source_directory: models/lightgbm")
    )
    plan = remove_model.plan(shop, "lightgbm")
    assert plan.notes == ("models/lightgbm stays: it is not this model's alone",)
    remove_model.remove(plan)
    assert list(configuration.load(shop).models) == ["churn"]
    assert not (shop / "models/lightgbm/conf.yaml").exists()
    assert (shop / "models/lightgbm/train.py").is_file()


def test_what_is_no_model_is_refused(shop: Path) -> None:
    (shop / "models/notes").mkdir()
    assert refused(shop, "lightgmb") == "'lightgmb' is no model of this project; did you mean 'lightgbm'?"
    assert "'notes' is no model of this project; known: lightgbm" in refused(shop, "notes")
    assert "'scarcegan' is an example of the platform, which is not in this project" in refused(
        shop, "scarcegan"
    )
    assert "'../lightgbm' is no model of this project" in refused(shop, "../lightgbm")


def test_the_only_model_is_refused(shop: Path) -> None:
    assert "add another one first, such as by `retrain new-model NAME --like minimal`" in refused(
        shop, "lightgbm"
    )


def test_a_model_that_another_reads_is_refused(tmp_path: Path) -> None:
    project = make_project(tmp_path, "housing_mlp", "housing_pca")
    assert refused(project, "housing_pca") == (
        "step 'Preprocess' of 'housing_mlp' reads what 'PcaTrain' of 'housing_pca' writes: remove "
        "'housing_mlp' first, or change what that step chains in conf/pipeline.yaml"
    )


def test_where_the_outcome_is_not_valid_nothing_is_changed(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_model.create(shop, "churn", "minimal")
    monkeypatch.setenv("SMP_MODELNAME", "lightgbm")  # a variable wins over the file
    error = refused(shop, "lightgbm")
    assert "environment variable SMP_MODELNAME: no model 'lightgbm'" in error
    assert error.splitlines()[-1] == "nothing was changed: the configuration without 'lightgbm' is not valid"


def test_it_asks_before(shop: Path) -> None:
    new_model.create(shop, "churn", "minimal")
    before = files(shop)
    done = retrain(shop, "remove-model", "churn")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == "Error: nothing was removed: answer yes, or give --yes"
    assert files(shop) == before


def test_what_no_commit_has_is_named(shop: Path) -> None:
    new_model.create(shop, "churn", "minimal")

    def git(*words: str) -> None:
        identity = ["-c", "user.name=Team", "-c", "user.email=team@example.com"]
        subprocess.run(["git", *identity, *words], cwd=shop, check=True, capture_output=True)

    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "--message", "all")
    assert remove_model.plan(shop, "churn").unsaved == ()
    (shop / "models/churn/train.py").write_text("changed")
    (shop / "models/churn/notes.txt").write_text("new")
    assert remove_model.plan(shop, "churn").unsaved == ("models/churn/notes.txt", "models/churn/train.py")


@pytest.mark.parametrize("moment", range(6))
def test_a_call_that_is_killed_is_done_by_the_next(shop: Path, moment: int) -> None:
    """Killed at the n-th change that others see: a rename or a replacement."""
    new_model.create(shop, "churn", "minimal")
    kill = (
        "import os, signal\n"
        f"left = [{moment}]\n"
        "def cut(change):\n"
        "    def wrapped(*arguments, **options):\n"
        "        if left[0] == 0: os.kill(os.getpid(), signal.SIGKILL)\n"
        "        left[0] -= 1\n"
        "        return change(*arguments, **options)\n"
        "    return wrapped\n"
        "os.rename, os.replace, os.rmdir = cut(os.rename), cut(os.replace), cut(os.rmdir)\n"
        "from pathlib import Path\n"
        "from retraining.scaffold import remove_model\n"
        "remove_model.remove(remove_model.plan(Path.cwd(), 'lightgbm'))\n"
    )
    environment = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", kill], cwd=shop, env=environment, check=False)
    assert done.returncode in (0, -signal.SIGKILL)
    if "lightgbm" in configuration.load(shop).models:
        removed(shop, "lightgbm")
    assert list(configuration.load(shop).models) == ["churn"]
    assert list(configuration.load(shop).pipeline.models) == ["churn"]
    assert not (shop / "models/lightgbm").exists()
