"""LoRA (https://arxiv.org/abs/2106.09685): small matrices beside the linear layers; all else stays frozen."""

import torch
from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training
from transformers import PreTrainedModel

from hyperparameters import Hyperparameters


def add(base: PreTrainedModel, options: Hyperparameters) -> PeftModel:
    """`base` with a new adapter on every linear layer but the output's; `options.seed` draws its weights."""
    if getattr(base, "is_loaded_in_4bit", False):
        base = prepare_model_for_kbit_training(base)
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=options.lora_rank,
        lora_alpha=options.lora_alpha,
        lora_dropout=options.lora_dropout,
        target_modules="all-linear",
    )
    torch.manual_seed(options.seed)
    model = get_peft_model(base, config)
    trained, everything = model.get_nb_trainable_parameters()
    print(f"adapter: {trained} of {everything} weights are trained ({trained / everything:.2%})")
    return model


def trained_weights(model: PeftModel) -> list[str]:
    """Names of the weights that training changes."""
    return [name for name, weight in model.named_parameters() if weight.requires_grad]
