"""Simulated blocks of houses, in the real file's form: nine columns, no header.

    python simulate.py --out DIR [--rows 6000] [--seed 7] [--files 1]

Writes DIR/houses/part-0000.csv ...; a seed gives the same bytes again. Prices follow income, the distance to
the centres of towns and to the coast, rooms per household, crowding and age, with noise, and are cut off as
the real ones are.
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from houses import CHANNEL
from job_toolkit import failure
from job_toolkit.failure import ArgumentParser, InputError

# Longitude and latitude of towns, their share of the blocks, what living there adds to a price's logarithm.
TOWNS = np.array(
    [
        [-118.3, 34.0, 0.40, 0.25],
        [-117.2, 32.8, 0.12, 0.20],
        [-122.3, 37.7, 0.24, 0.55],
        [-121.5, 38.6, 0.12, -0.10],
        [-119.8, 36.7, 0.08, -0.45],
        [-119.0, 35.4, 0.04, -0.50],
    ]
)
PRICES = (14_999.0, 500_001.0)
NOISE = 0.17

Values = NDArray[np.float64]


def simulate(count: int, seed: int) -> Values:
    """Blocks [n, 9], in the order and units of the real columns."""
    rng = np.random.default_rng(seed)
    town = rng.choice(len(TOWNS), count, p=TOWNS[:, 2])
    place = TOWNS[town, :2] + rng.normal(0, 1, (count, 2)) * rng.choice([0.08, 0.3], (count, 1), p=[0.6, 0.4])
    place = place.round(2)
    distance = np.hypot(*(place - TOWNS[town, :2]).T)
    age = np.clip(rng.normal(38 - 30 * distance, 10, count), 1, 52).round()
    wealth = rng.normal(0, 1, count)
    income = np.clip(np.exp(1.2 + 0.42 * wealth), 0.4999, 15.0001)
    households = np.maximum(rng.lognormal(6.0, 0.7, count), 2).round()
    rooms = np.maximum(households * np.clip(rng.normal(5.2 + 0.7 * wealth, 0.8, count), 2, None), 2).round()
    bedrooms = np.maximum(households * np.clip(rng.normal(1.06, 0.08, count), 0.6, None), 1).round()
    people = np.maximum(households * np.clip(rng.normal(2.9 - 0.2 * wealth, 0.5, count), 1, None), 3).round()
    coast = (place[:, 0] - _coast(place[:, 1])).clip(0)  # degrees inland
    logarithm = (
        11.45
        + TOWNS[town, 3] * np.exp(-((distance / 0.4) ** 2))
        + 0.35 * np.exp(-coast / 0.15)
        + 0.62 * np.log(income)
        + 0.12 * np.log(rooms / households / 5.2)
        - 0.25 * np.log(people / households / 2.9)
        + 0.003 * (age - 28)
        + rng.normal(0, NOISE, count)
    )
    price = np.clip(np.exp(logarithm), *PRICES).round(-2).clip(*PRICES)
    return np.column_stack([place, age, rooms, bedrooms, people, households, income.round(4), price])


def write(rows: Values, out: Path, files: int = 1) -> None:
    """Write out/houses/part-0000.csv ...; parts of an earlier run are removed first."""
    folder = out / CHANNEL
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("part-*.csv"):
        old.unlink()
    for number, part in enumerate(np.array_split(rows, files)):
        np.savetxt(folder / f"part-{number:04d}.csv", part, fmt="%.6f", delimiter=",")


def main(argv: list[str]) -> None:
    parser = ArgumentParser(__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--rows", type=int, default=6000, help="blocks in all")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--files", type=int, default=1)
    options = parser.parse_args(argv)
    for name, low, high in (("rows", 200, 10_000_000), ("seed", 0, 2**32), ("files", 1, 1000)):
        if not low <= getattr(options, name) <= high:
            raise InputError(f"arguments: --{name} must be between {low} and {high}")
    if options.files > options.rows:
        raise InputError(f"arguments: --files {options.files} is more than --rows {options.rows}")
    rows = simulate(options.rows, options.seed)
    write(rows, options.out, options.files)
    print(f"{CHANNEL}: {len(rows)} blocks in {options.out / CHANNEL}")


def _coast(latitude: Values) -> Values:
    """The longitude of the coast, roughly, from south to north."""
    return np.interp(
        latitude, [32.5, 34.0, 34.5, 36.6, 37.8, 39.0], [-117.1, -118.5, -120.5, -121.9, -122.5, -123.7]
    )


if __name__ == "__main__":
    sys.exit(failure.run(lambda: main(sys.argv[1:])))
