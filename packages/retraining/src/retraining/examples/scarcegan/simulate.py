"""Simulated player telemetry: one folder of CSV files per labelled group, and one for the unlabelled mass.

    python simulate.py --out DIR [--players 20000] [--days 28] [--seed 7] [--drift 0.0]

A seed gives the same bytes again. The true group of the unlabelled players is written nowhere.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from failure import ArgumentParser, InputError, refused
from simulation import aggregates, players, telemetry


def simulate(
    count: int = 20_000, days: int = 28, seed: int = 7, drift: float = 0.0, labelled_fraction: float = 0.3
) -> dict[str, pd.DataFrame]:
    """The players by label, and `unlabelled`: `player_id` and the 50 features of `schema.json`."""
    rng = np.random.default_rng(seed)
    people = players.draw(count, labelled_fraction, drift, rng)
    rows = aggregates.features(telemetry.play(people, days, rng))
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
    parser = ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--players", type=int, default=20_000, help="players in all")
    parser.add_argument("--days", type=int, default=28, help="days in the window")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--drift", type=float, default=0.0, help="how far the population has moved (0 to 1)")
    parser.add_argument(
        "--labelled-fraction", type=float, default=0.3, help="share of the negatives with a label"
    )
    parser.add_argument("--files-per-group", type=int, default=1)
    options = parser.parse_args(argv)
    for name, low, high in (
        ("players", 200, 10_000_000),
        ("days", 4, 366),
        ("seed", 0, 2**32),
        ("drift", 0, 1),
        ("labelled_fraction", 0.01, 1),
        ("files_per_group", 1, 10_000),
    ):
        if not low <= getattr(options, name) <= high:
            raise InputError(f"arguments: --{name.replace('_', '-')} must be between {low} and {high}")
    groups = simulate(options.players, options.days, options.seed, options.drift, options.labelled_fraction)
    try:
        write(groups, options.out, options.files_per_group)
    except OSError as error:
        raise refused(error, options.out) or InputError(
            f"arguments: --out {options.out}: {error.strerror or error}; name another folder"
        ) from None
    for name, rows in groups.items():
        print(f"{name}: {len(rows)} players in {options.out / name}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except InputError as error:
        sys.exit(f"Error: {error}")
