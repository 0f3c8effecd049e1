"""What a new model can be made like: a model of the project, an example, or all models of one example."""

from dataclasses import dataclass
from pathlib import Path

from retraining.config.configuration import Configuration
from retraining.config.files import model_files
from retraining.errors import UserError, suggestion_or_all
from retraining.scaffold.yaml_edit import YamlText

EXAMPLES = Path(__file__).parents[1] / "examples"
PIPELINE = ("conf", "sagemakerPipeline")
_STEPS = (*PIPELINE, "models")


@dataclass(frozen=True)
class Source:
    """One model to copy: scripts, configuration, the file that holds its steps, and its tests if any."""

    name: str
    folder: Path
    conf: Path
    anchor: Path
    tests: Path | None


def find(configuration: Configuration, like: str) -> list[Source]:
    """The models that `like` names: one, or several whose names begin with it and ``_``.

    Raises:
        UserError: nothing is called like that; the message names the nearest.
    """
    own, examples = _own(configuration), _examples()
    if like in own or like in examples:
        return [own.get(like) or examples[like]]
    for known in (own, examples):
        group = [source for name, source in known.items() if name.startswith(f"{like}_")]
        if group:
            return sorted(group, key=_place_in_pipeline)
    names = sorted({*own, *examples, *(name.partition("_")[0] for name in examples)})
    raise UserError(
        f"--like {like}: neither a model of this project nor an example{suggestion_or_all(like, names)}"
    )


def _place_in_pipeline(source: Source) -> int:
    entry = YamlText(source.anchor).find(*_STEPS)
    names = [key.value for key, _ in entry[1].value] if entry else []
    return names.index(source.name)


def model_texts(configuration: Configuration) -> list[YamlText]:
    """The files that describe the project's models."""
    paths = sorted(configuration.root.glob(configuration.project.model_files))
    return [YamlText(path) for path in paths if path.is_file()]


def anchor_of(configuration: Configuration) -> YamlText:
    """The file that has conf.sagemakerPipeline: conf/pipeline.yaml, or one of the models'."""
    own = configuration.root / model_files.PIPELINE
    files = [*([YamlText(own)] if own.is_file() else []), *model_texts(configuration)]
    return next(file for file in files if file.find(*PIPELINE))  # a valid configuration has one


def _own(configuration: Configuration) -> dict[str, Source]:
    root, anchor, files = configuration.root, anchor_of(configuration), model_texts(configuration)
    sources = {}
    for name, model in configuration.models.items():
        conf = next((file.path for file in files if file.find("conf", "models", name)), None)
        tests = root / "tests" / "models" / name
        if conf and anchor.find(*_STEPS, name):
            folder = root / model.source_directory
            sources[name] = Source(name, folder, conf, anchor.path, tests if tests.is_dir() else None)
    return sources


def _examples() -> dict[str, Source]:
    files = [YamlText(path) for path in sorted(EXAMPLES.glob("*/conf.yaml"))]
    pipelines = [YamlText(path) for path in sorted(EXAMPLES.glob("*/pipeline.yaml"))]
    sources = {}
    for file in files:
        folder, tests = file.path.parent, file.path.parent / "tests"
        name = folder.name
        anchor = next((other.path for other in pipelines if other.find(*_STEPS, name)), None)
        if anchor and file.find("conf", "models", name):
            sources[name] = Source(name, folder, file.path, anchor, tests if tests.is_dir() else None)
    return sources
