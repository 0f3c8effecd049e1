"""`retrain data` on real local services: whose data it may replace, and what it refuses before it writes."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from projects import COMMAND, make_project

from local_sagemaker.core.settings import Settings
from retraining.config import configuration
from retraining.runs.targets import local_settings

BUCKET = "sagemaker-eu-west-1-111122223333"
SIMULATE = """\
import argparse, pathlib
parser = argparse.ArgumentParser()
parser.add_argument("--out", type=pathlib.Path)
parser.add_argument("--seed")
parser.add_argument("--files", type=int, default=1)
parser.add_argument("--without", default="")
given = parser.parse_args()
for group in {"risky", "dormant", "normal", "heavy", "unlabelled"} - {given.without}:
    (given.out / group).mkdir(parents=True)
    for number in range(given.files):
        (given.out / group / f"part-{number}.csv").write_text(given.seed)
"""


class Data:
    """A project whose simulate.py writes five small groups, and its local S3."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "models" / "scarcegan" / "simulate.py").write_text(SIMULATE)

    def retrain(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.root)}
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=self.root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def settings(self) -> Settings:
        return local_settings(configuration.load(self.root))

    def keys(self, prefix: str) -> list[str]:
        listed = self.settings.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix)
        return [item["Key"].removeprefix(prefix) for item in listed.get("Contents", [])]

    def put(self, key: str) -> None:
        self.settings.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"mine")

    def places(self, *arguments: str) -> dict[str, dict[str, Any]]:
        done = self.retrain("data", *arguments, "--json")
        assert done.returncode == 0, done.stderr
        return {item["channel"]: item for item in json.loads(done.stdout)}


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Data]:
    data = Data(make_project(tmp_path_factory.mktemp("data")))
    assert data.retrain("local", "up").returncode == 0
    yield data
    data.retrain("local", "down")


@pytest.fixture
def data(services: Data) -> Data:
    """The same with nothing in S3."""
    s3 = services.settings.client("s3")
    for key in services.keys(""):
        s3.delete_object(Bucket=BUCKET, Key=key)
    return services


def refused(done: "subprocess.CompletedProcess[str]") -> str:
    """The one line of a refusal."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    return line


def test_what_it_wrote_before_is_replaced(data: Data) -> None:
    assert data.retrain("data", "--files", "3").returncode == 0
    assert data.keys("data/risky/") == ["part-0.csv", "part-1.csv", "part-2.csv"]
    assert data.retrain("data", "--files", "1").returncode == 0
    assert data.keys("data/risky/") == ["part-0.csv"]
    places = data.places("--list")
    assert {item["holds"] for item in places.values()} == {"simulated"}


def test_what_is_there_already_is_not_written_again(data: Data) -> None:
    """A newer object would look like new data."""
    assert data.retrain("data").returncode == 0
    s3, place = data.settings.client("s3"), {"Bucket": BUCKET, "Key": "data/risky/part-0.csv"}
    # With other bytes it can be told from one that was written anew.
    s3.put_object(**place, Body=b"kept", Metadata=s3.head_object(**place)["Metadata"])
    assert data.retrain("data").returncode == 0
    assert s3.get_object(**place)["Body"].read() == b"kept"
    assert data.retrain("data", "--seed", "8").returncode == 0
    assert s3.get_object(**place)["Body"].read() == b"8"


def test_the_users_own_data_is_left_as_it_is(data: Data) -> None:
    """Even where it has the name of a simulated file, or lies beside simulated ones."""
    assert data.retrain("data", "--files", "2").returncode == 0
    data.put("data/risky/part-0.csv")
    data.put("data/risky/mine.csv")
    before = data.keys("")
    done = data.retrain("data", "--seed", "8")
    assert done.returncode == 0, done.stderr
    assert f"s3://{BUCKET}/data/risky/: holds your own data (3 objects, such as mine.csv)" in done.stdout
    assert f"s3://{BUCKET}/data/normal/: holds simulated data (2 objects): left as it is" in done.stdout
    assert data.keys("") == before
    read = data.settings.client("s3").get_object
    assert read(Bucket=BUCKET, Key="data/risky/part-0.csv")["Body"].read() == b"mine"
    assert read(Bucket=BUCKET, Key="data/normal/part-0.csv")["Body"].read() == b"7"


def test_own_data_needs_no_simulator(data: Data) -> None:
    script = data.root / "models" / "scarcegan" / "simulate.py"
    script.unlink()
    try:
        assert "no such file: there is no simulated sample data" in refused(data.retrain("data"))
        data.put("data/risky/mine.csv")
        done = data.retrain("data")
        assert done.returncode == 0, done.stderr
        assert "data/normal/: is empty: left as it is" in done.stdout
    finally:
        script.write_text(SIMULATE)


def test_the_marker_of_a_folder_is_nobodys_data(data: Data) -> None:
    data.put("data/risky/")
    assert data.retrain("data").returncode == 0
    assert "part-0.csv" in data.keys("data/risky/")


def test_another_place_with_other_data_is_refused(data: Data) -> None:
    data.put("mine/normal/a.csv")
    data.put("mine/normal/b.csv")
    line = refused(data.retrain("data", "--to", f"s3://{BUCKET}/mine"))
    assert f"s3://{BUCKET}/mine/normal/" in line
    assert "(2 objects, such as a.csv): give another prefix to --to, or remove it first" in line
    assert data.keys("") == ["mine/normal/a.csv", "mine/normal/b.csv"]


def test_all_folders_are_looked_at_before_the_first_upload(data: Data) -> None:
    line = refused(data.retrain("data", "--without", "risky"))
    assert "scarcegan/simulate.py wrote no folder 'risky'" in line
    assert "put your own data there" in line
    assert data.keys("") == []


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        (
            "s3://my-bucket/x/",
            f"bucket my-bucket does not exist: use the project's, s3://{BUCKET}/, or create it",
        ),
        ("s3://My_Bucket!/x/", "not 's3://My_Bucket!/x/'"),
        ("s3://", "--to: an S3 URI such as s3://bucket/prefix/ is expected, not 's3://'"),
        ("here", "--to: an S3 URI such as s3://bucket/prefix/ is expected, not 'here'"),
    ],
)
def test_a_place_that_cannot_be_is_one_line(data: Data, to: str, expected: str) -> None:
    assert expected in refused(data.retrain("data", "--model", "scarcegan", "--to", to))
    assert data.keys("") == []


def missing(done: "subprocess.CompletedProcess[str]") -> dict[str, str]:
    """What a run says of each input that holds nothing."""
    assert done.returncode == 2, done.stderr
    lines = [line.split(": ", 3) for line in done.stderr.splitlines() if line.startswith("Error: input ")]
    return {name.removeprefix("input "): words for _, name, _, words in lines}


def test_simulated_data_is_advised_where_it_helps(data: Data) -> None:
    words = missing(data.retrain("run"))
    assert set(words) == {"UnlabelledData", "RiskyData", "DormantData", "NormalData", "HeavyData"}
    expected = "or run `retrain data` for simulated sample data"
    assert all(
        said.endswith(f"give another location with --param {name}=s3://..., {expected}")
        for name, said in words.items()
    )

    elsewhere = missing(data.retrain("run", "--param", f"RiskyData=s3://{BUCKET}/nothing/"))
    put = f"`retrain data --from FILE --input RiskyData --to s3://{BUCKET}/nothing/`"
    other = "give another location with --param RiskyData=s3://..."
    assert elsewhere["RiskyData"] == f"put your own data there ({put}), or {other}"
    assert elsewhere["HeavyData"].endswith(expected)

    data.put("data/risky/mine.csv")
    words = missing(data.retrain("run"))
    assert set(words) == {"UnlabelledData", "DormantData", "NormalData", "HeavyData"}
    assert not any("run `retrain data`" in said for said in words.values())


def test_simulated_data_is_not_advised_for_an_input_that_nobody_simulates(data: Data) -> None:
    conf = data.root / "models" / "scarcegan" / "conf.yaml"
    script = data.root / "models" / "scarcegan" / "simulate.py"
    shipped = conf.read_text()
    try:
        conf.write_text(shipped.replace("          heavy:\n", "          left:\n"))
        words = missing(data.retrain("run"))
        assert not any("run `retrain data`" in said for said in words.values())
        conf.write_text(shipped)
        script.unlink()
        words = missing(data.retrain("run"))
        assert not any("run `retrain data`" in said for said in words.values())
    finally:
        conf.write_text(shipped)
        script.write_text(SIMULATE)


def test_the_places_are_listed_and_nothing_is_written(data: Data) -> None:
    data.put("data/normal/mine.csv")
    done = data.retrain("data", "--list")
    assert done.returncode == 0, done.stderr
    assert f"s3://{BUCKET}/data/risky/: empty, RiskyData of scarcegan" in done.stdout
    assert f"s3://{BUCKET}/data/normal/: your own data (1 object, mine.csv)" in done.stdout
    assert data.keys("") == ["data/normal/mine.csv"]
    assert data.places("--list")["normal"] == {
        "model": "scarcegan",
        "channel": "normal",
        "input": "NormalData",
        "uri": f"s3://{BUCKET}/data/normal/",
        "holds": "own",
        "objects": 1,
        "written": False,
    }
    assert "--players: --list takes no such option" in refused(data.retrain("data", "--list", "--players"))
