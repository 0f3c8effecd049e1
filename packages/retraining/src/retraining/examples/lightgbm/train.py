"""SageMaker training job: fit LightGBM with early stopping, choose the decision threshold, save the model.

Channels (SM_CHANNEL_<NAME>, or /opt/ml/input/data/<name>): train and validation. The model folder
(SM_MODEL_DIR, or /opt/ml/model) gets model.txt (the trees), model.json (categories, threshold,
hyperparameters), history.csv, and code/ with what the serving container runs.

Purchases are the rarer class. The trees are fitted without weights, which would distort the probabilities;
the threshold that turns a probability into a decision makes up for the imbalance. It is chosen on the
validation rows, never on the test rows.
"""

import os
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

# Threads that wait must sleep: spinning, they bring the training to a halt where other work shares the cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import lightgbm
import numpy as np
import pandas as pd
from numpy.typing import NDArray

import classification
import encoder
import inference
import schema
import table
from encoder import Encoder
from hyperparameters import Hyperparameters
from job_toolkit import imports, ranking, strict_json, training
from job_toolkit.hyperparameters import parse

LOG_EVERY = 10
REQUIREMENTS = "requirements.txt"


def fit(
    train: tuple[NDArray[np.float64], NDArray[np.int64]],
    validation: tuple[NDArray[np.float64], NDArray[np.int64]],
    options: Hyperparameters,
) -> tuple[lightgbm.Booster, pd.DataFrame]:
    """Fit on (matrix [n, F], labels [n]); return the trees up to the best iteration, and the history."""
    training = lightgbm.Dataset(
        *train, feature_name=list(schema.FEATURES), categorical_feature=encoder.CATEGORICAL_INDICES
    )
    history: dict[str, dict[str, list[float]]] = {}
    booster = lightgbm.train(
        parameters(options),
        training,
        num_boost_round=options.num_iterations,
        valid_sets=[training, training.create_valid(*validation)],
        valid_names=["train", "validation"],
        callbacks=[
            lightgbm.early_stopping(options.early_stopping_rounds, first_metric_only=True, verbose=False),
            lightgbm.record_evaluation(history),
            _print_progress,
        ],
    )
    curves = pd.DataFrame(
        {
            "train_log_loss": history["train"]["binary_logloss"],
            "validation_log_loss": history["validation"]["binary_logloss"],
            "validation_auc": history["validation"]["auc"],
        }
    )
    curves.insert(0, "iteration", np.arange(1, len(curves) + 1))
    return booster, curves.round(9)  # sums over threads differ in the last digits


def parameters(options: Hyperparameters) -> dict[str, Any]:
    """LightGBM's parameters. The result does not depend on the number of threads."""
    shared = (
        "num_leaves", "learning_rate", "min_data_in_leaf", "feature_fraction", "bagging_fraction",
        "lambda_l2", "scale_pos_weight", "seed",
    )  # fmt: skip
    return {name: getattr(options, name) for name in shared} | {
        "objective": "binary",
        "metric": ["binary_logloss", "auc"],  # the first one stops the training
        "bagging_freq": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }


def save(booster: lightgbm.Booster, document: dict[str, Any], history: pd.DataFrame, out: Path) -> None:
    """Write the model folder."""
    out.mkdir(parents=True, exist_ok=True)
    booster.save_model(out / "model.txt", num_iteration=booster.best_iteration)
    strict_json.write(document, out / "model.json", indent=2)
    history.to_csv(out / "history.csv", index=False, lineterminator="\n")
    imports.copy(Path(inference.__file__), out / "code")
    shutil.copyfile(Path(__file__).with_name(REQUIREMENTS), out / "code" / REQUIREMENTS)


def describe(
    booster: lightgbm.Booster,
    fitted: Encoder,
    threshold: float,
    quality: dict[str, float],
    options: Hyperparameters,
) -> dict[str, Any]:
    """What model.json holds. Importance is a feature's share of the trees' whole gain."""
    gain = booster.feature_importance("gain", iteration=booster.best_iteration)
    share = gain / max(gain.sum(), 1e-12)
    return {
        "threshold": threshold,
        "categories": fitted.categories,
        "best_iteration": booster.best_iteration,
        "validation": quality,
        "importance": dict(zip(schema.FEATURES, share.tolist(), strict=True)),
        "hyperparameters": asdict(options),
    }


def _print_progress(env: lightgbm.callback.CallbackEnv) -> None:
    """The names are the contract of the pipeline's metric definitions: keep their spelling."""
    if (env.iteration + 1) % LOG_EVERY == 0:
        values = {(entry[0], entry[1]): entry[2] for entry in env.evaluation_result_list}
        print(
            f"Iteration={env.iteration + 1}; Train_LogLoss={values['train', 'binary_logloss']:.6f}; "
            f"Validation_LogLoss={values['validation', 'binary_logloss']:.6f}; "
            f"Validation_AUC={values['validation', 'auc']:.6f};",
            flush=True,
        )


def main(argv: list[str]) -> None:
    options = parse(Hyperparameters, argv)
    folders = training.folders(argv)
    train_rows, train_labels = table.read_parsed(folders.channel("train"))
    validation_rows, labels = table.read_parsed(folders.channel("validation"))
    fitted = encoder.fit(train_rows)
    matrix = fitted.encode(validation_rows)
    booster, history = fit((fitted.encode(train_rows), train_labels), (matrix, labels), options)
    scores = booster.predict(matrix)
    threshold = ranking.best_threshold(labels == 1, scores, options.beta)
    quality = classification.at_threshold(labels, scores >= threshold, scores)
    save(booster, describe(booster, fitted, threshold, quality, options), history, folders.model)
    print(
        f"Best_Iteration={booster.best_iteration}; Threshold={threshold:.6f}; "
        f"Validation_LogLoss={quality['log_loss']:.6f}; Validation_AUC={quality['auc']:.6f}; "
        f"Validation_Average_Precision={quality['average_precision']:.6f};"
    )


if __name__ == "__main__":
    sys.exit(training.run(main))
