"""benchmarks/rare_class.py: its formats, what it says of bad files, ScarceGAN's place on the real data."""

import gzip
import json
import random
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT
from test_project import DATA, environment

pytestmark = pytest.mark.slow

KINDS = {"normal": 120, "neptune": 60, "guess_passwd": 12, "ipsweep": 20, "rootkit": 4}
METRICS = {"recall_at_1_percent", "average_precision", "auc"}
BASELINES = (
    "logistic regression",
    "gradient boosting",
    "self-training, regression",
    "self-training, boosting",
)


def connections(seed: int, end: str = "", difficulty: bool = True) -> str:
    """Invented lines of the format, each attack in its own place."""
    draw = random.Random(seed)
    lines = []
    for place, (name, count) in enumerate(KINDS.items()):
        for _ in range(count):
            numbers = [str(round(abs(draw.gauss(3 * (column % 5 == place), 1)), 2)) for column in range(38)]
            symbols = [draw.choice(["tcp", "udp"]), draw.choice(["http", "ftp", "smtp"]), "SF"]
            fields = [numbers[0], *symbols, *numbers[1:], name + end, *(["21"] if difficulty else [])]
            lines.append(",".join(fields))
    draw.shuffle(lines)
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def python() -> Path:
    """A Python with the project's packages, as the benchmark itself would make it."""
    ready = "build/dev/.venv/ready"
    subprocess.run(["make", "--silent", ready], cwd=ROOT, env=environment(), check=True)
    return (ROOT / ready).with_name("bin") / "python"


def run(python: Path, *arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [python, ROOT / "benchmarks" / "rare_class.py", *map(str, arguments)],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def test_both_formats_and_gzip(python: Path, tmp_path: Path) -> None:
    train, test, out = tmp_path / "train.gz", tmp_path / "test.txt", tmp_path / "out.json"
    train.write_bytes(gzip.compress(connections(1, end=".", difficulty=False).encode()))
    test.write_text(connections(2))
    limits = ("--positives", 8, "--normals", 50)
    done = run(python, "--train", train, "--test", test, "--seeds", 1, "--json", out, *limits)
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(out.read_text())
    assert result["rows"] == {"scarce": 8, "normal": 50, "unlabelled": 158, "test": 216, "test_scarce": 12}
    assert {"scarcegan", "vanilla", *BASELINES} < set(result["methods"])
    for metrics in result["methods"].values():
        assert set(metrics) == METRICS
        assert all(len(values) == 1 and 0 <= values[0] <= 1 for values in metrics.values())
    assert result["methods"]["scarcegan"]["auc"][0] > 0.9  # the attack has a place of its own
    assert "paper's claim" in done.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot be read as CSV"),
        ("1,2,3\n", "has 3 columns; it must have 41 features, the label, and perhaps the difficulty"),
        (connections(1).replace("guess_passwd", "guessing"), "'guessing' in column 42 is no attack"),
        (connections(1).replace("guess_passwd", "normal"), "the training file has fewer than two rows"),
        (
            connections(1)
            .replace("neptune", "normal")
            .replace("ipsweep", "normal")
            .replace("rootkit", "normal"),
            "every row of the training file would have a label",
        ),
        ("x" + connections(1), "column 1 holds something that is no number"),
        ("inf," + connections(1).partition(",")[2], "column 1 holds something that is no number"),
    ],
    ids=["empty", "columns", "attack", "none", "all", "number", "infinite"],
)
def test_a_bad_file_is_one_line(python: Path, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "train").write_text(text)
    (tmp_path / "test").write_text(connections(2))
    done = run(python, "--train", tmp_path / "train", "--test", tmp_path / "test")
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(not (DATA / "nsl_kdd").is_dir(), reason=f"NSL-KDD is not in {DATA}")
def test_scarcegan_is_above_the_baselines_on_nsl_kdd(python: Path, tmp_path: Path) -> None:
    out, folder = tmp_path / "out.json", DATA / "nsl_kdd"
    files = ("--train", folder / "KDDTrain+_20Percent.txt", "--test", folder / "KDDTest+.txt")
    assert run(python, *files, "--seeds", 2, "--json", out).returncode == 0
    methods = json.loads(out.read_text())["methods"]

    def mean(name: str, metric: str) -> float:
        return float(sum(methods[name][metric]) / 2)

    for metric in ("recall_at_1_percent", "average_precision"):
        for other in ("vanilla", *BASELINES):
            assert mean("scarcegan", metric) > mean(other, metric), (metric, other)
    assert mean("scarcegan", "average_precision") > 0.6
