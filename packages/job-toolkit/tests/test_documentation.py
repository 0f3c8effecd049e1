"""docs/metrics.md says what the code does."""

import json
import re
from pathlib import Path

import pytest

from job_toolkit import metrics, model_quality

PAGE = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text()


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_the_worked_example_is_converted_as_the_page_says(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(blocks("csv")[-1])
    (document,) = blocks("json")
    assert model_quality.from_csv(path) == {"": json.loads(document)}


@pytest.mark.parametrize("text", blocks("csv"))
def test_every_csv_of_the_page_is_of_the_format(text: str) -> None:
    assert {model.kind for model in metrics.parse(text)} <= {"candidate", "baseline"}


@pytest.mark.parametrize("problem", model_quality.SCHEMAS)
def test_every_metric_of_a_schema_is_on_the_page(problem: str) -> None:
    schema = model_quality.SCHEMAS[problem]
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{problem}` | ")]
    _, _, needed, optional, _ = row.split("|")
    names = set(re.findall(r"`(\w+)`", needed))
    plain = {name for name in schema.required if not name.endswith("_best_constant_classifier")}
    assert names == plain | set(schema.objects[:1])
    others = set(schema.shares) - set(schema.required)
    assert set(re.findall(r"`(\w+)`", optional)) == others | set(schema.objects[1:])
    constant = [name for name in schema.required if name not in plain]
    assert ("best_constant_classifier" in needed) == bool(constant)
