"""The training's hyperparameters: SageMaker passes them to train.py as `--name value`, all as text."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from failure import ArgumentParser, InputError

TINY = "tiny-random-falcon"


@dataclass(frozen=True)
class Hyperparameters:
    """Lengths are in tokens, fractions between 0 and 1; the other units are in `NUMBERS`' help."""

    model_id: str
    four_bit: bool
    epochs: int
    batch_size: int
    gradient_accumulation: int
    learning_rate: float
    warmup_fraction: float
    lora_rank: int
    lora_alpha: int
    lora_dropout: float
    max_tokens: int
    max_new_tokens: int
    rouge_examples: int
    max_eval_loss: float
    seed: int

    def document(self) -> dict[str, Any]:
        """As JSON: what hyperparameters.json in the model artifact holds."""
        return asdict(self)


@dataclass(frozen=True)
class _Number:
    kind: type[int] | type[float]
    default: float
    low: float
    high: float
    help: str


NUMBERS = {
    "epochs": _Number(int, 4, 1, 1000, "epochs; each ends with an evaluation and a checkpoint"),
    "batch_size": _Number(int, 8, 1, 4096, "dialogues per batch"),
    "gradient_accumulation": _Number(int, 1, 1, 4096, "batches per optimizer step"),
    "learning_rate": _Number(float, 6e-3, 1e-8, 1.0, "peak rate; it rises, then falls to 0 along a cosine"),
    "warmup_fraction": _Number(float, 0.05, 0.0, 0.9, "part of all steps in which the rate rises"),
    "lora_rank": _Number(int, 16, 1, 1024, "rank of the adapter's matrices"),
    "lora_alpha": _Number(int, 32, 1, 4096, "the adapter is scaled by lora_alpha / lora_rank"),
    "lora_dropout": _Number(float, 0.0, 0.0, 0.9, "dropout in front of the adapter"),
    "max_tokens": _Number(int, 512, 16, 1_000_000, "a longer prompt with its summary is not trained on"),
    "max_new_tokens": _Number(int, 64, 1, 100_000, "longest generated summary"),
    "rouge_examples": _Number(
        int, 32, 0, 1_000_000, "validation dialogues to summarize for ROUGE-L; 0: none"
    ),
    "max_eval_loss": _Number(float, 1.2, 0.0, 1000.0, "a higher evaluation loss fails the job"),
    "seed": _Number(int, 7, 0, 1_000_000, "seed of the adapter's weights and of the batches"),
}


def parse(argv: list[str]) -> Hyperparameters:
    """Read the arguments. Raises InputError naming the hyperparameter, its value, and what is allowed."""
    parser = ArgumentParser(allow_abbrev=False, description="Fine-tune a causal language model with LoRA.")
    parser.add_argument("--base", type=Path, help="folder in place of /opt/ml")
    parser.add_argument(
        "--model_id", default=TINY, help=f"a model of the Hugging Face hub, a folder, or {TINY}"
    )
    parser.add_argument(
        "--four_bit", type=_truth, default=False, help="hold the frozen weights in 4 bits, where a GPU is"
    )
    for name, number in NUMBERS.items():
        parser.add_argument(
            f"--{name}", type=_reader(name, number), default=number.kind(number.default), help=number.help
        )
    options = vars(parser.parse_args(argv))
    options.pop("base")
    if not options["model_id"].strip():
        raise InputError("hyperparameter model_id: is empty; give a model such as tiiuae/falcon-7b")
    if options["max_new_tokens"] >= options["max_tokens"]:
        raise InputError(
            f"hyperparameter max_new_tokens: {options['max_new_tokens']} leaves no room for a prompt;"
            f" it must be less than max_tokens, {options['max_tokens']}"
        )
    return Hyperparameters(**options)


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise InputError(f"hyperparameter four_bit: {text!r} is neither true nor false")
    return text.lower() == "true"


def _reader(name: str, number: _Number) -> Callable[[str], float]:
    def read(text: str) -> float:
        kind = "a whole number" if number.kind is int else "a number"
        wanted = f"it must be {kind} between {number.low:g} and {number.high:g}"
        try:
            value = number.kind(text)
        except ValueError:
            raise InputError(f"hyperparameter {name}: {text!r} is not {kind}; {wanted}") from None
        if not number.low <= value <= number.high:
            raise InputError(f"hyperparameter {name}: {text} is out of range; {wanted}")
        return value

    return read
