"""Simulated player telemetry: one folder of CSV files per labelled group, and one for the unlabelled mass.

    python simulate.py --out DIR [--players 20000] [--days 28] [--seed 7] [--drift 0.0]

A seed gives the same bytes again. The true group of the unlabelled players is written nowhere.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from job_toolkit import failure
from job_toolkit.failure import ArgumentParser, InputError
from simulation import features, players


def simulate(
    count: int = 20_000, days: int = 28, seed: int = 7, drift: float = 0.0, labelled_fraction: float = 0.3
) -> dict[str, pd.DataFrame]:
    """The players by label, and `unlabelled`: `player_id` and the 50 features of `schema.json`."""
    rng = np.random.default_rng(seed)
    people = players.draw(count, labelled_fraction, drift, rng)
    rows = features.features(players.play(people, days, rng))
    rows.insert(0, "player_id", people.ids)
    return {name: rows[people.label == name] for name in (players.UNLABELLED, *players.GROUPS)}


def write(groups: dict[str, pd.DataFrame], out: Path, files_per_group: int = 1) -> None:
    """Write out/<group>/part-0000.csv ...; parts of an earlier run are removed first."""
    for name, rows in groups.items():
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("part-*.csv"):
            old.unlink()
        for number, part in enumerate(np.array_split(np.arange(len(rows)), files_per_group)):
            rows.iloc[part].to_csv(folder / f"part-{number:04d}.csv", index=False, lineterminator="\n")


def main(argv: list[str]) -> None:
    parser = ArgumentParser(__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    arguments: list[tuple[str, float, float, float, str]] = [  # default, least, largest
        ("players", 20_000, 200, 10_000_000, "players in all"),
        ("days", 28, 4, 366, "days in the window"),
        ("seed", 7, 0, 2**32, "the same seed gives the same players"),
        ("drift", 0.0, 0, 1, "how far the population has moved (0 to 1)"),
        ("labelled-fraction", 0.3, 0.01, 1, "share of the negatives with a label"),
        ("files-per-group", 1, 1, 10_000, "files that each group is cut into"),
    ]
    for name, default, _, _, text in arguments:
        parser.add_argument(f"--{name}", type=type(default), default=default, help=text)
    options = parser.parse_args(argv)
    for name, _, low, high, _ in arguments:
        if not low <= getattr(options, name.replace("-", "_")) <= high:
            raise InputError(f"arguments: --{name} must be between {low} and {high}")
    groups = simulate(options.players, options.days, options.seed, options.drift, options.labelled_fraction)
    try:
        write(groups, options.out, options.files_per_group)
    except OSError as error:
        where = error.filename or options.out
        raise InputError(f"arguments: --out {where}: {error.strerror}; name another folder") from None
    for name, rows in groups.items():
        print(f"{name}: {len(rows)} players in {options.out / name}")


if __name__ == "__main__":
    sys.exit(failure.run(lambda: main(sys.argv[1:])))
