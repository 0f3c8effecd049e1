"""The training's hyperparameters, and what is allowed."""

from dataclasses import asdict, dataclass
from typing import Any

from job_toolkit.failure import InputError
from job_toolkit.hyperparameters import integer, number, switch, text

TINY = "tiny-random-falcon"


@dataclass(frozen=True)
class Hyperparameters:
    """Fine-tune a causal language model with LoRA. Lengths are in tokens."""

    model_id: str = text(
        TINY, f"a model of the Hugging Face hub such as tiiuae/falcon-7b, a folder, or {TINY}"
    )
    four_bit: bool = switch(False, "hold the frozen weights in 4 bits, where a GPU is")
    epochs: int = integer(4, 1, 1000, "epochs; each ends with an evaluation and a checkpoint")
    batch_size: int = integer(8, 1, 4096, "dialogues per batch")
    gradient_accumulation: int = integer(1, 1, 4096, "batches per optimizer step")
    learning_rate: float = number(6e-3, 1e-8, 1.0, "peak rate; it rises, then falls to 0 along a cosine")
    warmup_fraction: float = number(0.05, 0.0, 0.9, "part of all steps in which the rate rises")
    lora_rank: int = integer(16, 1, 1024, "rank of the adapter's matrices")
    lora_alpha: int = integer(32, 1, 4096, "the adapter is scaled by lora_alpha / lora_rank")
    lora_dropout: float = number(0.0, 0.0, 0.9, "dropout in front of the adapter")
    max_tokens: int = integer(512, 16, 1_000_000, "a longer prompt with its summary is not trained on")
    max_new_tokens: int = integer(64, 1, 100_000, "longest generated summary")
    rouge_examples: int = integer(32, 0, 1_000_000, "validation dialogues to summarize for ROUGE-L; 0: none")
    max_eval_loss: float = number(1.2, 0.0, 1000.0, "a higher evaluation loss fails the job")
    seed: int = integer(7, 0, 1_000_000, "seed of the adapter's weights and of the batches")

    def __post_init__(self) -> None:
        if self.max_new_tokens >= self.max_tokens:
            raise InputError(
                f"hyperparameter max_new_tokens: {self.max_new_tokens} leaves no room for a prompt;"
                f" it must be less than max_tokens, {self.max_tokens}"
            )

    def document(self) -> dict[str, Any]:
        """As JSON: what hyperparameters.json in the model artifact holds."""
        return asdict(self)
