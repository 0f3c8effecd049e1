import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from job_toolkit import imports, tables
from job_toolkit.failure import InputError
from job_toolkit.hyperparameters import parse
from job_toolkit.training import run

QUICK = ("--epochs", 3, "--hidden_units", "16", "--waves", 4)


def test_the_best_epoch_is_the_one_that_is_saved(chain: Any, unit: Any, tools: Any, served: Any) -> None:
    errors = tables.read_numbers(chain.model / "history.csv")["val_rmse"].to_numpy()
    logged = chain.model.parent / "output" / "data" / "history.csv"  # from where MLflow has the curves
    assert logged.read_bytes() == (chain.model / "history.csv").read_bytes()
    best = int(errors.argmin())
    assert f"Best_Epoch={best + 1}; Best_Validation_RMSE={errors[best]:.1f};" in chain.logs["train"]
    validation = tables.read_numbers(chain.preprocessed / "validation" / "validation.csv").to_numpy()
    predicted = served.prices(validation[:, :-1])
    found = unit.regression.measure(validation[:, -1], predicted.astype(float))["rmse"]
    # The served model keeps to the prices that were seen, which can only help.
    assert 0.98 * errors[best] < found < errors[best] * 1.00001
    assert len(errors) - best - 1 <= 8


def test_scaling_is_inside_the_network(small: Any, training: Any) -> None:
    rows = tables.read_numbers(small.preprocessed / "train" / "train.csv")
    features, prices = rows.to_numpy()[:, :-1], rows.to_numpy()[:, -1]
    scaling = training.scaling.fit(list(rows.columns[:-1]), features, prices)
    log = [name for name, log in zip(scaling.features, scaling.log, strict=True) if log]
    assert {"totalRooms", "population", "households"} <= set(log)
    assert not {"longitude", "latitude", "component1"} & set(log)
    values = np.where(scaling.log, np.log1p(np.abs(features)), features)
    expected = np.clip((values - scaling.mean) / scaling.std, -6, 6)
    found = np.asarray(training.network.Standardise(scaling)(features.astype(np.float32)))
    np.testing.assert_allclose(found, expected, atol=2e-3)  # a longitude has few digits left in float32
    np.testing.assert_allclose(expected.std(axis=0), 1, atol=0.05)


def test_a_constant_feature_does_no_harm(training: Any) -> None:
    values = np.column_stack([np.full(50, 3.0), np.arange(50.0)])
    scaling = training.scaling.fit(["a", "b"], values, np.full(50, 100.0))
    assert scaling.std[0] == 1
    model = training.network.build(scaling, [4], 8, 4.0, 0.1, seed=1)
    assert np.isfinite(np.asarray(model(values.astype(np.float32)))).all()


def test_a_seed_gives_the_same_model_again(
    small: Any, jobs: Any, unit: Any, tools: Any, tmp_path: Path
) -> None:
    values = tables.read_numbers(small.preprocessed / "validation" / "validation.csv").to_numpy()[:, :-1]
    found = []
    for number, seed in enumerate((7, 7, 8)):
        base = tmp_path / str(number)
        base.mkdir()
        (base / "input").symlink_to(small.root / "mlp" / "train" / "input", target_is_directory=True)
        printed = jobs.succeed("train.py", "--base", base, *QUICK, "--seed", seed)
        tools.pack(base / "model", base / "model.tar.gz")
        prices = tools.Served(base / "model.tar.gz", base / "served").prices(values)
        found.append((printed, (base / "model" / "history.csv").read_bytes(), prices.tobytes()))
    assert found[0] == found[1]
    assert found[0][2] != found[2][2]


def test_it_runs_in_sagemakers_environment(small: Any, jobs: Any, tmp_path: Path) -> None:
    channels = {
        f"SM_CHANNEL_{name.upper()}": str(small.preprocessed / name) for name in ("train", "validation")
    }
    model = tmp_path / "model"
    printed = jobs.succeed(
        *("train.py", *map(str, QUICK), "--dropout", "0.1"),
        SM_MODEL_DIR=str(model),
        SM_OUTPUT_DATA_DIR=str(tmp_path / "output"),
        **channels,
    )
    assert (
        len(re.findall(r"^Epoch=\d+; Train_RMSE=\d+\.\d; Validation_RMSE=\d+\.\d; ", printed, re.MULTILINE))
        == 3
    )
    used = json.loads((model / "hyperparameters.json").read_text())
    assert (used["epochs"], used["hidden_units"], used["dropout"], used["seed"]) == (3, [16], 0.1, 7)
    names = {str(path.relative_to(model)) for path in model.rglob("*") if path.is_file()}
    assert {"1/saved_model.pb", "code/inference.py", "code/features.json", "history.csv"} <= names


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("epochs", "ten", "hyperparameter epochs: 'ten' is not a whole number; it must be"),
        ("epochs", "0", "hyperparameter epochs: 0 is out of range"),
        ("learning_rate", "nan", "hyperparameter learning_rate: nan is out of range"),
        ("dropout", "1", "hyperparameter dropout: 1 is out of range; it must be a number between"),
        ("hidden_units", "64,", "hyperparameter hidden_units: '64,' must be whole numbers between"),
        ("hidden_units", "0", "hidden_units: '0' must be"),
        ("epoch", "3", "unrecognized arguments: --epoch 3 (known: --epochs"),
    ],
)  # fmt: skip
def test_a_wrong_hyperparameter_is_named(name: str, value: str, text: str, unit: Any) -> None:
    with pytest.raises(InputError) as raised:
        parse(unit.hyperparameters.Hyperparameters, [f"--{name}", value])
    assert text in str(raised.value)


def test_a_wrong_hyperparameter_ends_the_process_with_one_line(jobs: Any, tmp_path: Path) -> None:
    done = jobs.run("train.py", "--base", tmp_path, "--epochs", "ten")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("Error: hyperparameter epochs: 'ten'")
    assert (tmp_path / "output" / "failure").read_text() == done.stderr.splitlines()[-1] + "\n"
    assert "Traceback" not in done.stderr


def test_bad_channels_end_with_one_line(small: Any, training: Any, tmp_path: Path) -> None:
    data, reason = tmp_path / "input" / "data", tmp_path / "output" / "failure"

    def assert_fails(text: str) -> None:
        assert run(training.train.main, ["--base", str(tmp_path)]) == 1
        assert text in reason.read_text()
        assert reason.read_text().count("\n") == 1
        assert "unexpected" not in reason.read_text()
        assert not (tmp_path / "model").exists()

    assert_fails("train.csv: there is no such file")
    shutil.copytree(small.preprocessed, data)
    validation = data / "validation" / "validation.csv"
    lines = validation.read_text().splitlines()
    validation.write_text("\n".join([lines[0].replace("latitude", "altitude"), *lines[1:]]))
    assert_fails("channel validation: its columns are not those of the channel train")
    validation.write_text("\n".join([*lines[:3], lines[3].replace(",", ",x", 1)]))
    assert_fails("validation.csv: row 3: column 'latitude' holds 'x")
    validation.write_text("\n".join([*lines[:3], lines[3].rsplit(",", 1)[0] + ",0.0"]))
    assert_fails("channel train, medianHouseValue: a price must be greater than 0")
    for name in ("train", "validation"):
        (data / name / f"{name}.csv").write_text("a,b\n1,2\n")
    assert_fails("channel train: the last column must be medianHouseValue, after the features")


def test_a_training_that_diverges_ends_with_one_line(small: Any, jobs: Any, tmp_path: Path) -> None:
    (tmp_path / "input").symlink_to(small.root / "mlp" / "train" / "input", target_is_directory=True)
    done = jobs.run("train.py", "--base", tmp_path, *QUICK, "--learning_rate", 1, "--batch_size", 1)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "Error: training diverged in epoch 1; lower the learning rate"
    assert not (tmp_path / "model").exists()


def test_the_training_package_holds_no_module_of_the_evaluation(folders: Any) -> None:
    """A code package is the entry point and what it imports: an edited report must not retrain the model."""
    seen = {path.with_suffix("").as_posix() for path in imports.reached(folders[0], "train.py")}
    assert {"network", "scaling", "export", "inference", "job_toolkit/tables"} <= seen
    assert not seen & {"evaluate", "report", "pictures", "regression", "preprocess", "components", "simulate"}
    assert not seen & {
        f"job_toolkit/{name}"
        for name in ("pages/charts", "pages/report", "metrics", "model_quality", "measures")
    }
