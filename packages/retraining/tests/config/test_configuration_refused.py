"""A mistake in a file is one line that says file, line, key, what was seen and what is allowed."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from configurations import make, refused, written_out

CASES = [
    case
    for name in ("project", "models", "pipeline")
    for case in yaml.safe_load((Path(__file__).parent / f"refused_{name}.yaml").read_text())
]


@pytest.mark.parametrize("case", CASES, ids=[str(case["new"])[:60] for case in CASES])
def test_a_mistake_is_said_with_its_place(
    tmp_path: Path, case: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(make(tmp_path))
    said = refused(tmp_path, case["file"], case["old"], written_out(case["new"]))
    assert said == [line.replace("{root}", str(tmp_path)) for line in case["says"]]


def test_no_mistake_is_tried_twice() -> None:
    edits = [(case["file"], case["old"], case["new"]) for case in CASES]
    assert len(set(edits)) == len(edits) >= 170
