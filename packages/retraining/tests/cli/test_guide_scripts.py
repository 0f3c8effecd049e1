"""The guide's page on scripts: its model runs."""

import json
import subprocess
from pathlib import Path

import guide
import pytest
from projects import COMMAND

from local_sagemaker.testing import free_ports


@pytest.mark.slow
def test_scripts_of_the_guide_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, port in zip(("LOCAL_SAGEMAKER_PORT", "LOCAL_AWS_PORT"), free_ports(2), strict=True):
        monkeypatch.setenv(name, str(port))
    (block,) = guide.blocks(guide.SCRIPTS)
    guide.make_project(tmp_path, block)
    for name, text in guide.written_scripts().items():
        (tmp_path / name).write_text(text)

    def retrain(*arguments: str) -> str:
        done = subprocess.run(
            [*COMMAND, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    try:
        retrain("data")
        assert "Succeeded" in retrain("run")
        (model,) = json.loads(retrain("models", "list", "--json"))
        assert model["group"] == "shop-churn"
        assert {"auc", "recall", "precision"} <= set(model["metrics"])
    finally:
        retrain("local", "down")
