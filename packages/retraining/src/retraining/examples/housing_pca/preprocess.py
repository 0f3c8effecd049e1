"""SageMaker processing job: validate the houses, split them, hand on the features of the training rows.

Input: <base>/input/houses/, any number of .csv or .data files (also .gz), or .parquet. Outputs, under
<base>/output/: train (train.csv with the eight features, split.json) and validation (validation.csv). Test
rows are written nowhere: this model never sees one. Which they are, houses.split decides, as in the other
model of the pipeline.
"""

import sys

import pandas as pd

import houses
from job_toolkit import processing, splits, tables


def main(argv: list[str]) -> None:
    parser = processing.parser("Validate and split.")
    houses.add_arguments(parser)
    options = parser.parse_args(argv)
    fractions = splits.from_arguments(options)
    parts = houses.split(houses.read(options.base / "input" / houses.CHANNEL), fractions)
    out = options.base / "output"
    for name in ("train", "validation"):
        features = pd.DataFrame(parts[name][:, : len(houses.FEATURES)], columns=houses.FEATURES)
        tables.write(features, out / name / f"{name}.csv")
    fractions.save(out / "train" / "split.json")
    print(f"{len(parts['train'])} training and {len(parts['validation'])} validation rows; {fractions}")
    print(f"{len(parts['test'])} test rows left out")


if __name__ == "__main__":
    sys.exit(processing.run(main))
