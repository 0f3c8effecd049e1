import json
import re
import tarfile
from dataclasses import asdict
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import yaml
from jobs import MODEL, OUTPUTS, Chain, succeed
from sklearn import metrics

import evaluate
import inference
import train
from hyperparameters import Hyperparameters
from job_toolkit import metrics as metrics_csv
from job_toolkit import model_quality

SVG = "http://www.w3.org/2000/svg"  # a name, which nothing is loaded from
(CONF,) = yaml.safe_load((MODEL / "conf.yaml").read_text())["conf"]["models"].values()


def content(folder: Path) -> dict[str, bytes]:
    # A test that loads the model's code leaves its compiled form beside it.
    files = [path for path in folder.rglob("*.*") if path.is_file() and path.suffix != ".pyc"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_the_model_passes_its_gate_and_beats_the_baselines(chain: Chain) -> None:
    result = json.loads((chain.evaluated / "evaluation.json").read_text())
    assert CONF["gate"]["json_path"] == "gate.auc"
    assert result["gate"]["auc"] >= CONF["gate"]["minimum"]["default"]
    baselines = result["baselines"]
    assert set(baselines) == {"logistic_regression", "majority_class"}
    assert result["gate"]["log_loss"] < baselines["logistic_regression"]["log_loss"]
    assert baselines["logistic_regression"]["log_loss"] < baselines["majority_class"]["log_loss"]
    assert baselines["majority_class"]["auc"] == 0.5


def test_the_figures_are_those_of_the_transform(chain: Chain) -> None:
    result = json.loads((chain.evaluated / "evaluation.json").read_text())
    served = pd.read_csv(chain.transformed, header=None, names=["probability", "label"])
    labels = pd.read_csv(chain.preprocessed / "test_labels" / "labels.csv")["Revenue"]
    gate = result["gate"]
    assert gate["auc"] == pytest.approx(metrics.roc_auc_score(labels, served["probability"]))
    assert gate["average_precision"] == pytest.approx(
        metrics.average_precision_score(labels, served["probability"])
    )
    hits = int((served["label"] & labels).sum())
    assert gate["recall"] == pytest.approx(hits / labels.sum())
    assert gate["precision"] == pytest.approx(hits / served["label"].sum())
    assert gate["accuracy"] == pytest.approx((served["label"] == labels).mean())
    assert (result["rows"], result["purchases"]) == (len(labels), labels.sum())


def test_the_transform_and_the_functions_give_the_same_scores(chain: Chain) -> None:
    model = inference.model_fn(str(chain.model))
    rows = evaluate.read_features(chain.preprocessed / "test_features" / "features.csv")
    predicted = inference.predict_fn(rows, model)
    scores, decisions = evaluate.read_predictions(chain.transformed.parent, len(rows))
    np.testing.assert_array_equal(scores, predicted["probability"])
    np.testing.assert_array_equal(decisions, predicted["label"] == 1)
    assert 0 < decisions.sum() < len(rows)


def test_the_threshold_comes_from_the_validation_rows(chain: Chain) -> None:
    model = inference.model_fn(str(chain.model))
    rows = pd.read_csv(chain.preprocessed / "validation" / "validation.csv", dtype=str)
    labels = rows.pop("Revenue").astype(int)
    body = rows.to_csv(index=False)
    scores = inference.predict_fn(inference.input_fn(body, "text/csv"), model)["probability"]
    ranked = labels[np.argsort(-scores.to_numpy())].to_numpy()
    best = (2 * ranked.cumsum() / (np.arange(1, len(ranked) + 1) + ranked.sum())).max()
    assert metrics.f1_score(labels, scores >= model.threshold) == pytest.approx(best)


def test_the_archive_holds_what_the_serving_container_needs(chain: Chain) -> None:
    with tarfile.open(chain.archive) as tar:
        names = {Path(member.name).as_posix() for member in tar if member.isfile()}
    own = ("inference.py", "schema.py", "encoder.py", "requirements.txt")
    toolkit = ("__init__.py", "failure.py", "tables.py")
    code = {f"code/{name}" for name in (*own, *(f"job_toolkit/{name}" for name in toolkit))}
    assert names == {"model.txt", "model.json", "history.csv"} | code
    assert (chain.model / "code" / "inference.py").read_bytes() == (MODEL / "inference.py").read_bytes()
    assert "lightgbm==" in (chain.model / "code" / "requirements.txt").read_text()


def test_a_seed_gives_the_same_bytes_and_another_seed_another_model(chain: Chain, tmp_path: Path) -> None:
    base = tmp_path / "preprocess"
    base.mkdir()
    (base / "input").symlink_to((chain.root / "preprocess" / "input").resolve())
    succeed("preprocess.py", "--base", base)
    assert content(base / "output") == content(chain.preprocessed)
    channels = {f"SM_CHANNEL_{name.upper()}": str(base / "output" / name) for name in OUTPUTS[:2]}
    for name, arguments in (("same", ()), ("other", ("--seed", 8))):
        succeed("train.py", *arguments, **channels, SM_MODEL_DIR=str(tmp_path / name), OMP_NUM_THREADS="2")
    assert content(tmp_path / "same") == content(chain.model)
    assert (tmp_path / "other" / "model.txt").read_bytes() != (chain.model / "model.txt").read_bytes()


def test_metric_lines_match_the_definitions_of_the_configuration(chain: Chain) -> None:
    found = {
        name: [value for line in chain.logs["train"].splitlines() for value in re.findall(regex, line)]
        for name, regex in CONF["train"]["metric_definitions"].items()
    }
    history = pd.read_csv(chain.model / "history.csv").set_index("iteration")
    document = json.loads((chain.model / "model.json").read_text())
    assert set(found) == set(re.findall(r"(\w+)=[-+0-9.eE]+;", chain.logs["train"]))
    assert found["Best_Iteration"] == [str(document["best_iteration"])]
    assert len(found["Train_LogLoss"]) == len(found["Iteration"]) == len(history) // train.LOG_EVERY
    assert float(found["Train_LogLoss"][0]) == pytest.approx(
        history["train_log_loss"][train.LOG_EVERY], abs=1e-6
    )
    for name, key in (("Validation_LogLoss", "log_loss"), ("Validation_AUC", "auc")):
        column = history[f"validation_{key}"]
        assert float(found[name][-1]) == pytest.approx(column[document["best_iteration"]], abs=1e-5)
    assert history["validation_log_loss"].idxmin() == document["best_iteration"] < len(history)


def test_the_configuration_names_the_scripts_arguments_and_outputs(chain: Chain) -> None:
    defaults = {
        name: value["default"] if isinstance(value, dict) else value
        for name, value in CONF["train"]["hyperparams"].items()
    }
    assert defaults == asdict(Hyperparameters())
    assert sorted(CONF["preprocess"]["outputs"]) == sorted(path.name for path in chain.preprocessed.iterdir())
    assert set(CONF["evaluate"]["channels"]) == {
        path.name for path in (chain.root / "evaluate" / "input").iterdir()
    }
    assert sorted(CONF["preprocess"]["arguments"]) == ["seed", "test-fraction", "validation-fraction"]
    for section in ("preprocess", "train", "transform", "evaluate"):
        assert (MODEL / CONF[section]["entry_point"]).is_file()
    assert (chain.evaluated / CONF["gate"]["file"]).is_file()
    assert (chain.evaluated / CONF["registry"]["model_quality"]["file"]).is_file()


def test_metrics_csv_holds_the_model_and_its_baselines(chain: Chain) -> None:
    result = json.loads((chain.evaluated / "evaluation.json").read_text())
    candidate, *others = metrics_csv.read(chain.evaluated / "metrics.csv")
    assert (candidate.kind, candidate.name, candidate.problem) == ("candidate", "", "binary_classification")
    assert [model.name for model in others] == ["logistic regression", "majority class"]
    for model, expected in zip(
        (candidate, *others), (result["gate"], *result["baselines"].values()), strict=True
    ):
        assert {name: model.metrics[name] for name in expected} == pytest.approx(expected)
    assert candidate.metrics["rows"] == result["rows"]
    document = json.loads((chain.evaluated / "model_quality.json").read_text())
    assert model_quality.from_csv(chain.evaluated / "metrics.csv") == {"": document}


def test_the_model_quality_document_has_sagemakers_form(chain: Chain) -> None:
    document = json.loads((chain.evaluated / "model_quality.json").read_text())
    result = json.loads((chain.evaluated / "evaluation.json").read_text())
    section = document["binary_classification_metrics"]
    matrix = section["confusion_matrix"]
    assert matrix["1"]["1"] + matrix["1"]["0"] == result["purchases"]
    assert (
        sum(matrix[a][p] for a in "01" for p in "01") == result["rows"] == document["dataset"]["item_count"]
    )
    for name in ("auc", "recall", "precision", "f1", "accuracy"):
        assert section[name]["value"] == pytest.approx(result["gate"][name])
        assert 0 < section[name]["standard_deviation"] < 0.1
    assert section["au_prc"]["value"] == pytest.approx(result["gate"]["average_precision"])
    assert section["f2"]["value"] > section["f2_best_constant_classifier"]["value"]
    curve = section["receiver_operating_characteristic_curve"]
    assert (curve["false_positive_rates"][0], curve["true_positive_rates"][-1]) == (0.0, 1.0)
    area = np.trapezoid(curve["true_positive_rates"], curve["false_positive_rates"])
    assert area == pytest.approx(result["gate"]["auc"], abs=0.01)
    curve = section["precision_recall_curve"]
    assert len(curve["precisions"]) == len(curve["recalls"]) <= 200


def test_the_report_stands_alone(chain: Chain) -> None:
    page = (chain.evaluated / "report.html").read_text()
    for text in ("LightGBM", "logistic regression", "majority class", "PageValues", "Confusion"):
        assert text in page
    assert page.count("<svg") == 5
    assert "nan" not in page.lower()
    assert not re.search(r"(src|href)=|https?:|<script", page.replace(SVG, ""))


def test_curves_and_plots_are_there_for_mlflow(chain: Chain) -> None:
    assert (chain.evaluated / "history.csv").read_bytes() == (chain.model / "history.csv").read_bytes()
    names = ("calibration", "importance", "precision_recall", "roc", "training")
    assert sorted(path.name for path in (chain.evaluated / "plots").iterdir()) == [f"{n}.svg" for n in names]
    for name in names:
        drawn = ElementTree.parse(chain.evaluated / "plots" / f"{name}.svg").getroot()
        assert drawn.tag == f"{{{SVG}}}svg"
        assert len(drawn) > 5
