"""The protocol of benchmarks/rare_class.py: which rows have a label, what is measured, what it says."""

import gc
from typing import Any

import kdd
import numpy as np
from numpy.typing import NDArray
from rare_class_methods import METHODS, NAMES
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

FIRST_SEED = 100
FALSE_POSITIVES = 0.01
METRICS = ("recall_at_1_percent", "average_precision", "auc")


def draw(
    kinds: NDArray[np.object_], scarce: str, positives: int, normals: int, seed: int
) -> list[NDArray[np.int64]]:
    """Row numbers of the labelled scarce, the labelled normal and the unlabelled rows."""
    rng = np.random.default_rng(seed)
    drawn = [
        np.sort(rng.permutation(np.flatnonzero(kinds == kind))[:most])
        for kind, most in ((scarce, positives), ("normal", normals))
    ]
    return [*drawn, np.setdiff1d(np.arange(len(kinds)), np.concatenate(drawn))]


def measure(positive: NDArray[np.bool_], scores: NDArray[np.floating]) -> dict[str, float]:
    false_positives, recall, _ = roc_curve(positive, scores, drop_intermediate=False)
    values = (
        recall[false_positives <= FALSE_POSITIVES].max(),
        average_precision_score(positive, scores),
        roc_auc_score(positive, scores),
    )
    return {name: float(value) for name, value in zip(METRICS, values, strict=True)}


def verdict(methods: dict[str, dict[str, list[float]]], scarce: str) -> list[str]:
    """Plainly: where ScarceGAN's mean is above that of each other method, and where it is not."""
    lines = []
    for metric in METRICS[:2]:
        mean = {name: float(np.mean(values[metric])) for name, values in methods.items()}
        own = mean.pop(NAMES[0])
        above = [f"{name} ({value:.3f})" for name, value in mean.items() if value >= own]
        shown = metric.replace("_", " ").replace("1 percent", "1 % false positives")
        what = f"as good or better: {', '.join(above)}" if above else "above every other method"
        lines.append(f"{scarce}, {shown}: scarcegan {own:.3f}, {what}")
    own, plain = (np.mean(methods[name][METRICS[0]]) for name in (NAMES[0], "vanilla"))
    holds = own > 0.85 and own >= 1.6 * plain
    lines.append(
        f"the paper's claim (recall above 85 %, about 60 % over the vanilla GAN) "
        f"{'holds' if holds else 'does not hold'} here: {own:.1%} against {plain:.1%}"
    )
    return lines


def run(
    train: kdd.Connections, test: kdd.Connections, scarce: str, positives: int, normals: int, seeds: int
) -> dict[str, Any]:
    """All methods with all seeds; what --json keeps."""
    rows, test_rows = kdd.scaled(train, test)
    # KDD Cup 1999 repeats most of its rows: each is scored once, and counts as often as it is there.
    test_rows, place = np.unique(test_rows, axis=0, return_inverse=True)
    positive = test.kinds == scarce
    methods = {name: {metric: [] for metric in METRICS} for name in METHODS}
    numbers = list(range(FIRST_SEED, FIRST_SEED + seeds))
    for seed in numbers:
        chosen = draw(train.kinds, scarce, positives, normals, seed)
        parts = [rows[part] for part in chosen]
        for name, method in METHODS.items():
            metrics = measure(positive, method(*parts, test_rows, seed)[place])
            gc.collect()  # a compiled model refers to itself, and holds the rows
            shown = "".join(f"{value:>8.3f}" for value in metrics.values())
            print(f"seed {seed} {name:<30}{shown}", flush=True)
            for metric, value in metrics.items():
                methods[name][metric].append(value)
    sizes = dict(zip(("scarce", "normal", "unlabelled"), map(len, chosen), strict=True))
    return {
        "scarce": scarce,
        "seeds": numbers,
        "rows": sizes | {"test": len(positive), "test_scarce": int(positive.sum())},
        "methods": methods,
        "verdict": verdict(methods, scarce),
    }


def show(result: dict[str, Any]) -> None:
    print(
        f"\n{'mean and standard deviation':<30}{'recall at 1 % fp':>18}{'average precision':>20}{'AUC':>16}"
    )
    for name, values in result["methods"].items():
        cells = [f"{np.mean(values[metric]):.3f} +- {np.std(values[metric]):.3f}" for metric in METRICS]
        print(f"{name:<30}{cells[0]:>18}{cells[1]:>20}{cells[2]:>16}")
    print("", *result["verdict"], sep="\n")
