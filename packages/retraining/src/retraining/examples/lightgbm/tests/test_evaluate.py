import io
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from jobs import Chain, run

import evaluate
from job_toolkit import processing

Change = Callable[[Path], object]


@pytest.fixture
def base(tmp_path: Path, chain: Chain) -> Path:
    """An evaluation's folder, for tests to change."""
    shutil.copytree(chain.root / "evaluate" / "input", tmp_path / "processing" / "input")
    return tmp_path


def measure(base: Path) -> int:
    return processing.run(evaluate.main, ["--base", str(base / "processing")])


def rewrite(name: str, change: Callable[[str], str]) -> Change:
    def apply(folder: Path) -> None:
        path = folder / name
        path.write_text(change(path.read_text()))

    return apply


def another_archive(folder: Path) -> None:
    with tarfile.open(folder / "model" / "model.tar.gz", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("model.txt"), io.BytesIO(b""))


OUT, LABELS = "transform/features.csv.out", "test_labels/labels.csv"
BAD: dict[str, tuple[Change, str]] = {
    "no predictions": (lambda folder: (folder / OUT).unlink(), "channel transform: 0 .out files in"),
    "two outputs": (lambda folder: shutil.copy(folder / OUT, folder / "transform/b.out"), "2 .out files in"),
    "a prediction less": (
        rewrite(OUT, lambda text: text.split("\n", 1)[1]),
        "599 predictions for 600 labels",
    ),
    "JSON": (rewrite(OUT, lambda text: "{}\n" * 600), "row 1 is '{}'; `probability,label` is ex"),
    "no decisions": (rewrite(OUT, lambda text: "0.5\n" * 600), "row 1 is '0.5'; `probability,label`"),
    "no probabilities": (rewrite(OUT, lambda text: "5,1\n" * 600), "row 1: column 'probability' holds '5'"),
    "NaN": (rewrite(OUT, lambda text: "nan,1\n" * 600), "row 1: column 'probability' holds 'nan'"),
    "a decision": (rewrite(OUT, lambda text: "0.5,0.5\n" * 600), "row 1 is '0.5,0.5'; `probability,label`"),
    "no labels": (lambda folder: (folder / LABELS).unlink(), "labels.csv: there is no such file"),
    "other labels": (
        rewrite(LABELS, lambda text: text.replace("Revenue", "y")),
        "column 'Revenue' is missing",
    ),
    "bad label": (rewrite(LABELS, lambda text: text + "2\n"), "row 601: column 'Revenue' holds '2'"),
    "one class": (rewrite(LABELS, lambda text: text.replace("1\n", "0\n")), "needs rows of both classes"),
    "no archive": (lambda folder: (folder / "model/model.tar.gz").unlink(), "no model artifact of train.py"),
    "no tar": (
        lambda folder: (folder / "model/model.tar.gz").write_bytes(b"x"),
        "no model artifact of train.py",
    ),
    "another model": (another_archive, "no model artifact of train.py ('model.json')"),
    "features of others": (
        rewrite("test_features/features.csv", lambda text: text.split("\n", 1)[1]),
        "channel test_features: 599 rows for 600 labels",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_wrong_inputs_end_with_one_line(case: str, base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change, text = BAD[case]
    change(base / "processing" / "input")
    assert measure(base) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: ")
    assert not line.startswith("Error: unexpected")
    assert text in line
    assert not (base / "processing" / "output").exists()


def test_blank_lines_between_assembled_answers_do_not_matter(base: Path, chain: Chain) -> None:
    rewrite(OUT, lambda text: text.replace("\n", "\n\n"))(base / "processing" / "input")
    assert measure(base) == 0
    for name in ("evaluation.json", "metrics.csv", "model_quality.json", "report.html"):
        assert (base / "processing/output/evaluation" / name).read_bytes() == (
            chain.evaluated / name
        ).read_bytes()


def test_the_process_itself_ends_without_a_traceback(base: Path) -> None:
    BAD["a prediction less"][0](base / "processing" / "input")
    done = run("evaluate.py", "--base", base / "processing")
    assert done.returncode == 1
    assert done.stderr == (base / "output" / "message").read_text()
    assert "Traceback" not in done.stdout + done.stderr
