"""The ScarceGAN example's preprocessing, compared with a bare Polars scan-and-write of the same CSV files.

Run it with the Python of a project (its Polars): python benchmarks/preprocessing.py [--rows N].
Rows are player-days of 50 features, about 490 bytes each, 98 % of them unlabelled. The bare run is the
streaming engine's scan_csv -> sink_csv, group by group. Both are processes of their own, in turns, on a
quarter of the rows and on all of them; memory is the largest resident set, mapped files included.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

MODEL = Path(__file__).parents[1] / "packages/retraining/src/retraining/examples/scarcegan"
SHARES = {"risky": 0.001, "dormant": 0.004, "normal": 0.01, "heavy": 0.005, "unlabelled": 0.98}
FILE = 250_000  # rows of a file
BARE = """
import sys
from pathlib import Path
import polars as pl
for group in sorted(Path(sys.argv[1]).iterdir()):
    pl.scan_csv(group / "*.csv").sink_csv(Path(sys.argv[2]) / f"{group.name}.csv")
"""


def generate(folder: Path, rows: int, features: list[tuple[str, float, float]]) -> int:
    """Write the groups' files; returns their bytes."""
    rng, first = np.random.default_rng(7), 0
    for group, share in SHARES.items():
        (folder / group).mkdir(parents=True)
        left = round(rows * share)
        for number in range(-(-left // FILE)):
            count = min(FILE, left - number * FILE)
            keys = pl.select(
                pl.format("p{}", pl.int_range(first, first + count).cast(pl.String).str.zfill(9))
            )
            columns = {"player_id": keys.to_series()}
            for name, low, high in features:
                skewed = rng.random(count, dtype=np.float32).astype(np.float64) ** 3
                columns[name] = pl.Series(
                    (max(low, -20_000) + skewed * min(high, 20_000)).clip(low, high).round(5)
                )
            pl.DataFrame(columns).write_csv(folder / group / f"part-{number:04d}.csv")
            first += count
    return sum(path.stat().st_size for path in folder.rglob("*.csv"))


@dataclass(frozen=True)
class Run:
    """A process: wall-clock and processor seconds, and the largest resident set in MiB."""

    seconds: float
    busy: float
    memory: float


def measure(command: list[str]) -> Run:
    """Run a process, begun when the disk has nothing left to write."""
    os.sync()
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"Error: {' '.join(command)} ended with status {process.returncode}")
    memory = usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
    return Run(seconds, usage.ru_utime + usage.ru_stime, memory)


def compare(base: Path, model: Path, rounds: int) -> dict[str, list[Run]]:
    """Both on the files in base/input, in turns."""
    runs_of: dict[str, list[Run]] = {"bare Polars": [], "preprocess.py": []}
    for _ in range(rounds):
        out = base / "bare"
        out.mkdir()
        runs_of["bare Polars"].append(measure([sys.executable, "-c", BARE, str(base / "input"), str(out)]))
        shutil.rmtree(out)
        script = str(model / "preprocess.py")
        runs_of["preprocess.py"].append(measure([sys.executable, script, "--base", str(base)]))
        shutil.rmtree(base / "output")
    return runs_of


def tell(rows: int, size: int, runs_of: dict[str, list[Run]]) -> list[float]:
    """Print the runs; the least seconds of both."""
    for what, runs in runs_of.items():
        best = min(runs, key=lambda run: run.seconds)
        print(
            f"{what:<16}{rows:>11,} rows{size / 1e9:>6.2f} GB{best.seconds:>8.2f} s"
            f"{best.busy:>8.2f} s busy{max(run.memory for run in runs):>7.0f} MiB"
        )
    ratios = [bare.seconds / ours.seconds for bare, ours in zip(*runs_of.values(), strict=True)]
    print(f"{'':<16}{statistics.median(ratios):>8.2f} of the bare speed", flush=True)
    return [min(run.seconds for run in runs) for runs in runs_of.values()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", type=Path, default=MODEL, help="folder with preprocess.py")
    parser.add_argument("--folder", type=Path, help="where three times the data have room")
    options = parser.parse_args()
    sys.path.insert(0, str(options.model.resolve()))
    from preparation import schema

    columns = schema.load(options.model / "schema.json")
    features = [(feature.name, feature.minimum, feature.maximum) for feature in columns.features]
    seconds = []
    print("preprocessing, least of the rounds; the ratio is the median of the rounds':")
    for rows in (options.rows // 4, options.rows):
        with tempfile.TemporaryDirectory(dir=options.folder, prefix="preprocessing-") as name:
            size = generate(Path(name) / "input", rows, features)
            seconds.append(tell(rows, size, compare(Path(name), options.model.resolve(), options.rounds)))
    bare, ours = ((most - least) / (0.75 * options.rows) * 1e6 for least, most in zip(*seconds, strict=True))
    print(f"each further million rows: {bare:.2f} s bare, {ours:.2f} s preprocess.py")
    print(f"four times the rows take preprocess.py {seconds[1][1] / seconds[0][1]:.2f} times as long")


if __name__ == "__main__":
    main()
