"""Several instances, each with its shard of the files, as SageMaker's ShardedByS3Key deals them out."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from jobs import MODEL, link, refused, succeed

from data import dataset, scaler
from data.scaler import Statistics
from job_toolkit.failure import InputError
from job_toolkit.training import Folders
from model import training_data
from preparation import schema

GROUPS = ["risky", "dormant", "normal", "heavy"]
FEATURES = schema.load(MODEL / "schema.json").names
HOSTS = ("algo-1", "algo-2")
QUICK = ("--epochs", 1, "--iterations_per_epoch", 10, "--batch_size", 32)
QUICK += ("--candidates", '{"one": {"metric": "f1", "mode": "max"}}')


def deal(source: Path, target: Path, host: str, hosts: tuple[str, ...] = HOSTS) -> Path:
    """An instance's folders: its shard of the files, and resourceconfig.json; its --base."""
    base = target / "processing"
    for folder in sorted(source.iterdir()):
        (base / "input" / folder.name).mkdir(parents=True)
        for number, path in enumerate(sorted(folder.iterdir())):
            if hosts[number % len(hosts)] == host:
                shutil.copy(path, base / "input" / folder.name / path.name)
    configure(target, {"current_host": host, "hosts": hosts, "current_instance_type": "ml.m5.xlarge"})
    return base


def configure(target: Path, document: object) -> None:
    (target / "config").mkdir(exist_ok=True)
    (target / "config" / "resourceconfig.json").write_text(json.dumps(document))


@pytest.fixture(scope="module")
def files(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The simulated rows in four files a group."""
    out = tmp_path_factory.mktemp("files")
    for path in sorted((small / "input").glob("*/part-0000.csv")):
        (out / path.parent.name).mkdir()
        rows = pd.read_csv(path, dtype=str)
        for number in range(4):
            rows.iloc[number::4].to_csv(out / path.parent.name / f"part-{number}.csv", index=False)
    return out


@pytest.fixture(scope="module")
def together(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What both instances uploaded to the same prefixes."""
    root = tmp_path_factory.mktemp("hosts")
    for host in HOSTS:
        base = deal(files, root / host, host)
        log = succeed("preprocess.py", "--base", base, "--reference", root / "profile.json")
        assert f"there is no {root}/profile-{host}.json" in log
        for path in (path for path in (base / "output").rglob("*") if path.is_file()):
            target = root / "data" / path.relative_to(base / "output")
            target.parent.mkdir(parents=True, exist_ok=True)
            assert not target.exists()
            shutil.copy(path, target)
    return root / "data"


@pytest.fixture
def data(together: Path, tmp_path: Path) -> Path:
    """The channels of a training, to be changed; `channel` has their folders."""
    shutil.copytree(together, tmp_path / "input" / "data")
    return tmp_path / "input" / "data"


def load(data: Path) -> training_data.Data:
    return training_data.load(training_data.channels(Folders(data.parents[1])), GROUPS)


def test_no_file_of_two_hosts_has_the_same_name(together: Path) -> None:
    names = sorted(path.name for path in (together / "train_data").iterdir())
    kinds = ("data.csv", "data_quality.html", "data_quality.json", "drift.json", "profile.json")
    kinds += ("splits.json", "statistics.json")
    expected = [name.replace(".", f"-{host}.") for name in kinds for host in HOSTS]
    assert names == sorted(expected)


def test_all_rows_are_there_and_none_is_in_two_splits(together: Path, files: Path) -> None:
    labelled = {
        name: dataset.read_labelled(
            together / data / "data.csv", together / label / "label.csv", FEATURES, GROUPS
        )
        for name, data, label in (
            ("train", "train_data", "train_label"),
            ("validation", "validation_data", "validation_label"),
            ("test", "test", "test"),
        )
    }
    dataset.check_apart(labelled)
    for code, group in enumerate(GROUPS):
        expected = pd.concat([pd.read_csv(path) for path in (files / group).iterdir()])
        keys = [key for rows in labelled.values() for key in rows.keys.to_numpy()[rows.groups == code]]
        assert sorted(keys) == sorted(expected["player_id"])


def test_the_scaler_is_that_of_all_training_rows(together: Path) -> None:
    merged = scaler.load(together / "train_data" / "scaler.json")
    raw = pd.concat([pd.read_csv(path) for path in sorted((together / "train_data").glob("data-*.csv"))])
    assert Statistics.of(merged.features, raw[merged.features].to_numpy()).scaler() == merged


def test_the_training_reads_the_parts_together(together: Path, tmp_path: Path) -> None:
    link(together, tmp_path / "input" / "data")
    assert "Candidate=one" in succeed("train.py", "--base", tmp_path, *QUICK)
    channel = training_data.channels(Folders(tmp_path))
    data = training_data.load(channel, GROUPS)
    parts = training_data.load_folds(channel, GROUPS, data.scaler)
    assert len(parts) == 3
    assert len(data.unlabelled) == sum(
        len(pd.read_csv(path)) for path in (together / "unlabelled_folds").iterdir()
    )


def test_a_missing_part_of_a_fold_and_hosts_with_other_arguments_are_named(data: Path) -> None:
    missing = data / "unlabelled_folds" / "fold_1-algo-2.csv"
    missing.rename(data / "kept")
    with pytest.raises(InputError, match=r"unlabelled_folds: has a fold_2, but no fold_1-algo-2\.csv; copy"):
        load(data)
    path = data / "train_data" / "splits-algo-2.json"
    path.write_text(path.read_text().replace("3", "4"))
    with pytest.raises(InputError, match=r"algo-2\.json: has other groups or folds than splits-algo-1\.json"):
        load(data)


def test_a_key_in_the_shards_of_two_hosts_is_found(data: Path) -> None:
    one, two = (pd.read_csv(data / f"validation_data/data-{host}.csv", dtype=str) for host in HOSTS)
    key = one["player_id"].iloc[0]
    train = data / "train_data" / "data-algo-2.csv"
    rows = pd.read_csv(train, dtype=str)
    labels = data / "train_label" / "label-algo-2.csv"
    labels.write_text(labels.read_text().replace(f"{rows['player_id'].iloc[0]},", f"{key},"))
    rows.loc[0, "player_id"] = key
    rows.to_csv(train, index=False)
    with pytest.raises(InputError, match=rf"key '{key}' occurs twice, in train_data and validation_data"):
        load(data)
    pd.concat([two, two.head(1)]).to_csv(data / "validation_data" / "data-algo-2.csv", index=False)
    with pytest.raises(InputError, match=r"occurs twice, in .*validation_data "):
        dataset.read_features([data / "validation_data" / "data.csv"], FEATURES)


def test_statistics_of_other_features_do_not_merge(data: Path) -> None:
    path = data / "train_data" / "statistics-algo-2.json"
    document = json.loads(path.read_text())
    for changed, text in (
        (document | {"features": document["features"][::-1]}, "its features are not those of statistics-"),
        ([], "not statistics of preprocess.py"),
        (document | {"largest": [1.0]}, "not statistics of preprocess.py"),
        (document | {"largest": [None] * 50}, "not statistics of preprocess.py"),
        (document | {"features": 5}, "not statistics of preprocess.py"),
    ):
        path.write_text(json.dumps(changed))
        with pytest.raises(InputError, match=r"statistics-algo-2\.json: ") as raised:
            scaler.load(data / "train_data" / "scaler.json")
        assert text in str(raised.value)


def test_a_shard_without_a_group_and_one_without_any_file(files: Path, small: Path, tmp_path: Path) -> None:
    """One file a group: the second of two hosts gets nothing. Without a group it writes the others."""
    base = deal(small / "input", tmp_path / "empty", "algo-2")
    log = succeed("preprocess.py", "--base", base)
    assert "Host algo-2 of 2: its shard has no files; it writes nothing" in log
    assert not (base / "output").exists()
    base = deal(files, tmp_path / "some", "algo-1")
    shutil.rmtree(base / "input" / "risky")
    log = succeed("preprocess.py", "--base", base)
    assert "group 'risky': no file for the host algo-1" in log
    labels = pd.read_csv(base / "output" / "test" / "label-algo-1.csv")["label"]
    assert set(labels) == set(GROUPS[1:])


def test_files_with_a_header_alone_are_as_none(files: Path, small: Path, tmp_path: Path) -> None:
    """For one of several hosts; on the only one they are a mistake."""
    base = deal(small / "input", tmp_path / "empty", "algo-2")
    for path in (small / "input").glob("*/part-0000.csv"):
        (base / "input" / path.parent.name / path.name).write_text(path.read_text().split("\n")[0] + "\n")
    log = succeed("preprocess.py", "--base", base)
    assert "Host algo-2 of 2: its shard has no rows; it writes nothing" in log
    assert not (base / "output").exists()
    some = deal(files, tmp_path / "some", "algo-1")
    shutil.rmtree(some / "input" / "unlabelled")
    shutil.copytree(base / "input" / "unlabelled", some / "input" / "unlabelled")
    succeed("preprocess.py", "--base", some)
    labels = pd.read_csv(some / "output" / "test" / "label-algo-1.csv")["label"]
    assert set(labels) == set(GROUPS)


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ("{", "not a resourceconfig.json of SageMaker"),
        ([], "not a resourceconfig.json of SageMaker"),
        ({}, "not a resourceconfig.json of SageMaker"),
        ({"hosts": ["algo-1", "algo-2"]}, "not a resourceconfig.json of SageMaker"),
        ({"current_host": "algo-3", "hosts": ["algo-1", "algo-2"]}, "'algo-3' is none of the hosts"),
        ({"current_host": "algo-1", "hosts": ["algo-1", "algo-1"]}, "a host is named twice"),
    ],
)
def test_a_broken_resource_configuration_is_named(document: object, text: str, base: Path) -> None:
    configure(base.parent, document)
    line = refused("preprocess.py", "--base", base)
    assert "resourceconfig.json" in line
    assert text in line


def test_one_host_named_in_the_configuration_writes_whole_files(base: Path) -> None:
    configure(base.parent, {"current_host": "algo-1", "hosts": ["algo-1"]})
    succeed("preprocess.py", "--base", base)
    assert (base / "output" / "train_data" / "data.csv").is_file()


def test_parts_next_to_a_whole_file_are_refused(data: Path) -> None:
    folder = data / "validation_data"
    shutil.copy(folder / "data-algo-1.csv", folder / "data.csv")
    with pytest.raises(InputError, match=r"data\.csv: is next to data-algo-1\.csv"):
        dataset.read_features([folder / "data.csv"], FEATURES)


def test_rows_are_read_in_one_order_whatever_the_files(together: Path, tmp_path: Path) -> None:
    folds = sorted((together / "unlabelled_folds").iterdir())
    rows = dataset.read_features(folds, FEATURES)
    table = pd.concat([pd.read_csv(path) for path in folds]).sample(frac=1, random_state=1)
    table.to_csv(tmp_path / "all.csv", index=False)
    again = dataset.read_features([tmp_path / "all.csv"], FEATURES)
    assert rows.values.dtype == np.float32
    assert rows.keys.to_list() == again.keys.to_list()
    np.testing.assert_array_equal(rows.values, again.values)
    by_key = table.set_index("player_id").loc[rows.keys.to_list()]
    np.testing.assert_array_equal(rows.values, by_key.to_numpy(np.float32))
    scale = scaler.load(together / "train_data" / "scaler.json")
    scaled = dataset.read_features([tmp_path / "all.csv"], FEATURES, scale)
    np.testing.assert_array_equal(scaled.values, scale.transform(by_key.to_numpy()))
    with pytest.raises(InputError, match="its columns are not the features"):
        dataset.read_features([tmp_path / "all.csv"], FEATURES[::-1])
