import hashlib
import io
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
from jobs import MODEL, Chain, run, run_without_room, simulated_chain

import candidates
import evaluate
import failure
import measures
from calibration import Calibration
from evaluation import archive, artifact, model_quality, reliability, scoring
from failure import InputError
from preparation import table_schema

BASELINES = ["logistic-regression", "gradient-boosting", "self-training"]


def assert_quality(chain: Chain) -> None:
    """The bar of the example, on test rows that no model has seen."""
    result = json.loads((chain.evaluated / "evaluation" / "evaluation.json").read_text())
    assert result["gate"]["recall"] >= 0.85
    assert result["gate"]["precision"] >= 0.5
    # A weighted sum of the features does not do it.
    assert result["baselines"]["logistic-regression"]["f1"] < result["gate"]["f1"] - 0.05


def test_the_scarce_group_is_found(chain: Chain) -> None:
    assert_quality(chain)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [8, 9])
def test_the_scarce_group_is_found_with_other_seeds(seed: int, tmp_path: Path) -> None:
    assert_quality(simulated_chain(tmp_path, seed))


def test_the_gate_reads_the_first_candidate_and_best_has_the_highest_f1(chain: Chain) -> None:
    result = json.loads((chain.evaluated / "evaluation" / "evaluation.json").read_text())
    table = pd.read_csv(chain.evaluated / "evaluation" / "metrics.csv")
    assert list(table["kind"]) == ["candidate"] * 4 + ["baseline"] * 3
    assert list(result["candidates"]) == list(candidates.DEFAULT)
    assert list(result["baselines"]) == BASELINES
    assert result["gate"]["candidate"] == "best-recall"
    for key in ("recall", "precision", "f1", "average_precision", "recall_at_1_percent"):
        assert result["gate"][key] == result["candidates"]["best-recall"][key]
        assert result["best"][key] == result["candidates"][result["best"]["candidate"]][key]
    assert result["best"]["f1"] == max(entry["f1"] for entry in result["candidates"].values())
    for row in table.to_dict("records"):
        found = result[row["kind"] + "s"][row["name"]]
        for key, value in found.items():
            assert value == pytest.approx(row[key]), key


def test_metrics_are_those_of_the_packed_model(chain: Chain, tmp_path: Path) -> None:
    table = pd.read_csv(chain.evaluated / "evaluation" / "metrics.csv").set_index("name")
    rows = pd.read_csv(chain.preprocessed / "test" / "data.csv").iloc[:, 1:]
    positive = (pd.read_csv(chain.preprocessed / "test" / "label.csv")["label"] == "risky").to_numpy()
    archive.extract(chain.evaluated / "candidates" / "best-recall" / "model.tar.gz", tmp_path)
    serve = tf.saved_model.load(str(tmp_path / "1")).signatures["serving_default"]
    flagged = serve(features=tf.constant(rows.to_numpy(), tf.float32))["label"].numpy() == b"risky"
    assert table.loc["best-recall", "recall"] == pytest.approx((flagged & positive).sum() / positive.sum())
    assert table.loc["best-recall", "flagged"] == flagged.sum()
    assert table.loc["best-recall", "positives"] == positive.sum()


def test_packages_have_the_layout_of_the_serving_container(chain: Chain) -> None:
    for name in candidates.DEFAULT:
        with tarfile.open(chain.evaluated / "candidates" / name / "model.tar.gz") as tar:
            members = {member.name: member for member in tar.getmembers()}
            code = tar.extractfile("code/inference.py")
            assert code is not None
            assert code.read() == (MODEL / "inference.py").read_bytes()
        assert {
            "1/saved_model.pb",
            "1/variables/variables.index",
            "code/inference.py",
            "code/scaler.json",
        } <= set(members)
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
    for name in (*candidates.DEFAULT, *BASELINES):
        assert name in page
    sources = re.findall(r'src="([^"]{30})', page)
    assert len(sources) == 6 + len(candidates.DEFAULT)
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert not re.search(r'(src|href)="(https?:|/)', page)


def test_every_picture_is_drawn(chain: Chain) -> None:
    names = {
        "calibration",
        "entropy",
        "loss_curves",
        "precision_recall",
        "scores",
        "verbosity",
        *(f"confusion_{name}" for name in candidates.DEFAULT),
    }
    folder = chain.evaluated / "evaluation" / "plots"
    assert {path.stem for path in folder.iterdir()} == names
    for path in folder.iterdir():
        assert path.read_bytes().startswith(b"\x89PNG")
        picture = tf.io.decode_png(path.read_bytes(), channels=3).numpy()
        assert min(picture.shape[:2]) > 250
        assert picture.std() > 10, path.name


def test_model_quality_documents_agree_with_the_metrics(chain: Chain) -> None:
    result = json.loads((chain.evaluated / "evaluation" / "evaluation.json").read_text())
    groups = ["risky", "dormant", "normal", "heavy"]
    for name, entry in result["candidates"].items():
        content = json.loads((chain.evaluated / "evaluation" / "model_quality" / f"{name}.json").read_text())
        model_quality.validate(content)
        binary = content["binary_classification_metrics"]
        for key in ("recall", "precision", "f1", "auc", "accuracy"):
            assert binary[key]["value"] == pytest.approx(entry[key])
        assert binary["recall"]["standard_deviation"] >= 0
        matrix = content["multiclass_classification_metrics"]["confusion_matrix"]
        assert list(matrix) == groups
        assert sum(sum(row.values()) for row in matrix.values()) == content["dataset"]["item_count"]


def test_no_threshold_and_no_model_depends_on_the_labels_of_the_test_rows(
    chain: Chain, tmp_path: Path
) -> None:
    source = input_of(chain, tmp_path)
    path = source / "test" / "label.csv"
    labels = pd.read_csv(path)
    labels["label"] = labels["label"].sample(frac=1, random_state=1).to_numpy()
    labels.to_csv(path, index=False)
    with tempfile.TemporaryDirectory() as model:
        archive.extract(source / "model" / "model.tar.gz", Path(model))
        after = evaluate.evaluate(source, Path(model), tmp_path / "out")
    before = pd.read_csv(chain.evaluated / "evaluation" / "metrics.csv")
    for column in ("kind", "name", "threshold", "flagged", "verbosity"):
        np.testing.assert_array_equal(after[column], before[column])
    assert (after["average_precision"] < 0.5 * before["average_precision"]).all()
    for name in candidates.DEFAULT:
        packed = Path(name) / "model.tar.gz"
        first = (chain.evaluated / "candidates" / packed).read_bytes()
        assert (tmp_path / "out" / "candidates" / packed).read_bytes() == first


def test_calibration_brings_scores_nearer_to_probabilities(chain: Chain) -> None:
    positive = (pd.read_csv(chain.preprocessed / "test" / "label.csv")["label"] == "risky").to_numpy()
    rows = pd.read_csv(chain.preprocessed / "test" / "data.csv").iloc[:, 1:].to_numpy()
    for entry in artifact.candidates(chain.model):
        answer = scoring.Model(chain.model / "candidates" / entry["name"], entry).answer(rows)
        before = Calibration(**entry["calibration"]).undo(answer.scores)
        for measure in (reliability.brier, reliability.calibration_error):
            assert measure(positive, answer.scores) < measure(positive, before)
        assert measures.auc(positive, before) == pytest.approx(measures.auc(positive, answer.scores))


def test_the_verbosity_is_the_share_of_unlabelled_rows_that_are_flagged(chain: Chain) -> None:
    table = pd.read_csv(chain.evaluated / "evaluation" / "metrics.csv").set_index("name")
    files = sorted((chain.preprocessed / "unlabelled_folds").glob("fold_*.csv"))
    rows = np.concatenate([pd.read_csv(file).iloc[:, 1:].to_numpy() for file in files])
    for entry in artifact.candidates(chain.model):
        answer = scoring.Model(chain.model / "candidates" / entry["name"], entry).answer(rows)
        assert table.loc[entry["name"], "verbosity"] == pytest.approx((answer.groups == 0).mean())


def input_of(chain: Chain, tmp_path: Path) -> Path:
    shutil.copytree(chain.root / "evaluate" / "input", tmp_path / "processing" / "input")
    return tmp_path / "processing" / "input"


def assert_fails(tmp_path: Path, text: str) -> None:
    """The job in this process, with the exit code and the reason file of the real one."""
    argv, reason = ["--base", str(tmp_path / "processing")], tmp_path / "output" / "message"
    assert failure.run(lambda: evaluate.main(argv), reason) == 1
    message = reason.read_text()
    assert message.startswith("Error: ")
    assert "unexpected" not in message
    assert message.count("\n") == 1
    assert text in message


def test_bad_input_ends_with_one_line(chain: Chain, tmp_path: Path) -> None:
    source = input_of(chain, tmp_path)
    data = source / "test" / "data.csv"
    whole = data.read_text()
    data.write_text(whole.replace("night_share,", "late_share,", 1))
    assert_fails(tmp_path, "input test: its columns are not the features")
    data.write_text("\n".join(whole.splitlines()[:-1]) + "\n")
    assert_fails(tmp_path, "its keys are not those of")
    data.write_text(whole)
    fold = source / "unlabelled_folds" / "fold_0.csv"
    head, first, rest = (rows := fold.read_text()).split("\n", 2)
    for damaged in (first[first.index(",") :], first[: first.rindex(",") + 1]):
        fold.write_text("\n".join([head, damaged, rest]))
        assert_fails(tmp_path, "fold_0.csv is no CSV of numbers (a row has no key, or a value is empty")
    fold.write_text(rows)
    packed = source / "model" / "model.tar.gz"
    content = packed.read_bytes()
    for damaged in (content[:1000], content[:-5], content[:-8] + b"\0" * 4 + content[-4:]):
        packed.write_bytes(damaged)
        assert_fails(tmp_path, "not a complete .tar.gz archive")
    packed.unlink()
    assert_fails(tmp_path, "model.tar.gz: there is no such file")
    done = run("evaluate.py", "--base", tmp_path / "processing")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] + "\n" == (tmp_path / "output" / "message").read_text()
    assert "Traceback" not in done.stderr


def test_outputs_come_whole_or_not_at_all(chain: Chain, tmp_path: Path) -> None:
    source = input_of(chain, tmp_path)
    base, out = source.parent, source.parent / "output"
    for name in ("candidates/old/model.tar.gz", "evaluation/old.csv"):
        (out / name).parent.mkdir(parents=True)
        (out / name).write_text("of an earlier run")
    before = sorted(out.rglob("*"))
    for size in (30_000, 400_000):  # too little for the model, and for a report
        line = run_without_room(size, "evaluate.py", "--base", base)
        assert line.startswith(f"Error: {tmp_path}: cannot be opened or written (File too large); make room")
        assert sorted(out.rglob("*")) == before
        assert sorted(path.name for path in base.iterdir()) == ["input", "output"]
    argv, reason = ["--base", str(base)], tmp_path / "output" / "message"
    assert failure.run(lambda: evaluate.main(argv), reason) == 0
    names = {path.relative_to(out) for path in out.rglob("*")}
    assert names == {path.relative_to(chain.evaluated) for path in chain.evaluated.rglob("*")}
    assert sorted(path.name for path in base.iterdir()) == ["input", "output"]


def test_groups_and_folds_other_than_those_of_the_preprocessing_are_named(
    chain: Chain, tmp_path: Path
) -> None:
    source = input_of(chain, tmp_path)
    fold, record = source / "unlabelled_folds" / "fold_1.csv", source / "train_data" / "splits.json"
    fold.rename(source / "kept")
    assert_fails(tmp_path, "unlabelled_folds: has a fold_2, but no fold_1.csv; copy all files")
    (source / "kept").rename(fold)
    record.write_text('{"groups": ["normal", "dormant", "risky", "heavy"], "folds": 3}')
    assert_fails(
        tmp_path, "risky,dormant,normal,heavy here, but preprocess.py had normal,dormant,risky,heavy"
    )
    assert not (tmp_path / "processing" / "output").exists()


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
        archive.extract(tmp_path / "bad.tar.gz", tmp_path / "inside")
    assert not list((tmp_path / "inside").iterdir())
    assert not (tmp_path / "outside").exists()


def test_scores_stay_finite_at_the_edges_of_the_schema(chain: Chain) -> None:
    columns = table_schema.load(MODEL / "schema.json")
    edges = np.array([[f.minimum for f in columns.features], [f.maximum for f in columns.features]])
    entry = artifact.candidates(chain.model)[0]
    scored = evaluate.score(chain.evaluated / "candidates" / entry["name"] / "model.tar.gz", edges, entry)
    assert ((scored.scores >= 0) & (scored.scores <= 1)).all()
