"""What people look at after runs, in a real browser: MLflow's list of runs, and the reports."""

import json
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import pytest
from mlflow import MlflowClient
from projects import COMMAND
from tiny_project import CHAIN, MODEL, STEPS, WRITE, Tiny, running

from job_toolkit.pages import report
from retraining.results import evaluations, experiments, mlflow_view, reports
from retraining.runs import executions
from retraining.runs.executions import Execution

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OUTPUT = "/opt/ml/output/data/"
TRAIN = (
    WRITE.format("/opt/ml/model", "model.txt", "model")
    + WRITE.format(OUTPUT, "history.csv", "epoch,loss\n1,0.5\n2,0.25\n")
    + WRITE.format(OUTPUT + "plots", "loss.svg", "<svg/>")
    + WRITE.format(OUTPUT, "report.html", "<body><h1>Training</h1></body>")
    + 'print("final_loss=0.25;")\n'
)
EVALUATE = (
    WRITE.format("/opt/ml/processing/output/evaluation", "evaluation.json", '{"accuracy": 0.9}')
    + WRITE.format(
        "/opt/ml/processing/output/evaluation",
        "metrics.csv",
        "kind,name,auc,own,recall\nbaseline,none,0.5,1,0\ncandidate,,0.9,2,0.8\n",
    )
    + WRITE.format(
        "/opt/ml/processing/output/evaluation",
        "report.html",
        report.page("Evaluation", report.paragraph("below"), lead="Rows <1>."),
    )
)
NOTE = "<b>of & 'quotes'</b>"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiny]:
    with running(tmp_path_factory.mktemp("pages")) as project:
        bucket = project.configuration.project.bucket
        boto3.client("s3").put_object(Bucket=bucket, Key="data/a.csv", Body=b"1")
        project.write("models/tiny/train.py", TRAIN)
        project.write("models/tiny/evaluate.py", EVALUATE)
        data = {"parameter": "Data", "default": f"s3://{bucket}/data/"}
        source = {"dataFiles": [{"sourceName": "data", "fileName": data}]}
        preprocess = {**MODEL["preprocess"], "channels": {"data": source}}  # type: ignore[dict-item]
        train = {**MODEL["train"], "metric_definitions": {"final_loss": "final_loss=(.*?);"}}  # type: ignore[dict-item]
        train["hyperparams"]["note"] = {"parameter": "Note", "default": NOTE}
        project.configure({**MODEL, "preprocess": preprocess, "train": train}, STEPS, CHAIN)
        yield project


def newest(tiny: Tiny, *given: str) -> Execution:
    tiny.run(*given)
    return executions.describe(executions.arns("demo-tiny")[0])


@pytest.fixture(scope="module")
def both(tiny: Tiny) -> list[Execution]:
    """Two executions, logged; the second has another parameter, and reuses the first step."""
    made = [newest(tiny), newest(tiny, "Epochs=7")]
    for execution in made:
        experiments.finish(tiny.configuration, execution)
    return made


def page_of(tiny: Tiny, execution: Execution) -> str:
    (evaluation,) = evaluations.evaluations_of(tiny.configuration, execution)
    bucket, _, key = str(evaluation.report).removeprefix("s3://").partition("/")
    return boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode()


def shown(url: str, profile: Path) -> str:
    """What the browser makes of a page."""
    assert BROWSER is not None
    words = [BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    words += ["--no-first-run", "--no-proxy-server", f"--user-data-dir={profile}", "--window-size=2400,900"]
    done = subprocess.run(
        [*words, "--virtual-time-budget=30000", "--dump-dom", url],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    return done.stdout


def facts(dom: str) -> dict[str, list[str]]:
    found = re.findall("<dt>(.*?)</dt><dd>(.*?)</dd>", dom)
    return {name: text.split("<br>") for name, text in found}


@pytest.mark.skipif(BROWSER is None, reason="needs Chromium or Chrome")
def test_a_report_says_which_run_it_is_of(tiny: Tiny, both: list[Execution], tmp_path: Path) -> None:
    for execution, epochs in zip(both, ("20", "7"), strict=True):
        (tmp_path / "report.html").write_text(page_of(tiny, execution))
        dom = shown(f"file://{tmp_path}/report.html", tmp_path / "profile")
        assert facts(dom) == {
            "Execution": [f"{execution.id} of demo-tiny"],
            "Started": [f"{execution.started:%Y-%m-%d %H:%M:%S} UTC"],
            "Commit": ["unknown"],
            "Data": [f"s3://{tiny.configuration.project.bucket}/data/"],
        }
        assert dict(re.findall("<tr><td>(.*?)</td><td>(.*?)</td></tr>", dom)) == {
            **{name: str(value.default) for name, value in tiny.configuration.parameters.items()},
            "Data": facts(dom)["Data"][0],
            "Epochs": epochs,
            "Note": "&lt;b&gt;of &amp; 'quotes'&lt;/b&gt;",
        }
        assert dom.index("Rows") < dom.index("Execution") < dom.index("below")


def test_the_copies_in_mlflow_say_so_too(tiny: Tiny, both: list[Execution], tmp_path: Path) -> None:
    client = MlflowClient()
    for execution in both:
        run_id = experiments.begin(tiny.configuration, execution)
        page = Path(client.download_artifacts(run_id, "report.html", str(tmp_path))).read_text()
        # Both jobs have one of this name, and the evaluation's is the later.
        assert page == page_of(tiny, execution)
        assert execution.id in page


def test_a_reused_report_stays_that_of_its_execution(tiny: Tiny, both: list[Execution]) -> None:
    before = page_of(tiny, both[0])
    again = newest(tiny, "MinimumAccuracy=0.1")
    assert [step.name for step in again.steps if step.cache_hit] == ["Preprocess", "Train", "Evaluate"]
    reports.complete(tiny.configuration, again)
    assert page_of(tiny, again) == before
    assert facts(before)["Execution"] == [f"{both[0].id} of demo-tiny"]


def test_a_report_that_nobody_followed_gets_the_run_that_made_it(tiny: Tiny) -> None:
    first = newest(tiny, "Epochs=9")
    second = newest(tiny, "Epochs=9", "MinimumAccuracy=0.2")
    assert "<dt>" not in page_of(tiny, first)
    reports.complete(tiny.configuration, second)
    assert facts(page_of(tiny, second))["Execution"] == [f"{first.id} of demo-tiny"]


def test_any_page_takes_its_run() -> None:
    run = "<section>run</section>"
    assert reports.with_run(report.page("t", "x"), run).count(run) == 1
    assert reports.with_run("<p>a</p></BODY></html>", run) == f"<p>a</p>{run}</BODY></html>"
    assert reports.with_run("a", run) == f"a{run}"


def test_what_a_training_wrote_is_logged(tiny: Tiny, both: list[Execution]) -> None:
    client = MlflowClient()
    run_id = experiments.begin(tiny.configuration, both[0])
    points = client.get_metric_history(run_id, "loss")
    assert [(point.step, point.value) for point in points] == [(1, 0.5), (2, 0.25)]
    assert client.get_run(run_id).data.metrics["final_loss"] == 0.25
    assert [item.path for item in client.list_artifacts(run_id, "plots")] == ["plots/loss.svg"]


@contextmanager
def ui(root: Path) -> Iterator[str]:
    """The address that `retrain ui` gives."""
    process = subprocess.Popen([*COMMAND, "ui"], cwd=root, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        (address,) = re.findall("MLflow: (http://[^ ]*)", process.stdout.readline())
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


@pytest.mark.skipif(BROWSER is None, reason="needs Chromium or Chrome")
def test_mlflow_opens_where_trainings_are_with_the_columns_that_say_most(
    tiny: Tiny, both: list[Execution], tmp_path: Path
) -> None:
    with ui(tiny.root) as address:
        dom = shown(address, tmp_path / "profile")
    shown_columns = set(re.findall('col-id="([a-z]+[.]`[^"]*`)"', dom))
    assert shown_columns >= {"metrics.`auc`", "metrics.`recall`", "params.`Epochs`"}, shown_columns
    assert not shown_columns & {"metrics.`own`", "metrics.`none/auc`", "params.`TrainingInstanceType`"}
    assert all(execution.id in dom for execution in both)
    assert "You're viewing a shared view" in dom
    assert "Evaluation runs" not in dom  # of the mode for GenAI


def test_a_run_that_measured_nothing_hides_no_column() -> None:
    view = json.dumps({"selectedColumns": ["metrics.`a/b`", "params.`Epochs`"]})
    assert mlflow_view.shown_metrics(view) == ["a/b"]
    assert mlflow_view.shown_metrics("") == []


def test_before_the_first_run_there_is_no_view_to_show() -> None:
    path = mlflow_view.path({"experiment_id": "3"})
    assert path == "/#/experiments/3/runs?workflowType=machine_learning"
