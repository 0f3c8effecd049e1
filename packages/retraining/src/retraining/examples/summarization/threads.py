"""How many threads a model computes with on the CPU."""

import torch
from transformers import PreTrainedModel

SMALL = 10_000_000  # weights


def choose(model: PreTrainedModel) -> None:
    """One for small layers: many are slower, and the result is then the same for any number of cores."""
    if model.num_parameters() < SMALL:
        torch.set_num_threads(1)
