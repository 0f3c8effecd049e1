"""Small exported models and model artifacts, made without a training."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import candidates
from data.scaler import Scaler, Statistics
from model import export, networks

GROUPS = ["risky", "dormant", "normal", "heavy"]
FEATURES = [f"f{number}" for number in range(6)]
UNITS = (128, 64)
DEFINITION = candidates.Definition("any", "f1", "max", {})


def rows(count: int, seed: int = 0) -> NDArray[np.float64]:
    """Raw rows [count, F] of both signs and very different sizes."""
    rng = np.random.default_rng(seed)
    return rng.normal(0, 10.0 ** np.arange(-1, len(FEATURES) - 1), (count, len(FEATURES)))


def fitted() -> Scaler:
    return Statistics.of(FEATURES, rows(500, seed=1)).scaler()


def serving(seed: int = 0, size: float = 1.0, scale: Scaler | None = None) -> export.Serving:
    """A model of random weights, `size` times as large as a fresh network's; nothing is decided yet."""
    scale = scale or fitted()
    network = networks.Discriminator(len(scale.features), len(GROUPS), UNITS, seed)
    return export.Serving(network.parameters.numpy() * np.float32(size), UNITS, scale, GROUPS)


def decided(one: export.Serving, values: NDArray[np.floating], positive: NDArray[np.bool_]) -> dict[str, Any]:
    """Calibrate and choose a threshold; what candidates.json says of it."""
    calibration, choice = one.decide(values, positive, DEFINITION, 0.5)
    fit = {"slope": calibration.slope, "intercept": calibration.intercept}
    return {"threshold": choice.threshold, "calibration": fit, "validation": choice.metrics}


def save(
    model: Path, kind: str, names: list[str], scale: Scaler, values: NDArray[np.floating], seed: int = 0
) -> list[dict[str, Any]]:
    """Write models of the kind candidates or ablations to an artifact, and its listing."""
    listing = []
    for number, name in enumerate(names):
        one = serving(seed + number, 3.0, scale)
        positive = one.scores(values) >= np.quantile(one.scores(values), 0.9)
        entry = {"name": name, "definition": DEFINITION.document(), "definition_met": True, "epoch": 1}
        entry |= decided(one, values, positive) | {"groups": GROUPS, "features": scale.features}
        export.save(one, scale, model / kind / name)
        listing.append(entry)
    (model / f"{kind}.json").write_text(json.dumps(listing))
    return listing
