"""The unit on the real data: https://www.dcc.fc.up.pt/~ltorgo/Regression/cal_housing.html."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(os.environ.get("CALIFORNIA_HOUSING", "california_housing")).absolute()

pytestmark = pytest.mark.skipif(
    not (FOLDER / "cal_housing.data").exists(),
    reason=f"California housing is not in {FOLDER}; set CALIFORNIA_HOUSING to the folder of cal_housing.data",
)


def test_six_components_keep_nearly_all_of_the_variance(tmp_path: Path, jobs: Any, run_both: Any) -> None:
    folder = tmp_path / "processing" / "input"
    folder.mkdir(parents=True)
    (folder / "houses").symlink_to(FOLDER, target_is_directory=True)
    chain = run_both(tmp_path, jobs)
    assert "13354 training and 3073 validation rows" in chain.logs["preprocess"]
    assert "4213 test rows left out" in chain.logs["preprocess"]
    kept = re.findall(r"Explained_Variance=([0-9.]+);", chain.logs["train"])
    assert len(kept) == 2
    assert min(map(float, kept)) > 0.99
    # Logarithms of counts that grow with the size of a block: one direction holds most of them.
    assert json.loads((chain.model / "model.json").read_text())["explained_variance_ratio"][0] > 0.45
