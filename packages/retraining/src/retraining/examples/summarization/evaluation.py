"""What the trained model is worth on the validation rows, and the documents that say so."""

import math
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from transformers import PreTrainedModel, PreTrainedTokenizerBase

import generation
import rouge
from examples import IGNORED, Collator, Row
from job_toolkit import measures, metrics, model_quality, strict_json
from job_toolkit.failure import InputError
from job_toolkit.metrics import CANDIDATE, Model


@dataclass(frozen=True)
class Losses:
    """Per validation row: its summary tokens' negative log likelihoods (nats), summed, and their number."""

    sums: list[float]
    tokens: list[int]

    @property
    def mean(self) -> float:
        """Nats per token, over all tokens alike: it does not depend on the batches."""
        return math.fsum(self.sums) / sum(self.tokens)

    def deviation(self, seed: int) -> float:
        """Of the mean, from resampled rows."""
        deviations = measures.deviations(
            lambda sums, tokens: {"mean": sums.sum() / tokens.sum()},
            (np.array(self.sums), np.array(self.tokens)),
            seed,
            measures.BOOTSTRAP,
        )
        return deviations["mean"]


@dataclass(frozen=True)
class Evaluation:
    losses: Losses
    rouge: list[float]
    samples: list[dict[str, str]]


def perplexity(loss: float) -> float:
    return math.exp(loss) if loss < 700 else math.inf


def losses(
    model: PreTrainedModel, encoded: list[dict[str, list[int]]], collate: Collator, batch_size: int
) -> Losses:
    """Score each row's summary, given its prompt; leaves the model in evaluation mode."""
    model.eval()
    sums: list[float] = []
    tokens: list[int] = []
    for start in range(0, len(encoded), batch_size):
        batch = {
            name: value.to(model.device)
            for name, value in collate(encoded[start : start + batch_size]).items()
        }
        with torch.no_grad():
            logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
            labels = batch["labels"][:, 1:].to(logits.device)
            each = functional.cross_entropy(
                logits[:, :-1].float().transpose(1, 2), labels, ignore_index=IGNORED, reduction="none"
            )
        sums += each.sum(dim=1).tolist()
        tokens += (labels != IGNORED).sum(dim=1).tolist()
    return Losses(sums, tokens)


def summarize(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: list[Row], max_new_tokens: int
) -> list[dict[str, str]]:
    """The rows with the model's own summary as `generated`."""
    made = generation.summaries(model, tokenizer, [row["prompt"] for row in rows], max_new_tokens)
    return [{**row, "generated": text} for row, text in zip(rows, made, strict=True)]


def evaluate(scored: Losses, summarized: list[dict[str, str]]) -> Evaluation:
    """ROUGE-L of what `summarize` gave, beside the losses."""
    scores = [rouge.rouge_l(row["summary"], row["generated"]) for row in summarized]
    return Evaluation(scored, scores, summarized[:5])


def document(evaluated: Evaluation, max_eval_loss: float) -> dict[str, Any]:
    """evaluation.json: what the gatekeeper looks at, the other metrics, and a few summaries to read."""
    loss = evaluated.losses.mean
    return {
        "gate": {"eval_loss": loss, "max_eval_loss": max_eval_loss, "passed": passes(loss, max_eval_loss)},
        "eval_loss": loss,
        "eval_perplexity": perplexity(loss),
        "rouge_l": statistics.fmean(evaluated.rouge) if evaluated.rouge else None,
        "dialogues": len(evaluated.losses.sums),
        "summary_tokens": sum(evaluated.losses.tokens),
        "summaries_generated": len(evaluated.rouge),
        "samples": evaluated.samples,
    }


def candidate(evaluated: Evaluation, seed: int) -> Model:
    """The model's line of metrics.csv, with standard deviations."""
    loss, spread = evaluated.losses.mean, evaluated.losses.deviation(seed)
    values = {"rows": len(evaluated.losses.sums), "eval_loss": loss, "perplexity": perplexity(loss)}
    deviations = {"eval_loss": spread, "perplexity": perplexity(loss) * spread}  # first order
    # After a training that diverged, some have no value.
    values = {name: value for name, value in values.items() if math.isfinite(value)}
    deviations = {name: value for name, value in deviations.items() if math.isfinite(value)}
    if evaluated.rouge:
        values["rouge_l"] = statistics.fmean(evaluated.rouge)
        deviations["rouge_l"] = statistics.pstdev(evaluated.rouge) / math.sqrt(len(evaluated.rouge))
    return Model(CANDIDATE, "", "text_generation", values, deviations)


def passes(loss: float, max_eval_loss: float) -> bool:
    return math.isfinite(loss) and loss <= max_eval_loss


def check(loss: float, max_eval_loss: float) -> None:
    """The gatekeeper. Raises InputError, which fails the training job and so stops the registration."""
    if not math.isfinite(loss):
        raise InputError("gatekeeper: the evaluation loss is not finite: lower learning_rate")
    if not passes(loss, max_eval_loss):
        raise InputError(
            f"gatekeeper: the evaluation loss {loss:.4f} exceeds max_eval_loss, {max_eval_loss:g}: the model"
            " is not registered; train longer or on more dialogues, or raise max_eval_loss"
        )


def write(content: dict[str, Any], model: Model, folder: Path) -> None:
    """Write evaluation.json, in which numbers that are not finite become null, metrics.csv, and the
    model-quality document where the loss is finite."""
    metrics.write([model], folder / "metrics.csv")
    strict_json.write(_finite(content), folder / "evaluation.json", indent=2)
    if "eval_loss" in model.metrics:
        model_quality.write(model_quality.from_csv(folder / "metrics.csv"), folder)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
