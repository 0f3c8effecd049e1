"""Sample data for `retrain data`, which calls this with --out and --seed: a folder for each channel."""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from columns import COLUMNS, FEATURES, LABEL

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--out", type=Path, required=True)
parser.add_argument("--seed", type=int, default=7)
parser.add_argument("--rows", type=int, default=2000)
options = parser.parse_args()

random = np.random.default_rng(options.seed)
features = random.normal(size=(options.rows, len(FEATURES)))
rows = pd.DataFrame(features.round(3), columns=FEATURES)
rows[LABEL] = (random.random(options.rows) < 1 / (1 + np.exp(2 - 2 * features[:, 0]))).astype(int)
folder = options.out / "customers"
folder.mkdir(parents=True)
rows[COLUMNS].to_csv(folder / "customers.csv", index=False)
