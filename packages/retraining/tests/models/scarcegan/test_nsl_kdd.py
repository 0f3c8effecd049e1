"""The same scripts on another problem: remote-to-local attacks among network connections (NSL-KDD)."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from jobs import run_chain

FOLDER = Path(os.environ.get("NSL_KDD", "nsl_kdd")).absolute()
SYMBOLIC = ("protocol_type", "service", "flag")
GROUPS = ("r2l", "dos", "probe", "normal")

pytestmark = pytest.mark.skipif(
    not (FOLDER / "KDDTrain+_20Percent.txt").exists(),
    reason=f"NSL-KDD is not in {FOLDER}; set NSL_KDD to the folder with KDDTrain+_20Percent.txt",
)


def connections() -> pd.DataFrame:
    """One row per connection: `connection`, the features (symbolic ones one-hot coded), and `group`."""
    names = [line.split(",")[0] for line in (FOLDER / "Field_Names.csv").read_text().splitlines() if line]
    kinds = (FOLDER / "Attack_Types.csv").read_text().splitlines()
    group = dict(line.split(",")[:2] for line in kinds if line)
    rows = pd.read_csv(FOLDER / "KDDTrain+_20Percent.txt", names=[*names, "attack", "difficulty"])
    coded = pd.get_dummies(rows[names], columns=list(SYMBOLIC), dtype=int)
    coded.columns = [name.replace("-", "_") for name in coded.columns]
    coded.insert(0, "connection", [f"c{number:05d}" for number in range(len(rows))])
    return coded.assign(group=rows["attack"].map(group))


def write(rows: pd.DataFrame, base: Path) -> None:
    """The folders of preprocess.py and a schema: a third of the negatives is labelled, the rest is not."""
    rng = np.random.default_rng(7)
    features = [name for name in rows.columns if name not in ("connection", "group")]
    labelled = np.where(rows["group"] == "r2l", 0.9, 0.33) > rng.random(len(rows))
    for group in (*GROUPS, "unlabelled"):
        chosen = ~labelled if group == "unlabelled" else labelled & (rows["group"] == group)
        (base / "input" / group).mkdir(parents=True)
        rows[chosen].drop(columns="group").to_csv(base / "input" / group / "part-0000.csv", index=False)
    entries = [{"name": name, "min": 0, "max": 2_000_000_000, "description": "NSL-KDD"} for name in features]
    (base / "schema.json").write_text(json.dumps({"key": "connection", "features": entries}))


def test_remote_to_local_attacks_are_found(tmp_path: Path) -> None:
    rows = connections()
    assert set(GROUPS) < set(rows["group"])
    base = tmp_path / "preprocess"
    write(rows, base)
    groups = ("--groups", ",".join(GROUPS))
    chain = run_chain(
        tmp_path,
        preprocess=(*groups, "--schema", base / "schema.json"),
        train=(*groups, "--epochs", 8, "--iterations_per_epoch", 100),
    )
    result = json.loads((chain.evaluated / "evaluation" / "evaluation.json").read_text())
    test = pd.read_csv(chain.preprocessed / "test" / "label.csv")["label"]
    assert (test == "r2l").mean() < 0.03  # the precision, and the average precision, of chance
    assert result["gate"]["recall"] >= 0.9
    assert result["gate"]["precision"] >= 0.4
    assert result["candidates"]["best-recall"]["average_precision"] >= 0.8
    assert result["best"]["f1"] >= 0.75
