"""`retrain new-model`: one more model in the project, made like one that is there or like an example."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from retraining import configuration, model_copy, model_source
from retraining.configuration import Configuration
from retraining.errors import UserError
from retraining.model_names import S3, Names
from retraining.model_source import Source
from retraining.yaml_edit import YamlText

_NAME = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")
_LENGTH = 40


@dataclass(frozen=True)
class Created:
    """What was made, the file that got the steps, and which of the new models can simulate data."""

    models: list[str]
    folders: list[Path]
    files: list[Path]
    anchor: Path
    steps: list[str]
    simulated: list[str]


@dataclass(frozen=True)
class _Target:
    """Where one new model goes."""

    source: Source
    name: str
    folder: Path
    conf: Path
    tests: Path


def create(root: Path, name: str, like: str, data: str | None = None) -> Created:
    """Copy a model or an example into the project in `root` and add its steps to the pipeline.

    Everything that must differ between two models is renamed: steps, pipeline parameters, model package
    group, base job names, data prefixes. Where the outcome is not in order, nothing is changed.

    Args:
        name: of the new model; an example of several models gives ``<name>_<its own ending>`` each.
        like: a model of the project, an example, or a model of one.
        data: S3 prefix of the new model's input data; None for data/<name>/ in the project's bucket.

    Raises:
        UserError: the name cannot be used or is taken, `like` is unknown, or the configuration with the
            new model is not in order; one line per error.
    """
    found = configuration.load(root)
    _check_name(name)
    sources = model_source.find(found, like)
    targets = _targets(found, sources, name, like)
    names = Names(
        like,
        name,
        {target.source.name: target.name for target in targets},
        model_copy.step_names(sources),
        _data_prefix(name, data),
    )
    _require_whole(sources, names, like, found)
    anchor = _anchor(found)
    before = anchor.path.read_bytes()
    try:
        files = [path for target in targets for path in _copy(root, target, names)]
        blocks = [model_copy.steps_text(source, names) for source in sources]
        model_copy.add_to_pipeline(anchor, blocks, model_copy.dependencies(sources, names))
        anchor.path.write_bytes(anchor.render().encode())
        configuration.load(root)
    except BaseException as error:
        anchor.path.write_bytes(before)
        _remove(targets)
        if isinstance(error, UserError):
            raise UserError(
                f"{error}\nnothing was changed: {name!r} like {like!r} would not be in order"
            ) from None
        raise
    simulated = [target.name for target in targets if (target.folder / "simulate.py").is_file()]
    steps = [names.step(step) for step in names.steps]
    made, folders = [target.name for target in targets], [target.folder for target in targets]
    return Created(made, folders, files, anchor.path, steps, simulated)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or len(name) > _LENGTH:
        raise UserError(
            f"{name!r} cannot be a model's name: at most {_LENGTH} of a-z, 0-9, _ and -, a letter first, "
            "such as churn or house_prices"
        )


def _data_prefix(name: str, data: str | None) -> str:
    if data is None:
        return f"s3://SMP_S3BUCKETNAME/data/{name}/"
    match = S3.fullmatch(data)
    if not match or not re.fullmatch(r"s3://[A-Za-z0-9_.-]+(/[\w.=/-]*)?", data):
        raise UserError(f"--data {data}: an S3 URI such as s3://bucket/prefix/ is expected")
    return f"{data.rstrip('/')}/"


def _targets(found: Configuration, sources: list[Source], name: str, like: str) -> list[_Target]:
    """Where the new models go.

    Raises:
        UserError: something stands there already, or the project's pattern has no place for one.
    """
    pattern = found.project.model_files
    parts = Path(pattern).parts
    wild = [index for index, part in enumerate(parts) if "*" in part]
    if len(wild) != 1 or parts[wild[0]] not in ("*", "**") or wild[0] == len(parts) - 1:
        raise UserError(
            f"conf/project.yaml: SMP_MODEL_CONFIGPATH {pattern!r} does not say where a new model goes: "
            "write it like models/*/conf.yaml"
        )
    targets = []
    for source in sources:
        ending = source.name.removeprefix(like) if len(sources) > 1 else ""
        new = name + ending
        filled = [new if index == wild[0] else part for index, part in enumerate(parts)]
        folder, conf = found.root.joinpath(*filled[: wild[0] + 1]), found.root.joinpath(*filled)
        targets.append(_Target(source, new, folder, conf, found.root / "tests" / "models" / new))
    for target in targets:
        if target.name in found.units:
            raise UserError(f"a model {target.name!r} is in the project already: choose another name")
        for place in (target.folder, target.tests):
            if place.exists() or place.is_symlink():
                shown = place.relative_to(found.root)
                raise UserError(f"{shown} is there already: choose another name, or move it away")
    return targets


def _require_whole(sources: list[Source], names: Names, like: str, found: Configuration) -> None:
    """A model that reads what another one's step writes needs that step in the project."""
    for step, reads in model_copy.chained(sources).items():
        for other in sorted(reads - set(names.steps) - set(found.dag.steps)):
            example = like.partition("_")[0]
            raise UserError(
                f"--like {like}: its step {step!r} reads what {other!r} of another model writes, which is "
                f"not in this project: copy both by --like {example}"
            )


def _anchor(found: Configuration) -> YamlText:
    """The file that holds conf.sagemakerPipeline; the configuration is in order, so there is one."""
    for path in sorted(found.root.glob(found.project.model_files)):
        file = YamlText(path)
        if file.find(*model_copy.PIPELINE):
            return file
    raise UserError(f"{found.project.model_files}: no file holds conf.sagemakerPipeline (the anchor)")


def _copy(root: Path, target: _Target, names: Names) -> list[Path]:
    source = target.source
    inner_tests = source.tests or source.folder / "tests"
    model_copy.copy_folder(source, target.folder, inner_tests)
    target.conf.parent.mkdir(parents=True, exist_ok=True)
    folder = target.folder.relative_to(root).as_posix()
    target.conf.write_bytes(model_copy.configuration_text(source, names, folder).encode())
    if source.tests is not None:
        shutil.copytree(source.tests, target.tests, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    places = [place for place in (target.folder, target.tests) if place.is_dir()]
    return sorted(path for place in places for path in place.rglob("*") if path.is_file())


def _remove(targets: list[_Target]) -> None:
    for target in targets:
        shutil.rmtree(target.folder, ignore_errors=True)
        shutil.rmtree(target.tests, ignore_errors=True)
