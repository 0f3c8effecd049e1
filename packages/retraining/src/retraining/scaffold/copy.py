"""The files of a copied model: its folder, its conf.yaml, its steps in the pipeline, its tests."""

import re
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

import yaml

from retraining.errors import UserError
from retraining.scaffold.names import Names
from retraining.scaffold.source import PIPELINE, Source
from retraining.scaffold.yaml_edit import YamlText, item, nodes, reindented, value_of

_LENGTHS = {"tune": 32}
_LINE = 100


def copy_folder(source: Source, folder: Path, leave_out: Path) -> None:
    """Copy a model's scripts, without its configuration and its tests."""
    ignored = shutil.ignore_patterns("__pycache__", ".*")
    left_out = {source.conf, source.anchor, leave_out, *_overlays(source)}

    def ignore(parent: str, names: list[str]) -> set[str]:
        return ignored(parent, names) | {name for name in names if Path(parent) / name in left_out}

    shutil.copytree(source.folder, folder, ignore=ignore)


def _overlays(source: Source) -> dict[Path, bool]:
    """The environments' files next to the model's own; whether they describe this model."""
    overlays = {}
    for path in sorted(source.conf.parent.glob("*.yaml")):
        try:
            file = YamlText(path)
        except UserError:
            continue  # no configuration: it is copied as it is
        if path not in (source.conf, source.anchor) and file.find("conf"):
            overlays[path] = file.find("conf", "models", source.name) is not None
    return overlays


def configuration_texts(source: Source, names: Names, folder: str) -> dict[str, str]:
    """The source's conf.yaml, and its environments' files, by file name: this model alone, renamed, and
    without the pipeline."""
    model = YamlText(source.conf).find("conf", "models", source.name)
    known = {name.value for name in _parameters(model[1])} if model else set()
    files = [source.conf, *(path for path, is_of_the_model in _overlays(source).items() if is_of_the_model)]
    return {path.name: _renamed(YamlText(path), source, names, folder, known) for path in files}


def _renamed(file: YamlText, source: Source, names: Names, folder: str, known: set[str]) -> str:
    if pipeline := file.block(*PIPELINE):
        file.cut(*pipeline)
    entry = file.find("conf", "models")
    models = entry[1] if entry else None
    for key, _ in models.value if isinstance(models, yaml.MappingNode) else []:
        if key.value != source.name and (block := file.block("conf", "models", key.value)):
            file.cut(*block)
    model = file.find("conf", "models", source.name)
    if model is None or file.block("conf", "models", source.name) is None:
        raise UserError(f"{file.path}: no conf.models.{source.name}")
    file.replace(model[0], names.models[source.name])
    _rename_model(file, model[1], source.name, names, folder)
    renamed = _rename_parameters(file, model[1], names, known)
    _rename_in_comments(file, {**renamed, **names.models})
    return file.render().rstrip() + file.newline


def _rename_model(file: YamlText, model: yaml.Node, old: str, names: Names, folder: str) -> None:
    source_directory = value_of(model, "source_directory")
    if source_directory is not None:
        file.replace(source_directory, folder)
    new = names.models[old].replace("_", "-")
    group = value_of(value_of(model, "registry"), "model_package_group")
    if group is not None:
        file.replace(group, f"SMP_PROJECT-{new}")
    own_name = value_of(model, "name")
    if own_name is not None:
        file.replace(own_name, new)
    for section, job in model.value if isinstance(model, yaml.MappingNode) else []:
        base = value_of(job, "base_job_name")
        if base is not None:
            file.replace(base, names.hyphenated(old, base.value, _LENGTHS.get(section.value, 63)))
        for uri in _data_files(job):
            file.replace(uri, names.input_data(uri.value))
        for key in ("output_path", "checkpoint_s3_uri"):
            written = _default_of(value_of(job, key))
            if written is not None:
                file.replace(written, names.output_data(written.value))
        for written in _uris_in_arguments(job):
            file.replace(written, names.output_data(written.value))


def _uris_in_arguments(job: yaml.Node) -> Iterator[yaml.Node]:
    """The S3 URIs among the arguments: what a job keeps for its next run."""
    arguments = value_of(job, "arguments")
    for _, argument in arguments.value if isinstance(arguments, yaml.MappingNode) else []:
        uri = _default_of(argument)
        if uri is not None and uri.value.startswith("s3://"):
            yield uri


def _data_files(job: yaml.Node) -> Iterator[yaml.Node]:
    """The URIs or keys of the channels' data files."""
    channels = value_of(job, "channels")
    for _, channel in channels.value if isinstance(channels, yaml.MappingNode) else []:
        files = value_of(channel, "dataFiles")
        for file in files.value if isinstance(files, yaml.SequenceNode) else []:
            uri = _default_of(value_of(file, "fileName"))
            if uri is not None:
                yield uri


def _default_of(node: yaml.Node | None) -> yaml.Node | None:
    """A value, or the default of a parameter."""
    value = value_of(node, "default") if isinstance(node, yaml.MappingNode) else node
    return value if isinstance(value, yaml.ScalarNode) and value.value else None


def _rename_parameters(file: YamlText, model: yaml.Node, names: Names, known: set[str]) -> dict[str, str]:
    renamed = {}
    for name in _parameters(model, known):
        renamed[name.value] = names.prefixed(name.value)
        file.replace(name, renamed[name.value])
    return renamed


def _parameters(model: yaml.Node, known: Collection[str] = ()) -> Iterator[yaml.ScalarNode]:
    """The names of the parameters that are declared; also without a default, where they are `known`."""
    for node in nodes(model):
        name = value_of(node, "parameter")
        if isinstance(name, yaml.ScalarNode) and (item(node, "default") or name.value in known):
            yield name


def _rename_in_comments(file: YamlText, renamed: dict[str, str]) -> None:
    word = re.compile(rf"(?<![\w./-])({'|'.join(map(re.escape, renamed))})(?![\w/-])")
    for start, end in file.comments():
        comment = file.text[start:end]
        file.substitute(start, end, word.sub(lambda match: renamed[match[1]], comment))


def step_names(sources: list[Source]) -> list[str]:
    """The names of all steps of the models."""
    return [
        name.value
        for source in sources
        for step in _steps(source)[1]
        if (name := value_of(step, "step_name"))
    ]


def _steps(source: Source) -> tuple[YamlText, list[yaml.Node]]:
    file = YamlText(source.anchor)
    entry = file.find(*PIPELINE, "models", source.name, "steps")
    steps = entry[1] if entry else None
    return file, list(steps.value) if isinstance(steps, yaml.SequenceNode) else []


def steps_text(source: Source, names: Names) -> tuple[str, int]:
    """The model's block below sagemakerPipeline.models, renamed; and the column at which it begins."""
    file, steps = _steps(source)
    entry = file.find(*PIPELINE, "models", source.name)
    block = file.block(*PIPELINE, "models", source.name)
    if entry is None or block is None:
        raise UserError(f"{source.anchor}: no conf.sagemakerPipeline.models.{source.name}")
    file.replace(entry[0], names.models[source.name])
    for step in steps:
        for key in ("step_name", "chain_input_source_step", "else_step"):
            for name in nodes(value_of(step, key)):
                if isinstance(name, yaml.ScalarNode) and name.value in names.steps:
                    file.replace(name, names.step(name.value))
    return file.render(*block), entry[0].start_mark.column


def chained(sources: list[Source]) -> dict[str, set[str]]:
    """Per step of the models the steps whose outputs it reads."""
    return {
        str(name.value): _scalars(value_of(step, "chain_input_source_step"))
        for source in sources
        for step in _steps(source)[1]
        if (name := value_of(step, "step_name"))
    }


def _scalars(node: yaml.Node | None) -> set[str]:
    return {str(item.value) for item in nodes(node) if isinstance(item, yaml.ScalarNode) and item.value}


def dependencies(sources: list[Source], names: Names) -> list[str]:
    """The chains of the copied steps, renamed; of other models' steps only those that they read stay."""
    reads = chained(sources)
    chains: list[list[str]] = []
    for anchor in dict.fromkeys(source.anchor for source in sources):
        listed = YamlText(anchor).find(*PIPELINE, "dependencies")
        for entry in listed[1].value if listed and isinstance(listed[1], yaml.SequenceNode) else []:
            chain: list[str] = []
            for name in reversed([part.strip() for part in str(entry.value).split(">>")]):
                if name in names.steps or (chain and name in reads.get(chain[0], ())):
                    chain.insert(0, name)
            if len(chain) > 1 and chain not in chains:
                chains.append(chain)
    return [line for chain in chains for line in _lines([names.step(name) for name in chain])]


def _lines(chain: list[str]) -> Iterator[str]:
    """``a >> b >> c`` in lines of readable length; the last step of one is the first of the next."""
    line = [chain[0]]
    for name in chain[1:]:
        if len(" >> ".join([*line, name])) > _LINE and len(line) > 1:
            yield " >> ".join(line)
            line = [line[-1]]
        line.append(name)
    yield " >> ".join(line)


def add_to_pipeline(anchor: YamlText, blocks: list[tuple[str, int]], chains: list[str]) -> None:
    """Put steps and chains after those in the anchor."""
    entry = anchor.find(*PIPELINE, "models")
    if entry is None or not isinstance(entry[1], yaml.MappingNode) or entry[1].flow_style:
        raise UserError(
            f"{anchor.path}: conf.sagemakerPipeline.models: write it in block style, without braces"
        )
    key, models = entry
    column = models.value[0][0].start_mark.column
    text = "".join(reindented(block, column - before) for block, before in blocks)
    rest = anchor.find(*PIPELINE, "dependencies")
    if rest is None or not isinstance(rest[1], yaml.SequenceNode) or not rest[1].value:
        if block := anchor.block(*PIPELINE, "dependencies"):
            anchor.cut(*block)
        text += " " * key.start_mark.column + "dependencies:\n"
        text += "".join(f"{' ' * (key.start_mark.column + 2)}- {chain}\n" for chain in chains)
    elif rest[1].flow_style:
        last = rest[1].value[-1].end_mark.index
        anchor.substitute(last, last, "".join(f", {chain}" for chain in chains))
    else:
        indent = " " * rest[1].start_mark.column
        anchor.insert_lines(anchor.after(rest[1]), "".join(f"{indent}- {chain}\n" for chain in chains))
    anchor.insert_lines(anchor.after(models), text)
