"""`retrain data --from` on real local services: a person's own files where an input points."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import tiny_project
from tiny_project import CHAIN, MODEL, STEPS, Tiny, retrain

from retraining.errors import UserError
from retraining.runs import arguments, own_data

BUCKET = "sagemaker-eu-west-1-111122223333"
SIMULATE = """\
import argparse, pathlib
parser = argparse.ArgumentParser()
parser.add_argument("--out", type=pathlib.Path)
parser.add_argument("--seed")
given = parser.parse_args()
for channel in ("customers", "orders", "prices"):
    (given.out / channel).mkdir(parents=True)
    (given.out / channel / "simulated.csv").write_text(given.seed)
"""


def uri(name: str) -> dict[str, str]:
    return {"parameter": f"{name.capitalize()}Data", "default": f"s3://SMP_S3BUCKETNAME/data/{name}/"}


CHANNELS: dict[str, Any] = {
    "customers": {"dataFiles": [{"sourceName": "customers", "fileName": uri("customers")}]},
    "orders": {"dataFiles": [{"sourceName": "orders", "fileName": uri("orders")}]},
    # No parameter, and one file of a bucket.
    "prices": {
        "s3BucketName": "SMP_S3BUCKETNAME",
        "inputBucketPrefix": "tables",
        "dataFiles": [{"sourceName": "prices", "fileName": "prices.csv"}],
    },
}


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiny]:
    with tiny_project.running(tmp_path_factory.mktemp("own")) as project:
        project.configure(
            {**MODEL, "preprocess": {**MODEL["preprocess"], "channels": CHANNELS}}, STEPS, CHAIN
        )
        project.write("models/tiny/simulate.py", SIMULATE)
        yield project


@pytest.fixture
def tiny(services: Tiny) -> Tiny:
    """The same with nothing in S3 below data/ and tables/."""
    for key in keys():
        boto3.client("s3").delete_object(Bucket=BUCKET, Key=key)
    return services


def keys() -> list[str]:
    listed = [
        item["Key"]
        for prefix in ("data/", "tables/")
        for item in boto3.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
    ]
    return sorted(listed)


def read(key: str) -> str:
    return str(boto3.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read().decode())


def put(key: str) -> None:
    boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"mine")


def refused(done: "subprocess.CompletedProcess[str]") -> str:
    """The one line of a refusal."""
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert "Traceback" not in done.stderr
    return line.removeprefix("Error: ")


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A folder of two files, and of what lies around in folders."""
    folder = tmp_path / "mine"
    for name in ("a.csv", "2026/B.PARQUET", ".hidden", "_SUCCESS", ".git/config", "2026/_part"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{name} of mine")
    return folder


def test_a_file_takes_the_place_of_simulated_data(tiny: Tiny, mine: Path) -> None:
    assert retrain(tiny, "data").returncode == 0
    assert keys() == [
        "data/customers/simulated.csv",
        "data/orders/simulated.csv",
        "tables/prices.csv/simulated.csv",
    ]
    done = retrain(tiny, "data", "--from", str(mine / "a.csv"), "--input", "CustomersData")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"s3://{BUCKET}/data/customers/: 1 file of yours, in place of 1 simulated object",
        "To run on it: retrain run",
    ]
    assert keys()[:2] == ["data/customers/a.csv", "data/orders/simulated.csv"]
    assert read("data/customers/a.csv") == "a.csv of mine"
    # A model that learns from both is worth nothing.
    assert f"s3://{BUCKET}/data/orders/ (OrdersData) still holds simulated data" in done.stderr
    assert "retrain data --from FILE --input OrdersData" in done.stderr


def test_a_folder_is_put_with_its_folders_and_without_what_jobs_skip(tiny: Tiny, mine: Path) -> None:
    done = retrain(tiny, "data", "--from", str(mine), "--input", "orders", "--json")
    assert done.returncode == 0, done.stderr
    assert keys() == ["data/orders/2026/B.PARQUET", "data/orders/a.csv"]
    (state,) = json.loads(done.stdout)
    assert (state["input"], state["holds"], state["objects"], state["written"]) == (
        "OrdersData",
        "own",
        2,
        True,
    )
    assert "left out, because jobs skip files whose name begins with . or _: " in done.stderr
    assert ".git/config, .hidden, 2026/_part, ..." in done.stderr


def test_own_data_is_replaced_where_that_is_said_only(tiny: Tiny, mine: Path) -> None:
    give = ["data", "--from", str(mine / "a.csv"), "--input", "CustomersData"]
    put("data/customers/old.csv")
    line = refused(retrain(tiny, *give))
    assert line.startswith(
        f"s3://{BUCKET}/data/customers/ holds your own data (1 object, old.csv): give --replace"
    )
    assert keys() == ["data/customers/old.csv"]
    assert retrain(tiny, *give, "--replace").returncode == 0
    assert keys() == ["data/customers/a.csv"]
    # The same once more is no mistake, and no newer object; another content is.
    written = boto3.client("s3").head_object(Bucket=BUCKET, Key="data/customers/a.csv")["LastModified"]
    assert retrain(tiny, *give).returncode == 0
    again = boto3.client("s3").head_object(Bucket=BUCKET, Key="data/customers/a.csv")["LastModified"]
    assert again == written
    (mine / "a.csv").write_text("changed")
    refused(retrain(tiny, *give))
    assert read("data/customers/a.csv") == "a.csv of mine"
    # Nor does simulated data come over it.
    assert retrain(tiny, "data").returncode == 0
    assert keys() == ["data/customers/a.csv"]


def test_an_input_that_is_one_file_gets_one_file(tiny: Tiny, mine: Path) -> None:
    give = ["data", "--input", "prices", "--from"]
    assert retrain(tiny, *give, str(mine / "a.csv")).returncode == 0
    assert keys() == ["tables/prices.csv"]
    for wrong in (mine, mine / "2026" / "B.PARQUET"):
        with pytest.raises(UserError, match=r"is the one file s3://.*/tables/prices.csv: give one .csv file"):
            own_data.place(tiny.configuration, ["tiny"], wrong, "prices", None, True, lambda words: None)
    assert keys() == ["tables/prices.csv"]


def test_what_cannot_be_put_is_one_line(tiny: Tiny, mine: Path) -> None:
    (mine / "empty.csv").touch()
    (mine / "nothing").mkdir()
    os.mkfifo(mine / "pipe.csv")
    for name, given, to, expected in (
        (
            "a.csv",
            None,
            None,
            "--from: say which input is meant: --input CustomersData or OrdersData or prices",
        ),
        ("a.csv", "CustomerData", None, "no such input; did you mean 'CustomersData'?"),
        ("gone.csv", "customers", None, "gone.csv: no such file or folder"),
        ("nothing", "customers", None, "there is no file in this folder"),
        ("empty.csv", "customers", None, "empty.csv: this file is empty"),
        ("pipe.csv", "customers", None, "pipe.csv: not a file that can be copied"),
        ("_SUCCESS", "customers", None, "jobs skip files whose name begins with _: rename it"),
        ("a.csv", "customers", "here", "--to: an S3 URI such as s3://bucket/prefix/ is expected, not 'here'"),
        ("a.csv", "customers", "s3://no-such-bucket/x/", "bucket no-such-bucket does not exist"),
        ("a.csv", "prices", f"s3://{BUCKET}/x/", "is no pipeline parameter"),
    ):
        with pytest.raises(UserError) as caught:
            own_data.place(tiny.configuration, ["tiny"], mine / name, given, to, False, lambda words: None)
        assert expected in str(caught.value)
        assert keys() == []
    for options, expected in (
        (
            ["--from", f"s3://{BUCKET}/data/", "--input", "orders"],
            "it is in S3 already: give it to `retrain run --param`",
        ),
        (["--from", ".", "--seed", "8"], "--seed: --from takes no such option"),
        (["--from", ".", "--players", "3"], "--players: --from takes no such option"),
        (["--input", "orders"], "--input belongs to --from FILE_OR_FOLDER"),
    ):
        assert expected in refused(retrain(tiny, "data", *options))


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("models", "models"),
        ("./my data.csv", "'./my data.csv'"),
        ("/tmp/x", "/tmp/x"),
        ("file:///tmp/x", "/tmp/x"),
        ("data/customers", "FILE_OR_FOLDER"),
    ],
)
def test_a_local_path_in_a_parameter_names_the_command(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, value: str, path: str
) -> None:
    monkeypatch.chdir(tiny.root)
    with pytest.raises(UserError) as caught:
        arguments.parse(tiny.configuration, [f"CustomersData={value}"])
    assert str(caught.value) == (
        f"--param CustomersData: an S3 URI such as s3://bucket/prefix/ is expected, not {value!r}: jobs read "
        f"from S3, and `retrain data --from {path} --input CustomersData` puts files of this machine there"
    )


def test_all_inputs_are_listed_where_they_are(tiny: Tiny) -> None:
    done = retrain(tiny, "data", "--list")
    assert done.stdout.splitlines() == [
        f"s3://{BUCKET}/data/customers/: empty, CustomersData of tiny",
        f"s3://{BUCKET}/data/orders/: empty, OrdersData of tiny",
        f"s3://{BUCKET}/tables/prices.csv: empty, prices of tiny",
    ]


def test_a_run_without_data_names_the_command(tiny: Tiny) -> None:
    line = next(line for line in retrain(tiny, "run").stderr.splitlines() if "CustomersData" in line)
    assert "put your own data there (`retrain data --from FILE --input CustomersData`)" in line


def test_a_result_that_would_be_reused_is_named_with_a_way_out(tiny: Tiny, mine: Path) -> None:
    for name in ("customers", "orders"):
        put(f"data/{name}/old.csv")
    put("tables/prices.csv")
    tiny.run()
    give = ["data", "--from", str(mine / "a.csv"), "--input", "CustomersData"]
    done = retrain(tiny, *give, "--replace")
    assert done.returncode == 0, done.stderr
    *_, line = done.stdout.splitlines()
    assert line.startswith(
        "! Preprocess ran on what was here before, and a run would reuse that result: put the"
    )
    # What it says to do is right: the data is elsewhere, and the step runs on it.
    advised = line.partition("retrain data ")[2].split()
    done = retrain(tiny, "data", *advised)
    assert done.returncode == 0, done.stderr
    assert keys()[0] == "data/customers-2/a.csv"
    given = done.stdout.splitlines()[-1].partition("--param ")[2]
    assert given == f"CustomersData=s3://{BUCKET}/data/customers-2/"
    assert not tiny.run(given)["Preprocess"]
    assert tiny.run()["Preprocess"]
