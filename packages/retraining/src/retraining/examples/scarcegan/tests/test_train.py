"""The training job: its log, candidates and refusals; the formulas of the losses."""

import importlib.util
import json
import re
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import yaml
from jobs import MODEL, Chain, link, refused, room_for, run, succeed
from scipy.special import log_softmax
from sklearn import metrics as reference

import candidates
from data import scaler
from job_toolkit import hyperparameters
from job_toolkit.failure import InputError
from job_toolkit.training import Folders
from model import export, losses, networks, training_data
from model.hyperparameters import Hyperparameters

LINE = re.compile(
    r"^Iteration=(\d+); Discriminator_Supervised_Loss=([-+0-9.eE]+); "
    r"Discriminator_UnSupervised_Loss=([-+0-9.eE]+); Generator_Loss=([-+0-9.eE]+); "
    r"Accuracy_Supervised=([-+0-9.eE]+);",
    re.MULTILINE,
)
QUICK = ("--epochs", 2, "--iterations_per_epoch", 10, "--batch_size", 32)
QUICK += ("--candidates", '{"one": {"metric": "f1", "mode": "max"}}')


def scores(model: Path, rows: pd.DataFrame) -> dict[str, np.ndarray]:
    serve = tf.saved_model.load(str(model / "1")).signatures["serving_default"]
    answer = serve(features=tf.constant(rows.to_numpy(), tf.float32))
    return {name: value.numpy() for name, value in answer.items()}


def test_each_epoch_prints_the_metrics_that_the_pipeline_reads(chain: Chain) -> None:
    lines = LINE.findall(chain.log("train"))
    history = pd.read_csv(chain.model / "history.csv")
    assert len(lines) == len(history) == 20
    columns = ["iteration", "discriminator_supervised_loss", "discriminator_unsupervised_loss"]
    columns += ["generator_loss", "accuracy_supervised"]
    np.testing.assert_allclose(np.array(lines, dtype=float), history[columns], atol=1e-6)
    supervised = history["discriminator_supervised_loss"]
    assert supervised.iloc[-1] < supervised.iloc[0]


def test_every_value_that_an_epoch_prints_is_a_metric(chain: Chain) -> None:
    (conf,) = yaml.safe_load((MODEL / "conf.yaml").read_text())["conf"]["models"].values()
    definitions = conf["train"]["metric_definitions"]
    epochs = [line for line in chain.log("train").splitlines() if line.startswith("Iteration=")]
    others = ["Fold=0; Iteration=80; Average_Precision=0.900000;"]  # of a training that is not the main one
    assert set(re.findall(r"(\w+)=[-+0-9.eE]+;", epochs[0])) == set(definitions)
    history = pd.read_csv(chain.model / "history.csv")
    for name, regex in definitions.items():
        values = [value for line in [*epochs, *others] for value in re.findall(regex, line)]
        np.testing.assert_allclose(np.array(values, dtype=float), history[name.lower()], atol=1e-6)


def test_each_candidate_is_the_best_epoch_of_its_definition(chain: Chain) -> None:
    listing = json.loads((chain.model / "candidates.json").read_text())
    assert [entry["name"] for entry in listing] == [one.name for one in candidates.DEFAULT]
    labels = pd.read_csv(chain.preprocessed / "validation_label" / "label.csv")["label"]
    rows = pd.read_csv(chain.preprocessed / "validation_data" / "data.csv").iloc[:, 1:]
    positive = labels.to_numpy() == "risky"
    for entry in listing:
        answer = scores(chain.model / "candidates" / entry["name"], rows)
        flagged = answer["score"] >= entry["threshold"]
        for name in ("recall", "precision", "f1", "accuracy"):
            measured = getattr(reference, f"{name}_score")(positive, flagged)
            assert measured == pytest.approx(entry["validation"][name], abs=0.003), (entry["name"], name)
        assert ((answer["label"] == b"risky") == (answer["score"] >= np.float32(entry["threshold"]))).all()
        assert entry["definition_met"] is True
        for minimum, least in entry["definition"].items():
            if minimum.startswith("min_"):
                assert entry["validation"][minimum.removeprefix("min_")] >= least
    history = pd.read_csv(chain.model / "history.csv")
    lowest = next(entry for entry in listing if entry["name"] == "lowest-loss")
    assert lowest["epoch"] == history.loc[history["validation_loss"].idxmin(), "epoch"]


def test_the_saved_model_takes_raw_rows_and_gives_probabilities_score_and_label(chain: Chain) -> None:
    listing = json.loads((chain.model / "candidates.json").read_text())
    rows = pd.read_csv(chain.preprocessed / "test" / "data.csv").iloc[:200, 1:]
    assert listing[0]["features"] == list(rows.columns)
    answer = scores(chain.model / "candidates" / listing[0]["name"], rows)
    assert answer["probabilities"].shape == (200, 4)
    assert answer["probabilities"].dtype == answer["score"].dtype == np.float32
    np.testing.assert_array_equal(answer["score"], answer["probabilities"][:, 0])
    assert (answer["probabilities"].sum(axis=1) <= 1.0001).all()
    assert set(answer["label"]) <= {group.encode() for group in listing[0]["groups"]}


def test_the_graph_scales_as_the_scaler_does(small: Path) -> None:
    fitted = scaler.load(small / "output" / "train_data" / "scaler.json")
    raw = pd.read_csv(small / "output" / "train_data" / "data.csv").iloc[:, 1:].to_numpy()
    weights = networks.Discriminator(raw.shape[1], 4, (8,), seed=1).parameters.numpy()
    serving = export.Serving(weights, (8,), fitted, ["a", "b", "c", "d"])
    values = serving.scale(tf.constant(raw, tf.float32)).numpy()
    np.testing.assert_allclose(values, fitted.transform(raw), atol=2e-5)


def test_a_seed_gives_the_same_model_again(small: Path, tmp_path: Path) -> None:
    """Here and under SageMaker's environment, in a process of its own; another seed gives another model.

    There the arguments are made by the SDK's own driver from hyperparameters as a training job has them.
    """
    definition = {"only-one": {"metric": "f1", "mode": "max", "min_recall": 0.1}}
    hyper = {"epochs": "2", "iterations_per_epoch": 5, "leeway": "0.25", "candidates": json.dumps(definition)}
    link(small / "output", tmp_path / "input" / "data")
    arguments = [word for name, value in hyper.items() for word in (f"--{name}", value)]
    logs, written = [], []
    for seed in (8, 7):
        logs.append(succeed("train.py", "--base", tmp_path, *arguments, "--seed", seed))
        written.append((tmp_path / "model" / "history.csv").read_bytes())
    assert LINE.findall(logs[0]) != LINE.findall(logs[1])
    assert written[0] != written[1]
    channels = {f"SM_CHANNEL_{path.name.upper()}": str(path) for path in (small / "output").iterdir()}
    arguments = driver().hyperparameters_to_cli_args(hyper | {"groups": '"risky,dormant,normal,heavy"'})
    done = run("train.py", *arguments, SM_MODEL_DIR=str(tmp_path / "there"), **channels)
    assert done.returncode == 0, done.stderr
    assert LINE.findall(done.stdout) == LINE.findall(logs[1])
    for name in ("candidates.json", "history.csv", "hyperparameters.json"):
        assert (tmp_path / "there" / name).read_bytes() == (tmp_path / "model" / name).read_bytes()
    listing = json.loads((tmp_path / "there" / "candidates.json").read_text())
    assert [(entry["name"], entry["definition"]) for entry in listing] == list(definition.items())
    used = json.loads((tmp_path / "there" / "hyperparameters.json").read_text())
    assert used["epochs"] == 2
    assert used["leeway"] == 0.25
    assert used["candidates"] == definition


def driver() -> ModuleType:
    """The SDK's module that turns hyperparameters into a command line, in the container."""
    sagemaker = importlib.util.find_spec("sagemaker.train")
    if sagemaker is None or sagemaker.origin is None:
        pytest.skip("the SageMaker SDK is not installed")
    path = Path(sagemaker.origin).parent / "container_drivers" / "common" / "utils.py"
    spec = importlib.util.spec_from_file_location("driver_utils", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("epochs", "ten", "hyperparameter epochs: 'ten' is not a whole number"),
        ("epochs", "0", "hyperparameter epochs: 0 is out of range; it must be a whole number between 1 and"),
        ("leeway", "1.5", "hyperparameter leeway: 1.5 is out of range"),
        ("learning_rate_generator", "nan", "hyperparameter learning_rate_generator: nan is out of range"),
        ("input_dropout", "1", "hyperparameter input_dropout: 1 is out of range"),
        ("groups", "risky", "at least two different groups"),
        ("epoch", "3", "unrecognized arguments: --epoch 3 (known: --epochs"),
        ("candidates", "{}", "hyperparameter candidates: must be a JSON object with at least one candidate"),
        ("variant", "wgan", "hyperparameter variant: 'wgan' is not one of scarcegan, vanilla"),
        ("units", "128,", "hyperparameter units: '128,' must be 1 to 8 whole numbers"),
        ("units", "0", "hyperparameter units: '0' must be"),
        ("cross_validation", "yes", "hyperparameter cross_validation: 'yes' is neither true nor false"),
    ],
)
def test_a_wrong_hyperparameter_is_named(name: str, value: str, text: str) -> None:
    with pytest.raises(InputError) as raised:
        hyperparameters.parse(Hyperparameters, [f"--{name}", value])
    assert text in str(raised.value)
    assert "\n" not in str(raised.value)


def test_bad_channels_end_with_one_line(small: Path, tmp_path: Path) -> None:
    def assert_fails(text: str, *options: str) -> None:
        assert text in refused("train.py", "--base", tmp_path, *options)
        assert not (tmp_path / "model").exists()

    assert_fails("hyperparameter epochs: 'ten'", "--epochs", "ten")
    assert_fails("scaler.json: cannot be read")
    data = tmp_path / "input" / "data"
    shutil.copytree(small / "output", data)
    fitted = data / "train_data" / "scaler.json"
    whole = fitted.read_text()
    for name, value, text in (
        ("mean", ["a"] * 50, "not a scaler.json of preprocess.py (could not convert string to float: 'a')"),
        ("std", [0.0] * 50, "mean, std and clip must be finite numbers, std and clip above 0"),
        ("std", [None] * 50, "mean, std and clip must be finite numbers"),
        ("mean", [[1.0]] * 50, "not a scaler.json of preprocess.py (setting an array element"),
        ("log", [0] * 50, "must be lists of one length, log of true or false"),
        ("std", [1.0], "must be lists of one length"),
        ("features", [1] * 50, "features must be a list of names"),
        ("more", 1, "not a scaler.json of preprocess.py (Scaler.__init__() got an unexpected"),
    ):
        fitted.write_text(json.dumps(json.loads(whole) | {name: value}))
        assert_fails(text)
    fitted.write_text(whole)
    rows = data / "train_data" / "data.csv"
    whole = rows.read_text()
    rows.write_bytes(b"\xaf\xfe\n")
    assert_fails("data.csv: its columns are not the features that the scaler and the model have")
    head, first, rest = whole.split("\n", 2)
    rows.write_text("\n".join([head, first[first.index(",") :], rest]))
    assert_fails("data.csv: a row has no player_id")
    rows.write_text(whole)
    labels = data / "train_label" / "label.csv"
    whole = labels.read_text()
    labels.write_text(whole.replace(",dormant", ",sleepy", 1))
    assert_fails("label 'sleepy' is not one of the groups")
    labels.write_text("\n".join(whole.splitlines()[:-1]) + "\n")
    assert_fails("its keys are not those of")
    labels.write_text(whole.replace(",risky", ",heavy"))
    assert_fails("channel train_label: group 'risky' has no rows")
    labels.write_text(whole)
    shutil.rmtree(data / "unlabelled_folds")
    assert_fails("unlabelled_folds: has no fold_*.csv")


def test_other_groups_or_folds_than_those_of_the_preprocessing_are_named(small: Path, tmp_path: Path) -> None:
    data = tmp_path / "input" / "data"
    shutil.copytree(small / "output", data)
    channel = training_data.channels(Folders(tmp_path))
    groups, other = ["risky", "dormant", "normal", "heavy"], ["normal", "risky", "dormant", "heavy"]
    scale = training_data.load(channel, groups).scaler

    def load(groups: list[str]) -> None:
        training_data.load(channel, groups)
        training_data.load_folds(channel, groups, scale)

    def assert_refused(text: str, groups: list[str] = groups) -> None:
        with pytest.raises(InputError, match=text):
            load(groups)

    assert_refused("groups: normal,risky,dormant,heavy here, but preprocess.py had risky,dormant", other)
    for name, number, text in (
        ("unlabelled_folds", 1, "unlabelled_folds: has a fold_2, but no fold_1.csv; copy all files"),
        ("unlabelled_folds", 2, "unlabelled_folds: has 2 folds, but preprocess.py made 3; copy all its"),
        ("kfold_train_data", 0, "kfold_train_data: has a fold_2, but no fold_0.csv"),
        ("kfold_train_data", 2, "kfold_train_data: has 2 folds, but preprocess.py made 3"),
        ("kfold_validation_label", 1, r"kfold_validation_label/fold_1.csv: there is no such file"),
    ):
        path = data / name / f"fold_{number}.csv"
        path.rename(data / "kept")
        assert_refused(text)
        (data / "kept").rename(path)
    record = data / "train_data" / "splits.json"
    for broken in ("{", "[]", '{"groups": 5, "folds": 3}', '{"groups": ["a"], "folds": 1e999}'):
        record.write_text(broken)
        assert_refused(r"splits\.json: not a splits\.json of preprocess\.py; run it again")
    record.unlink()
    training_data.load(channel, other)  # nothing to compare with


def test_a_model_that_cannot_be_written_ends_with_one_line(small: Path, tmp_path: Path) -> None:
    link(small / "output", tmp_path / "input" / "data")
    (tmp_path / "checkpoints").mkdir()  # the second try goes on from the end of the first
    (tmp_path / "model").write_text("in the way")
    line = refused("train.py", "--base", tmp_path, *QUICK)
    expected = f"Error: {tmp_path}/model: cannot be opened or written (File exists); move it out of the way"
    assert line == expected
    (tmp_path / "model").unlink()
    with room_for(30_000):
        line = refused("train.py", "--base", tmp_path, *QUICK)
    assert line.startswith(f"Error: {tmp_path}/model/candidates/one: cannot be written (/")
    assert "File too large" in line
    assert line.endswith("; make room there, or move it out of the way")


def test_leeway_relaxes_negatives_and_never_the_scarce_group() -> None:
    logits = tf.constant([[2.0, 0.0, 1.0, -1.0], [0.0, 3.0, 0.0, 1.0]])
    log = tf.nn.log_softmax(logits).numpy()
    scarce, negative = tf.constant([0, 0]), tf.constant([1, 1])
    strict = float(losses.supervised_with_leeway(logits, scarce, 0.0))
    assert strict == pytest.approx(-log[:, 0].mean(), rel=1e-5)
    assert float(losses.supervised_with_leeway(logits, scarce, 0.4)) == pytest.approx(strict)
    expected = -(0.6 * log[:, 1] + 0.4 * log[:, 3]).mean()
    assert float(losses.supervised_with_leeway(logits, negative, 0.4)) == pytest.approx(expected, rel=1e-5)


def test_generator_terms() -> None:
    same = tf.constant([[1.0, 2.0], [1.0, 2.0], [2.0, 4.0]])
    assert float(losses.pull_away(same)) == pytest.approx(1.0)
    assert float(losses.pull_away(tf.constant([[1.0, 0.0], [0.0, 5.0]]))) == pytest.approx(0.0)
    assert float(losses.feature_matching(same, same)) == 0.0
    assert float(losses.feature_matching(same, same + 2.0)) == pytest.approx(2.0)
    sure, unsure = tf.constant([[9.0, 0.0, 0.0]]), tf.constant([[0.0, 0.0, 9.0]])
    real, fake = tf.constant([[9.0, 0.0, -9.0]]), tf.constant([[-9.0, -9.0, 9.0]])
    assert float(losses.low_density(sure, real, 0.5)) > float(losses.low_density(unsure, real, 0.5))
    assert float(losses.low_density(sure, fake, 0.5)) == 0.0


def test_unsupervised_terms() -> None:
    real, fake = tf.constant([[1.0, 0.5, -1.0]]), tf.constant([[0.0, 0.0, 2.0]])
    log_real, log_fake = tf.nn.log_softmax(real).numpy()[0], tf.nn.log_softmax(fake).numpy()[0]
    expected = 0.5 * (-(0.9 * log_real[0] + 0.1 * log_real[1]) - log_fake[2])
    assert float(losses.unsupervised(real, fake, 0.1)) == pytest.approx(expected, rel=1e-5)
    assert float(losses.conditional_entropy(tf.zeros([3, 4]))) == pytest.approx(np.log(4), rel=1e-5)


def test_terms_of_the_supervised_head() -> None:
    real, fake = (np.random.default_rng(seed).normal(size=(5, 4)).astype(np.float32) for seed in (1, 2))
    log_real, log_fake = log_softmax(real, axis=1), log_softmax(fake, axis=1)
    scarce = -np.log1p(-np.exp(log_real[:, 0])).mean()
    assert float(losses.unlabelled_not_scarce(real)) == pytest.approx(scarce, rel=1e-4)
    assert float(losses.generated_unknown(fake)) == pytest.approx(-log_fake[:, -1].mean(), rel=1e-5)
    expected = 0.5 * (-np.log1p(-np.exp(log_real[:, -1])).mean() - log_fake[:, -1].mean())
    assert float(losses.known_or_generated(real, fake)) == pytest.approx(expected, rel=1e-4)
