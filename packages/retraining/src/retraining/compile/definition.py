"""From the configuration to a pipeline definition: the same sources give the same bytes.

The SDK puts code under timestamped prefixes, so that every compilation would be a new cache key. Here
each prefix is renamed after the hash of what it holds.
"""

import contextlib
import gc
import gzip
import hashlib
import importlib.util
import io
import json
import logging
import tarfile
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retraining.compile import offline
from retraining.compile.build import ArgumentPath, Build
from retraining.compile.sdk_internals import Uploads
from retraining.config.configuration import Configuration
from retraining.config.schema.parameter import Parameter
from retraining.errors import FileLine, Problem, UserError

Late = dict[str, dict[ArgumentPath, Any]]
# Where a request names uploaded code: an input's URI, and a hyperparameter of tuned training jobs.
_CODE_URIS = ("S3Uri", "sagemaker_submit_directory")


@dataclass(frozen=True)
class Definition:
    """A compiled pipeline: the definition as SageMaker takes it, and the objects that its jobs need."""

    name: str
    text: str
    uploads: Uploads


def compile_pipeline(configuration: Configuration) -> Definition:
    """Compile the project's pipeline.py, without credentials, network or side effects.

    Raises:
        UserError: the configuration cannot be built.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        _quiet(),
        _without_collecting(),
        offline.session(configuration) as (session, uploads),
    ):
        build = Build(configuration, session, Path(folder))
        with _errors_for_users(configuration.root), contextlib.chdir(folder):
            pipeline = _load_pipeline_file(configuration.root).pipeline(build)
            compiled = json.loads(pipeline.definition())
    late: Late = {}
    for (name, path), value in build.late.items():
        late.setdefault(name, {})[path] = value
    _put_late_arguments(compiled["Steps"], late)
    text, addressed = content_address(compiled, uploads, configuration.pipeline.pipelineName)
    return Definition(configuration.pipeline.pipelineName, text, addressed)


def _put_late_arguments(steps: list[Any], late: Late) -> None:
    """Put in what the SDK could not take; also in the branches of conditions."""
    for step in steps:
        arguments = step.get("Arguments", {})
        for path, value in late.get(step["Name"], {}).items():
            parent = arguments
            for part in path[:-1]:
                parent = parent[part]
            is_parameter = isinstance(value, Parameter)
            parent[path[-1]] = {"Get": f"Parameters.{value.parameter}"} if is_parameter else value
        if step["Type"] == "Condition":
            _put_late_arguments([*arguments.get("IfSteps", []), *arguments.get("ElseSteps", [])], late)


def _load_pipeline_file(root: Path) -> Any:
    """The project's pipeline.py as a module."""
    path = root / "pipeline.py"
    spec = importlib.util.spec_from_file_location("pipeline", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise UserError(
            Problem(FileLine(str(path)), (), "no such file; run this command in the project's folder")
        )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextlib.contextmanager
def _errors_for_users(root: Path) -> Iterator[None]:
    """What pipeline.py or the SDK raises, as a problem at the last line of the project's own files."""
    try:
        yield
    except UserError:
        raise
    except SyntaxError as error:
        place = FileLine(str(error.filename), error.lineno)
        raise UserError(Problem(place, (), f"not valid Python: {error.msg}")) from error
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        own = [
            frame
            for frame in frames
            if root in Path(frame.filename).parents and ".venv" not in frame.filename
        ]
        place = FileLine(own[-1].filename, own[-1].lineno) if own else FileLine(str(root / "pipeline.py"))
        words = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        raise UserError(Problem(place, (), f"the pipeline does not compile: {words}")) from error


@contextlib.contextmanager
def _without_collecting() -> Iterator[None]:
    """Loading the SDK and compiling make a hundred thousand objects that stay; collecting garbage
    meanwhile costs a tenth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the SDK's log lines and warnings about each default that it fills in, and remove the
    handler that importing it puts on the root logger."""
    root = logging.root
    disabled, level, handlers = root.manager.disable, root.level, list(root.handlers)
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        root.setLevel(level)
        root.handlers[:] = handlers


def content_address(definition: Any, uploads: Uploads, pipeline: str) -> tuple[str, Uploads]:
    """Rename every uploaded object or prefix that the definition refers to after its content's SHA-256.

    Args:
        definition: the parsed definition; URIs in it that point at uploads are replaced.
        uploads: what the SDK wanted to upload.
        pipeline: its name; the objects go to ``s3://<bucket>/<pipeline>/code/<hash>/``.

    Returns:
        The definition as JSON text, and the objects under their new keys.
    """
    folders: dict[tuple[str, str], dict[str, bytes]] = {}
    for (bucket, key), content in uploads.items():
        clean = _normalised(key, content)
        folders[bucket, key] = {key.rpartition("/")[2]: clean}
        for index in (index for index, letter in enumerate(key) if letter == "/"):
            folders.setdefault((bucket, key[:index]), {})[key[index + 1 :]] = clean
    renamed: Uploads = {}

    def visit(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: address(item) if key in _CODE_URIS and isinstance(item, str) else visit(item)
                for key, item in value.items()
            }
        return [visit(item) for item in value] if isinstance(value, list) else value

    def address(uri: str) -> str:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        members = folders.get((bucket, key.rstrip("/")))
        if not members or not key:
            return uri
        digest = hashlib.sha256()
        for name, content in sorted(members.items()):
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
        base = f"{pipeline}/code/{digest.hexdigest()[:32]}"
        renamed.update({(bucket, f"{base}/{name}"): content for name, content in members.items()})
        single = (bucket, key) in uploads
        return f"s3://{bucket}/{base}/{next(iter(members))}" if single else f"s3://{bucket}/{base}/"

    return json.dumps(visit(definition), indent=2, ensure_ascii=False, allow_nan=False), renamed


def _normalised(name: str, content: bytes) -> bytes:
    """A tar.gz with the same members gives the same bytes, whatever the files' times and owners."""
    if not name.endswith(".tar.gz"):
        return content
    buffer = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(content)) as old,
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0, filename="") as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as new,
    ):
        for member in sorted(
            (item for item in old.getmembers() if item.isfile()), key=lambda item: item.name
        ):
            clean = tarfile.TarInfo(member.name)
            clean.size, clean.mode = member.size, 0o644
            new.addfile(clean, old.extractfile(member))
    return buffer.getvalue()
