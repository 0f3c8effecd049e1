"""Simulated sample data, put where the pipeline's inputs point."""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import boto3

from retraining.configuration import Configuration
from retraining.errors import UserError
from retraining.nearest import nearest
from retraining.parameter import Parameter
from retraining.unit_schema import Unit


def scripts(configuration: Configuration, model: str | None) -> dict[str, Path]:
    """The simulate.py of a model, or of every model of the pipeline that has one.

    Raises:
        UserError: the model is unknown, or there is no simulate.py.
    """
    if model is not None and model not in configuration.units:
        raise UserError(f"--model {model}: no such model{nearest(model, configuration.units)}")
    found = {
        name: configuration.root / configuration.units[name].source_directory / "simulate.py"
        for name in ([model] if model is not None else configuration.pipeline.models)
    }
    there = {name: script for name, script in found.items() if script.is_file()}
    if not there:
        script = next(iter(found.values()))
        raise UserError(f"{script}: no such file: there is no simulated sample data, put your own into S3")
    return there


def upload(
    configuration: Configuration,
    scripts: dict[str, Path],
    arguments: list[str],
    to: str | None,
    on_progress: Callable[[str], None],
) -> dict[str, tuple[str, int]]:
    """Run the models' simulate.py and upload what they wrote, one folder per input of the preprocessing.

    Args:
        scripts: the simulate.py of each model.
        arguments: passed on to it.
        to: S3 prefix below which each channel gets a folder, below one per model where there are several;
            None for where the inputs' defaults point.

    Returns:
        Per parameter (or channel, where none is declared) the S3 prefix and the number of files. What
        stood under a prefix is replaced.

    Raises:
        UserError: a simulator failed, or did not write what the inputs need.
    """
    if to is not None and not to.startswith("s3://"):
        raise UserError(f"--to {to}: an S3 URI such as s3://bucket/prefix/ is expected")
    written = {}
    for name, script in scripts.items():
        below = f"{to.rstrip('/')}/{name}" if to is not None and len(scripts) > 1 else to
        places = _places(configuration.units[name], below)
        with tempfile.TemporaryDirectory() as folder:
            on_progress(f"simulating {name}")
            _simulate(script, folder, arguments)
            for channel, (key, uri) in places.items():
                written[key] = (uri, _replace(Path(folder) / channel, uri, on_progress))
    return written


def _simulate(script: Path, folder: str, arguments: list[str]) -> None:
    result = subprocess.run(
        [sys.executable, str(script), "--out", folder, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        words = (result.stderr.strip() or "it failed without a word").splitlines()[-1]
        raise UserError(f"{script.parent.name}/simulate.py: {words.removeprefix('Error: ')}")


def _places(unit: Unit, to: str | None) -> dict[str, tuple[str, str]]:
    """Per input channel: the parameter that names its data, and the S3 prefix."""
    places = {}
    for name, channel in (unit.preprocess.channels if unit.preprocess else {}).items():
        if channel.dataFiles:
            file = channel.dataFiles[0].fileName
            default = str(file.default if isinstance(file, Parameter) else file)
            uri = default if to is None else f"{to.rstrip('/')}/{name}/"
            places[name] = (file.parameter if isinstance(file, Parameter) else name, uri)
    return places


def _replace(folder: Path, uri: str, on_progress: Callable[[str], None]) -> int:
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    if not folder.is_dir():
        raise UserError(f"simulate.py wrote no folder {folder.name!r}, which the input {uri} needs")
    on_progress(f"uploading {folder.name}")
    s3 = boto3.client("s3")
    files = {
        f"{prefix.rstrip('/')}/{path.relative_to(folder)}": path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    for key, path in files.items():
        s3.upload_file(str(path), bucket, key)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix.rstrip("/") + "/")
    stale = [item["Key"] for page in pages for item in page.get("Contents", []) if item["Key"] not in files]
    for key in stale:
        s3.delete_object(Bucket=bucket, Key=key)
    return len(files)
