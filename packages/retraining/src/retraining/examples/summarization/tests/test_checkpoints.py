import json
from dataclasses import replace
from pathlib import Path

import checkpoints
from hyperparameters import Hyperparameters

OPTIONS = Hyperparameters()


def checkpoint(run: Path, step: int, best: int | None = None) -> Path:
    folder = run / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    for name in checkpoints.NEEDED:
        (folder / name).touch()
    named = None if best is None else f"/elsewhere/run/checkpoint-{best}"
    (folder / checkpoints.STATE).write_text(json.dumps({"best_model_checkpoint": named}))
    return folder


def test_the_newest_complete_one_counts(tmp_path: Path) -> None:
    assert checkpoints.newest(tmp_path) is None
    for step in (90, 180, 1000):
        checkpoint(tmp_path, step, best=90)
    (tmp_path / "checkpoint-final").mkdir()
    assert checkpoints.newest(tmp_path) == tmp_path / "checkpoint-1000"


def test_one_that_was_cut_off_is_removed(tmp_path: Path) -> None:
    for step in (1, 2, 3, 4, 5):
        checkpoint(tmp_path, step)
    (tmp_path / "checkpoint-5" / checkpoints.STATE).unlink()
    (tmp_path / "checkpoint-4" / checkpoints.STATE).write_text('{"best_model_ch')
    (tmp_path / "checkpoint-3" / "optimizer.pt").unlink()
    assert checkpoints.newest(tmp_path) == tmp_path / "checkpoint-2"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-1", "checkpoint-2"]


def test_one_whose_best_predecessor_is_gone_does_not_count(tmp_path: Path) -> None:
    checkpoint(tmp_path, 1)
    checkpoint(tmp_path, 3, best=2)
    assert checkpoints.newest(tmp_path) == tmp_path / "checkpoint-1"


def test_each_run_has_its_own_folder(tmp_path: Path) -> None:
    data = tmp_path / "train.jsonl"
    data.write_text("a")
    first = checkpoints.folder(tmp_path, OPTIONS, [data])
    # What only the trained model is measured with does not matter.
    for same in (replace(OPTIONS, max_eval_loss=9.0), replace(OPTIONS, rouge_examples=1)):
        assert checkpoints.folder(tmp_path, same, [data]) == first
    others = [replace(OPTIONS, seed=8), replace(OPTIONS, epochs=9), replace(OPTIONS, model_id="x")]
    found = {checkpoints.folder(tmp_path, other, [data]) for other in others}
    data.write_text("b")
    found |= {first, checkpoints.folder(tmp_path, OPTIONS, [data])}
    assert len(found) == 5
