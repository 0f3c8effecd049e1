"""Simulated dialogues with summaries, in SAMSum's schema: JSON lines with `id`, `dialogue` and `summary`.

    python simulate.py --out DIR [--dialogues 800] [--seed 7]

A seed gives the same bytes again.
"""

import random
import sys
from pathlib import Path

import conversations
from job_toolkit import failure, strict_json
from job_toolkit.failure import ArgumentParser, InputError


def simulate(count: int = 800, seed: int = 7) -> list[dict[str, str]]:
    """`count` records with unique ids."""
    rng = random.Random(seed)
    records = []
    for number in range(count):
        dialogue, summary = conversations.draw(rng)
        records.append({"id": f"{seed}-{number:06d}", "dialogue": dialogue, "summary": summary})
    return records


def write(records: list[dict[str, str]], out: Path) -> Path:
    """Write out/dialogues/part-0000.jsonl."""
    path = out / "dialogues" / "part-0000.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (strict_json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    path.write_text("".join(lines), encoding="utf-8")
    return path


def main(argv: list[str]) -> None:
    parser = ArgumentParser(__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--dialogues", type=int, default=800, help="dialogues in all")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args(argv)
    for name, low, high in (("dialogues", 1, 10_000_000), ("seed", 0, 2**32)):
        if not low <= getattr(options, name) <= high:
            raise InputError(f"arguments: --{name} must be between {low} and {high}")
    path = write(simulate(options.dialogues, options.seed), options.out)
    print(f"dialogues: {options.dialogues} in {path}")


if __name__ == "__main__":
    sys.exit(failure.run(lambda: main(sys.argv[1:])))
