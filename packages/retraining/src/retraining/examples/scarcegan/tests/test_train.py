import importlib.util
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from jobs import Chain, run, run_chain, run_without_room, succeed
from sklearn import metrics as reference

import candidates
import failure
import measures
import scaler
import train
from failure import InputError
from model import export, hyperparameters, losses, networks, training_data

LINE = re.compile(
    r"^Iteration=(\d+); Discriminator_Supervised_Loss=([-+0-9.eE]+); "
    r"Discriminator_UnSupervised_Loss=([-+0-9.eE]+); Generator_Loss=([-+0-9.eE]+); "
    r"Accuracy_Supervised=([-+0-9.eE]+);",
    re.MULTILINE,
)
QUICK = ("--epochs", 2, "--iterations_per_epoch", 20, "--batch_size", 32)


@pytest.fixture(scope="module")
def quick(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    root = tmp_path_factory.mktemp("quick")
    shutil.copytree(small, root / "preprocess" / "input")
    return run_chain(root, train=QUICK, evaluate=False)


def scores(model: Path, rows: pd.DataFrame) -> dict[str, np.ndarray]:
    serve = tf.saved_model.load(str(model / "1")).signatures["serving_default"]
    answer = serve(features=tf.constant(rows.to_numpy(), tf.float32))
    return {name: value.numpy() for name, value in answer.items()}


def test_each_epoch_prints_the_metrics_that_the_pipeline_reads(chain: Chain) -> None:
    found = LINE.findall(chain.logs["train"])
    history = pd.read_csv(chain.model / "history.csv")
    assert len(found) == len(history) == 20
    printed = np.array(found, dtype=float)
    columns = ["iteration", "discriminator_supervised_loss", "discriminator_unsupervised_loss"]
    columns += ["generator_loss", "accuracy_supervised"]
    np.testing.assert_allclose(printed, history[columns], atol=1e-6)
    assert (
        history["discriminator_supervised_loss"].iloc[-1] < history["discriminator_supervised_loss"].iloc[0]
    )


def test_each_candidate_is_the_best_epoch_of_its_definition(chain: Chain) -> None:
    listing = json.loads((chain.model / "candidates.json").read_text())
    assert [entry["name"] for entry in listing] == list(candidates.DEFAULT)
    labels = pd.read_csv(chain.preprocessed / "validation_label" / "label.csv")["label"]
    rows = pd.read_csv(chain.preprocessed / "validation_data" / "data.csv").iloc[:, 1:]
    for entry in listing:
        answer = scores(chain.model / "candidates" / entry["name"], rows)
        measured = measures.at_threshold(labels.to_numpy() == "risky", answer["score"], entry["threshold"])
        for name, value in measured.items():
            assert value == pytest.approx(entry["validation"][name], abs=0.003), (entry["name"], name)
        flagged = answer["label"] == b"risky"
        assert (flagged == (answer["score"] >= np.float32(entry["threshold"]))).all()
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


def test_the_graph_scales_as_the_scaler_does(chain: Chain) -> None:
    fitted = scaler.load(chain.preprocessed / "train_data" / "scaler.json")
    raw = pd.read_csv(chain.preprocessed / "test" / "data.csv").iloc[:300, 1:]
    network = networks.Discriminator(raw.shape[1], 4, (8,), seed=1)
    weights = network.parameters.numpy()
    serving = export.Serving(weights, (8,), fitted, ["a", "b", "c", "d"])
    values = serving.scale(tf.constant(raw.to_numpy(), tf.float32)).numpy()
    np.testing.assert_allclose(values, fitted.transform(raw.to_numpy()), atol=2e-5)


def test_a_seed_gives_the_same_model_again(quick: Chain, tmp_path: Path) -> None:
    (tmp_path / "input").symlink_to(quick.root / "train" / "input", target_is_directory=True)
    assert LINE.findall(succeed("train.py", "--base", tmp_path, *QUICK)) == LINE.findall(quick.logs["train"])
    for name in ("candidates.json", "history.csv", "hyperparameters.json"):
        assert (tmp_path / "model" / name).read_bytes() == (quick.model / name).read_bytes()
    other = LINE.findall(succeed("train.py", "--base", tmp_path, *QUICK, "--seed", 8))
    assert other != LINE.findall(quick.logs["train"])


def test_it_runs_under_sagemakers_environment_and_arguments(quick: Chain, tmp_path: Path) -> None:
    """The arguments are made by the SDK's own driver from hyperparameters as a training job has them."""
    sagemaker = importlib.util.find_spec("sagemaker.train")
    if sagemaker is None or sagemaker.origin is None:
        pytest.skip("the SageMaker SDK is not installed")
    path = Path(sagemaker.origin).parent / "container_drivers" / "common" / "utils.py"
    spec = importlib.util.spec_from_file_location("driver_utils", path)
    assert spec is not None
    assert spec.loader is not None
    driver = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(driver)
    definition = {"only-one": {"metric": "f1", "mode": "max", "min_recall": 0.1}}
    hyper = {"epochs": "1", "iterations_per_epoch": 5, "leeway": "0.25", "candidates": json.dumps(definition)}
    channels = {
        f"SM_CHANNEL_{folder.name.upper()}": str(folder)
        for folder in quick.preprocessed.iterdir()
        if folder.name != "test"
    }
    arguments = driver.hyperparameters_to_cli_args(hyper | {"groups": '"risky,dormant,normal,heavy"'})
    succeed("train.py", *arguments, SM_MODEL_DIR=str(tmp_path / "model"), **channels)
    listing = json.loads((tmp_path / "model" / "candidates.json").read_text())
    assert [(entry["name"], entry["definition"]) for entry in listing] == list(definition.items())
    used = json.loads((tmp_path / "model" / "hyperparameters.json").read_text())
    assert used["epochs"] == 1
    assert used["leeway"] == 0.25
    assert used["candidates"] == definition


BAD_CANDIDATES = [
    ("{", "not JSON"),
    ("[" * 100_000, "not JSON"),
    ("{}", "at least one candidate"),
    ('{"a": 1}', "'a' must be an object"),
    ('{"A b": {"metric": "f1", "mode": "max"}}', "'A b' is no candidate name"),
    ('{"a": {"metric": "recal", "mode": "max"}}', "metric 'recal'; allowed: recall, precision"),
    ('{"a": {"metric": "f1", "mode": "maximum"}}', "mode 'maximum'; allowed: max, min"),
    (
        '{"a": {"metric": "f1", "mode": "max", "min_gain": 1}}',
        "unknown key 'min_gain'; allowed: metric, mode",
    ),
    ('{"a": {"metric": "f1", "mode": "max", "min_recall": 2}}', "min_recall 2"),
]
BAD_CANDIDATES += [
    ('{"a": {"metric": "f1", "mode": "max"}, "a": {"metric": "f1", "mode": "max"}}', "'a' is named twice"),
    ('{"a": {"metric": "f1", "metric": "recall", "mode": "max"}}', "'metric' is named twice; keep one"),
]
BAD_HYPERPARAMETERS = [
    ("epochs", "ten", "hyperparameter epochs: 'ten' is not a whole number"),
    ("epochs", "0", "hyperparameter epochs: 0 is out of range; it must be a whole number between 1 and"),
    ("leeway", "1.5", "hyperparameter leeway: 1.5 is out of range"),
    ("learning_rate_generator", "nan", "hyperparameter learning_rate_generator: nan is out of range"),
    ("groups", "risky", "at least two different groups"),
    ("epoch", "3", "unrecognized arguments: --epoch 3 (known: --epochs"),
    *(("candidates", text, message) for text, message in BAD_CANDIDATES),
]


@pytest.mark.parametrize(("name", "value", "text"), BAD_HYPERPARAMETERS)
def test_a_wrong_hyperparameter_is_named(name: str, value: str, text: str) -> None:
    with pytest.raises(InputError) as raised:
        hyperparameters.parse([f"--{name}", value])
    assert text in str(raised.value)


def test_a_wrong_hyperparameter_ends_the_process_with_one_line(tmp_path: Path) -> None:
    done = run("train.py", "--base", tmp_path, "--epochs", "ten")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("Error: hyperparameter epochs: 'ten'")
    assert (tmp_path / "output" / "failure").read_text() == done.stderr.splitlines()[-1] + "\n"
    assert "Traceback" not in done.stderr


def test_bad_channels_end_with_one_line(quick: Chain, tmp_path: Path) -> None:
    reason = tmp_path / "output" / "failure"

    def assert_fails(text: str) -> None:
        assert failure.run(lambda: train.main(["--base", str(tmp_path)]), reason) == 1
        assert text in reason.read_text()
        assert reason.read_text().count("\n") == 1
        assert "unexpected" not in reason.read_text()
        assert not (tmp_path / "model").exists()

    assert_fails("scaler.json: cannot be read")
    data = tmp_path / "input" / "data"
    shutil.copytree(quick.preprocessed, data)
    fitted = data / "train_data" / "scaler.json"
    whole = fitted.read_text()
    for name, value in (("mean", "a"), ("std", 0.0), ("std", None), ("mean", [1.0])):
        fitted.write_text(json.dumps({**json.loads(whole), name: [value] * 50}))
        assert_fails("mean, std and clip must be finite numbers")
    fitted.write_text(whole)
    rows = data / "train_data" / "data.csv"
    whole = rows.read_text()
    rows.write_bytes(b"\xaf\xfe\n")
    assert_fails("data.csv: not a CSV file of preprocess.py")
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
    assert_fails("channel unlabelled_folds: no fold_*.csv")


def test_other_groups_or_folds_than_those_of_the_preprocessing_are_named(
    quick: Chain, tmp_path: Path
) -> None:
    data = tmp_path / "input" / "data"
    shutil.copytree(quick.preprocessed, data)
    channel, groups = training_data.channels(tmp_path), ["risky", "dormant", "normal", "heavy"]
    scale = training_data.load(channel, groups).scaler

    def read(groups: list[str]) -> None:
        training_data.load(channel, groups)
        training_data.load_folds(channel, groups, scale)

    def assert_refused(text: str, groups: list[str] = groups) -> None:
        with pytest.raises(InputError, match=text):
            read(groups)

    other = ["normal", "risky", "dormant", "heavy"]
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


def test_a_model_that_cannot_be_written_ends_with_one_line(quick: Chain, tmp_path: Path) -> None:
    (tmp_path / "input").symlink_to(quick.root / "train" / "input", target_is_directory=True)
    options = ("--epochs", 1, "--iterations_per_epoch", 2, "--batch_size", 32, "--cross_validation", "false")
    line = run_without_room(30_000, "train.py", "--base", tmp_path, *options)
    assert line.startswith(f"Error: {tmp_path}/model/candidates/best-recall: cannot be written (/")
    assert "File too large" in line
    assert line.endswith("; make room there, or move away what lies there")
    shutil.rmtree(tmp_path / "model")
    (tmp_path / "model").write_text("in the way")
    argv, reason = ["--base", str(tmp_path), *map(str, options)], tmp_path / "output" / "failure"
    assert failure.run(lambda: train.main(argv), reason) == 1
    expected = (
        f"Error: {tmp_path}/model: cannot be opened or written (File exists); move away what lies there\n"
    )
    assert reason.read_text() == expected


truth_and_scores = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]) | st.floats(0, 1)),
    min_size=1,
    max_size=40,
)


@settings(max_examples=200)
@given(truth_and_scores)
def test_measures_agree_with_scikit_learn(rows: list[tuple[bool, float]]) -> None:
    positive, values = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    curve = measures.sweep(positive, values)
    assert len(curve.thresholds) == len(set(values))
    for number, threshold in enumerate(curve.thresholds):
        found = measures.at_threshold(positive, values, threshold)
        flagged = values >= threshold
        assert curve.flagged[number] == flagged.sum()
        for name in ("recall", "precision", "f1"):
            expected = getattr(reference, f"{name}_score")(positive, flagged, zero_division=0)
            assert found[name] == pytest.approx(expected)
            assert getattr(curve, name)[number] == pytest.approx(expected)
        assert curve.accuracy[number] == pytest.approx((positive == flagged).mean())
    if positive.any():
        expected = reference.average_precision_score(positive, values)
        assert measures.average_precision(positive, values) == pytest.approx(expected)
        if not positive.all():
            assert measures.auc(positive, values) == pytest.approx(reference.roc_auc_score(positive, values))


@settings(max_examples=200)
@given(
    truth_and_scores,
    st.sampled_from(candidates.METRICS),
    st.sampled_from(["max", "min"]),
    st.dictionaries(st.sampled_from(candidates.THRESHOLD_METRICS), st.floats(0, 1), max_size=2),
)
def test_a_choice_meets_its_minimums_where_any_threshold_does(
    rows: list[tuple[bool, float]], metric: str, mode: str, minimums: dict[str, float]
) -> None:
    positive, values = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    definition = candidates.Definition("any", metric, mode, minimums)
    choice = candidates.choose(definition, positive, values, 0.5)
    for name, value in measures.at_threshold(positive, values, choice.threshold).items():
        assert choice.metrics[name] == pytest.approx(value)
    possible = [
        measures.at_threshold(positive, values, threshold)
        for threshold in measures.sweep(positive, values).thresholds
    ]
    allowed = [found for found in possible if all(found[name] >= least for name, least in minimums.items())]
    assert choice.met == bool(allowed)
    if allowed and metric in candidates.THRESHOLD_METRICS:
        best = (max if mode == "max" else min)(found[metric] for found in allowed)
        assert choice.metrics[metric] == pytest.approx(best)


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
