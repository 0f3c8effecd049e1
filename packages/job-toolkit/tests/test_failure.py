"""How a job ends: one line for people, a reason file for SageMaker, and never a traceback for a mistake."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from job_toolkit import failure, processing, training
from job_toolkit.failure import InputError


def raising(error: Exception, folder: Path) -> Path:
    """Run a job that ends with the error; its reason file."""
    reason = folder / "ml" / "output" / "message"

    def work() -> None:
        raise error

    assert failure.run(work, reason) == 1
    return reason


def test_a_mistake_of_the_user_is_one_line_in_log_and_reason_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reason = raising(InputError("a.csv: is empty;\n put something in"), tmp_path)
    assert reason.read_text() == "Error: a.csv: is empty; put something in\n"
    assert capsys.readouterr().err == reason.read_text()


def test_the_reason_of_an_earlier_try_goes_away(tmp_path: Path) -> None:
    reason = raising(InputError("no"), tmp_path)
    assert failure.run(lambda: None, reason) == 0
    assert not reason.exists()


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (errno.ENOSPC, "No space left on device); make room, or give the job a larger volume"),
        (errno.EROFS, "Read-only file system); give the job the right to it"),
        (errno.EACCES, "Permission denied); give the job the right to it"),
        (errno.EISDIR, "Is a directory); move it out of the way"),
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


def test_a_name_that_is_not_utf_8_is_told_with_its_bytes(
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


def test_a_script_outside_a_job_has_no_reason_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def work() -> None:
        raise InputError("no")

    assert failure.run(work) == 1
    assert capsys.readouterr().err == "Error: no\n"
    assert not list(tmp_path.iterdir())


SCRIPT = """
import sys
from job_toolkit import processing, training
from job_toolkit.failure import InputError

def main(argv):
    options = processing.parser("Do it.").parse_args(argv)
    raise InputError(f"{options.base}: no")

sys.exit(KIND.run(main))
"""


@pytest.mark.parametrize(("kind", "reason"), [("processing", "message"), ("training", "failure")])
def test_a_script_ends_with_the_reason_file_of_its_kind(kind: str, reason: str, tmp_path: Path) -> None:
    base = tmp_path / "processing" if kind == "processing" else tmp_path
    program = SCRIPT.replace("KIND", kind)
    done = subprocess.run(
        [sys.executable, "-c", program, "--base", str(base)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == (tmp_path / "output" / reason).read_text() == f"Error: {base}: no\n"


def test_wrong_arguments_are_named_with_those_that_are_known() -> None:
    parser = processing.parser("Do it.")
    parser.add_argument("--seed", type=int)
    with pytest.raises(InputError, match="arguments: argument --seed: invalid int value: 'x'"):
        parser.parse_args(["--seed", "x"])
    with pytest.raises(InputError, match=r"unrecognized arguments: --sed 1 \(known: --seed\)"):
        parser.parse_args(["--sed", "1"])
    assert parser.parse_args([]).base == Path("/opt/ml/processing")


def test_a_trainings_folders_are_sagemakers_or_those_below_base(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SM_CHANNEL_TRAIN", "/data/train")
    monkeypatch.delenv("SM_MODEL_DIR", raising=False)
    own = training.folders([])
    assert own.channel("train") == Path("/data/train")
    assert own.channel("test") == Path("/opt/ml/input/data/test")
    assert own.model == Path("/opt/ml/model")
    assert own.config == Path("/opt/ml/input/config")
    below = training.folders(["--epochs", "3", "--base", str(tmp_path)])
    assert below.channel("train") == tmp_path / "input" / "data" / "train"
    assert (below.model, below.output_data) == (tmp_path / "model", tmp_path / "output" / "data")
    assert below.checkpoints == tmp_path / "checkpoints"
