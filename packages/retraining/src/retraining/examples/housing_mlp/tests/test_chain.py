"""What both models and the evaluation give on simulated houses, and on the real ones."""

import csv
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from sklearn import metrics

from job_toolkit import metrics as metrics_csv
from job_toolkit import model_quality

FOLDER = Path(os.environ.get("CALIFORNIA_HOUSING", "california_housing")).absolute()


def numbers(path: Path) -> Any:
    with path.open() as file:
        return np.array(list(csv.reader(file))[1:], dtype=float)


def section(folder: Path) -> Any:
    """The unit's own section of its configuration."""
    return next(iter(yaml.safe_load((folder / "conf.yaml").read_text())["conf"]["models"].values()))


def evaluation(chain: Any) -> Any:
    return json.loads((chain.evaluation / "evaluation.json").read_text())


def test_the_gate_is_passed_and_the_baselines_are_beaten(chain: Any, folders: Any) -> None:
    conf = section(folders[0])
    result = evaluation(chain)
    assert result["gate"]["rmse"] < conf["gate"]["maximum"]["default"]
    assert result["gate"]["rmse"] < 0.9 * result["baselines"]["linear_regression"]["rmse"]
    assert result["baselines"]["linear_regression"]["rmse"] < 0.8 * result["baselines"]["mean"]["rmse"]
    assert abs(result["baselines"]["mean"]["r2"]) < 0.01
    assert conf["gate"]["json_path"] == "gate.rmse"


def test_the_measures_are_those_of_the_served_predictions(chain: Any) -> None:
    rows = numbers(chain.evaluation / "predictions.csv")
    labels = numbers(chain.preprocessed / "test_labels" / "labels.csv")
    np.testing.assert_array_equal(rows[:, 0], labels[:, 0])
    gate = evaluation(chain)["gate"]
    assert gate["rmse"] == pytest.approx(np.sqrt(metrics.mean_squared_error(rows[:, 0], rows[:, 1])))
    assert gate["mae"] == pytest.approx(metrics.mean_absolute_error(rows[:, 0], rows[:, 1]))
    assert gate["r2"] == pytest.approx(metrics.r2_score(rows[:, 0], rows[:, 1]))
    assert gate["mape"] == pytest.approx(metrics.mean_absolute_percentage_error(rows[:, 0], rows[:, 1]))


def test_model_quality_holds_each_measure_with_its_deviation(chain: Any) -> None:
    quality = json.loads((chain.evaluation / "model_quality.json").read_text())
    assert set(quality) == {"version", "dataset", "regression_metrics"}
    assert quality["dataset"]["item_count"] == evaluation(chain)["rows"]
    found = quality["regression_metrics"]
    assert set(found) == {"mae", "mse", "rmse", "r2", "mape"}
    for name, metric in found.items():
        assert set(metric) == {"value", "standard_deviation"}
        assert metric["value"] == evaluation(chain)["gate"][name]
        assert 0 < metric["standard_deviation"] < 0.2 * metric["value"]


def test_metrics_csv_holds_the_model_and_its_baselines(chain: Any) -> None:
    candidate, *others = metrics_csv.read(chain.evaluation / "metrics.csv")
    assert (candidate.kind, candidate.name, candidate.problem) == ("candidate", "", "regression")
    result = evaluation(chain)
    assert candidate.metrics == {"rows": result["rows"], **result["gate"]}
    assert {model.name.replace(" ", "_"): model.metrics for model in others} == result["baselines"]
    quality = json.loads((chain.evaluation / "model_quality.json").read_text())
    assert model_quality.from_csv(chain.evaluation / "metrics.csv") == {"": quality}


def test_the_report_needs_nothing_beside_itself(chain: Any) -> None:
    page = (chain.evaluation / "report.html").read_text()
    assert page.count("<svg") == page.count("</svg>") == 3
    plots = sorted(path.name for path in (chain.evaluation / "plots").iterdir())
    assert plots == ["errors.svg", "errors_by_price.svg", "predicted_by_actual.svg"]
    assert not re.findall(r"(?:src|href)=|url\(|@import", page)
    assert f"{evaluation(chain)['gate']['mae']:,.0f} dollars" in page
    assert "nan" not in page
    for name in ("linear regression", "mean"):
        assert f"<td>{name}</td>" in page


def test_the_folders_are_those_of_the_configuration(chain: Any, folders: Any) -> None:
    conf = section(folders[0])
    assert sorted(path.name for path in chain.preprocessed.iterdir()) == sorted(conf["preprocess"]["outputs"])
    assert set(conf["train"]["channels"]) < set(conf["preprocess"]["outputs"])
    assert set(conf["evaluate"]["channels"]) == {
        path.name for path in (chain.root / "evaluation" / "input").iterdir()
    }
    assert (chain.evaluation / conf["gate"]["file"]).is_file()
    assert (chain.evaluation / conf["registry"]["model_quality"]["file"]).is_file()
    printed = set(re.findall(r"(\w+)=[-+0-9.eE]+;", chain.logs["train"]))
    assert printed == set(conf["train"]["metric_definitions"])
    found = {
        name: [value for line in chain.logs["train"].splitlines() for value in re.findall(regex, line)]
        for name, regex in conf["train"]["metric_definitions"].items()
    }
    assert found["Epoch"] == [str(number) for number in range(1, len(found["Epoch"]) + 1)]
    assert len(found["Validation_RMSE"]) == len(found["Validation_MAE"]) == len(found["Epoch"])
    assert [len(found[name]) for name in ("Best_Epoch", "Best_Validation_RMSE")] == [1, 1]


@pytest.mark.skipif(
    not (FOLDER / "cal_housing.data").exists(),
    reason=f"California housing is not in {FOLDER}; set CALIFORNIA_HOUSING to the folder of cal_housing.data",
)
def test_california(tmp_path: Path, tools: Any) -> None:
    """Five seeds gave an RMSE between 44,700 and 49,000 dollars."""
    chain = tools.Chain(tmp_path)
    chain.preprocess(FOLDER)
    assert "13354 train rows, 3073 validation rows, 4213 test rows" in chain.logs["preprocess"]
    chain.train()
    chain.evaluate()
    result = evaluation(chain)
    assert result["rows"] == 4213
    assert result["gate"]["rmse"] < 53_000
    assert result["gate"]["r2"] > 0.78
    assert result["gate"]["mape"] < 0.18
    assert result["baselines"]["linear_regression"]["rmse"] > 60_000
