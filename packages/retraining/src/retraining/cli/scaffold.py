"""`retrain new-model` and `retrain remove-model`."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from retraining import console
from retraining.cli.options import load
from retraining.errors import UserError

if TYPE_CHECKING:
    from retraining.scaffold.remove_model import Removal

_SHOWN = 20  # places that still name a removed model


def new_model(
    name: Annotated[str, typer.Argument(help="Its name: a-z, 0-9, _ and -.")],
    like: Annotated[str, typer.Option("--like", help="A model of this project, or an example.")],
    data: Annotated[
        str | None,
        typer.Option("--data", help="S3 prefix of its data; without it, data/NAME/ in the bucket."),
    ] = None,
) -> None:
    """Add a model, copied from another one or from an example.

    Example: retrain new-model churn --like lightgbm
    """
    from retraining.scaffold.new_model import create

    root = load().root
    created = create(root, name, like, data)
    counts = f"{console.counted(created.files, 'file')}, {console.counted(created.steps, 'step')}"
    words = f"{' and '.join(created.models)}: {counts} in {created.anchor.relative_to(root)}"
    console.line(words)
    for note in created.notes:
        console.note(note)
    folders = " and ".join(str(folder.relative_to(root)) for folder in created.folders)
    ready = "".join(f"retrain data --model {model} && " for model in created.simulated)
    console.line(f"Next: make {folders} your own, and check it with `retrain check`;")
    console.line(f"      {ready}retrain run")


def remove_model(
    name: Annotated[str, typer.Argument(help="A model of this project.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove a model with its folder, its tests and its steps.

    Its versions in the registry and its data in S3 stay.

    Example: retrain remove-model scarcegan
    """
    from retraining.scaffold import remove_model as removing

    removal = removing.plan(load().root, name)
    for line in _lines(removal):
        console.note(line)
    if not yes and not (sys.stdin.isatty() and typer.confirm(f"Remove {name}?")):
        raise UserError("nothing was removed: answer yes, or give --yes")
    references = removing.remove(removal)
    console.line(f"{name} is removed")
    if removal.main:
        console.line(f"SMP_MODELNAME in conf/project.yaml is {removal.main} now")
    if references:
        console.line("These places still name it; see whether they need it:")
    for line in references[:_SHOWN]:
        console.line(f"  {line}")
    if len(references) > _SHOWN:
        console.line(f"  and {len(references) - _SHOWN} more")
    console.line("Its versions in the registry and its data in S3 stay. Next: retrain check")


def _lines(removal: "Removal") -> list[str]:
    """What would be removed, and what no commit has of it."""
    root = removal.root
    lines = []
    for path in removal.paths:
        below = [file for file in removal.files if file.is_relative_to(path)]
        lines.append(f"{path.relative_to(root)}: {console.counted(below, 'file')}")
    if removal.steps:
        anchor = removal.anchor.relative_to(root)
        lines.append(f"{anchor}: {console.counted(removal.steps, 'step')}, {', '.join(removal.steps)}")
    lines += removal.notes
    if removal.unsaved is None:
        lines.append("the project is not in git: nothing brings these files back")
    elif removal.unsaved:
        names = ", ".join(removal.unsaved[:3]) + (", ..." if len(removal.unsaved) > 3 else "")
        are = "is" if len(removal.unsaved) == 1 else "are"
        lines.append(
            f"{console.counted(removal.unsaved, 'file')} {are} in no commit as they are now: {names}"
        )
    return lines
