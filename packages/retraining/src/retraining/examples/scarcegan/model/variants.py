"""The model's settings, and the ablations of the paper: each is a change of the settings.

Chakrabarty, Talwadker, Mukherjee: ScarceGAN, CIKM 2021, arXiv 2505.03811, compares with these.
"""

from dataclasses import dataclass, replace
from typing import Any

SCARCEGAN, AUTOENCODER = "scarcegan", "adversarial-autoencoder"
ABLATIONS: dict[str, dict[str, Any]] = {
    # One head of K + 1 classes, feature matching alone (Salimans et al. 2016).
    "vanilla": {
        "leeway": 0.0,
        "has_unknown_head": False,
        "unlabelled_weight": 0.0,
        "unknown_weight": 0.0,
        "low_density_weight": 0.0,
        "pull_away_weight": 0.0,
    },
    "no-leeway": {"leeway": 0.0},
    "no-bad-generator": {"unknown_weight": 0.0, "low_density_weight": 0.0, "pull_away_weight": 0.0},
    AUTOENCODER: {"leeway": 0.0},
}
NAMES = (SCARCEGAN, *ABLATIONS)


@dataclass(frozen=True)
class Settings:
    """Everything that shapes a training; sizes are counts, rates are per step."""

    groups: int
    features: int
    variant: str = SCARCEGAN
    batch_size: int = 128
    learning_rate_discriminator: float = 1e-3
    learning_rate_generator: float = 3e-4
    noise_dim: int = 32
    leeway: float = 0.1
    seed: int = 7
    units: tuple[int, ...] = (128, 64)
    generator_units: tuple[int, ...] = (64, 64)
    input_noise: float = 0.5  # deviation of what is added to the scaled features in training
    faint_noise: float = 1.0  # every second row has this share of it
    input_dropout: float = 0.0  # share of them that is set to 0, their mean
    weight_decay: float = 0.01
    has_unknown_head: bool = True
    unsupervised_weight: float = 1.0
    unlabelled_weight: float = 1.0
    unknown_weight: float = 1.0
    low_density_weight: float = 0.1
    low_density_threshold: float = 0.5
    pull_away_weight: float = 1.0
    averaging: float = 0.995
    mixed_precision: bool = False  # products in bfloat16, whose range is that of float32: no loss scaling

    def ablated(self, variant: str) -> "Settings":
        """The settings of a variant."""
        return replace(self, variant=variant, **ABLATIONS.get(variant, {}))
