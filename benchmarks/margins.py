"""The recall and precision of the ScarceGAN example's candidates, over seeds and instruction sets.

    python benchmarks/margins.py [--seeds 7 8] [--min-precision 0.6 0.65]

Trains with the defaults of conf.yaml on the sample data, once for each seed and each of SETTINGS, and scores
the test rows. Floating-point sums differ with the machine's instruction set, so a default needs a margin.
Each value of --min-precision adds a candidate like best-recall with that minimum to the same trainings.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import environment

if __name__ == "__main__":
    environment.enter()

import numpy as np
import yaml

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# train.py sets TF_ENABLE_ONEDNN_OPTS=0 itself, so that is the default too.
SETTINGS: tuple[dict[str, str], ...] = ({}, {"ONEDNN_MAX_CPU_ISA": "AVX2"}, {"ONEDNN_MAX_CPU_ISA": "SSE41"})


def run(script: str, *arguments: object, variables: dict[str, str]) -> None:
    """Run a script of the example in a process of its own."""
    command = [sys.executable, str(environment.MODEL / script), *map(str, arguments)]
    subprocess.run(command, env=os.environ | variables, stdout=subprocess.DEVNULL, check=True)


def hyperparameters() -> dict[str, Any]:
    """Those of the example's conf.yaml, with the defaults of the parameters."""
    document = yaml.safe_load((environment.MODEL / "conf.yaml").read_text())
    values = document["conf"]["models"]["scarcegan"]["train"]["hyperparams"]
    return {
        name: value["default"] if isinstance(value, dict) and "parameter" in value else value
        for name, value in values.items()
    }


def measure(model: Path, test: Path) -> dict[str, tuple[float, float]]:
    """Recall and precision of each candidate on the test rows."""
    from data import dataset
    from evaluation import artifact, scoring

    measured = {}
    for entry in artifact.candidates(model):
        rows = dataset.read_labelled(
            test / "data.csv", test / "label.csv", entry["features"], entry["groups"]
        )
        answer = scoring.Model(artifact.folder(model, "candidates", entry), entry).answer(rows.values)
        flagged, positive = answer.groups == 0, rows.groups == 0
        hits = float(np.sum(flagged & positive))
        measured[entry["name"]] = hits / float(positive.sum()), hits / max(1.0, float(flagged.sum()))
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="*", default=range(1, 11))
    parser.add_argument("--min-precision", type=float, nargs="*", default=[])
    options = parser.parse_args()
    values = hyperparameters()
    for minimum in options.min_precision:
        extra = {"metric": "recall", "mode": "max", "min_precision": minimum}
        values["candidates"][f"best-recall-{100 * minimum:.0f}"] = extra
    values["candidates"] = json.dumps(values["candidates"])
    measured: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        run("simulate.py", "--out", base / "processing" / "input", variables={})
        split = ("--folds", 3, "--validation-fraction", 0.2, "--test-fraction", 0.2, "--seed", 7)
        groups = ("--groups", values["groups"])
        run("preprocess.py", "--base", base / "processing", *groups, *split, variables={})
        (base / "input").mkdir()
        (base / "input" / "data").symlink_to(base / "processing" / "output")
        for variables in SETTINGS:
            for seed in options.seeds:
                arguments = [
                    text for name, value in (values | {"seed": seed}).items() for text in (f"--{name}", value)
                ]
                run("train.py", "--base", base, *arguments, variables=variables)
                setting = " ".join(f"{name}={value}" for name, value in variables.items()) or "default"
                for name, pair in measure(base / "model", base / "input" / "data" / "test").items():
                    measured.setdefault(name, []).append(pair)
                    print(f"{seed:2}  {setting:26}  {name:18} {pair[0]:.3f} {pair[1]:.3f}", flush=True)
    print("\ncandidate           recall             precision, least to largest")
    for name, pairs in measured.items():
        recalls, precisions = zip(*pairs, strict=True)
        ranges = (f"{min(ratios):.3f} to {max(ratios):.3f}" for ratios in (recalls, precisions))
        print(f"{name:18}  {'     '.join(ranges)}")


if __name__ == "__main__":
    main()
