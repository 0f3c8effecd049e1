"""The model artifact: what is refused of one that was edited or damaged on its way."""

import io
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import exported
import numpy as np
import pandas as pd
import pytest

from data.scaler import Statistics
from evaluation import artifact, scoring
from job_toolkit.failure import InputError


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    exported.save(folder, "candidates", ["only"], exported.fitted(), exported.rows(200))
    return folder


@pytest.fixture
def model(saved: Path, tmp_path: Path) -> Path:
    """A model artifact of one candidate, to be spoilt."""
    shutil.copytree(saved, tmp_path / "model")
    return tmp_path / "model"


def test_an_artifact_without_candidates_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no candidates\.json"):
        artifact.candidates(tmp_path)
    path = tmp_path / "candidates.json"
    for text, message in (
        ("[]", "lists no candidate"),
        ("{}", "lists no candidate"),
        ("[", r"holds no candidates\.json of train\.py \("),
        ("[1]", "candidate 1 has no 'name'"),
        ('[{"name": "a"}]', "candidate 1 has no 'definition'; train again"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            artifact.candidates(tmp_path)


EDITS: list[tuple[str, Any, str]] = [
    ("name", "../../outside", "'../../outside' is no candidate name; use lower-case"),
    ("name", 5, "has name 5, where a name should be"),
    ("definition", "f1", "has definition 'f1', where a definition should be"),
    ("definition", {"metric": "x"}, "'only' has metric 'x'; allowed: recall"),
    ("definition_met", "no", "has definition_met 'no', where true or false should be"),
    ("epoch", "last", "has epoch 'last', where a number should be"),
    ("threshold", float("nan"), "has threshold nan, where a number should be"),
    ("threshold", True, "has threshold True, where a number should be"),
    ("calibration", {}, "has calibration {}, where a slope above 0 and an intercept should be"),
    ("calibration", {"slope": 0, "intercept": 1}, "has calibration {'slope': 0, 'intercept': 1}, where a"),
    ("validation", {"recall": 1}, "has validation {'recall': 1}, where metrics should be"),
    ("groups", "abcd", "has groups 'abcd', where names should be"),
    ("groups", ["a", "a"], "has groups ['a', 'a'], where names should be"),
    ("features", [1, 2], "has features [1, 2], where names should be"),
    ("features", [], "has features [], where names should be"),
]


@pytest.mark.parametrize(("key", "value", "text"), EDITS)
def test_an_edited_listing_is_refused(model: Path, key: str, value: Any, text: str) -> None:
    (entry,) = artifact.candidates(model)
    (model / "candidates.json").write_text(json.dumps([entry | {key: value}]))
    with pytest.raises(InputError) as caught:
        artifact.candidates(model)
    assert f"candidates.json: candidate 1 {text}" in str(caught.value)
    assert str(caught.value).endswith("; train again with train.py")


def test_entries_that_differ_or_have_one_name_are_refused(model: Path) -> None:
    (entry,) = artifact.candidates(model)
    for change, text in (
        ({}, "candidate 2 has the name 'only', as another one has"),
        ({"name": "b", "groups": exported.GROUPS[::-1]}, "candidate 2 has other groups than 'only'"),
        ({"name": "b", "features": exported.FEATURES[:5]}, "candidate 2 has other features than 'only'"),
    ):
        (model / "candidates.json").write_text(json.dumps([entry, entry | change]))
        with pytest.raises(InputError, match=text):
            artifact.candidates(model)
    (model / "candidates.json").write_text(json.dumps([entry]))
    (model / "ablations.json").write_text(json.dumps([entry | {"groups": exported.GROUPS[::-1]}]))
    with pytest.raises(InputError, match="ablation 1 has other groups than 'only'"):
        artifact.ablations(model)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def zero(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def flip(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[:600] + bytes([whole[600] ^ 0xFF]) + whole[601:])


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("variables/variables.data-00000-of-00001", cut),
        ("variables/variables.data-00000-of-00001", zero),
        ("variables/variables.data-00000-of-00001", flip),
        ("variables/variables.data-00000-of-00001", Path.unlink),
        ("variables/variables.index", cut),
        ("saved_model.pb", cut),
        ("saved_model.pb", zero),
    ],
)
def test_a_damaged_saved_model_is_refused(model: Path, file: str, change: Callable[[Path], None]) -> None:
    (entry,) = artifact.candidates(model)
    change(model / "candidates" / "only" / "1" / file)
    with pytest.raises(
        InputError, match=r"model\.tar\.gz: 'only': its SavedModel is damaged \(.*train again"
    ):
        scoring.Model(model / "candidates" / "only", entry)


def test_a_saved_model_of_another_entry_is_refused(model: Path) -> None:
    (entry,) = artifact.candidates(model)
    folder, rows = model / "candidates" / "only", exported.rows(50)
    scoring.Model(folder, entry).answer(rows)
    renamed = entry | {"groups": ["a", "b", "c", "d"]}
    with pytest.raises(InputError, match="'only': its SavedModel does not fit its entry of the listing"):
        scoring.Model(folder, renamed).answer(rows)
    with pytest.raises(InputError, match="'only': its SavedModel does not fit its entry of the listing"):
        scoring.Model(folder, entry).answer(rows[:, :5])
    with pytest.raises(InputError, match="'only': its SavedModel has not the threshold 2 of its entry"):
        scoring.Model(folder, entry | {"threshold": 2}).answer(rows)


def test_a_candidate_without_its_model_is_refused(model: Path) -> None:
    (entry,) = artifact.candidates(model)
    with pytest.raises(InputError, match=r"candidate 'ghost' has no candidates/ghost/1/saved_model\.pb"):
        artifact.folder(model, "candidates", entry | {"name": "ghost"})
    with pytest.raises(InputError, match="ablation 'only' has no ablations/only/1"):
        artifact.folder(model, "ablations", entry)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (["f0", "f1", "f2", "f3", "f4", "late_share"], "it has 'late_share', the model has not"),
        (["f1", "f0", "f2", "f3", "f4", "f5"], "their number or order differs"),
        (["f0", "f1", "f2", "f3", "f4"], "their number or order differs"),
    ],
)
def test_a_scaler_of_another_schema_is_refused(model: Path, features: list[str], message: str) -> None:
    (entry,) = artifact.candidates(model)
    assert artifact.folder(model, "candidates", entry) == model / "candidates" / "only"
    rows = exported.rows(50)[:, : len(features)]
    Statistics.of(features, rows).scaler().save(model / "candidates" / "only" / "scaler.json")
    with pytest.raises(InputError, match=message) as caught:
        artifact.folder(model, "candidates", entry)
    assert "candidates/only/scaler.json is of another schema than the model" in str(caught.value)
    (model / "candidates" / "only" / "scaler.json").write_text("{}")
    with pytest.raises(InputError, match=r"not a scaler\.json of preprocess\.py"):
        artifact.folder(model, "candidates", entry)


def test_ablations_and_folds_may_be_absent(model: Path) -> None:
    assert artifact.ablations(model) == []
    assert artifact.folds(model) is None


def test_tables_of_another_shape_are_refused(model: Path) -> None:
    (model / "ablations.json").write_text("[]")
    with pytest.raises(InputError, match=r"ablations\.json lists no ablation"):
        artifact.ablations(model)
    pd.DataFrame({"fold": [0], "candidate": ["only"]}).to_csv(model / "folds.csv", index=False)
    with pytest.raises(InputError, match=r"folds\.csv has no column 'recall'; train\.py writes it"):
        artifact.folds(model)
    row = dict.fromkeys(artifact.FOLDS, 1.0) | {"candidate": "only"}
    pd.DataFrame([row | {"recall": "x"}]).to_csv(model / "folds.csv", index=False)
    with pytest.raises(InputError, match=r"folds\.csv: column 'recall' holds text"):
        artifact.folds(model)
    pd.DataFrame([row]).to_csv(model / "folds.csv", index=False)
    assert artifact.folds(model) is not None
    (model / "folds.csv").write_text("")
    with pytest.raises(InputError, match=r"folds\.csv cannot be read"):
        artifact.folds(model)
    with pytest.raises(InputError, match=r"history\.csv cannot be read"):
        artifact.history(model)


def test_a_candidate_that_gives_every_row_the_same_score_is_refused(model: Path) -> None:
    (entry,) = artifact.candidates(model)
    candidate = scoring.Model(model / "candidates" / "only", entry)
    same = np.zeros((20, len(exported.FEATURES)))
    with pytest.raises(
        InputError, match=r"candidate 'only': every test row has the same score \S+, so it tells"
    ):
        scoring.scored("candidate", candidate, same, same)
    assert scoring.scored("ablation", candidate, same, same).verbosity in (0.0, 1.0)


def test_listings_are_read_back_as_they_were_written(model: Path) -> None:
    assert artifact.candidates(model) == json.loads((model / "candidates.json").read_text())


@pytest.mark.parametrize("name", ["../outside", "/tmp/outside", "link"])
def test_an_archive_that_leaves_its_folder_is_refused(name: str, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "bad.tar.gz", "w:gz") as tar:
        entry = tarfile.TarInfo(name)
        if name == "link":
            entry.type, entry.linkname = tarfile.SYMTYPE, "../../etc"
        entry.size = 0 if name == "link" else 1
        tar.addfile(entry, io.BytesIO(b"x"))
    (tmp_path / "inside").mkdir()
    with pytest.raises(InputError, match="refused"):
        artifact.extract(tmp_path / "bad.tar.gz", tmp_path / "inside")
    assert not list((tmp_path / "inside").iterdir())
    assert not (tmp_path / "outside").exists()
