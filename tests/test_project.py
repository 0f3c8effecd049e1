"""A baked project, installed as its user would, passes its own checks unmodified."""

import os
import subprocess

import pytest
from conftest import ROOT, Baked, clean_environment

DATA = ROOT.parent / "shared" / "data" / "nsl_kdd"


@pytest.mark.slow
def test_baked_project_passes_its_own_checks(default: Baked, capfd: pytest.CaptureFixture[str]) -> None:
    environment = clean_environment()
    if DATA.is_dir():
        environment.setdefault("NSL_KDD", os.fspath(DATA))
    # Its words are shown as they come: they say which of the project's tests ran.
    with capfd.disabled():
        print("\nmake check in a baked project:", flush=True)
        done = subprocess.run(
            ["make", "--keep-going", "check"], cwd=default.folder, env=environment, check=False
        )
    assert done.returncode == 0
