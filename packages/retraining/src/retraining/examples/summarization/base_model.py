"""The frozen model under the adapter: from the Hugging Face hub, from a folder, or a tiny random one."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

import tiny
from hyperparameters import TINY
from job_toolkit.failure import InputError


@dataclass(frozen=True)
class Source:
    """Where the model comes from: `place` is what transformers loads, None for the tiny one."""

    model_id: str
    place: str | None


def source(model_id: str, channel: Path) -> Source:
    """A channel `base_model` with the model's files goes before `model_id`: so jobs need no network."""
    if model_id == TINY:
        return Source(model_id, None)
    return Source(model_id, str(channel) if (channel / "config.json").is_file() else model_id)


def tokenizer(source: Source, texts: Iterable[str]) -> PreTrainedTokenizerBase:
    """The model's tokenizer; `texts` train the tiny one's. Raises InputError where it cannot be had."""
    if source.place is None:
        return tiny.tokenizer(texts)
    try:
        loaded: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(source.place)
    except (OSError, ValueError) as error:
        raise _unreachable(source, error) from None
    if loaded.eos_token_id is None:
        raise InputError(f"hyperparameter model_id: the tokenizer of {source.model_id!r} has no end of text")
    if loaded.pad_token_id is None:
        loaded.pad_token = loaded.eos_token
    return loaded


def load(source: Source, tokens: PreTrainedTokenizerBase, four_bit: bool) -> PreTrainedModel:
    """In bfloat16 on all GPUs there are, or in float32 on the CPU; `four_bit` counts on a GPU only."""
    if source.place is None:
        return tiny.model(len(tokens), tokens.eos_token_id)
    try:
        return AutoModelForCausalLM.from_pretrained(source.place, **_options(four_bit))
    except ImportError as error:
        raise InputError(f"hyperparameter four_bit: {error}; add bitsandbytes to requirements.txt") from None
    except (OSError, ValueError) as error:
        raise _unreachable(source, error) from None


def _options(four_bit: bool) -> dict[str, Any]:
    if not torch.cuda.is_available():
        if four_bit:
            print("four_bit: there is no GPU, so the weights stay in full precision")
        return {"dtype": torch.float32}
    options: dict[str, Any] = {"dtype": torch.bfloat16, "device_map": "auto"}
    if four_bit:
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
    return options


def _unreachable(source: Source, error: Exception) -> InputError:
    return InputError(
        f"hyperparameter model_id: {source.model_id!r} cannot be loaded ({_first_line(error)}); give a causal"
        f" language model of the Hugging Face hub, its files in a channel base_model, or {TINY}"
    )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
