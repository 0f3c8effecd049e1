import json
from pathlib import Path

import pytest
from jobs import run, succeed

import conversations
import dialogues
import simulate


def test_a_seed_gives_the_same_bytes_again(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        succeed("simulate.py", "--out", tmp_path / name, "--dialogues", 50, "--seed", seed)
    a, b, c = ((tmp_path / name / "dialogues" / "part-0000.jsonl").read_bytes() for name in "abc")
    assert a == b != c


def test_the_records_are_samsums(tmp_path: Path) -> None:
    path = simulate.write(simulate.simulate(200, 1), tmp_path)
    found, left = dialogues.read(tmp_path)
    assert len(found) == 200
    assert (left.empty, left.fields) == (0, set())
    for line in path.read_text().splitlines():
        turns = json.loads(line)["dialogue"].split("\r\n")
        speakers = [turn.split(": ")[0] for turn in turns]
        assert len(turns) == 8
        assert len(set(speakers)) == 2
        assert set(speakers) <= set(conversations.NAMES)


def test_a_summary_says_nothing_that_the_dialogue_does_not() -> None:
    known = [word for choices in conversations.WORDS.values() for word in choices] + [*conversations.NAMES]
    for row in simulate.simulate(300, 2):
        said = row["dialogue"].lower()
        assert all(word.lower() in said for word in known if word in row["summary"].split("'")[0])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--dialogues", 0), "Error: arguments: --dialogues must be between 1 and"),
        (("--seed", -1), "Error: arguments: --seed must be between 0 and"),
        (("--players", 3), "Error: arguments: unrecognized arguments: --players 3 (known: --out"),
    ],
)
def test_wrong_arguments_are_named(arguments: tuple[object, ...], expected: str, tmp_path: Path) -> None:
    done = run("simulate.py", "--out", tmp_path, *arguments)
    assert done.returncode == 1
    assert done.stderr.startswith(expected)
    assert len(done.stderr.splitlines()) == 1


def test_a_folder_that_cannot_be_written_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run("simulate.py", "--out", tmp_path / "file")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert str(tmp_path / "file") in line
