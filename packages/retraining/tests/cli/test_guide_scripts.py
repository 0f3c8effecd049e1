"""The guide's page on scripts has the files of the example `minimal`, and a function that runs with them."""

import json
import subprocess
from pathlib import Path

import guide
import pytest
import yaml
from projects import COMMAND, EXAMPLES, make_project

MINIMAL = EXAMPLES / "minimal"


def test_the_page_has_the_files_of_the_example() -> None:
    shown = {name: text for name, text in guide.written_files().items() if name.startswith("models/")}
    files = {f"models/minimal/{path.name}": path.read_text() for path in MINIMAL.iterdir() if path.is_file()}
    assert sorted(shown) == sorted(files)
    for name, text in files.items():
        assert shown[name] == text, f"{name} differs from the page: copy the file into it"


@pytest.mark.slow
def test_the_model_of_the_guide_runs_with_its_function(tmp_path: Path) -> None:
    project = make_project(tmp_path, "minimal")
    (block,) = (block for block in guide.blocks(guide.SCRIPTS) if block.file is None)
    path = project / "models/minimal/conf.yaml"
    conf = yaml.safe_load(path.read_text())
    conf["conf"]["models"]["minimal"]["lambda"] = block.content["lambda"]
    path.write_text(yaml.safe_dump(conf, sort_keys=False))
    path = project / "conf/pipeline.yaml"
    conf = yaml.safe_load(path.read_text())
    conf["conf"]["sagemakerPipeline"]["models"]["minimal"]["steps"] += block.content["steps"]
    conf["conf"]["sagemakerPipeline"]["dependencies"] = block.content["dependencies"]
    path.write_text(yaml.safe_dump(conf, sort_keys=False))
    for name, text in guide.written_files().items():
        if name.startswith("lambdas/"):
            (project / name).write_text(text)

    def retrain(*arguments: str) -> str:
        done = subprocess.run(
            [*COMMAND, *arguments], cwd=project, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    try:
        retrain("data")
        assert "Succeeded" in retrain("run")
        (model,) = json.loads(retrain("models", "list", "--json"))
        assert model["group"] == "demo-minimal"
        assert {"auc", "recall", "precision"} <= set(model["metrics"])
        (run,) = json.loads(retrain("runs", "--json"))
        assert run["steps"][-1]["name"] in ("Announce", "Transform")
        assert {step["status"] for step in run["steps"]} == {"Succeeded"}
    finally:
        retrain("local", "down")
