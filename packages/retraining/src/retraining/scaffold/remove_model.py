"""`retrain remove-model`: take one model out of the project, with its steps, its folder and its tests."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from retraining.config.configuration import Configuration, load
from retraining.config.files import model_files
from retraining.errors import UserError, suggestion_or_all
from retraining.scaffold.source import EXAMPLES, PIPELINE, anchor_of, model_texts
from retraining.scaffold.yaml_edit import YamlText, reindented, value_of, write

_SEARCHED = (".py", ".yaml", ".yml", ".md", ".toml", ".ipynb", ".json", ".cfg", "Makefile")
_SKIPPED = ("vendor", "build", "node_modules")
_HIDDEN = ".remove-model"


@dataclass(frozen=True)
class Removal:
    """What would be removed.

    Attributes:
        paths: folders and files that go as a whole.
        files: the files in them.
        texts: the new text of each file that stays, or is made.
        steps: the model's steps in the pipeline.
        anchor: the file that has them.
        main: the model that SMP_MODELNAME names then; None where that does not change.
        notes: what stays although it looks like the model's.
        unsaved: of the files, those that no commit has as they are; None for a project without git.
    """

    root: Path
    name: str
    paths: tuple[Path, ...]
    files: tuple[Path, ...]
    texts: dict[Path, str]
    steps: tuple[str, ...]
    anchor: Path
    main: str | None
    notes: tuple[str, ...]
    unsaved: tuple[str, ...] | None


def plan(root: Path, name: str) -> Removal:
    """See what removing a model of the project in `root` takes; nothing is changed.

    Raises:
        UserError: the configuration is wrong, there is no such model, or it is the only one.
    """
    configuration = load(root)
    root = configuration.root
    if name not in configuration.models:
        is_example = (EXAMPLES / name).is_dir()
        hint = "an example of the platform, which is not in" if is_example else "no model of"
        known = suggestion_or_all(name, configuration.models)
        raise UserError(f"{name!r} is {hint} this project{known}")
    others = [other for other in configuration.models if other != name]
    if not set(others) & set(configuration.pipeline.models):
        raise UserError(
            f"{name!r} is the only model of the pipeline: add another one first, such as by "
            "`retrain new-model NAME --like minimal`"
        )
    conf = next((file for file in model_texts(configuration) if file.find("conf", "models", name)), None)
    if conf is None:
        raise UserError(f"no file has conf.models.{name} as a key of its own: remove the model by hand")
    anchor = anchor_of(configuration)
    _require_unread(configuration, name, anchor)
    steps = _cut_steps(anchor, name)
    texts: dict[Path, str] = {}
    is_alone = len(_models_in(conf)) == 1
    paths, notes = _paths(configuration, name, conf, is_alone)
    goes = any(conf.path.is_relative_to(path) for path in paths)
    if anchor.path == conf.path and goes:
        texts[root / model_files.PIPELINE] = _pipeline_alone(anchor)
    elif anchor.path == conf.path:
        _cut_model(anchor, name)
        texts[anchor.path] = anchor.render()
    else:
        texts |= {anchor.path: anchor.render()} if steps else {}
        if not goes:
            _cut_model(conf, name)
            texts[conf.path] = conf.render()
    main = None
    project = YamlText(root / "conf" / "project.yaml")
    named = project.find("SMP_MODELNAME")
    if named is not None and named[1].value == name:
        main = next(other for other in configuration.pipeline.models if other != name)
        project.replace(named[1], main)
        texts[project.path] = project.render()
    files = tuple(_files(paths))
    return Removal(root, name, paths, files, texts, steps, anchor.path, main, notes, _unsaved(root, files))


def remove(removal: Removal) -> list[str]:
    """Remove a model; returns the places that still name it.

    The pipeline changes first: interrupted at any point, the same command does the rest.

    Raises:
        UserError: the configuration would not be valid without the model, or a file cannot be changed.
            Nothing was changed then.
    """
    root, hidden = removal.root, removal.root / _HIDDEN
    shutil.rmtree(hidden, ignore_errors=True)  # of an interrupted call
    before = {path: path.read_bytes() if path.exists() else None for path in removal.texts}
    environments = [name for name in _environments(root) if _problems(root, name) == []]
    moved: list[Path] = []
    try:
        # A new conf/pipeline.yaml comes with the removal of the file that had the pipeline.
        for path, text in removal.texts.items():
            write(path, text.encode())
        for path in removal.paths:
            target = hidden / path.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
            moved.append(path)
        load(root)
    except BaseException as error:
        for path in reversed(moved):
            (hidden / path.relative_to(root)).rename(path)
        for path, content in before.items():
            if content is None:
                path.unlink(missing_ok=True)
            else:
                write(path, content)
        shutil.rmtree(hidden, ignore_errors=True)
        words = f"nothing was changed: the configuration without {removal.name!r} is not valid"
        if isinstance(error, UserError):
            raise UserError(*error.problems, words) from None
        if isinstance(error, OSError):
            raise UserError(f"nothing was changed: {error}") from None
        raise
    shutil.rmtree(hidden, ignore_errors=True)
    broken = [line for name in environments for line in _problems(root, name)]
    return [*broken, *_references(root, removal.name, broken)]


def _require_unread(configuration: Configuration, name: str, anchor: YamlText) -> None:
    """No step of another model reads what the model's steps write."""
    for step in configuration.steps.values():
        for source in step.settings.chain_input_source_step:
            if step.model_name != name and configuration.steps[source].model_name == name:
                raise UserError(
                    f"step {step.name!r} of {step.model_name!r} reads what {source!r} of {name!r} writes: "
                    f"remove {step.model_name!r} first, or change what that step chains in "
                    f"{anchor.path.relative_to(configuration.root)}"
                )


def _models_in(conf: YamlText) -> list[str]:
    entry = conf.find("conf", "models")
    return [key.value for key, _ in entry[1].value] if entry else []


def _cut_model(file: YamlText, name: str) -> None:
    block = file.block("conf", "models", name)
    if block:
        file.cut(*block)


def _cut_steps(anchor: YamlText, name: str) -> tuple[str, ...]:
    """Cut a model's steps out of the pipeline and of its chains, in which their neighbours are joined."""
    entry = anchor.find(*PIPELINE, "models", name)
    block = anchor.block(*PIPELINE, "models", name)
    if entry is None or block is None:
        return ()
    listed = value_of(entry[1], "steps")
    nodes = listed.value if isinstance(listed, yaml.SequenceNode) else []
    steps = tuple(str(step.value) for node in nodes if (step := value_of(node, "step_name")) is not None)
    anchor.cut(*block)
    chains = anchor.find(*PIPELINE, "dependencies")
    if chains is None or not isinstance(chains[1], yaml.SequenceNode):
        return steps
    kept = [(node, _without(node.value, steps)) for node in chains[1].value]
    if not any(text for _, text in kept):
        whole = anchor.block(*PIPELINE, "dependencies")
        if whole:
            anchor.cut(*whole)
    elif chains[1].flow_style:
        texts = ", ".join(text for _, text in kept if text)
        anchor.substitute(chains[1].start_mark.index, chains[1].end_mark.index, f"[{texts}]")
    else:
        for node, text in kept:
            if text is None:
                anchor.cut(anchor.start_of_line(node), anchor.after(node))
            elif text != node.value:
                anchor.replace(node, text)
    return steps


def _without(chain: str, steps: tuple[str, ...]) -> str | None:
    """A chain without these steps, as it is where it has none of them; None where no order is left."""
    names = [part.strip() for part in chain.split(">>")]
    left = [name for name in names if name not in steps]
    if left == names:
        return chain
    return " >> ".join(left) if len(left) > 1 else None


def _pipeline_alone(anchor: YamlText) -> str:
    """conf/pipeline.yaml with what a model's file has of the pipeline."""
    entry, block = anchor.find(*PIPELINE), anchor.block(*PIPELINE)
    if entry is None or block is None:
        raise UserError(f"{anchor.path}: no conf.sagemakerPipeline")
    text = reindented(anchor.render(*block), 2 - entry[0].start_mark.column)
    return f"conf:\n{text}".replace("\n", anchor.newline)


def _paths(
    configuration: Configuration, name: str, conf: YamlText, is_alone: bool
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Folders and files that are the model's alone, and notes on what others use too."""
    root = configuration.root
    folder = root / configuration.models[name].source_directory
    used = [root / model.source_directory for other, model in configuration.models.items() if other != name]
    files = [file.path for file in model_texts(configuration) if _models_in(file) != [name]]
    notes: list[str] = []
    paths: list[Path] = []
    is_shared = any(other.is_relative_to(folder) or folder.is_relative_to(other) for other in [*used, *files])
    if is_shared or folder == root or not folder.is_relative_to(root):
        notes.append(f"{folder.relative_to(root)} stays: it is not this model's alone")
    else:
        paths.append(folder)
    if is_alone and not any(conf.path.is_relative_to(path) for path in paths):
        paths += [conf.path, *_overlays(conf, name)]
    tests = root / "tests" / "models" / name
    paths += [tests] if tests.is_dir() else []
    return tuple(paths), tuple(notes)


def _overlays(conf: YamlText, name: str) -> Iterator[Path]:
    """The environments' files next to a model's, which describe this model."""
    for path in sorted(conf.path.parent.glob("*.yaml")):
        if path != conf.path and YamlText(path).find("conf", "models", name):
            yield path


def _files(paths: tuple[Path, ...]) -> list[Path]:
    below = (path.rglob("*") if path.is_dir() else [path] for path in paths)
    files = (file for listed in below for file in listed)
    return sorted(file for file in files if file.is_file() and "__pycache__" not in file.parts)


def _unsaved(root: Path, files: tuple[Path, ...]) -> tuple[str, ...] | None:
    """Those of the files that no commit has as they are; None where git has nothing of the project."""
    git = ["git", "-C", str(root), "-c", "core.quotePath=false"]
    try:
        listed = subprocess.run(
            [*git, "ls-files", "-z"], capture_output=True, text=True, errors="replace", check=False
        )
        changed = subprocess.run(
            [*git, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=no", "."],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError:
        return None
    tracked = set(listed.stdout.split("\0")) - {""}
    if listed.returncode or changed.returncode or not tracked:
        return None
    prefix = subprocess.run(
        [*git, "rev-parse", "--show-prefix"], capture_output=True, text=True, check=False
    ).stdout.strip()
    modified = {line[3:].removeprefix(prefix) for line in changed.stdout.split("\0") if line}
    names = [file.relative_to(root).as_posix() for file in files]
    return tuple(name for name in names if name not in tracked or name in modified)


def _environments(root: Path) -> list[str]:
    own = {"project", model_files.PIPELINE.stem}
    return sorted({path.stem for path in (root / "conf").glob("*.yaml")} - own)


def _problems(root: Path, environment: str) -> list[str]:
    try:
        load(root, environment)
    except UserError as error:
        return [f"{line} (with --env {environment})" for line in str(error).splitlines()]
    return []


def _references(root: Path, name: str, said: list[str]) -> Iterator[str]:
    """The lines of the project's files that still have the model's name as a word."""
    word = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])")
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(
            item for item in folders if not item.startswith((".", "__")) and item not in _SKIPPED
        )
        for file in sorted(item for item in names if item.endswith(_SEARCHED)):
            path = Path(folder, file)
            shown = path.relative_to(root).as_posix()
            try:
                lines = path.read_text(encoding="utf-8").splitlines()
            except (OSError, UnicodeDecodeError):
                continue
            for number, line in enumerate(lines, start=1):
                if word.search(line) and not any(item.startswith(f"{shown}:{number}:") for item in said):
                    yield f"{shown}:{number}: {line.strip()[:100]}"
