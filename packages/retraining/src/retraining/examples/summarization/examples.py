"""Tokenised rows: the prompt's tokens are read by the model, but only the summary's tokens are learned."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from job_toolkit.failure import InputError

IGNORED = -100  # the label that PyTorch's cross entropy leaves out
Row = dict[str, str]


@dataclass(frozen=True)
class Collator:
    """Pads examples to a batch on the right; padding is neither attended to nor learned."""

    pad: int

    def __call__(self, examples: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        length = max(len(example["input_ids"]) for example in examples)
        fill = {"input_ids": self.pad, "labels": IGNORED, "attention_mask": 0}
        return {
            name: torch.tensor([row + [value] * (length - len(row)) for row in _columns(examples, name)])
            for name, value in fill.items()
        }


def _columns(examples: list[dict[str, list[int]]], name: str) -> list[list[int]]:
    if name == "attention_mask":
        return [[1] * len(example["input_ids"]) for example in examples]
    return [example[name] for example in examples]


def read(path: Path) -> list[Row]:
    """The rows that preprocess.py wrote. Raises InputError naming the file and the line."""
    channel = path.parent.name
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"channel {channel}: {path} cannot be read ({error}); it is written by preprocess.py"
        ) from None
    rows = [_row(line, f"channel {channel}: {path}: line {n}") for n, line in enumerate(lines, 1) if line]
    if not rows:
        raise InputError(f"channel {channel}: {path} has no rows")
    return rows


def _row(line: str, where: str) -> Row:
    try:
        row: Any = json.loads(line)
    except ValueError as error:
        raise InputError(f"{where}: not JSON ({error})") from None
    names = ("id", "prompt", "summary")
    if not isinstance(row, dict) or any(not isinstance(row.get(name), str) for name in names):
        raise InputError(f"{where}: must be an object with the texts id, prompt and summary")
    return row


def encode(tokenizer: PreTrainedTokenizerBase, row: Row) -> dict[str, list[int]]:
    """`input_ids`: prompt, space, summary, end of text; `labels`: the same with the prompt `IGNORED`."""
    prompt: list[int] = tokenizer(row["prompt"])["input_ids"]
    summary: list[int] = tokenizer(f" {row['summary']}", add_special_tokens=False)["input_ids"]
    summary = [*summary, tokenizer.eos_token_id]
    return {"input_ids": prompt + summary, "labels": [IGNORED] * len(prompt) + summary}


def encode_all(
    tokenizer: PreTrainedTokenizerBase, rows: list[Row], channel: str, max_tokens: int
) -> list[dict[str, list[int]]]:
    """The rows of a channel, without those longer than `max_tokens`, of which it prints the number.

    Raises InputError when none is left.
    """
    encoded = [encode(tokenizer, row) for row in rows]
    kept = [example for example in encoded if len(example["input_ids"]) <= max_tokens]
    if not kept:
        longest = min(len(example["input_ids"]) for example in encoded)
        raise InputError(
            f"channel {channel}: all {len(rows)} rows are longer than max_tokens, {max_tokens};"
            f" the shortest has {longest} tokens"
        )
    if len(kept) < len(rows):
        print(
            f"{channel}: left out {len(rows) - len(kept)} of {len(rows)} rows longer than {max_tokens} tokens"
        )
    return kept
