import ast
import gzip
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from jobs import UNIT, fail, run

import dialogues
import preprocess
import prompts
from job_toolkit import imports, processing

Record = dict[str, object]
TURNS = "Ann: Hi!\r\nBob: Hello.\r\nAnn: Lunch at noon?\r\nBob: Yes."


def prepare(base: Path, *arguments: str) -> int:
    """The job in this process, with the exit code and the reason file of the real one."""
    return processing.run(preprocess.main, ["--base", str(base / "processing"), *arguments])


def lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def outputs(base: Path) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    out = base / "processing" / "output"
    return lines(out / "train" / "train.jsonl"), lines(out / "validation" / "validation.jsonl")


def put(base: Path, records: list[Record], name: str = "part.jsonl") -> None:
    folder = base / "processing" / "input" / "dialogues"
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(records) if name.endswith(".json") else "\n".join(map(json.dumps, records))
    (folder / name).write_text(text, encoding="utf-8")


def record(number: int, **changed: object) -> Record:
    return {"id": str(number), "dialogue": f"{TURNS} {number}", "summary": f"Lunch {number}."} | changed


@pytest.fixture
def base(tmp_path: Path, simulated: Path) -> Path:
    shutil.copytree(simulated, tmp_path / "processing" / "input")
    return tmp_path


def test_each_dialogue_is_in_one_split_as_prompt_and_summary(base: Path) -> None:
    assert prepare(base) == 0
    train, validation = outputs(base)
    assert (len(train), len(validation)) == (54, 6)
    template = (base / "processing" / "output" / "train" / "prompt.txt").read_text().rstrip("\n")
    made = {row["id"]: row for row in train + validation}
    source = lines(base / "processing" / "input" / "dialogues" / "part-0000.jsonl")
    assert set(made) == {row["id"] for row in source}
    for row in source:
        assert made[row["id"]] == {
            "id": row["id"],
            "prompt": template.replace("{dialogue}", row["dialogue"].replace("\r\n", "\n")),
            "summary": row["summary"],
        }
        assert made[row["id"]]["prompt"].endswith("Summary:")


def test_number_order_and_form_of_the_files_do_not_matter(base: Path) -> None:
    assert prepare(base) == 0
    out = base / "processing" / "output"
    first = {path: path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}
    part = base / "processing" / "input" / "dialogues" / "part-0000.jsonl"
    rows = lines(part)
    part.unlink()
    put(base, [*reversed(rows[30:])], "train.json")
    put(base, rows[20:30], "MORE.JSONL")
    put(base, rows[:20], "more.jsonl")
    (part.parent / "most.JSONL.gz").write_bytes(gzip.compress((part.parent / "more.jsonl").read_bytes()))
    (part.parent / "more.jsonl").unlink()
    (part.parent / "_SUCCESS").touch()
    assert prepare(base) == 0
    assert {path: path.read_bytes() for path in first} == first


def test_the_seed_shuffles_and_the_fraction_cuts(base: Path) -> None:
    assert prepare(base, "--validation-fraction", "0.5", "--seed", "1") == 0
    _, first = outputs(base)
    assert prepare(base, "--validation-fraction", "0.5", "--seed", "2") == 0
    _, second = outputs(base)
    assert len(first) == len(second) == 30
    assert {row["id"] for row in first} != {row["id"] for row in second}


def test_the_same_dialogue_never_stands_in_both_splits(tmp_path: Path) -> None:
    # Twenty dialogues, five times each, with blanks that the normalisation removes.
    put(tmp_path, [record(n, dialogue=f"{TURNS} {n % 20}{' ' * (n // 20)}") for n in range(100)])
    assert prepare(tmp_path, "--validation-fraction", "0.3") == 0
    train, validation = outputs(tmp_path)
    assert (len(train), len(validation)) == (70, 30)
    assert not {row["prompt"] for row in train} & {row["prompt"] for row in validation}


def test_records_without_text_and_other_fields_are_left_out_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path, [record(1), record(2, topic="x"), record(3, dialogue=" "), record(4, summary="")])
    assert prepare(tmp_path) == 0
    printed = capsys.readouterr().out
    assert "left out 2 records without a dialogue or a summary" in printed
    assert "left out other fields than id, dialogue, summary: topic" in printed
    train, validation = outputs(tmp_path)
    assert {row["id"] for row in train + validation} == {"1", "2"}


def test_a_long_dialogue_loses_its_last_turns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path, [record(1), record(2), record(3, dialogue=f"{TURNS}\n" * 50)])
    assert prepare(tmp_path, "--max-prompt-characters", "200") == 0
    assert "(1 shortened, 0 left out)" in capsys.readouterr().out
    train, validation = outputs(tmp_path)
    row = next(row for row in train + validation if row["id"] == "3")
    assert len(row["prompt"]) <= 200
    assert "Ann: Hi!\nBob: Hello." in row["prompt"]
    assert row["prompt"].endswith("\n\nSummary:")


def test_a_line_separator_of_unicode_does_not_end_a_record(tmp_path: Path) -> None:
    folder = tmp_path / "dialogues"
    folder.mkdir()
    rows = [record(n, summary="a\u2028b") for n in (1, 2)]
    (folder / "x.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
    found, _ = dialogues.read(folder)
    assert [row.summary for row in found] == ["a\u2028b"] * 2


def test_another_template_makes_the_prompts(base: Path) -> None:
    (base / "mine.txt").write_text("TL;DR of\n{dialogue}\n=>\n")
    assert prepare(base, "--prompt", str(base / "mine.txt")) == 0
    train, _ = outputs(base)
    assert all(row["prompt"].startswith("TL;DR of\n") for row in train)
    assert all(row["prompt"].endswith("\n=>") for row in train)


Change = Callable[[Path], object]
BAD: dict[str, tuple[Change, str]] = {
    "no files": (lambda base: None, "channel dialogues: no .jsonl, .json, .jsonl.gz, .json.gz file in"),
    "other files": (
        lambda base: (put(base, [record(1)]), put(base, [record(2)], "more.txt")),
        "more.txt: is no .jsonl, .json, .jsonl.gz, .json.gz file; convert it, or move it away",
    ),
    "not JSON": (lambda base: text(base, '{"id": 1,'), "part.jsonl: record 1: not JSON"),
    "not UTF-8": (lambda base: text(base, "\udcff"), "part.jsonl: cannot be read as UTF-8"),
    "broken list": (lambda base: text(base, '[{"id": "1"},'), "part.jsonl: not JSON"),
    "a number": (lambda base: text(base, "7"), "record 1: must be an object with id, dialogue, summary"),
    "no summary": (lambda base: put(base, [{"id": "1", "dialogue": "A: x"}]), "record 1: has no 'summary'"),
    "renamed": (lambda base: put(base, [{"id": "1", "text": "A: x"}]), "has no 'dialogue'"),
    "null": (lambda base: put(base, [record(1, summary=None)]), "record 1: 'summary' must be text, not null"),
    "a list": (lambda base: put(base, [record(1, dialogue=["A: x"])]), "'dialogue' must be text, not ["),
    "no id": (lambda base: put(base, [record(1, id="")]), "record 1: 'id' is empty"),
    "id twice": (lambda base: put(base, [record(1), record(1)]), "record 2: id '1' occurs twice"),
    "all empty": (
        lambda base: put(base, [record(1, summary=" ")]),
        "no record with a dialogue and a summary",
    ),
    "one dialogue": (
        lambda base: put(base, [record(1), record(1, id="2")]),
        "1 different dialogue(s); at least 2 are needed",
    ),
}
BAD_ARGUMENTS = {
    "--validation-fraction 1": "--validation-fraction must be between 0 and 1",
    "--max-prompt-characters 0": "--max-prompt-characters must be at least 1",
    "--max-prompt-characters 30": "--max-prompt-characters 30 leaves no train rows; raise it",
    "--seed -1": "--seed must not be negative",
    "--test-fraction 0.1": "unrecognized arguments: --test-fraction 0.1 (known: --prompt",
    "--prompt none.txt": "none.txt: cannot be read",
}


def text(base: Path, content: str) -> None:
    put(base, [])
    path = base / "processing" / "input" / "dialogues" / "part.jsonl"
    path.write_bytes(content.encode(errors="surrogateescape"))


@pytest.mark.parametrize("case", [*BAD, *BAD_ARGUMENTS])
def test_a_mistake_ends_with_one_line_and_no_output(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if case in BAD:
        change, expected = BAD[case]
        change(tmp_path)
        assert prepare(tmp_path) == 1
    else:
        expected = BAD_ARGUMENTS[case]
        put(tmp_path, [record(1), record(2)])
        assert prepare(tmp_path, *case.split()) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: ")
    assert expected in line
    assert "unexpected" not in line
    assert (tmp_path / "output" / "message").read_text() == line + "\n"
    assert not (tmp_path / "processing" / "output").exists()


def test_the_process_itself_ends_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_text("no place")
    put(tmp_path, [record(1), record(2)])
    arguments = ("--base", tmp_path / "processing", "--prompt", tmp_path / "bad.txt")
    line = fail(tmp_path / "output" / "message", "preprocess.py", *arguments)
    assert line.endswith("bad.txt: must hold {dialogue} once, not 0 times")
    assert run("preprocess.py", "--base", tmp_path / "processing").returncode == 0


def test_the_preprocessing_needs_nothing_but_python_3_10() -> None:
    """Its image has Python 3.10, and installs none of requirements.txt."""
    reached = imports.reached(UNIT, "preprocess.py")
    names: set[str] = set()
    for file in reached.values():
        tree = ast.parse(file.read_text(), feature_version=(3, 10))
        names |= {
            alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
        }
        names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    own = {path.parts[0].removesuffix(".py") for path in reached}
    assert {"dialogues", "prompts", "splits", "job_toolkit"} <= own
    assert {name.split(".")[0] for name in names} - own <= set(sys.stdlib_module_names)


def test_the_template_of_the_unit_holds_a_dialogue() -> None:
    assert prompts.check((UNIT / "prompt.txt").read_text()).endswith("Summary:")
