import json
import subprocess
import sys
from pathlib import Path

import pytest
from jobs import Chain, environment, modules_with_torch

(inference,) = modules_with_torch("inference")

# What the container does with a model: its code folder is put on the path, and the four functions are called.
SERVE = """
import json, sys
folder, calls = sys.argv[1], json.load(sys.stdin)
sys.path.insert(0, folder + "/code")
sys.modules["peft"] = None  # the served model needs no PEFT
import inference
model = inference.model_fn(folder)
print(json.dumps([
    inference.output_fn(inference.predict_fn(inference.input_fn(body, kind), model), accept)
    for body, kind, accept in calls
]))
"""
JSON, LINES = "application/json", "application/jsonlines"


def serve(model: Path, *calls: tuple[str, str, str]) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", SERVE, str(model)],
        input=json.dumps(calls),
        cwd=model.anchor,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    answers: list[str] = json.loads(done.stdout.splitlines()[-1])
    return answers


def dialogues(chain: Chain) -> dict[str, dict[str, str]]:
    path = chain.root / "preprocess" / "input" / "dialogues" / "part-0000.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()]
    return {record["id"]: record for record in records}


def test_the_artifact_summarizes_as_the_training_did(chain: Chain) -> None:
    samples = json.loads((chain.model / "evaluation.json").read_text())["samples"]
    records = [dialogues(chain)[sample["id"]] for sample in samples]
    bodies = [
        (json.dumps({"inputs": [record["dialogue"] for record in records]}), JSON, JSON),
        (json.dumps(records), JSON, "*/*"),
        ("\ufeff" + "\n".join(map(json.dumps, records)) + "\n", LINES, LINES),
        (json.dumps({"inputs": records[1]["dialogue"]}), JSON, JSON),
        (json.dumps({"inputs": records[0]["dialogue"], "parameters": {"max_new_tokens": 2}}), JSON, JSON),
    ]
    listed, named, lines, alone, short = serve(chain.model, *bodies)
    texts = [sample["generated"] for sample in samples]
    assert [row["summary_text"] for row in json.loads(listed)] == texts
    assert any(texts)
    expected = [
        {"id": record["id"], "summary_text": text} for record, text in zip(records, texts, strict=True)
    ]
    assert json.loads(named) == expected
    assert [json.loads(line) for line in lines.splitlines()] == expected
    assert json.loads(alone) == [{"summary_text": texts[1]}]
    assert len(json.loads(short)[0]["summary_text"]) < len(texts[0])


def test_the_artifact_holds_what_serving_needs_and_no_checkpoint(chain: Chain) -> None:
    found = {path.relative_to(chain.model).as_posix() for path in chain.model.rglob("*") if path.is_file()}
    assert {"code/inference.py", "code/generation.py", "code/prompts.py", "code/threads.py"} == {
        name for name in found if name.startswith("code/")
    }
    assert {"config.json", "model.safetensors", "tokenizer.json", "summarization.json"} <= found
    assert "adapter/adapter_model.safetensors" in found
    assert not [name for name in found if "optimizer" in name or name.endswith(".pt")]
    size = sum(path.stat().st_size for path in chain.model.rglob("*") if path.is_file())
    assert size < 5_000_000


def test_a_dialogue_that_is_too_long_loses_turns_and_a_turn_that_is_too_long_is_refused(chain: Chain) -> None:
    model = inference.model_fn(str(chain.model))
    turns = [f"Ann: number {number}" for number in range(2000)]
    (answer,) = inference.predict_fn(inference.Request(["\n".join(turns)], [None], 8), model)
    assert set(answer) == {"summary_text"}
    with pytest.raises(ValueError, match="dialogue 2: its first turn alone is longer than 504 tokens"):
        inference.predict_fn(inference.Request(["Ann: Hi", " ".join(turns)], [None, None], 8), model)


def test_bytes_are_read_as_text_is() -> None:
    body = json.dumps({"dialogue": "Zoë: 🎂", "id": 7, "summary": "x"}, ensure_ascii=False)
    expected = inference.Request(["Zoë: 🎂"], ["7"])
    assert inference.input_fn(body, JSON) == expected
    assert inference.input_fn(body.encode(), f"{JSON}; charset=utf-8") == expected
    assert inference.input_fn(bytearray(body.encode("utf-8-sig")), LINES) == expected


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        ("{", JSON, "the request is not JSON"),
        (b"\xff", JSON, "the request is not UTF-8"),
        ("[]", JSON, "the request has no dialogues"),
        ("", LINES, "the request has no dialogues"),
        ("7", JSON, "dialogue 1: must be an object with the text 'dialogue'"),
        ('{"inputs": 7}', JSON, "dialogue 1: must be an object"),
        ('{"inputs": ["A: x", " "]}', JSON, "dialogue 2: is empty"),
        ('{"text": "A: x"}', JSON, "dialogue 1: must be an object with the text 'dialogue'"),
        ('{"dialogue": "A: x"}\n{"dial', LINES, "line 2 is not JSON"),
        ('{"inputs": "x", "parameters": 1}', JSON, "parameters: must be an object"),
        ('{"inputs": "x", "parameters": {"beams": 1}}', JSON, "parameters: unknown key 'beams'"),
        (
            '{"inputs": "x", "parameters": {"max_new_tokens": 0}}',
            JSON,
            "max_new_tokens must be a whole number",
        ),
        ('{"inputs": "x", "parameters": {"max_new_tokens": true}}', JSON, "max_new_tokens must be"),
        ("a,b", "text/csv", "unsupported content type 'text/csv'"),
    ],
)
def test_a_bad_request_is_a_value_error_that_says_what_is_wrong(
    body: str | bytes, kind: str, expected: str
) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        inference.input_fn(body, kind)
    assert expected in str(raised.value)


def test_an_unsupported_accept_type_is_named() -> None:
    with pytest.raises(ValueError, match="unsupported accept type 'text/csv'"):
        inference.output_fn([], "text/csv")
