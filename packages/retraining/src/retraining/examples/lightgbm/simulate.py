"""Simulated sessions of a web shop, with the columns, types and categories of the real data.

    python simulate.py --out DIR [--rows 8000] [--seed 7]

Writes DIR/shoppers/shoppers.csv. A seed gives the same bytes again.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from job_toolkit import failure
from job_toolkit.failure import ArgumentParser, InputError
from schema import FEATURES, TARGET

Floats = NDArray[np.float64]
# Category -> share of the sessions, and its effect on the inclination to buy.
MONTHS = {
    "Feb": (0.02, -1.2), "Mar": (0.15, -0.3), "May": (0.27, -0.3), "June": (0.02, -0.3), "Jul": (0.04, 0.0),
    "Aug": (0.04, 0.2), "Sep": (0.04, 0.3), "Oct": (0.04, 0.3), "Nov": (0.24, 0.8), "Dec": (0.14, -0.2),
}  # fmt: skip
VISITORS = {"Returning_Visitor": (0.855, -0.1), "New_Visitor": (0.138, 0.7), "Other": (0.007, 0.2)}
TRAFFIC = {2: (0.32, 0.3), 1: (0.2, -0.2), 3: (0.17, -0.4), 4: (0.09, 0.0), 13: (0.06, -0.9), 10: (0.04, 0.2),
           6: (0.04, -0.2), 8: (0.03, 0.6), 5: (0.02, 0.3), 11: (0.02, 0.2), 20: (0.01, 0.5)}  # fmt: skip
SYSTEMS = {2: (0.54, 0.1), 1: (0.21, 0.0), 3: (0.2, -0.3), 4: (0.04, 0.1), 8: (0.01, 0.2)}
BROWSERS = {2: (0.65, 0.0), 1: (0.2, 0.0), 4: (0.06, 0.1), 5: (0.04, 0.1), 6: (0.02, -0.2), 10: (0.02, 0.1),
            8: (0.01, 0.0)}  # fmt: skip
REGIONS = {1: (0.39, 0.0), 3: (0.2, 0.0), 4: (0.1, 0.0), 2: (0.09, 0.0), 6: (0.07, 0.0), 7: (0.06, 0.0),
           9: (0.04, 0.0), 8: (0.03, 0.0), 5: (0.02, 0.0)}  # fmt: skip


def simulate(rows: int = 8000, seed: int = 7) -> pd.DataFrame:
    """`rows` sessions. A hidden inclination to buy drives pages, durations, page values and the purchase."""
    rng = np.random.default_rng(seed)
    columns: dict[str, NDArray[Any]] = {}
    intent = rng.normal(size=rows)
    sources = {"Month": MONTHS, "OperatingSystems": SYSTEMS, "Browser": BROWSERS, "Region": REGIONS,
               "TrafficType": TRAFFIC, "VisitorType": VISITORS}  # fmt: skip
    for name, categories in sources.items():
        columns[name], effect = _draw(categories, rows, rng)
        intent += effect
    columns["Weekend"] = rng.random(rows) < 0.23
    near_special_day = (columns["Month"] == "May") | ((columns["Month"] == "Feb") & (rng.random(rows) < 0.5))
    columns["SpecialDay"] = np.where(
        near_special_day & (rng.random(rows) < 0.35), rng.choice([0.2, 0.4, 0.6, 0.8, 1.0], rows), 0.0
    )
    for name, typical, spread, seconds in (
        ("Administrative", 0.4, 0.96, 35.0),
        ("Informational", -1.6, 1.04, 70.0),
        ("ProductRelated", 2.8, 0.88, 38.0),
    ):
        pages = rng.poisson(np.exp(typical + 0.3 * intent + spread * rng.normal(size=rows)))
        columns[name] = np.minimum(pages, 700)
        columns[f"{name}_Duration"] = (pages * seconds * rng.lognormal(-0.3, 0.7, rows)).round(6)
    columns["ProductRelated"] = np.maximum(columns["ProductRelated"], 1)
    leaves = rng.beta(0.6, 1.6 + 0.15 * columns["ProductRelated"]) * 0.2
    columns["BounceRates"] = np.where(rng.random(rows) < 0.45, 0.0, leaves).round(9)
    columns["ExitRates"] = np.minimum(0.2, columns["BounceRates"] + rng.gamma(2.0, 0.012, rows)).round(9)
    # Page values come from earlier purchases after the same pages: most are 0, and the rest says much.
    valued = rng.random(rows) < _sigmoid(1.1 * intent - 1.6)
    columns["PageValues"] = np.where(valued, rng.lognormal(2.6 + 0.3 * intent, 0.9), 0.0).round(9)
    columns[TARGET] = rng.random(rows) < _sigmoid(_inclination(columns, intent))
    for name in ("Weekend", TARGET):
        columns[name] = np.where(columns[name], "TRUE", "FALSE")
    return pd.DataFrame({name: columns[name] for name in (*FEATURES, TARGET)})


def _inclination(columns: dict[str, NDArray[Any]], intent: Floats) -> Floats:
    """The logit of a purchase. It bends and interacts: a weighted sum of the columns is not enough."""
    valued, pages = columns["PageValues"] > 0, columns["ProductRelated"]
    new = columns["VisitorType"] == "New_Visitor"
    return (
        -4.1
        + 1.6 * np.minimum(np.log1p(columns["PageValues"]), 2.0)
        + 0.5 * intent
        - 12 * columns["ExitRates"]
        + np.where(valued & new, 1.5, 0.0)
        + np.where(valued & (columns["Month"] == "Nov"), 1.0, 0.0)
        + np.where((pages > 8) & (pages < 60), 1.0, -0.8)
    )


def _draw(
    categories: dict[Any, tuple[float, float]], rows: int, rng: np.random.Generator
) -> tuple[NDArray[Any], Floats]:
    names = np.array(list(categories))
    shares = np.array([share for share, _ in categories.values()])
    effects = np.array([effect for _, effect in categories.values()])
    drawn = rng.choice(len(names), rows, p=shares / shares.sum())
    return names[drawn], effects[drawn]


def _sigmoid(values: Floats) -> Floats:
    return 1 / (1 + np.exp(-values))


def main(argv: list[str]) -> None:
    parser = ArgumentParser(__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--rows", type=int, default=8000, help="sessions in all")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args(argv)
    for name, low, high in (("rows", 200, 10_000_000), ("seed", 0, 2**32)):
        if not low <= getattr(options, name) <= high:
            raise InputError(f"arguments: --{name} must be between {low} and {high}")
    folder = options.out / "shoppers"
    folder.mkdir(parents=True, exist_ok=True)
    table = simulate(options.rows, options.seed)
    table.to_csv(folder / "shoppers.csv", index=False, lineterminator="\n")
    share = (table[TARGET] == "TRUE").mean()
    print(f"shoppers: {len(table)} sessions in {folder}, {share:.1%} with a purchase")


if __name__ == "__main__":
    sys.exit(failure.run(lambda: main(sys.argv[1:])))
