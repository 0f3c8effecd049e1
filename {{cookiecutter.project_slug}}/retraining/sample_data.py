"""Simulated sample data, put where the pipeline's inputs point."""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import boto3

from retraining.configuration import Configuration
from retraining.errors import UserError
from retraining.parameter import Parameter
from retraining.schema import Unit


def upload(
    configuration: Configuration, arguments: list[str], to: str | None, on_progress: Callable[[str], None]
) -> dict[str, tuple[str, int]]:
    """Run the model's simulate.py and upload what it wrote, one folder per input of its preprocessing.

    Args:
        arguments: passed on to simulate.py.
        to: S3 prefix below which each channel gets a folder; None for where the inputs' defaults point.

    Returns:
        Per parameter (or channel, where none is declared) the S3 prefix and the number of files. What
        stood under a prefix is replaced.

    Raises:
        UserError: the model has no simulator, or the simulator failed.
    """
    unit = configuration.units[configuration.project.SMP_MODELNAME]
    script = configuration.root / unit.source_directory / "simulate.py"
    if not script.is_file():
        raise UserError(f"{script}: no such file: this model has no simulated sample data")
    places = _places(unit, to)
    with tempfile.TemporaryDirectory() as folder:
        on_progress("simulating")
        result = subprocess.run(
            [sys.executable, str(script), "--out", folder, *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode != 0:
            raise UserError(
                f"simulate.py: {(result.stderr.strip() or 'it failed without a word').splitlines()[-1]}"
            )
        return {
            name: (uri, _replace(Path(folder) / channel, uri, on_progress))
            for channel, (name, uri) in places.items()
        }


def _places(unit: Unit, to: str | None) -> dict[str, tuple[str, str]]:
    """Per input channel: the parameter that names its data, and the S3 prefix."""
    if to is not None and not to.startswith("s3://"):
        raise UserError(f"--to {to}: an S3 URI such as s3://bucket/prefix/ is expected")
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
