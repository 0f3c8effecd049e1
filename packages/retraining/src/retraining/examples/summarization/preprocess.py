"""SageMaker processing job: validate dialogues, build prompts, split, write JSON lines for the training.

Input: <base>/input/dialogues/, any number of .jsonl or .json files (see dialogues.py). Outputs, under
<base>/output/: train (train.jsonl, prompt.txt) and validation (validation.jsonl). A line is an object with
`id`, `prompt` and `summary`.

Records without a dialogue or a summary are left out, and so are turns at the end of a dialogue whose prompt
would be longer than --max-prompt-characters.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import dialogues
import prompts
import splits
from dialogues import Dialogue
from job_toolkit import processing, strict_json
from job_toolkit.failure import InputError

OUTPUTS = ("train", "validation")
Row = dict[str, str]


def prepare(rows: list[Dialogue], template: str, limit: int) -> tuple[list[Row], int]:
    """The rows to write, and how many of them lost turns. A row of which no turn fits is left out."""
    made: list[Row] = []
    shortened = 0
    for row in rows:
        whole = prompts.build(template, row.dialogue)
        prompt = prompts.shorten(template, row.dialogue, lambda text: len(text) <= limit)
        shortened += prompt != whole
        if prompt is not None:
            made.append({"id": row.id, "prompt": prompt, "summary": " ".join(row.summary.split())})
    return made, shortened


def write(train: list[Row], validation: list[Row], template: str, out: Path) -> None:
    """Write everything beside the outputs first, then move it in: a job that fails leaves no half of them."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".partial-") as name:
        staging = Path(name)
        for folder, rows in zip(OUTPUTS, (train, validation), strict=True):
            (staging / folder).mkdir()
            lines = (strict_json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            (staging / folder / f"{folder}.jsonl").write_text("".join(lines), encoding="utf-8")
        (staging / "train" / "prompt.txt").write_text(template + "\n", encoding="utf-8")
        for folder in OUTPUTS:
            (out / folder).mkdir(exist_ok=True)
            for file in sorted((staging / folder).iterdir()):
                shutil.move(file, out / folder / file.name)


def template_from(path: Path) -> str:
    """The prompt's template: as given, or beside this script, where the job's code package holds it."""
    path = path if path.is_absolute() or path.exists() else Path(__file__).parent / path
    try:
        return prompts.check(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"prompt template {path}: cannot be read ({error})") from None
    except ValueError as error:
        raise InputError(f"prompt template {path}: {error}") from None


def main(argv: list[str]) -> None:
    options = _arguments(argv)
    template = template_from(options.prompt)
    rows, left = dialogues.read(options.base / "input" / "dialogues")
    if left.empty:
        print(f"left out {left.empty} records without a dialogue or a summary")
    if left.fields:
        print(f"left out other fields than {', '.join(dialogues.FIELDS)}: {', '.join(sorted(left.fields))}")
    parts = splits.split(rows, options.validation_fraction, options.seed)
    made = []
    for name, part in zip(OUTPUTS, parts, strict=True):
        prepared, shortened = prepare(part, template, options.max_prompt_characters)
        if not prepared:
            raise InputError(
                f"arguments: --max-prompt-characters {options.max_prompt_characters} leaves no {name} rows;"
                " raise it"
            )
        made.append(prepared)
        print(
            f"{name}: {len(prepared)} dialogues ({shortened} shortened, {len(part) - len(prepared)} left out)"
        )
    write(made[0], made[1], template, options.base / "output")


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = processing.parser("Validate dialogues, build prompts, split.")
    parser.add_argument("--prompt", type=Path, default=Path("prompt.txt"), help="template with {dialogue}")
    parser.add_argument("--validation-fraction", type=float, default=0.1)
    parser.add_argument("--max-prompt-characters", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args(argv)
    if not 0 < options.validation_fraction < 1:
        raise InputError("arguments: --validation-fraction must be between 0 and 1")
    if options.max_prompt_characters < 1:
        raise InputError("arguments: --max-prompt-characters must be at least 1")
    if options.seed < 0:
        raise InputError("arguments: --seed must not be negative")
    return options


if __name__ == "__main__":
    sys.exit(processing.run(main))
