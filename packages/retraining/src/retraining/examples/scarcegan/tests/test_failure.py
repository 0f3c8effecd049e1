"""What the system refuses, and names that are no text: one line, and never a traceback."""

import errno
import os
from pathlib import Path

import pytest
from jobs import MODEL, run_without_room

import failure
from failure import InputError


def raising(error: Exception, folder: Path) -> Path:
    """Run a job that ends with the error; its reason file."""
    reason = folder / "ml" / "output" / "message"

    def work() -> None:
        raise error

    assert failure.run(work, reason) == 1
    return reason


def test_all_models_end_in_the_same_way() -> None:
    """Each model's folder is a code package of its own, so the file stands in all of them."""
    folders = (MODEL.parent, MODEL.parents[1] / "examples")
    copies = [path for folder in folders for path in sorted(folder.glob("*/failure.py"))]
    assert copies
    assert {path.read_bytes() for path in copies} == {(MODEL / "failure.py").read_bytes()}


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (errno.ENOSPC, "No space left on device); make room, or give the job a larger volume"),
        (errno.EROFS, "Read-only file system); give the job the right to it"),
        (errno.EACCES, "Permission denied); give the job the right to it"),
        (errno.EISDIR, "Is a directory); move away what lies there"),
    ],
)
def test_what_the_system_refuses_is_one_line(
    code: int, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, where in (("/somewhere/a.csv", "/somewhere/a.csv"), (None, tmp_path / "ml")):
        error = OSError(code, os.strerror(code), name) if name else OSError(code, os.strerror(code))
        reason = raising(error, tmp_path).read_text()
        assert reason == f"Error: {where}: cannot be opened or written ({text}\n"
        assert capsys.readouterr().err == reason


def test_other_faults_of_the_system_keep_their_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reason = raising(FileNotFoundError(errno.ENOENT, "No such file or directory", "a"), tmp_path)
    assert reason.read_text().startswith("Error: unexpected FileNotFoundError: ")
    assert "Traceback" in capsys.readouterr().err


def test_a_reason_file_that_cannot_be_written_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "message").mkdir()
    assert failure.run(lambda: None, tmp_path / "message") == 1
    error, warning = capsys.readouterr().err.splitlines()
    assert error.startswith(f"Error: {tmp_path}/message: cannot be opened or written (Is a directory)")
    assert warning == f"Warning: could not write {tmp_path}/message: Is a directory"


def test_a_name_that_is_no_utf_8_is_told_with_its_bytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(os.fsdecode(b"/in/p\xff.csv"))

    def work() -> None:
        print(f"2 problems: {path}")
        raise InputError(f"{path}: is empty")

    assert failure.run(work, tmp_path / "message") == 1
    told = capsys.readouterr()
    assert told.out == "2 problems: /in/p\\udcff.csv\n"
    assert told.err == "Error: /in/p\\udcff.csv: is empty\n"
    assert (tmp_path / "message").read_text() == told.err


def test_a_full_disk_ends_the_preprocessing_in_one_line(small: Path, tmp_path: Path) -> None:
    base = tmp_path / "processing"
    base.mkdir()
    (base / "input").symlink_to(small, target_is_directory=True)
    for size in (1_000, 20_000):
        line = run_without_room(size, "preprocess.py", "--base", base)
        assert line.startswith(f"Error: {tmp_path}: cannot be opened or written (File too large); make room")
        assert sorted(path.name for path in base.iterdir()) == ["input"]


@pytest.mark.parametrize("place", ["output", "output/test", "output/unlabelled_folds/fold_0.csv"])
def test_an_output_in_the_way_ends_the_preprocessing_in_one_line(
    place: str, small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import preprocess

    base = tmp_path / "processing"
    base.mkdir()
    (base / "input").symlink_to(small, target_is_directory=True)
    if place.endswith(".csv"):
        (base / place / "folder").mkdir(parents=True)
    else:
        (base / place).parent.mkdir(exist_ok=True)
        (base / place).write_text("in the way")
    argv = ["--base", str(base)]
    assert failure.run(lambda: preprocess.main(argv), tmp_path / "output" / "message") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"Error: {base}/output")
    assert line.endswith("; move away what lies there")


def test_a_base_that_is_no_folder_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import evaluate
    import preprocess

    argv = ["--base", str(tmp_path / "nowhere")]
    for job in (preprocess, evaluate):
        assert failure.run(lambda job=job: job.main(argv), tmp_path / "message") == 1
        assert f"--base {tmp_path}/nowhere is no folder" in capsys.readouterr().err
