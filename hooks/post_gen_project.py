"""Put the chosen example in its place, keep the chosen CI's file, and say what to do next.

Runs in the new project's folder, in whatever Python runs cookiecutter.
"""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path
from urllib.parse import unquote

# JSON, percent-encoded, as in pre_gen_project.py.
ANSWERS = "{{ cookiecutter | jsonify | urlencode }}"

EXAMPLES = Path("vendor/retraining/src/retraining/examples")
CI_FILES = {"github": ".github", "codebuild": "buildspec.yml"}
# What work in the template's own folder leaves there, and git ignores.
LEFTOVERS = (
    ".local",
    ".tools",
    ".venv",
    "build",
    "**/__pycache__",
    "**/.*_cache",
    "**/.hypothesis",
    "*.egg-info",
)


def take_example(example: str) -> None:
    """Copy the chosen example's models to models/<model>, and their tests to tests/models/<model>.

    An example is one model of its name, or several whose names begin with it: housing_pca, housing_mlp.
    """
    for folder in sorted(EXAMPLES.iterdir()):
        if folder.name == example or folder.name.startswith(f"{example}_"):
            shutil.copytree(folder, Path("models", folder.name), ignore=shutil.ignore_patterns("tests"))
            shutil.copytree(folder / "tests", Path("tests", "models", folder.name))


def keep_ci(provider: str) -> None:
    for name, path in CI_FILES.items():
        if name == provider:
            continue
        if Path(path).is_dir():
            shutil.rmtree(path)
        else:
            Path(path).unlink()


def remove_leftovers() -> None:
    for pattern in LEFTOVERS:
        for folder in list(Path().glob(pattern)):
            shutil.rmtree(folder, ignore_errors=True)


def next_step() -> str:
    """The command to type, wherever one stands: where cookiecutter was started is not to be known here."""
    return f"cd {shlex.quote(str(Path.cwd()))} && make run"


def main() -> None:
    answers = json.loads(unquote(ANSWERS))
    remove_leftovers()
    take_example(answers["example"])
    keep_ci(answers["ci_provider"])
    print(f"{answers['project_slug']} is made. Next: {next_step()}")


if __name__ == "__main__":
    main()
