"""SageMaker training job: fine-tune a causal language model with LoRA, evaluate it, let only a good one pass.

Channels (SM_CHANNEL_<NAME>, or /opt/ml/input/data/<name>): train (train.jsonl, prompt.txt), validation
(validation.jsonl) and, optionally, base_model with the model's files. The model folder (SM_MODEL_DIR) gets
what artifact.py describes; the output folder (SM_OUTPUT_DATA_DIR) gets evaluation.json, metrics.csv,
model_quality.json, history.csv, plots/ and report.html, also when the evaluation loss exceeds max_eval_loss:
then the job fails, without a model.
"""

import os
import sys
from dataclasses import dataclass

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import torch
from peft import PeftModel
from transformers import PreTrainedTokenizerBase
from transformers.utils import logging

import adapter
import artifact
import base_model
import checkpoints
import evaluation
import examples
import finetuning
import prompts
import report
import threads
from evaluation import Evaluation
from examples import Collator, Row
from hyperparameters import Hyperparameters
from job_toolkit import training
from job_toolkit.failure import InputError
from job_toolkit.hyperparameters import parse
from job_toolkit.training import Folders


@dataclass(frozen=True)
class Data:
    """Rows of prompt and summary, and the template of the prompts."""

    train: list[Row]
    validation: list[Row]
    template: str


def load(folders: Folders) -> Data:
    """Read the channels. Raises InputError when one is absent or its content is not preprocess.py's."""
    train, validation = folders.channel("train"), folders.channel("validation")
    path = train / "prompt.txt"
    try:
        template = prompts.check(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"channel train: {path} cannot be read ({error})") from None
    except ValueError as error:
        raise InputError(f"channel train: {path} {error}") from None
    return Data(
        examples.read(train / "train.jsonl"),
        examples.read(validation / "validation.jsonl"),
        template,
    )


def evaluate(
    model: PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    options: Hyperparameters,
    validation: list[dict[str, list[int]]],
    rows: list[Row],
    collate: Collator,
) -> Evaluation:
    """Evaluate the best epoch's adapter, and print the metrics that the pipeline reads."""
    scored = evaluation.losses(model, validation, collate, options.batch_size)
    chosen = rows[: options.rouge_examples]
    evaluated = evaluation.evaluate(
        scored, evaluation.summarize(model, tokenizer, chosen, options.max_new_tokens)
    )
    loss = scored.mean
    print(f"Final_Eval_Loss={loss:.6f}; Final_Eval_Perplexity={evaluation.perplexity(loss):.6f};")
    if evaluated.rouge:
        print(f"ROUGE_L={sum(evaluated.rouge) / len(evaluated.rouge):.6f};", flush=True)
    return evaluated


def main(argv: list[str]) -> None:
    options, folders = parse(Hyperparameters, argv), training.folders(argv)
    data = load(folders)
    source = base_model.source(options.model_id, folders.channel("base_model"))
    texts = (f"{row['prompt']} {row['summary']}" for row in data.train)
    tokenizer = base_model.tokenizer(source, texts)
    train_rows = examples.encode_all(tokenizer, data.train, "train", options.max_tokens)
    validation_rows = examples.encode_all(tokenizer, data.validation, "validation", options.max_tokens)
    collate = Collator(tokenizer.pad_token_id)
    base = base_model.load(source, tokenizer, options.four_bit)
    threads.choose(base)
    model = adapter.add(base, options)
    files = [folders.channel(name) / f"{name}.jsonl" for name in ("train", "validation")]
    run = checkpoints.folder(folders.checkpoints, options, files)
    epochs = finetuning.train(model, options, train_rows, validation_rows, collate, run)
    result = evaluate(model, tokenizer, options, validation_rows, data.validation, collate)
    documents = evaluation.document(result, options.max_eval_loss), evaluation.candidate(result, options.seed)
    evaluation.write(*documents, folders.output_data)
    report.write(epochs, *documents, folders.output_data)
    evaluation.check(result.losses.mean, options.max_eval_loss)
    artifact.save(model, tokenizer, source, options, data.template, folders.model)
    evaluation.write(*documents, folders.model)
    print(f"Saved the model to {folders.model}")


if __name__ == "__main__":
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.use_deterministic_algorithms(True, warn_only=True)
    sys.exit(training.run(main))
