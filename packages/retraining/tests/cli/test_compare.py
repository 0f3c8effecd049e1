"""`retrain runs compare` and `retrain models compare` on real local services, and their page in a browser."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny_project
from tiny_project import CHAIN, IMAGE, MODEL, OUTPUT, STEPS, Tiny, retrain

from retraining.errors import UserError
from retraining.results import comparison
from retraining.results.comparison import Compared
from retraining.results.comparison_page import page
from retraining.runs import executions

# Better the more epochs; a curve of as many points; a baseline that is always the same.
EVALUATE = f"""\
import csv, json, os, tarfile
folder = "{OUTPUT}evaluation"
os.makedirs(folder, exist_ok=True)
with tarfile.open("/opt/ml/processing/input/model/model.tar.gz") as archive:
    epochs = int(archive.extractfile("model.txt").read())
auc = 1 - 1 / epochs
with open(folder + "/evaluation.json", "w") as file:
    json.dump({{"gate": {{"auc": auc}}}}, file)
with open(folder + "/metrics.csv", "w", newline="") as file:
    rows = csv.writer(file)
    rows.writerow(["kind", "name", "problem", "auc", "rmse"])
    rows.writerow(["candidate", "[b]best[/x]", "regression", auc, 1 / epochs])
    rows.writerow(["baseline", "mean", "regression", 0.5, 9])
with open(folder + "/history.csv", "w", newline="") as file:
    rows = csv.writer(file)
    rows.writerow(["epoch", "loss", "<b>&"])
    rows.writerows([epoch, 1 / epoch, epoch] for epoch in range(1, epochs + 1))
with open(folder + "/model_quality.json", "w") as file:
    json.dump({{"regression_metrics": {{"auc": {{"value": auc}}, "rmse": {{"value": 1 / epochs}}}}}}, file)
"""
TRAIN = """\
import os, sys
os.makedirs("/opt/ml/model", exist_ok=True)
open("/opt/ml/model/model.txt", "w").write(sys.argv[sys.argv.index("--epochs") + 1])
"""
REGISTRY = {
    "ModelRepack": "False",
    "model_quality": {"output": "evaluation", "file": "model_quality.json"},
    "InferenceSpecification": {
        "image_uri": IMAGE,
        "supported_content_types": ["text/csv"],
        "supported_response_MIME_types": ["text/csv"],
    },
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiny]:
    """Three runs: of 4 and 8 epochs, and one of 2 that the gate ends."""
    with tiny_project.running(tmp_path_factory.mktemp("compare")) as project:
        gate = {
            **MODEL["gate"],
            "json_path": "gate.auc",
            "minimum": {"parameter": "MinimumAUC", "default": 0.6},
        }
        steps = [*STEPS[:4], {"step_name": "Register", "step_class": "RegisterModel"}]
        project.configure(
            {**MODEL, "gate": gate, "registry": REGISTRY}, steps, CHAIN.replace("Tell", "Register")
        )
        for name, text in {"train.py": TRAIN, "evaluate.py": EVALUATE, "inference.py": ""}.items():
            project.write(f"models/tiny/{name}", text)
        project.run("Epochs=4", "Rows=1")
        project.run("Epochs=8", "Rows=1")
        with pytest.raises(AssertionError, match="Quality gate"):
            project.run("Epochs=2")
        yield project


def ids() -> list[str]:
    """Oldest first."""
    return [arn.rsplit("/", 1)[-1] for arn in reversed(executions.arns("demo-tiny"))]


def test_the_list_says_what_varied_and_the_gates_metric(tiny: Tiny) -> None:
    listed = retrain(tiny, "runs")
    assert listed.returncode == 0, listed.stderr
    title, failed, best, first = listed.stdout.splitlines()
    assert title.split() == ["execution", "status", "started", "gate", "parameters", "steps"]
    assert "  auc 0.500 failed  " in failed
    assert re.search("  auc 0.875 +Rows=1, Epochs=8  ", best)
    assert re.search("  auc 0.750 +Rows=1, Epochs=4  ", first)
    details = json.loads(retrain(tiny, "runs", "--json").stdout)
    assert [item["gates"] for item in details] == [
        [{"step": "Gate", "metric": "auc", "value": value, "passed": value > 0.6}]
        for value in (0.5, 0.875, 0.75)
    ]
    assert details[1]["parameters"] == {"Epochs": "8", "Rows": "1"}


def test_runs_side_by_side(tiny: Tiny) -> None:
    first, second, failed = ids()
    done = retrain(tiny, "runs", "compare", first, second[:6], failed)
    assert done.returncode == 0, done.stderr
    rows = {line[:24].strip(): line[24:].split() for line in done.stdout.splitlines()}
    assert done.stdout.splitlines()[0].split() == [first, second, failed]
    assert rows["status"] == ["Succeeded", "Succeeded", "Failed"]
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["Epochs", "4", "8", "2"] in lines
    assert ["Rows", "1", "1", "3"] in lines
    assert ["auc", "0.750", "0.875", "0.500"] in lines
    assert ["rmse", "0.250", "0.125", "0.500"] in lines
    assert ["[b]best[/x]"] in lines
    assert not any("TrainingInstanceType" in line or "mean" in line for line in lines)


def test_the_two_newest_are_compared_where_none_is_given(tiny: Tiny) -> None:
    columns = comparison.compare_runs(tiny.configuration, [])
    assert [column.name for column in columns] == ids()[1:]


def test_versions_side_by_side(tiny: Tiny) -> None:
    done = retrain(tiny, "models", "compare", "1", "2", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["parameters_that_differ"] == ["Epochs"]
    one, two = document["compared"]
    assert (one["name"], one["status"]) == ("demo-tiny/1", "PendingManualApproval")
    assert (one["execution"], two["execution"]) == tuple(ids()[:2])
    assert one["metrics"] == {"": {"auc": 0.75, "rmse": 0.25}}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["runs", "compare", "nothing", "else"], "execution 'nothing': no such execution; known: "),
        (["models", "compare", "1", "7"], "model '7': no such version; registered: demo-tiny/1, demo-tiny/2"),
        (["models", "compare", "1"], "give two or more versions that are not the same"),
        (["models", "compare", "1", "1"], "give two or more versions that are not the same"),
        (["models", "compare", "1", "2", "--html", "no/such/x.html"], "--html no/such/x.html: no folder "),
        (["models", "compare", "1", "2", "--html", "."], "--html .: this is a folder"),
    ],
)
def test_what_cannot_be_compared_is_one_line(tiny: Tiny, arguments: list[str], expected: str) -> None:
    done = retrain(tiny, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Error: {expected}")
    assert len(done.stderr.splitlines()) == 1


def test_a_beginning_of_several_is_refused(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executions, "arns", lambda pipeline: ["p/execution/abc1", "p/execution/abc2"])
    with pytest.raises(UserError, match="execution 'abc': several begin so: abc1, abc2"):
        comparison.compare_runs(tiny.configuration, ["abc", "abc2"])


def test_the_page_in_a_browser(tiny: Tiny, tmp_path: Path) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium")
    path = tmp_path / "compare.html"
    done = retrain(tiny, "runs", "compare", *ids(), "--html", str(path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"wrote {path}"
    command = [
        chromium,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path / 'browser'}",
    ]
    shown = subprocess.run(
        [*command, "--dump-dom", path.as_uri()], capture_output=True, text=True, check=True
    ).stdout
    for expected in (*ids(), "Epochs", "MinimumAUC", "[b]best[/x]", "mean (baseline)", "<b>0.875</b>"):
        assert expected in shown
    assert shown.count("<svg") == 2
    assert "&lt;b&gt;&amp;" in shown  # the curve's title is text
    # It needs no other file: all addresses are names of XML.
    assert not re.search(r"""(src|href)=["']?http""", shown)


def columns(**metrics: list[float | None]) -> list[Compared]:
    count = len(next(iter(metrics.values())))
    return [
        Compared(
            str(index),
            {},
            {},
            {("", name): value for name, values in metrics.items() if (value := values[index]) is not None},
        )
        for index in range(count)
    ]


def test_the_best_is_known_of_known_metrics() -> None:
    assert comparison.best("recall", [0.1, None, 0.3]) == 0.3
    assert comparison.best("rmse", [0.1, 0.3]) == 0.1
    assert comparison.best("recall", [0.3, 0.3]) is None
    assert comparison.best("rows", [1.0, 3.0]) is None
    text = page("x", columns(recall=[0.5, 0.25], rows=[7.0, 8.0]), str)
    assert "<b>0.5</b>" in text
    assert "<b>8</b>" not in text


def test_numbers_in_other_spellings_are_the_same() -> None:
    made = [Compared(name, {}, {"Leeway": value}, {}) for name, value in (("a", "0.0"), ("b", "0"))]
    assert comparison.differing(made) == []
    assert comparison.differing([*made, Compared("c", {}, {}, {})]) == ["Leeway"]
