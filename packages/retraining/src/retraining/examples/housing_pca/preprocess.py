"""SageMaker processing job: validate the houses, split them, hand on the features of the training rows.

Input: <base>/input/houses/, any number of .csv or .data files (also .gz). Outputs, under <base>/output/:
train (train.csv with the eight features, split.json) and validation (validation.csv). Test rows are written
nowhere: this model never sees one. Which they are, split.py decides, as in the other model of the pipeline.
"""

import sys
from pathlib import Path

import failure
import houses
import split
import table
from failure import ArgumentParser
from table import Table

DEFAULT_BASE = "/opt/ml/processing"


def main(argv: list[str]) -> None:
    parser = ArgumentParser(allow_abbrev=False, description="Validate and split.")
    parser.add_argument(
        "--base", type=Path, default=Path(DEFAULT_BASE), help="folder with input/ and output/"
    )
    split.add_arguments(parser)
    options = parser.parse_args(argv)
    wanted = split.from_options(options)
    parts = wanted.apply(houses.read(options.base / "input" / houses.CHANNEL))
    out = options.base / "output"
    for name, rows in (("train", parts.train), ("validation", parts.validation)):
        features = Table(houses.FEATURES, rows[:, : len(houses.FEATURES)])
        table.write(features, out / name / f"{name}.csv")
    wanted.save(out / "train" / "split.json")
    print(f"{len(parts.train)} training and {len(parts.validation)} validation rows; {wanted}")
    print(f"{len(parts.test)} test rows left out")


if __name__ == "__main__":
    arguments = sys.argv[1:]
    base = failure.base_folder(arguments) or Path(DEFAULT_BASE)
    sys.exit(failure.run(lambda: main(arguments), base.parent / "output" / "message"))
