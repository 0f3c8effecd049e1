"""Simulated sample data, put where the pipeline's inputs point. What others put there is left as it is."""

import ast
import hashlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import ClientError

from retraining.compile import code_package
from retraining.config.configuration import Configuration
from retraining.errors import UserError
from retraining.nearest import nearest
from retraining.runs import inputs
from retraining.runs.inputs import MARK, Content, DataPlace, Held


def models(configuration: Configuration, model: str | None) -> list[str]:
    """The model of this name, or every model of the pipeline.

    Raises:
        UserError: the model is unknown.
    """
    if model is not None and model not in configuration.units:
        raise UserError(f"--model {model}: no such model{nearest(model, configuration.units)}")
    return [model] if model is not None else list(configuration.pipeline.models)


def scripts(configuration: Configuration, names: list[str]) -> dict[str, Path]:
    """The simulate.py of those models that have one."""
    found = {name: _script(configuration, name) for name in names}
    return {name: script for name, script in found.items() if script.is_file()}


def fills(configuration: Configuration, uri: str) -> bool:
    """Whether `upload` would put something there: all inputs of that model are free, and its simulate.py,
    or a module that it imports, names a folder for each.

    Raises:
        UserError: a place cannot be listed.
    """
    for name, script in scripts(configuration, models(configuration, None)).items():
        places = inputs.of(configuration, name)
        if uri in (place.uri for place in places):
            named = _texts(script)
            return all(place.channel in named for place in places) and not any(
                inputs.look(configuration, place).content.holds == "own" for place in places
            )
    return False


def _texts(script: Path) -> set[str]:
    """The texts that a script and the model's own modules hold, and the parts of those that are paths."""
    files = code_package.files(script.parent, script.name).values()
    own = (file for file in files if file.suffix == ".py" and file.is_relative_to(script.parent))
    trees = [ast.parse(file.read_bytes()) for file in own]
    found = (node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return {part for value in found if isinstance(value, str) for part in value.split("/")}


def _script(configuration: Configuration, name: str) -> Path:
    return configuration.root / configuration.units[name].source_directory / "simulate.py"


def upload(
    configuration: Configuration,
    names: list[str],
    arguments: list[str],
    to: str | None,
    on_progress: Callable[[str], None],
) -> list[Held]:
    """Run the models' simulate.py and upload what they wrote, one folder per input of the preprocessing.

    A model that has an input with an object that is not of an earlier upload keeps all its inputs as they
    are: simulated rows beside real ones make no model.

    Args:
        names: the models; those without a simulate.py are left out.
        arguments: passed on to it.
        to: S3 prefix below which each channel gets a folder, below one per model where there are several;
            None for where the inputs' defaults point.

    Returns:
        The places: those written, where what an earlier upload wrote was replaced, and those left.

    Raises:
        UserError: below `to` are objects of others; a simulator failed, or did not write what the inputs
            need; there is no simulate.py. Nothing was uploaded then.
    """
    if to is not None and not re.fullmatch("s3://[^/]+(/.*)?", to):
        raise UserError(f"--to {to}: an S3 URI such as s3://bucket/prefix/ is expected")
    there = scripts(configuration, names)
    found: list[Held] = []
    left: list[Held] = []
    for name in names if to is None else there:
        below = f"{to.rstrip('/')}/{name}" if to is not None and len(there) > 1 else to
        held = [inputs.look(configuration, place) for place in inputs.of(configuration, name, below)]
        own = [item for item in held if item.content.holds == "own"]
        if own and to is not None:
            raise UserError(
                f"{own[0].place.uri} holds data that `retrain data` did not write ({own[0].counted}): "
                "give another prefix to --to, or remove it first"
            )
        (left if own else found).extend(held)
    if not there and not left:
        script = _script(configuration, names[0])
        raise UserError(f"{script}: no such file: there is no simulated sample data, put your own into S3")
    chosen = [item for item in found if item.place.model in there]
    with tempfile.TemporaryDirectory() as folder:
        for name in dict.fromkeys(item.place.model for item in chosen):
            on_progress(f"simulating {name}")
            _simulate(there[name], Path(folder) / name, arguments)
        files = [_files(Path(folder), item.place) for item in chosen]
        return [*map(_replace, chosen, files), *left]


def _simulate(script: Path, folder: Path, arguments: list[str]) -> None:
    result = subprocess.run(
        [sys.executable, str(script), "--out", str(folder), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        words = (result.stderr.strip() or "it failed without a word").splitlines()[-1]
        raise UserError(f"{script.parent.name}/simulate.py: {words.removeprefix('Error: ')}")


def _files(folder: Path, place: DataPlace) -> dict[str, Path]:
    """What the simulator wrote for an input, by the key that it gets."""
    channel = folder / place.model / place.channel
    files = {
        f"{place.folder}{path.relative_to(channel).as_posix()}": path
        for path in sorted(channel.rglob("*"))
        if path.is_file()
    }
    if not files:
        raise UserError(
            f"{place.model}/simulate.py wrote no folder {place.channel!r}, which the input {place.uri} "
            "needs: put your own data there and into the model's other inputs, or let simulate.py write it"
        )
    return files


def _replace(held: Held, files: dict[str, Path]) -> Held:
    """Upload what is not there yet; then delete what an earlier upload wrote under other names.

    An object with the same content stays as it is: a newer one would look like new data.
    """
    s3 = boto3.client("s3")
    place = held.place
    try:
        for key, path in files.items():
            metadata = MARK | {"sha256": _digest(path)}
            if key not in held.content.keys or not _has(s3, place.bucket, key, metadata):
                s3.upload_file(str(path), place.bucket, key, ExtraArgs={"Metadata": metadata})
    except S3UploadFailedError as error:
        raise UserError(f"{place.uri}: {error}") from None
    for key in held.content.keys:
        if key.startswith(place.folder) and key not in files:
            s3.delete_object(Bucket=place.bucket, Key=key)
    return Held(place, Content(tuple(files)), is_new=True)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _has(s3: Any, bucket: str, key: str, metadata: dict[str, str]) -> bool:
    try:
        return bool(metadata.items() <= s3.head_object(Bucket=bucket, Key=key)["Metadata"].items())
    except ClientError:
        return False
