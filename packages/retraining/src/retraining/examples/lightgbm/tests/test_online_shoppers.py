"""The model on the real data: https://archive.ics.uci.edu/dataset/468."""

import json
import os
from pathlib import Path

import pytest
from jobs import run_chain

FOLDER = Path(os.environ.get("ONLINE_SHOPPERS", "online_shoppers")).absolute()

pytestmark = pytest.mark.skipif(
    not (FOLDER / "online_shoppers_intention.csv").exists(),
    reason=f"online_shoppers_intention.csv is not in {FOLDER}; set ONLINE_SHOPPERS to its folder",
)


@pytest.mark.parametrize("seed", [7, pytest.param(8, marks=pytest.mark.slow)])
def test_purchases_are_found_among_real_sessions(seed: int, tmp_path: Path) -> None:
    (tmp_path / "preprocess" / "input").mkdir(parents=True)
    (tmp_path / "preprocess" / "input" / "shoppers").symlink_to(FOLDER, target_is_directory=True)
    chain = run_chain(tmp_path, seed)
    assert "train: 7398 rows" in chain.logs["preprocess"]
    result = json.loads((chain.evaluated / "evaluation.json").read_text())
    gate, baseline = result["gate"], result["baselines"]["logistic_regression"]
    assert result["rows"] == 2466
    assert gate["auc"] >= 0.92
    assert gate["average_precision"] >= 0.7
    assert gate["f1"] >= 0.63
    for name in ("auc", "average_precision"):
        assert gate[name] > baseline[name] + 0.005
