"""The evaluation job: quality, outputs that agree with each other, and refusals."""

import hashlib
import json
import re
import shutil
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from jobs import MODEL, Chain, assert_quality, refused, room_for, succeed

import candidates
import evaluate
from calibration import Calibration
from evaluation import artifact, results, scoring
from job_toolkit import metrics, model_quality, ranking
from job_toolkit.failure import InputError
from preparation import schema

BASELINES = ["logistic-regression", "gradient-boosting", "self-training"]
CANDIDATES = [definition.name for definition in candidates.DEFAULT]


def found(chain: Chain) -> dict[str, object]:
    return json.loads((chain.evaluated / "evaluation" / "evaluation.json").read_text())


def table(chain: Chain) -> pd.DataFrame:
    return pd.read_csv(chain.evaluated / "evaluation" / "metrics.csv").set_index("name")


def scarce_rows(chain: Chain) -> tuple[np.ndarray, np.ndarray]:
    """The test rows [n, F], and which of them are scarce [n]."""
    folder = chain.preprocessed / "test"
    positive = pd.read_csv(folder / "label.csv")["label"] == "risky"
    return pd.read_csv(folder / "data.csv").iloc[:, 1:].to_numpy(), positive.to_numpy()


def test_the_scarce_group_is_found(chain: Chain) -> None:
    assert_quality(chain)


def test_the_gate_reads_the_first_candidate_and_best_has_the_highest_f1(chain: Chain) -> None:
    result, rows = found(chain), table(chain)
    assert list(rows["kind"]) == ["candidate"] * 4 + ["baseline"] * 3
    assert list(result["candidates"]) == CANDIDATES
    assert list(result["baselines"]) == BASELINES
    assert result["gate"]["candidate"] == "best-recall"
    for key in ("recall", "precision", "f1", "average_precision", "recall_at_1_percent"):
        assert result["gate"][key] == result["candidates"]["best-recall"][key]
        assert result["best"][key] == result["candidates"][result["best"]["candidate"]][key]
    assert result["best"]["f1"] == max(entry["f1"] for entry in result["candidates"].values())
    for name, row in rows.iterrows():
        for key, value in result[row["kind"] + "s"][name].items():
            assert value == pytest.approx(row[key]), key


def test_metrics_are_those_of_the_packed_model(chain: Chain, tmp_path: Path) -> None:
    row, (rows, positive) = table(chain).loc["best-recall"], scarce_rows(chain)
    artifact.extract(chain.evaluated / "candidates" / "best-recall" / "model.tar.gz", tmp_path)
    serve = tf.saved_model.load(str(tmp_path / "1")).signatures["serving_default"]
    flagged = serve(features=tf.constant(rows, tf.float32))["label"].numpy() == b"risky"
    assert row["recall"] == pytest.approx((flagged & positive).sum() / positive.sum())
    assert row["flagged"] == flagged.sum()
    assert row["positives"] == positive.sum()


def test_packages_have_the_layout_of_the_serving_container(chain: Chain) -> None:
    for name in CANDIDATES:
        with tarfile.open(chain.evaluated / "candidates" / name / "model.tar.gz") as tar:
            members = {member.name: member for member in tar.getmembers()}
            code = tar.extractfile("code/inference.py")
            assert code is not None
            assert code.read() == (MODEL / "inference.py").read_bytes()
        expected = {"1/saved_model.pb", "1/variables/variables.index"}
        assert expected | {"code/inference.py", "code/scaler.json"} <= set(members)
        assert all(member.isfile() and member.mtime == 0 and member.uid == 0 for member in members.values())


def test_packing_gives_the_same_bytes_again(chain: Chain, tmp_path: Path) -> None:
    packed = tmp_path / "again.tar.gz"
    shutil.copytree(chain.model, tmp_path / "copy")
    entry = next(entry for entry in artifact.candidates(chain.model) if entry["name"] == "best-f1")
    artifact.pack(artifact.folder(tmp_path / "copy", "candidates", entry), packed)
    first = (chain.evaluated / "candidates" / "best-f1" / "model.tar.gz").read_bytes()
    assert hashlib.sha256(packed.read_bytes()).digest() == hashlib.sha256(first).digest()


def test_the_report_stands_alone_and_names_every_model(chain: Chain) -> None:
    page = (chain.evaluated / "evaluation" / "report.html").read_text()
    for name in (*CANDIDATES, *BASELINES):
        assert name in page
    sources = re.findall(r'src="([^"]{30})', page)
    assert len(sources) == 6 + len(CANDIDATES)
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert not re.search(r'(src|href)="(https?:|/)', page)


def test_every_picture_is_drawn(chain: Chain) -> None:
    names = {"calibration", "entropy", "loss_curves", "precision_recall", "scores", "verbosity"}
    folder = chain.evaluated / "evaluation" / "plots"
    assert {path.stem for path in folder.iterdir()} == names | {f"confusion_{name}" for name in CANDIDATES}
    for path in folder.iterdir():
        assert path.read_bytes().startswith(b"\x89PNG")
        picture = tf.io.decode_png(path.read_bytes(), channels=3).numpy()
        assert min(picture.shape[:2]) > 250
        assert picture.std() > 10, path.name


def test_model_quality_documents_are_made_of_the_csv_files(chain: Chain) -> None:
    folder = chain.evaluated / "evaluation"
    documents = model_quality.from_csv(folder / "metrics.csv", folder / "groups.csv")
    assert list(documents) == CANDIDATES
    for name, entry in found(chain)["candidates"].items():
        content = json.loads((folder / "model_quality" / f"{name}.json").read_text())
        assert content == documents[name]
        binary = content["binary_classification_metrics"]
        for key in ("recall", "precision", "f1", "auc", "accuracy"):
            assert binary[key]["value"] == pytest.approx(entry[key])
        assert binary["recall"]["standard_deviation"] >= 0
        matrix = content["multiclass_classification_metrics"]["confusion_matrix"]
        assert list(matrix) == ["risky", "dormant", "normal", "heavy"]
        assert sum(sum(row.values()) for row in matrix.values()) == content["dataset"]["item_count"]
    assert [model.kind for model in metrics.read(folder / "metrics.csv")].count("baseline") == 3


def test_no_threshold_and_no_model_depends_on_the_labels_of_the_test_rows(
    chain: Chain, tmp_path: Path
) -> None:
    source = input_of(chain, tmp_path)
    path = source / "test" / "label.csv"
    labels = pd.read_csv(path)
    labels["label"] = labels["label"].sample(frac=1, random_state=1).to_numpy()
    labels.to_csv(path, index=False)
    with tempfile.TemporaryDirectory() as model:
        artifact.extract(source / "model" / "model.tar.gz", Path(model))
        after = evaluate.evaluate(source, Path(model), tmp_path / "out").set_index("name")
    before = table(chain)
    for column in ("kind", "threshold", "flagged", "verbosity"):
        np.testing.assert_array_equal(after[column], before[column])
    assert (after["average_precision"] < 0.5 * before["average_precision"]).all()
    for name in CANDIDATES:
        packed = Path(name) / "model.tar.gz"
        first = (chain.evaluated / "candidates" / packed).read_bytes()
        assert (tmp_path / "out" / "candidates" / packed).read_bytes() == first


def test_calibration_brings_scores_nearer_to_probabilities(chain: Chain) -> None:
    rows, positive = scarce_rows(chain)
    for entry in artifact.candidates(chain.model):
        after = scoring.Model(chain.model / "candidates" / entry["name"], entry).answer(rows).scores
        before = Calibration(**entry["calibration"]).undo(after)
        measured = [results.calibration_measures(positive, scores) for scores in (before, after)]
        for key in ("brier", "calibration_error"):
            assert measured[1][key] < measured[0][key]
        assert ranking.auc(positive, before) == pytest.approx(ranking.auc(positive, after))


def test_the_verbosity_is_the_share_of_unlabelled_rows_that_are_flagged(chain: Chain) -> None:
    files = sorted((chain.preprocessed / "unlabelled_folds").glob("fold_*.csv"))
    rows = np.concatenate([pd.read_csv(file).iloc[:, 1:].to_numpy() for file in files])
    for entry in artifact.candidates(chain.model):
        answer = scoring.Model(chain.model / "candidates" / entry["name"], entry).answer(rows)
        assert table(chain).loc[entry["name"], "verbosity"] == pytest.approx((answer.groups == 0).mean())


def test_scores_stay_finite_at_the_edges_of_the_schema(chain: Chain) -> None:
    features = schema.load(MODEL / "schema.json").features
    edges = np.array([[one.minimum for one in features], [one.maximum for one in features]])
    entry = artifact.candidates(chain.model)[0]
    answer = evaluate.score(chain.evaluated / "candidates" / entry["name"] / "model.tar.gz", edges, entry)
    assert ((answer.scores >= 0) & (answer.scores <= 1)).all()


def input_of(chain: Chain, tmp_path: Path) -> Path:
    shutil.copytree(chain.root / "evaluate" / "input", tmp_path / "processing" / "input")
    return tmp_path / "processing" / "input"


def test_bad_input_ends_with_one_line(folded: Chain, tmp_path: Path) -> None:
    source = input_of(folded, tmp_path)
    base = source.parent

    def assert_fails(text: str) -> None:
        assert text in refused("evaluate.py", "--base", base)
        assert sorted(path.name for path in base.iterdir()) == ["input"]

    assert "--base /nowhere is no folder" in refused("evaluate.py", "--base", "/nowhere")
    data, labels = source / "test" / "data.csv", source / "test" / "label.csv"
    whole = data.read_text()
    data.write_text(whole.replace("night_share,", "late_share,", 1))
    assert_fails("test/data.csv: its columns are not the features")
    data.write_text("\n".join(whole.splitlines()[:-1]) + "\n")
    assert_fails("its keys are not those of")
    data.write_text(whole)
    whole = labels.read_text()
    labels.write_text(whole.replace(",risky", ",heavy"))
    assert_fails("input test: needs 1 row(s) of 'risky' and of the other groups")
    labels.write_text(whole)
    fold, record = source / "unlabelled_folds" / "fold_1.csv", source / "train_data" / "splits.json"
    head, first, rest = (whole := fold.read_text()).split("\n", 2)
    fold.write_text("\n".join([head, first[first.index(",") :], rest]))
    assert_fails("fold_1.csv: a row has no player_id")
    fold.write_text("\n".join([head, first[: first.rindex(",") + 1], rest]))
    assert_fails("fold_1.csv: a feature holds no finite number")
    fold.rename(source / "kept")
    assert_fails("unlabelled_folds: has a fold_2, but no fold_1.csv; copy all files")
    (source / "kept").rename(fold)
    fold.write_text(whole)
    whole = record.read_text()
    record.write_text('{"groups": ["normal", "dormant", "risky", "heavy"], "folds": 3}')
    assert_fails("risky,dormant,normal,heavy here, but preprocess.py had normal,dormant,risky,heavy")
    record.write_text(whole)
    packed = source / "model" / "model.tar.gz"
    content = packed.read_bytes()
    for damaged in (content[:1000], content[:-5], content[:-8] + b"\0" * 4 + content[-4:]):
        packed.write_bytes(damaged)
        assert_fails("not a complete .tar.gz archive")
    packed.unlink()
    assert_fails("model.tar.gz: there is no such file")


def test_outputs_come_whole_or_not_at_all(folded: Chain, tmp_path: Path) -> None:
    base = input_of(folded, tmp_path).parent
    out = base / "output"
    for name in ("candidates/old/model.tar.gz", "evaluation/old.csv"):
        (out / name).parent.mkdir(parents=True)
        (out / name).write_text("of an earlier run")
    before = sorted(out.rglob("*"))
    for size in (30_000, 400_000):  # too little for the model, and for a report
        with room_for(size):
            line = refused("evaluate.py", "--base", base)
        assert line.startswith(f"Error: {tmp_path}: cannot be opened or written (File too large); make room")
        assert sorted(out.rglob("*")) == before
        assert sorted(path.name for path in base.iterdir()) == ["input", "output"]
    succeed("evaluate.py", "--base", base)
    names = {path.relative_to(out) for path in out.rglob("*")}
    assert names == {path.relative_to(folded.evaluated) for path in folded.evaluated.rglob("*")}
    assert sorted(path.name for path in base.iterdir()) == ["input", "output"]


def test_an_evaluation_without_scarce_test_rows_writes_nothing(folded: Chain, tmp_path: Path) -> None:
    source = input_of(folded, tmp_path)
    label = source / "test" / "label.csv"
    label.write_text(label.read_text().replace(",risky", ",heavy"))
    with pytest.raises(InputError, match=r"input test: needs 1 row\(s\) of 'risky'"):
        evaluate.evaluate(source, folded.model, tmp_path / "out")
    assert not (tmp_path / "out").exists()
