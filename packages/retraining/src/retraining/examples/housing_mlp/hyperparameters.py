"""The training's hyperparameters, and what is allowed."""

from dataclasses import dataclass

from job_toolkit.hyperparameters import integer, integers, number


@dataclass(frozen=True)
class Hyperparameters:
    """Train the price model."""

    epochs: int = integer(40, 1, 10_000, "epochs at most; the learning rate falls to 0 over them")
    patience: int = integer(8, 1, 10_000, "epochs without a better validation before the training stops")
    batch_size: int = integer(128, 1, 65_536, "rows per step")
    learning_rate: float = number(3e-3, 1e-7, 1.0, "Adam's first learning rate")
    dropout: float = number(0.0, 0.0, 0.9, "share of each layer's units left out per step")
    waves: int = integer(32, 0, 4096, "random waves over longitude and latitude; 0 for none")
    frequency: float = number(4.0, 0.01, 100.0, "spread of their frequencies, per standard deviation")
    seed: int = integer(7, 0, 1_000_000, "seed of weights, waves and batches")
    hidden_units: tuple[int, ...] = integers((128, 64), 1, 4096, "units of each hidden layer")
