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
    configuration: Configuration, arguments: list[str], on_progress: Callable[[str], None]
) -> dict[str, int]:
    """Run the model's simulate.py and upload what it wrote, one folder per input of its preprocessing.

    Args:
        arguments: passed on to simulate.py.

    Returns:
        Number of files per S3 prefix. What stood under a prefix is replaced.

    Raises:
        UserError: the model has no simulator, or the simulator failed.
    """
    unit = configuration.units[configuration.project.SMP_MODELNAME]
    script = configuration.root / unit.source_directory / "simulate.py"
    if not script.is_file():
        raise UserError(f"{script}: no such file: this model has no simulated sample data")
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
        return {uri: _replace(Path(folder) / name, uri, on_progress) for name, uri in _places(unit).items()}


def _places(unit: Unit) -> dict[str, str]:
    """S3 prefix per input channel."""
    if unit.preprocess is None:
        return {}
    files = {
        name: channel.dataFiles[0].fileName
        for name, channel in unit.preprocess.channels.items()
        if channel.dataFiles
    }
    return {name: str(file.default if isinstance(file, Parameter) else file) for name, file in files.items()}


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
