"""Simulated sample data where the pipeline's inputs point. Data from elsewhere are left as they are."""

import ast
import hashlib
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE
from typing import Any

import boto3
from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import ClientError

from retraining.compile import code_package
from retraining.config.configuration import Configuration
from retraining.config.schema.fields import s3_problem
from retraining.errors import UserError, suggestion_or_all
from retraining.runs import interruption
from retraining.runs.inputs import MARK, Content, InputState, ModelInput, inputs_of, look


def models(configuration: Configuration, model: str | None) -> list[str]:
    """The model of this name, or every model of the pipeline.

    Raises:
        UserError: the model is unknown.
    """
    if model is not None and model not in configuration.models:
        raise UserError(f"--model {model}: no such model{suggestion_or_all(model, configuration.models)}")
    return [model] if model is not None else list(configuration.pipeline.models)


def scripts(configuration: Configuration, names: list[str]) -> dict[str, Path]:
    """The simulate.py of those models that have one."""
    possible = {name: _script(configuration, name) for name in names}
    return {name: script for name, script in possible.items() if script.is_file()}


def fills(configuration: Configuration, uri: str) -> bool:
    """Whether `upload` would put something there: all inputs of that model are free, and its simulate.py,
    or a module that it imports, names a folder for each.

    Raises:
        UserError: an input cannot be listed.
    """
    for name, script in scripts(configuration, models(configuration, None)).items():
        inputs = inputs_of(configuration, name)
        if uri in (item.uri for item in inputs):
            named = _texts(script)
            return all(item.channel in named for item in inputs) and not any(
                look(configuration, item).content.holds == "own" for item in inputs
            )
    return False


def _texts(script: Path) -> set[str]:
    """The text constants of a script and of the model's own modules, and the parts of paths among them."""
    files = code_package.files(script.parent, script.name).values()
    own = (file for file in files if file.suffix == ".py" and file.is_relative_to(script.parent))
    trees = [ast.parse(file.read_bytes()) for file in own]
    constants = (node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return {part for value in constants if isinstance(value, str) for part in value.split("/")}


def _script(configuration: Configuration, name: str) -> Path:
    return configuration.root / configuration.models[name].source_directory / "simulate.py"


def upload(
    configuration: Configuration,
    names: list[str],
    arguments: list[str],
    to: str | None,
    on_progress: Callable[[str], None],
) -> list[InputState]:
    """Run the models' simulate.py and upload what they wrote, one folder per input of the preprocessing.

    A model that has an input with an object that is not of an earlier upload keeps all its inputs as they
    are: a model trained on simulated and real rows together is worth nothing.

    Args:
        names: the models; those without a simulate.py are left out.
        arguments: passed on to it.
        to: S3 prefix below which each channel gets a folder, below one per model where there are several;
            None for where the inputs' defaults point.

    Returns:
        The inputs: those written, where what an earlier upload wrote was replaced, and those left.

    Raises:
        UserError: below `to` are objects of others; a simulator failed, or did not write what the inputs
            need; there is no simulate.py. Nothing was uploaded then.
    """
    if to is not None and (words := s3_problem(to)):
        raise UserError(f"--to: {words}")
    simulators = scripts(configuration, names)
    free: list[InputState] = []
    left: list[InputState] = []
    for name in names if to is None else simulators:
        below = f"{to.rstrip('/')}/{name}" if to is not None and len(simulators) > 1 else to
        states = [look(configuration, item) for item in inputs_of(configuration, name, below)]
        own = [state for state in states if state.content.holds == "own"]
        if own and to is not None:
            raise UserError(
                f"{own[0].input.uri} holds data that `retrain data` did not write ({own[0].counted}): "
                "give another prefix to --to, or remove it first"
            )
        (left if own else free).extend(states)
    if not simulators and not left:
        script = _script(configuration, names[0])
        raise UserError(f"{script}: no such file: there is no simulated sample data, put your own into S3")
    chosen = [state for state in free if state.input.model in simulators]
    with tempfile.TemporaryDirectory() as folder:
        for name in dict.fromkeys(state.input.model for state in chosen):
            on_progress(f"simulating {name}")
            _simulate(simulators[name], Path(folder) / name, arguments)
        files = [_files(Path(folder), state.input) for state in chosen]
        return [*map(_replace, chosen, files), *left]


def _simulate(script: Path, folder: Path, arguments: list[str]) -> None:
    words = [sys.executable, str(script), "--out", str(folder), *arguments]
    with interruption.started(words, stdout=PIPE, stderr=PIPE, text=True, errors="replace") as process:
        _, said = process.communicate()
    if process.returncode != 0:
        last = (said.strip() or "it failed without a message").splitlines()[-1]
        raise UserError(f"{script.parent.name}/simulate.py: {last.removeprefix('Error: ')}")


def _files(folder: Path, model_input: ModelInput) -> dict[str, Path]:
    """What the simulator wrote for an input, by the key that it gets."""
    channel = folder / model_input.model / model_input.channel
    files = {
        f"{model_input.folder}{path.relative_to(channel).as_posix()}": path
        for path in sorted(channel.rglob("*"))
        if path.is_file()
    }
    if not files:
        raise UserError(
            f"{model_input.model}/simulate.py wrote no folder {model_input.channel!r}, which the input "
            f"{model_input.uri} needs: put your own data there and into the model's other inputs, or let "
            "simulate.py write it"
        )
    return files


def _replace(state: InputState, files: dict[str, Path]) -> InputState:
    """Upload what is not there yet; then delete what an earlier upload wrote under other names.

    An object with the same content stays as it is: a newer one would look like new data.
    """
    s3 = boto3.client("s3")
    bucket = state.input.bucket
    try:
        for key, path in files.items():
            metadata = MARK | {"sha256": _digest(path)}
            if key not in state.content.keys or not _has(s3, bucket, key, metadata):
                s3.upload_file(str(path), bucket, key, ExtraArgs={"Metadata": metadata})
    except S3UploadFailedError as error:
        raise UserError(f"{state.input.uri}: {error}") from None
    for key in state.content.keys:
        if key.startswith(state.input.folder) and key not in files:
            s3.delete_object(Bucket=bucket, Key=key)
    return InputState(state.input, Content(tuple(files)), is_new=True)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _has(s3: Any, bucket: str, key: str, metadata: dict[str, str]) -> bool:
    try:
        return bool(metadata.items() <= s3.head_object(Bucket=bucket, Key=key)["Metadata"].items())
    except ClientError:
        return False
