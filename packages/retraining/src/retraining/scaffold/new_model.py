"""`retrain new-model`: one more model in the project, copied from a model of it or from an example."""

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from retraining.config.configuration import Configuration, load
from retraining.config.schema.fields import s3_problem
from retraining.errors import UserError
from retraining.scaffold import copy
from retraining.scaffold.names import Names
from retraining.scaffold.source import Source, find
from retraining.scaffold.yaml_edit import YamlText

_NAME = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")
_LENGTH = 40


@dataclass(frozen=True)
class Created:
    """What was made, the file that got the steps, which of the new models can simulate data, and what
    was not copied, in words."""

    models: list[str]
    folders: list[Path]
    files: list[Path]
    anchor: Path
    steps: list[str]
    simulated: list[str]
    notes: list[str]


@dataclass(frozen=True)
class _Target:
    """The folders and the file of one new model."""

    source: Source
    name: str
    folder: Path
    conf: Path
    tests: Path

    def below(self, root: Path, other: Path) -> "_Target":
        """The same, below `other` in place of `root`."""
        folder, conf, tests = (
            other / path.relative_to(root) for path in (self.folder, self.conf, self.tests)
        )
        return _Target(self.source, self.name, folder, conf, tests)


def create(root: Path, name: str, like: str, data: str | None = None) -> Created:
    """Copy a model or an example into the project in `root` and add its steps to the pipeline.

    Everything that must differ between two models is renamed: steps, pipeline parameters, model package
    group, base job names, data prefixes. Where the outcome is not valid, nothing is changed. Interrupted
    at any point, it leaves nothing that runs: the folders appear whole, and the steps come last.

    Args:
        name: of the new model; an example of several models gives ``<name>_<its own ending>`` each.
        like: a model of the project, an example, or a model of one.
        data: S3 prefix of the new model's input data; None for data/<name>/ in the project's bucket.

    Raises:
        UserError: the name cannot be used or is taken, `like` is unknown, or the configuration with the
            new model is not valid; a problem for each mistake.
    """
    configuration = load(root)
    _check_name(name)
    sources = find(configuration, like)
    targets = _targets(configuration, sources, name, like)
    names = Names(
        like,
        name,
        {target.source.name: target.name for target in targets},
        copy.step_names(sources),
        _data_prefix(name, data),
    )
    _require_whole(sources, names, like, configuration)
    anchor = _anchor(configuration)
    before = anchor.path.read_bytes()
    try:
        environments = _make_folders(root, targets, names)
        blocks = [copy.steps_text(source, names) for source in sources]
        copy.add_to_pipeline(anchor, blocks, copy.dependencies(sources, names))
        _write(anchor.path, anchor.render().encode())
        for environment in (None, *environments):
            load(root, environment)
    except BaseException as error:
        if anchor.path.read_bytes() != before:
            _write(anchor.path, before)
        _remove(targets)
        if isinstance(error, UserError):
            words = f"nothing was changed: the configuration with {name!r} like {like!r} is not valid"
            raise UserError(*error.problems, words) from None
        raise
    simulated = [target.name for target in targets if (target.folder / "simulate.py").is_file()]
    steps = [names.step(step) for step in names.steps]
    made, folders = [target.name for target in targets], [target.folder for target in targets]
    copied = [folder for target in targets for folder in _folders(target)]
    files = sorted(path for folder in copied for path in folder.rglob("*") if path.is_file())
    return Created(made, folders, files, anchor.path, steps, simulated, list(_notes(root, targets)))


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or len(name) > _LENGTH:
        raise UserError(
            f"{name!r} cannot be a model's name: at most {_LENGTH} of a-z, 0-9, _ and -, a letter first, "
            "such as churn or house_prices"
        )


def _data_prefix(name: str, data: str | None) -> str:
    if data is None:
        return f"s3://SMP_S3BUCKETNAME/data/{name}/"
    # A variable of the project may be the bucket.
    own = re.fullmatch(r"s3://SMP_\w+(/.*)?", data)
    if not own and (words := s3_problem(data)):
        raise UserError(f"--data: {words}")
    if odd := re.search(r"[^\w.=/:-]", data):
        raise UserError(f"--data {data}: {odd[0]!r} is not allowed: letters, digits and _ . = / - are")
    return f"{data.rstrip('/')}/"


def _targets(configuration: Configuration, sources: list[Source], name: str, like: str) -> list[_Target]:
    """Where the new models go.

    Raises:
        UserError: something is there already, or the project's pattern has no place for one.
    """
    pattern = configuration.project.model_files
    parts = Path(pattern).parts
    wild = [index for index, part in enumerate(parts) if "*" in part]
    if len(wild) != 1 or parts[wild[0]] not in ("*", "**") or wild[0] == len(parts) - 1:
        raise UserError(
            f"conf/project.yaml: SMP_MODEL_CONFIGPATH {pattern!r} does not say where a new model goes: "
            "write it like models/*/conf.yaml"
        )
    root = configuration.root
    targets = []
    for source in sources:
        ending = source.name.removeprefix(like) if len(sources) > 1 else ""
        new = name + ending
        filled = [new if index == wild[0] else part for index, part in enumerate(parts)]
        folder, conf = root.joinpath(*filled[: wild[0] + 1]), root.joinpath(*filled)
        targets.append(_Target(source, new, folder, conf, root / "tests" / "models" / new))
    anchor = _anchor(configuration)
    for target in targets:
        if target.name in configuration.models:
            if not anchor.find(*copy.PIPELINE, "models", target.name):
                left = [str(path.relative_to(root)) for other in targets for path in _folders(other)]
                raise UserError(
                    f"{left[0]} has no steps in the pipeline, as an interrupted new-model leaves it: "
                    f"remove {' and '.join(left)} and run again, or choose another name"
                )
            raise UserError(f"a model {target.name!r} is in the project already: choose another name")
        for path in (target.folder, target.tests):
            if path.exists() or path.is_symlink():
                raise UserError(
                    f"{path.relative_to(root)} is there already: choose another name, or move it away"
                )
    return targets


def _require_whole(sources: list[Source], names: Names, like: str, configuration: Configuration) -> None:
    """A model that reads what another one's step writes needs that step in the project."""
    for step, reads in copy.chained(sources).items():
        for other in sorted(reads - set(names.steps) - set(configuration.steps)):
            example = like.partition("_")[0]
            raise UserError(
                f"--like {like}: its step {step!r} reads what {other!r} of another model writes, which is "
                f"not in this project: copy both by --like {example}"
            )


def _anchor(configuration: Configuration) -> YamlText:
    """The file that holds conf.sagemakerPipeline; a valid configuration has one."""
    for path in sorted(configuration.root.glob(configuration.project.model_files)):
        file = YamlText(path)
        if file.find(*copy.PIPELINE):
            return file
    raise UserError(f"{configuration.project.model_files}: no file holds conf.sagemakerPipeline (the anchor)")


def _make_folders(root: Path, targets: list[_Target], names: Names) -> list[str]:
    """Make all in a hidden folder, then move it; returns the environments of which it has files."""
    hidden = root / ".new-model"
    shutil.rmtree(hidden, ignore_errors=True)  # of an interrupted call
    environments: dict[str, None] = {}
    try:
        for target in targets:
            below = target.folder.relative_to(root).as_posix()
            texts = copy.configuration_texts(target.source, names, below)
            environments |= dict.fromkeys(Path(name).stem for name in list(texts)[1:])
            _copy(target.below(root, hidden), texts)
        for target in targets:
            for folder in _folders(target.below(root, hidden)):
                final = root / folder.relative_to(hidden)
                final.parent.mkdir(parents=True, exist_ok=True)
                folder.rename(final)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    return list(environments)


def _copy(target: _Target, texts: dict[str, str]) -> None:
    source = target.source
    copy.copy_folder(source, target.folder, source.tests or source.folder / "tests")
    target.conf.parent.mkdir(parents=True, exist_ok=True)
    own, *others = texts
    target.conf.write_bytes(texts[own].encode())
    for name in others:
        target.conf.with_name(name).write_bytes(texts[name].encode())
    if source.tests is not None:
        shutil.copytree(source.tests, target.tests, ignore=shutil.ignore_patterns("__pycache__", ".*"))


def _folders(target: _Target) -> list[Path]:
    """The folders of a new model that exist."""
    return [folder for folder in (target.folder, target.tests) if folder.is_dir()]


def _write(path: Path, content: bytes) -> None:
    """Replace a file as a whole: a reader sees the old or the new one, also after a crash."""
    draft = path.with_name(f".{path.name}.new")
    draft.write_bytes(content)
    shutil.copymode(path, draft)
    os.replace(draft, path.resolve())


def _notes(root: Path, targets: list[_Target]) -> Iterator[str]:
    """Notes on the project's environments that describe a copied model: that is not copied."""
    for path in sorted((root / "conf").glob("*.yaml")):
        file = YamlText(path)
        for target in targets:
            if file.find("conf", "models", target.source.name):
                yield (
                    f"conf/{path.name} has settings of {target.source.name}; none of them was copied: "
                    f"see what {target.name} needs there"
                )


def _remove(targets: list[_Target]) -> None:
    for target in targets:
        shutil.rmtree(target.folder, ignore_errors=True)
        shutil.rmtree(target.tests, ignore_errors=True)
