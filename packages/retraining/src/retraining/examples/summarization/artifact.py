"""The model artifact: everything that the serving container needs, without the hub and without PEFT.

config.json, model.safetensors and the tokenizer: base model and adapter merged, as transformers loads them;
adapter/: the adapter alone, as PEFT loads it; summarization.json: prompt and lengths; code/: inference.py and
what it imports; hyperparameters.json and the documents of the evaluation.
"""

from pathlib import Path

from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase

import base_model
import inference
from base_model import Source
from hyperparameters import Hyperparameters
from job_toolkit import imports, strict_json


def save(
    model: PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    source: Source,
    options: Hyperparameters,
    template: str,
    out: Path,
) -> None:
    """Write the artifact into `out`. Merging changes `model`: it is of no use afterwards."""
    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out / "adapter", save_embedding_layers=False)
    merged = _merge(model, tokenizer, source, out / "adapter")
    merged.config.use_cache = True
    merged.save_pretrained(out)
    tokenizer.save_pretrained(out)
    settings = {
        "base_model": source.model_id,
        "prompt": template,
        "max_tokens": options.max_tokens,
        "max_new_tokens": options.max_new_tokens,
    }
    for name, content in ((inference.SETTINGS, settings), ("hyperparameters.json", options.document())):
        strict_json.write(content, out / name, indent=2)
    imports.copy(Path(inference.__file__), out / "code")


def _merge(
    model: PeftModel, tokenizer: PreTrainedTokenizerBase, source: Source, adapter: Path
) -> PreTrainedModel:
    if getattr(model.get_base_model(), "is_loaded_in_4bit", False):
        # Not into the rounded weights: into the model's own.
        model = PeftModel.from_pretrained(base_model.load(source, tokenizer, four_bit=False), str(adapter))
    merged: PreTrainedModel = model.merge_and_unload()
    return merged
