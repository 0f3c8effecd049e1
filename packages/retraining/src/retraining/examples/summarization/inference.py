"""Handlers of the Hugging Face inference container; packed under code/ of the model artifact.

Contract: https://github.com/aws/sagemaker-huggingface-inference-toolkit (model_fn, input_fn, predict_fn,
output_fn). The container answers HTTP 400 with the text of any exception; the ValueErrors here are those.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

import generation
import prompts
import threads

SETTINGS = "summarization.json"
LINES = ("application/jsonlines", "application/x-jsonlines", "application/jsonl")


@dataclass(frozen=True)
class Summarizer:
    """The loaded model. `max_tokens` bounds prompt and summary together, `max_new_tokens` the summary."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    prompt: str
    max_tokens: int
    max_new_tokens: int


@dataclass(frozen=True)
class Request:
    """Dialogues in order, their ids (None where there is none), and the wish for the summaries' length."""

    dialogues: list[str]
    ids: list[str | None]
    max_new_tokens: int | None = None


def model_fn(model_dir: str) -> Summarizer:
    """Load the artifact; on all GPUs there are, as a large model needs several."""
    settings = json.loads((Path(model_dir) / SETTINGS).read_text(encoding="utf-8"))
    tokenizer = AutoTokenizer.from_pretrained(model_dir)
    spread = {"device_map": "auto"} if torch.cuda.is_available() else {}
    model = AutoModelForCausalLM.from_pretrained(model_dir, dtype="auto", **spread)
    threads.choose(model)
    model.eval()
    return Summarizer(
        model, tokenizer, settings["prompt"], settings["max_tokens"], settings["max_new_tokens"]
    )


def input_fn(data: str | bytes | bytearray, content_type: str) -> Request:
    """Read a request.

    application/json: {"inputs": dialogue or list of dialogues, "parameters": {"max_new_tokens": n}}, or a
    record or a list of records {"dialogue": text}. application/jsonlines: one record per line. A record's
    `id` is given back, its other fields are ignored, so data files can be sent as they are. Raises
    ValueError.
    """
    kind = (content_type or "application/json").split(";")[0].strip().lower()
    try:
        text = data if isinstance(data, str) else bytes(data).decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"the request is not UTF-8: {error}") from None
    text = text.removeprefix("\ufeff")
    if kind in LINES:
        lines = [line for line in text.split("\n") if line.strip()]
        return _records([_json(line, f"line {number}") for number, line in enumerate(lines, start=1)])
    if kind != "application/json":
        raise ValueError(f"unsupported content type {kind!r}; send application/json or application/jsonlines")
    body = _json(text, "the request")
    if isinstance(body, dict) and "inputs" in body:
        inputs = body["inputs"] if isinstance(body["inputs"], list) else [body["inputs"]]
        request = _records([{"dialogue": item} for item in inputs])
        return replace(request, max_new_tokens=_length(body.get("parameters", {})))
    return _records(body if isinstance(body, list) else [body])


def predict_fn(request: Request, summarizer: Summarizer) -> list[dict[str, str]]:
    """A record {"summary_text": text} per dialogue, with its `id` where it has one.

    Turns that leave no room for the summary are cut off a dialogue's end. Raises ValueError where not even
    one turn has room.
    """
    length = min(request.max_new_tokens or summarizer.max_new_tokens, summarizer.max_tokens - 1)
    room = summarizer.max_tokens - length

    def fits(prompt: str) -> bool:
        return len(summarizer.tokenizer(prompt)["input_ids"]) <= room

    made: list[str] = []
    for number, dialogue in enumerate(request.dialogues, start=1):
        prompt = prompts.shorten(summarizer.prompt, dialogue, fits)
        if prompt is None:
            raise ValueError(f"dialogue {number}: its first turn alone is longer than {room} tokens")
        made.append(prompt)
    texts = generation.summaries(summarizer.model, summarizer.tokenizer, made, length)
    return [
        ({} if key is None else {"id": key}) | {"summary_text": text}
        for key, text in zip(request.ids, texts, strict=True)
    ]


def output_fn(predictions: list[dict[str, str]], accept: str) -> str:
    """A JSON list, or one line per record for JSON lines. Raises ValueError for another accept type."""
    kind = (accept or "*/*").split(";")[0].split(",")[0].strip().lower()
    if kind in ("application/json", "*/*", "application/*"):
        return json.dumps(predictions, ensure_ascii=False, allow_nan=False)
    if kind in LINES:
        return "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in predictions)
    raise ValueError(f"unsupported accept type {kind!r}; accept application/json or application/jsonlines")


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"{where} is not JSON: {error}") from None


def _records(items: list[Any]) -> Request:
    if not items:
        raise ValueError("the request has no dialogues")
    for number, item in enumerate(items, start=1):
        if not isinstance(item, dict) or not isinstance(item.get("dialogue"), str):
            raise ValueError(f"dialogue {number}: must be an object with the text 'dialogue'")
        if not item["dialogue"].strip():
            raise ValueError(f"dialogue {number}: is empty")
    ids = [None if item.get("id") is None else str(item["id"]) for item in items]
    return Request([item["dialogue"] for item in items], ids)


def _length(parameters: Any) -> int | None:
    if not isinstance(parameters, dict):
        raise ValueError("parameters: must be an object")
    unknown = sorted(parameters.keys() - {"max_new_tokens"})
    if unknown:
        raise ValueError(f"parameters: unknown key {unknown[0]!r}; allowed: max_new_tokens")
    length = parameters.get("max_new_tokens")
    if length is None:
        return None
    if isinstance(length, bool) or not isinstance(length, int) or length < 1:
        raise ValueError(f"parameters: max_new_tokens must be a whole number of at least 1, not {length!r}")
    return length
