import csv
import json
import math
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest
import yaml
from jobs import (
    UNIT,
    Chain,
    command,
    environment,
    fail,
    modules_with_torch,
    run_chain,
    succeed,
    training_base,
)

from job_toolkit import metrics
from job_toolkit.failure import InputError
from job_toolkit.training import Folders

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

torch, saved, transformers = modules_with_torch("torch", "safetensors.torch", "transformers")
adapter, evaluation, examples, hyperparameters, tiny, train = modules_with_torch(
    "adapter", "evaluation", "examples", "hyperparameters", "tiny", "train"
)

METRICS = yaml.safe_load((UNIT / "conf.yaml").read_text())["conf"]["models"][UNIT.name]["train"][
    "metric_definitions"
]
DETERMINED = ("model.safetensors", "adapter/adapter_model.safetensors", "evaluation.json", "tokenizer.json")


def printed(log: str, name: str) -> list[float]:
    """The values that SageMaker would read from the log."""
    return [float(found) for line in log.splitlines() for found in re.findall(METRICS[name], line)]


def read(path: Path) -> dict[str, object]:
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def tokenizer(chain: Chain) -> "PreTrainedTokenizerFast":
    return tiny.tokenizer(row["prompt"] + " " + row["summary"] for row in rows(chain, "train"))


def rows(chain: Chain, name: str) -> list[dict[str, str]]:
    return examples.read(chain.data / name / f"{name}.jsonl")


def test_the_log_holds_every_metric_and_the_losses_fall(chain: Chain) -> None:
    train, held_out = printed(chain.log, "Train_Loss"), printed(chain.log, "Eval_Loss")
    assert len(train) == len(held_out) == len(printed(chain.log, "Eval_Perplexity")) == 3
    assert train == sorted(train, reverse=True)
    assert held_out[-1] < held_out[0]
    assert printed(chain.log, "Eval_Perplexity") == pytest.approx([math.exp(loss) for loss in held_out], 1e-4)
    for name in ("Final_Eval_Loss", "Final_Eval_Perplexity", "ROUGE_L"):
        assert len(printed(chain.log, name)) == 1
    assert printed(chain.log, "Final_Eval_Loss") == [min(held_out)]


def test_the_documents_hold_what_was_printed(chain: Chain) -> None:
    found = read(chain.model / "evaluation.json")
    assert found["gate"] == {"eval_loss": found["eval_loss"], "max_eval_loss": 5.0, "passed": True}
    assert found["eval_loss"] == pytest.approx(printed(chain.log, "Final_Eval_Loss")[0], abs=1e-6)
    assert found["rouge_l"] == pytest.approx(printed(chain.log, "ROUGE_L")[0], abs=1e-6)
    assert (found["dialogues"], found["summaries_generated"]) == (24, 4)
    quality = read(chain.model / "model_quality.json")["text_generation_metrics"]
    assert set(quality) == {"eval_loss", "perplexity", "rouge_l"}
    assert quality["eval_loss"]["value"] == found["eval_loss"]
    assert all(0 < metric["standard_deviation"] < 10 for metric in quality.values())
    (model,) = metrics.read(chain.model / "metrics.csv")
    assert (model.problem, model.metrics["rows"]) == ("text_generation", 24)
    assert {name: metric["value"] for name, metric in quality.items()} == {
        name: value for name, value in model.metrics.items() if name != "rows"
    }
    for name in ("evaluation.json", "metrics.csv", "model_quality.json"):
        written = chain.root / "train" / "output" / "data" / name
        assert written.read_bytes() == (chain.model / name).read_bytes()


def test_curves_and_plots_are_there_for_mlflow(chain: Chain) -> None:
    output = chain.root / "train" / "output" / "data"
    with (output / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    for column, name in (("train_loss", "Train_Loss"), ("eval_loss", "Eval_Loss")):
        assert [float(row[column]) for row in rows] == pytest.approx(printed(chain.log, name), abs=1e-6)
    drawn = ElementTree.parse(output / "plots" / "loss_curves.svg").getroot()
    assert len(drawn.findall("{*}polyline")) == 2
    page = (output / "report.html").read_text()
    for text in ("Training", "ROUGE-L", "24 validation dialogues", "passes"):
        assert text in page
    assert "nan" not in page


def test_every_value_that_is_printed_is_a_metric(chain: Chain) -> None:
    assert set(re.findall(r"(\w+)=[-+0-9.eE]+;", chain.log)) == set(METRICS)
    assert printed(chain.log, "Epoch") == [1, 2, 3]
    assert len(printed(chain.log, "Step")) == 3


def test_only_the_adapter_was_trained(chain: Chain) -> None:
    """The served weights are the untouched base's, and the adapter's product on top of the linear layers."""
    served = saved.load_file(chain.model / "model.safetensors")
    learned = saved.load_file(chain.model / "adapter" / "adapter_model.safetensors")
    assert all(".lora_A." in name or ".lora_B." in name for name in learned)
    config = read(chain.model / "adapter" / "adapter_config.json")
    scale = config["lora_alpha"] / config["r"]
    base = tiny.model(len(load_tokens(chain)), 0).state_dict()
    adapted = 0
    for name, weight in served.items():
        key = f"base_model.model.{name.removesuffix('.weight')}.lora_%s.weight"
        delta = torch.zeros(())
        if key % "A" in learned:
            adapted += 1
            delta = scale * learned[key % "B"] @ learned[key % "A"]
            assert delta.abs().max() > 0.001
        torch.testing.assert_close(weight, base[name] + delta)
    assert adapted == 2 * 4 == len(learned) / 2


def load_tokens(chain: Chain) -> "PreTrainedTokenizerFast":
    return transformers.PreTrainedTokenizerFast.from_pretrained(chain.model)


def test_the_trained_weights_are_the_adapters() -> None:
    model = adapter.add(tiny.model(300, 0), hyperparameters.Hyperparameters())
    names = adapter.trained_weights(model)
    assert len(names) == 2 * 4 * 2
    assert all("lora_" in name for name in names)


def test_the_prompt_is_masked_and_the_end_is_learned(tokenizer: "PreTrainedTokenizerFast") -> None:
    row = {"id": "1", "prompt": "Summarize.\n\nAnn: Hi!\n\nSummary:", "summary": "Ann says hi to Żoë 🎂."}
    encoded = examples.encode(tokenizer, row)
    learned = [label for label in encoded["labels"] if label != examples.IGNORED]
    start = len(encoded["labels"]) - len(learned)
    assert encoded["labels"][:start] == [examples.IGNORED] * start
    assert tokenizer.decode(encoded["input_ids"][:start]) == row["prompt"]
    assert tokenizer.decode(learned) == f" {row['summary']}{tiny.END}"
    assert encoded["input_ids"][start:] == learned


def test_padding_is_neither_read_nor_learned(tokenizer: "PreTrainedTokenizerFast") -> None:
    texts = ("Ann: Hi!", "Bob: Good morning, are you there?")
    encoded = [examples.encode(tokenizer, {"prompt": text, "summary": "Hello."}) for text in texts]
    batch = examples.Collator(tokenizer.pad_token_id)(encoded)
    lengths = [len(example["input_ids"]) for example in encoded]
    assert batch["attention_mask"].sum(dim=1).tolist() == lengths
    assert batch["labels"][0, lengths[0] :].tolist() == [examples.IGNORED] * (lengths[1] - lengths[0])
    model = tiny.model(len(tokenizer), tokenizer.eos_token_id)
    collate = examples.Collator(tokenizer.pad_token_id)
    together = evaluation.losses(model, encoded, collate, 2)
    alone = evaluation.losses(model, encoded, collate, 1)
    assert together.tokens == alone.tokens
    assert together.sums == pytest.approx(alone.sums, rel=1e-4)


def test_the_evaluation_loss_is_the_models_own_over_the_summary(tokenizer: "PreTrainedTokenizerFast") -> None:
    model = tiny.model(len(tokenizer), tokenizer.eos_token_id)
    encoded = examples.encode(tokenizer, {"prompt": "Ann: Hi!", "summary": "Ann greets."})
    collate = examples.Collator(tokenizer.pad_token_id)
    found = evaluation.losses(model, [encoded], collate, 1)
    assert found.mean == pytest.approx(model(**collate([encoded])).loss.item(), rel=1e-5)


def test_a_seed_gives_the_same_model_again(chain: Chain, quick: tuple[object, ...], tmp_path: Path) -> None:
    same = training_base(tmp_path / "same", chain.data)
    assert printed(succeed("train.py", "--base", same, *quick), "Eval_Loss") == printed(
        chain.log, "Eval_Loss"
    )
    for name in DETERMINED:
        assert (same / "model" / name).read_bytes() == (chain.model / name).read_bytes()
    other = training_base(tmp_path / "other", chain.data)
    log = succeed("train.py", "--base", other, *quick, "--epochs", 1, "--seed", 8)
    assert printed(log, "Eval_Loss")[0] != printed(chain.log, "Eval_Loss")[0]


def test_the_gatekeeper_fails_the_job(chain: Chain, quick: tuple[object, ...], tmp_path: Path) -> None:
    """The checkpoints are those of the chain: only the evaluation is done again."""
    base = training_base(tmp_path / "train", chain.data)
    shutil.copytree(chain.root / "train" / "checkpoints", base / "checkpoints")
    arguments = ("--base", base, *quick, "--max_eval_loss", "0.01")
    line = fail(base / "output" / "failure", "train.py", *arguments)
    loss = printed(chain.log, "Final_Eval_Loss")[0]
    assert line.startswith(
        f"gatekeeper: the evaluation loss {loss:.4f} exceeds max_eval_loss, 0.01: the model is not"
    )
    assert not (base / "model").exists()
    found = read(base / "output" / "data" / "evaluation.json")
    assert found["gate"]["passed"] is False


def test_a_killed_training_goes_on_from_its_checkpoint(
    chain: Chain, quick: tuple[object, ...], tmp_path: Path
) -> None:
    base = training_base(tmp_path / "train", chain.data)
    arguments = ("--base", base, *quick)
    first = subprocess.Popen(
        command("train.py", *arguments), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment()
    )
    while first.poll() is None and not list(base.glob("checkpoints/run-*/checkpoint-*/trainer_state.json")):
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    assert first.stdout is not None
    seen = first.stdout.read().decode()
    first.stdout.close()
    assert first.wait() == -signal.SIGKILL, "it ended before it could be killed"
    assert not (base / "model").exists()
    log = succeed("train.py", *arguments)
    assert re.search(r"^checkpoints: resumed from checkpoint-\d+$", log, re.MULTILINE)
    again, whole = printed(log, "Eval_Loss"), printed(chain.log, "Eval_Loss")
    assert 0 < len(again) < len(whole)
    assert again == whole[-len(again) :]
    assert len(printed(seen, "Eval_Loss")) + len(again) >= len(whole)
    for name in DETERMINED:
        assert (base / "model" / name).read_bytes() == (chain.model / name).read_bytes()
    history = Path("output") / "data" / "history.csv"
    assert (base / history).read_text() == (chain.root / "train" / history).read_text()


def test_channels_and_folders_come_from_sagemakers_variables(chain: Chain, tmp_path: Path) -> None:
    log = succeed(
        "train.py",
        *("--epochs", 1, "--rouge_examples", 0, "--max_eval_loss", 9),
        SM_CHANNEL_TRAIN=str(chain.data / "train"),
        SM_CHANNEL_VALIDATION=str(chain.data / "validation"),
        SM_MODEL_DIR=str(tmp_path / "model"),
        SM_OUTPUT_DATA_DIR=str(tmp_path / "output"),
        SM_CHECKPOINT_DIR=str(tmp_path / "checkpoints"),
    )
    assert printed(log, "ROUGE_L") == []
    assert (tmp_path / "model" / "code" / "inference.py").exists()
    assert read(tmp_path / "output" / "evaluation.json")["rouge_l"] is None
    assert list(tmp_path.glob("checkpoints/run-*/checkpoint-27"))


def test_a_model_in_a_folder_is_fine_tuned(chain: Chain, tmp_path: Path) -> None:
    """What a run made is a model like any other: the same path as a model of the hub takes."""
    base = training_base(tmp_path / "train", chain.data)
    given = ("--model_id", chain.model, "--four_bit", "true")
    quick = ("--epochs", 1, "--rouge_examples", 0, "--max_eval_loss", 9)
    log = succeed("train.py", "--base", base, *given, *quick)
    assert "four_bit: there is no GPU" in log or torch.cuda.is_available()
    assert printed(log, "Eval_Loss")[0] < printed(chain.log, "Eval_Loss")[0]
    assert read(base / "model" / "summarization.json")["base_model"] == str(chain.model)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ("--max_tokens", 20, "--max_new_tokens", 4),
            "all 216 rows are longer than max_tokens, 20; the shortest",
        ),
        (("--model_id", "/no/such/folder"), "hyperparameter model_id: '/no/such/folder' cannot be loaded"),
        (("--epochs", "ten"), "hyperparameter epochs: 'ten' is not a whole number"),
    ],
)
def test_a_mistake_ends_with_one_line(
    arguments: tuple[object, ...], expected: str, chain: Chain, tmp_path: Path
) -> None:
    base = training_base(tmp_path / "train", chain.data)
    assert expected in fail(base / "output" / "failure", "train.py", "--base", base, *arguments)
    assert not (base / "model").exists()


def test_bad_channels_are_named(chain: Chain, tmp_path: Path) -> None:
    def line() -> str:
        with pytest.raises(InputError) as raised:
            train.load(Folders(tmp_path))
        return str(raised.value)

    data = tmp_path / "input" / "data"
    assert "channel train: " in line()
    shutil.copytree(chain.data, data)
    (data / "train" / "prompt.txt").write_text("no place")
    assert "prompt.txt must hold {dialogue} once" in line()
    shutil.copy(chain.data / "train" / "prompt.txt", data / "train" / "prompt.txt")
    path = data / "validation" / "validation.jsonl"
    for content, text in (
        ("", "has no rows"),
        ('{"id": "1", "prompt": "p", "summary": "s"}\n{"id"', "line 2: not JSON"),
        ('{"id": "1", "prompt": "p"}', "line 1: must be an object with the texts id, prompt and summary"),
    ):
        path.write_text(content)
        assert line().startswith("channel validation: ")
        assert text in line()
    path.unlink()
    assert "it is written by preprocess.py" in line()


def test_a_loss_that_is_not_finite_does_not_pass(tmp_path: Path) -> None:
    for loss in (math.nan, math.inf):
        assert not evaluation.passes(loss, 1000)
        result = evaluation.Evaluation(evaluation.Losses([loss], [1]), [], [])
        evaluation.write(evaluation.document(result, 1000), evaluation.candidate(result, 7), tmp_path)
        assert read(tmp_path / "evaluation.json")["eval_loss"] is None
        assert sorted(path.name for path in tmp_path.iterdir()) == ["evaluation.json", "metrics.csv"]
        with pytest.raises(InputError, match="is not finite: lower learning_rate"):
            evaluation.check(loss, 1000)
    assert evaluation.passes(1.0, 1.0)
    evaluation.check(1.0, 1.0)


@pytest.mark.slow
def test_the_defaults_learn_to_summarize(tmp_path: Path) -> None:
    """At the size of `simulate.py` and the hyperparameters of conf.yaml, the gatekeeper lets it pass."""
    found = run_chain(tmp_path, 800)
    assert printed(found.log, "Eval_Loss")[-1] < 0.5 * printed(found.log, "Eval_Loss")[0]
    assert printed(found.log, "Final_Eval_Loss")[0] < 0.9
    assert printed(found.log, "ROUGE_L")[0] > 0.6
