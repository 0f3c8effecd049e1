"""Training of the adapter with transformers' Trainer: an evaluation and a checkpoint per epoch."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

import checkpoints
import evaluation
from examples import Collator
from hyperparameters import Hyperparameters

Encoded = list[dict[str, list[int]]]


@dataclass(frozen=True)
class Epoch:
    """The mean losses of an epoch, in nats per token."""

    epoch: int
    train_loss: float
    eval_loss: float


class MetricLines(TrainerCallback):
    """Prints a line per epoch: the contract of the pipeline's metric definitions, keep the spelling."""

    def __init__(self) -> None:
        self._train_loss = math.nan

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:
        self._train_loss = logs.get("loss", self._train_loss)

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, float], **_: Any) -> None:
        loss = metrics["eval_loss"]
        print(
            f"Epoch={state.epoch:.0f}; Step={state.global_step}; Train_Loss={self._train_loss:.6f}; "
            f"Eval_Loss={loss:.6f}; Eval_Perplexity={evaluation.perplexity(loss):.6f};",
            flush=True,
        )


class AdapterTrainer(Trainer):
    """The Trainer with an evaluation loss per token, which does not depend on the batches."""

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        losses = evaluation.losses(
            self.model, self.eval_dataset, self.data_collator, self.args.per_device_eval_batch_size
        )
        metrics = {"eval_loss": losses.mean}
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


def train(
    model: PeftModel,
    options: Hyperparameters,
    train_rows: Encoded,
    validation_rows: Encoded,
    collate: Collator,
    run: Path,
) -> list[Epoch]:
    """Train the adapter in place; it ends with the weights of the epoch with the least evaluation loss.

    `run` gets the checkpoints; where it has a complete one, the training goes on from there. What is
    returned has the epochs before it too.
    """
    resume_from = checkpoints.newest(run)
    if resume_from:
        print(f"checkpoints: resumed from {resume_from.name}")
    trainer = AdapterTrainer(
        model=model,
        args=_arguments(options, len(train_rows), run),
        data_collator=collate,
        train_dataset=train_rows,
        eval_dataset=validation_rows,
        callbacks=[MetricLines()],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=str(resume_from) if resume_from else None)
    return epochs(trainer.state.log_history)


def epochs(log: list[dict[str, float]]) -> list[Epoch]:
    """The losses of each epoch of the Trainer's log, which has them in lines of their own."""
    train = {round(line["epoch"]): line["loss"] for line in log if "loss" in line}
    held_out = {round(line["epoch"]): line["eval_loss"] for line in log if "eval_loss" in line}
    return [Epoch(epoch, train.get(epoch, math.nan), loss) for epoch, loss in sorted(held_out.items())]


def _arguments(options: Hyperparameters, rows: int, run: Path) -> TrainingArguments:
    steps = math.ceil(rows / (options.batch_size * options.gradient_accumulation)) * options.epochs
    gpu = torch.cuda.is_available()
    return TrainingArguments(
        output_dir=str(run),
        num_train_epochs=options.epochs,
        per_device_train_batch_size=options.batch_size,
        per_device_eval_batch_size=options.batch_size,
        gradient_accumulation_steps=options.gradient_accumulation,
        learning_rate=options.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=math.floor(options.warmup_fraction * steps),
        bf16=gpu,
        gradient_checkpointing=gpu,  # memory is scarce there, and recomputing is cheap
        gradient_checkpointing_kwargs={"use_reentrant": False} if gpu else None,
        dataloader_pin_memory=gpu,
        eval_strategy="epoch",
        logging_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        remove_unused_columns=False,
        label_names=["labels"],
        disable_tqdm=True,
        report_to="none",
        seed=options.seed,
    )
