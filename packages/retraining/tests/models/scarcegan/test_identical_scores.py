"""One packed candidate, asked in every way there is: evaluation, transform job and served requests."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jobs import Chain
from models_to_serve import TENSORFLOW, Served, Transforming, serving

import evaluate
from data import dataset
from evaluation import artifact
from local_sagemaker.daemon import stack
from local_sagemaker.testing import make_settings

CSV, JSON = "text/csv", "application/json"


@pytest.fixture(scope="module")
def packed(chain: Chain) -> Path:
    return chain.evaluated / "candidates" / "best-recall" / "model.tar.gz"


@pytest.fixture(scope="module")
def texts(chain: Chain) -> dict[str, str]:
    """The test rows as text, by key: what a client sends."""
    _, *rows = (chain.preprocessed / "test" / "data.csv").read_text().splitlines()
    return dict(row.split(",", 1) for row in rows)


@pytest.fixture(scope="module")
def lines(texts: dict[str, str]) -> list[str]:
    return list(texts.values())


@pytest.fixture(scope="module")
def expected(chain: Chain, packed: Path, texts: dict[str, str]) -> list[str]:
    """`score,label` of each test row, as the evaluation has them."""
    entry = next(entry for entry in artifact.candidates(chain.model) if entry["name"] == "best-recall")
    rows = dataset.read_features([chain.preprocessed / "test" / "data.csv"], entry["features"])
    answer = evaluate.score(packed, rows.values, entry)
    assert answer.scores.dtype == np.float32
    labels = [entry["groups"][code] for code in answer.groups]
    told = [f"{float(str(score))},{label}" for score, label in zip(answer.scores, labels, strict=True)]
    by_key = dict(zip(rows.keys, told, strict=True))
    return [by_key[key] for key in texts]


@pytest.fixture(scope="module")
def transforming(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Transforming]:
    settings = make_settings(tmp_path_factory.mktemp("local") / ".local")
    stack.up(settings)
    yield Transforming(settings, settings.client("sagemaker"), settings.client("s3"))
    stack.down(settings)


@pytest.fixture(scope="module")
def served(packed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served") / "model"
    artifact.extract(packed, folder)
    with serving("tensorflow", folder) as server:
        yield server


@pytest.mark.parametrize(("strategy", "count"), [("MultiRecord", None), ("SingleRecord", 60)])
def test_a_transform_job(
    strategy: str,
    count: int | None,
    transforming: Transforming,
    packed: Path,
    lines: list[str],
    expected: list[str],
) -> None:
    name = f"candidate-{strategy.lower()}"
    transforming.model(name, packed.read_bytes(), TENSORFLOW)
    half = len(lines[:count]) // 3
    for part, rows in (("a", lines[:half]), ("b", lines[half:count])):
        transforming.put(f"{name}/in/{part}.csv", "".join(f"{row}\n" for row in rows).encode())
    found = transforming.run(name, BatchStrategy=strategy, MaxPayloadInMB=1)
    assert found["TransformJobStatus"] == "Completed", transforming.log(name)
    outputs = transforming.outputs(name)
    assert (outputs["a.csv.out"] + outputs["b.csv.out"]).decode().splitlines() == expected[:count]


@pytest.mark.parametrize("size", [1, 7, 50, 4096])
def test_served_requests(size: int, served: Served, lines: list[str], expected: list[str]) -> None:
    """Requests of `size` rows, at most 20 of them."""
    last = min(len(lines), 20 * size)
    answers: list[str] = []
    for start in range(0, last, size):
        body = "\n".join(lines[start : min(start + size, last)]).encode()
        status, _, content = served.post(body, content_type=CSV, accept=CSV)
        assert status == 200, content
        answers += content.decode().splitlines()
    assert answers == expected[:last]


def test_a_served_request_in_json(served: Served, lines: list[str], expected: list[str]) -> None:
    rows = [[float(cell) for cell in line.split(",")] for line in lines]
    status, _, content = served.post(json.dumps({"instances": rows}).encode(), content_type=JSON)
    assert status == 200, content
    predictions: list[dict[str, Any]] = json.loads(content)["predictions"]
    assert [f"{row['score']},{row['label']}" for row in predictions] == expected
    for row in predictions:
        assert row["probabilities"][0] == row["score"]
