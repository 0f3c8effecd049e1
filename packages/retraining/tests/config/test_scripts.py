"""A script that is not valid Python is found before anything runs, whichever job it belongs to."""

from pathlib import Path

import pytest
from configurations import CHURN, edit, make

from retraining.config import configuration
from retraining.errors import UserError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = make(tmp_path)
    (root / "models/churn/train.py").write_text("from parts import rows\n")
    (root / "models/churn/parts").mkdir()
    (root / "models/churn/parts/rows.py").write_text("")
    (root / "pipeline.py").write_text("")
    assert configuration.load(root)
    return root


@pytest.mark.parametrize(
    "script",
    [
        "models/churn/preprocess.py",
        "models/churn/train.py",
        "models/churn/parts/rows.py",
        "models/churn/evaluate.py",
        "models/churn/inference.py",
        "models/tuned/train.py",
        "pipeline.py",
    ],
)
def test_a_syntax_error_is_refused_with_its_line(root: Path, script: str) -> None:
    (root / script).write_text("def main(:\n    pass\n")
    with pytest.raises(UserError) as caught:
        configuration.load(root)
    assert [str(problem) for problem in caught.value.problems] == [
        f"{script}:1: not valid Python: invalid syntax"
    ]


def test_a_file_that_is_no_text_is_refused(root: Path) -> None:
    (root / "models/churn/evaluate.py").write_bytes(b"\0")
    with pytest.raises(UserError, match=r"models/churn/evaluate\.py(:1)?: not valid Python: .*null bytes"):
        configuration.load(root)


def test_what_no_job_runs_may_be_unfinished(root: Path) -> None:
    (root / "models/churn/draft.py").write_text("def main(:\n")
    (root / "models/tuned/train.py").write_text("def main(:\n")
    edit(root, "models/tuned/conf.yaml", "source_directory", "disabled: true\n      source_directory")
    edit(
        root, CHURN, "      tuned:\n        steps:\n          - {step_name: Search, step_class: Tuning}\n", ""
    )
    edit(root, CHURN, "      - Register >> Search\n", "")
    configuration.load(root)
