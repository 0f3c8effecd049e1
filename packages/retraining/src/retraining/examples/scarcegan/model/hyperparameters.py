"""The training's hyperparameters."""

from dataclasses import asdict, dataclass
from typing import Any

import candidates
from candidates import Definition
from data import dataset
from job_toolkit.hyperparameters import choice, integer, integers, number, parsed, switch
from model import variants

DEFAULT_GROUPS = ["risky", "dormant", "normal", "heavy"]


@dataclass(frozen=True)
class Hyperparameters:
    """Train ScarceGAN."""

    epochs: int = integer(20, 1, 10_000, "epochs; each ends with a validation")
    iterations_per_epoch: int = integer(150, 1, 1_000_000, "training steps per epoch")
    batch_size: int = integer(128, 8, 65_536, "rows of each kind (labelled, unlabelled, generated) per step")
    learning_rate_discriminator: float = number(1e-3, 1e-7, 1.0, "peak rate of the discriminator")
    learning_rate_generator: float = number(3e-4, 1e-7, 1.0, "peak rate of the generator")
    noise_dim: int = integer(32, 4, 4096, "dimensions of the generator's noise")
    leeway: float = number(0.1, 0.0, 0.9, "how far a negative label may be wrong")
    input_noise: float = number(0.5, 0.0, 10.0, "deviation of the noise on the scaled features")
    input_dropout: float = number(0.0, 0.0, 0.9, "share of the features that are left out, at random")
    seed: int = integer(7, 0, 1_000_000, "seed of weights, batches and noise")
    units: tuple[int, ...] = integers((128, 64), 1, 8192, "units of the discriminator's layers", most=8)
    variant: str = choice(variants.SCARCEGAN, variants.NAMES, "the model, or an ablation of it")
    cross_validation: bool = switch(False, "also train on each fold; epochs are the best over the folds")
    ablations: bool = switch(False, "also train every other variant, for comparison")
    groups: list[str] = parsed(  # noqa: RUF009
        DEFAULT_GROUPS, dataset.parse_groups, "label groups, the scarce one first"
    )
    candidates: list[Definition] = parsed(  # noqa: RUF009
        candidates.DEFAULT, candidates.parse, "JSON: candidate definitions by name"
    )

    def document(self) -> dict[str, Any]:
        """As JSON: what hyperparameters.json in the model artifact holds."""
        definitions = {definition.name: definition.document() for definition in self.candidates}
        return asdict(self) | {"candidates": definitions}
