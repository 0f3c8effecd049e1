"""A person's own files where one of the pipeline's inputs points."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import boto3
from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import ClientError

from retraining.config.configuration import Configuration
from retraining.config.schema.fields import s3_problem
from retraining.errors import UserError, suggestion_or_all
from retraining.runs import objects
from retraining.runs.inputs import Content, InputState, ModelInput, all_inputs, look


@dataclass(frozen=True)
class Placed:
    """What was put where.

    Attributes:
        state: the input with the files that it has now.
        before: what it had, of which nothing is left but files of the same name and content.
        left_out: files of the folder that no job would read, such as hidden ones.
        simulated: other inputs of the same models, which hold simulated data.
    """

    state: InputState
    before: InputState
    left_out: tuple[str, ...]
    simulated: tuple[ModelInput, ...]


def place(
    configuration: Configuration,
    names: list[str],
    path: Path,
    input_name: str | None,
    to: str | None,
    may_replace: bool,
    on_progress: Callable[[str], None],
) -> Placed:
    """Put a file, or all files of a folder, where an input points; simulated data there is removed.

    Args:
        names: the models whose inputs are meant.
        path: the file or folder; files whose name, or whose folder's, begins with . or _ are left out.
        input_name: the input's parameter, or else its name; None for the only one.
        to: an S3 prefix in place of where the input's default points.
        may_replace: whether data that `retrain data` did not simulate may be replaced.

    Raises:
        UserError: there is nothing to put, it is not clear where, or other data is there. Nothing was
            changed then.
    """
    listed = [item for name in names for item in all_inputs(configuration, name)]
    chosen = _chosen(listed, input_name, to)
    files, left_out = _files(path)
    keys = _keys(chosen, path, files)
    before = look(configuration, chosen)
    others = sorted(set(before.content.keys) - keys.keys())
    if before.content.holds == "own" and not may_replace and (others or not _is_there(chosen, keys)):
        raise UserError(
            f"{chosen.uri} holds your own data ({before.counted}): give --replace to put these files in its "
            "place, or another location with --to"
        )
    size = sum(file.stat().st_size for file in files)
    on_progress(f"copying {len(files)} file{'s' * (len(files) != 1)} ({_size(size)}) to {chosen.uri}")
    _upload(chosen, keys, before.content)
    for key in others:
        boto3.client("s3").delete_object(Bucket=chosen.bucket, Key=key)
    mine = {item.model for item in listed if item.uri == chosen.uri or item.input == chosen.input}
    siblings = {item.uri: item for item in listed if item.model in mine and item.input != chosen.input}
    states = [look(configuration, item) for item in siblings.values()]
    state = InputState(chosen, Content(tuple(keys), next(iter(keys))), is_new=True)
    simulated = tuple(other.input for other in states if other.content.holds == "simulated")
    return Placed(state, before, left_out, simulated)


def _chosen(listed: list[ModelInput], name: str | None, to: str | None) -> ModelInput:
    """The input that is meant, at `to` where that is given."""
    if to is not None and (words := s3_problem(to)):
        raise UserError(f"--to: {words}")
    named = [item for item in listed if name in (None, item.input, item.channel)]
    by_uri = {item.uri: item for item in named}
    known = list(dict.fromkeys(item.input for item in listed))
    if not known:
        raise UserError("--from: no job of the pipeline reads data from S3 that no step writes")
    if not named:
        raise UserError(f"--input {name}: no such input{suggestion_or_all(name, known)}")
    if len(by_uri) > 1:
        models = list(dict.fromkeys(item.model for item in named))
        inputs = list(dict.fromkeys(item.input for item in named))
        if len(inputs) > 1:
            raise UserError(f"--from: say which input is meant: --input {' or '.join(inputs)}")
        raise UserError(f"--input {name}: say whose: --model {' or '.join(models)}")
    (chosen,) = by_uri.values()
    if to is None:
        return chosen
    if not chosen.has_parameter:
        raise UserError(
            f"--to: input {chosen.input} of {chosen.model} is no pipeline parameter, so that no run can be "
            "given another location: leave --to out, or make its fileName a parameter"
        )
    return ModelInput(chosen.model, chosen.channel, chosen.input, f"{to.rstrip('/')}/", True)


def _files(path: Path) -> tuple[list[Path], tuple[str, ...]]:
    """The files to put, and those that are left out."""
    if not path.exists():
        advice = "; it is in S3 already: give it to `retrain run --param`" if "s3:/" in str(path) else ""
        raise UserError(f"--from {path}: no such file or folder{advice}")
    if not path.is_dir():
        files, left_out = [path], []
        if path.name.startswith((".", "_")):
            raise UserError(
                f"--from {path}: jobs skip files whose name begins with {path.name[0]}: rename it"
            )
    else:
        below = sorted(Path(folder, name) for folder, _, names in os.walk(path) for name in names)
        left_out = [file for file in below if _is_hidden(file.relative_to(path))]
        files = [file for file in below if file not in left_out]
    if not files:
        raise UserError(f"--from {path}: there is no file in this folder")
    for file in files:
        _check(file)
    return files, tuple(str(file.relative_to(path)) for file in left_out)


def _is_hidden(path: Path) -> bool:
    return any(part.startswith((".", "_")) for part in path.parts)


def _check(file: Path) -> None:
    if not file.is_file():
        raise UserError(f"--from {file}: not a file that can be copied")
    if not os.access(file, os.R_OK):
        raise UserError(f"--from {file}: you may not read this file")
    if not file.stat().st_size:
        raise UserError(f"--from {file}: this file is empty")
    try:
        str(file).encode()
    except UnicodeEncodeError:
        raise UserError(f"--from {str(file)!a}: S3 takes names in UTF-8 only: rename it") from None


def _keys(model_input: ModelInput, path: Path, files: list[Path]) -> dict[str, Path]:
    """The files by the keys that they get: below the input's prefix, or the one that the input names."""
    wanted = PurePosixPath(model_input.prefix)
    if model_input.prefix.endswith("/") or not wanted.suffix:
        root = path if path.is_dir() else path.parent
        return {f"{model_input.folder}{file.relative_to(root).as_posix()}": file for file in files}
    if len(files) > 1 or files[0].suffix.lower() != wanted.suffix.lower():
        raise UserError(
            f"--from {path}: input {model_input.input} is the one file {model_input.uri}: give one "
            f"{wanted.suffix} file"
        )
    return {model_input.prefix: files[0]}


def _is_there(model_input: ModelInput, keys: dict[str, Path]) -> bool:
    s3 = boto3.client("s3")
    return all(objects.has(s3, model_input.bucket, key, objects.metadata(path)) for key, path in keys.items())


def _upload(model_input: ModelInput, keys: dict[str, Path], before: Content) -> None:
    """Upload what is not there yet; where that fails, what was added is removed."""
    s3 = boto3.client("s3")
    added: list[str] = []
    try:
        for key, path in keys.items():
            if key not in before.keys:
                added.append(key)
            objects.put(s3, model_input.bucket, key, path)
    except BaseException as error:
        for key in added:
            s3.delete_object(Bucket=model_input.bucket, Key=key)
        if isinstance(error, S3UploadFailedError | ClientError | OSError):
            raise UserError(f"{model_input.uri}: {error}") from None
        raise


def _size(count: int) -> str:
    if count < 1000:
        return f"{count} bytes"
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"


def notes(placed: Placed) -> Iterator[str]:
    """What a person should know before a run."""
    if placed.left_out:
        names = ", ".join(placed.left_out[:3]) + (", ..." if len(placed.left_out) > 3 else "")
        yield f"left out, because jobs skip files whose name begins with . or _: {names}"
    for other in placed.simulated:
        yield (
            f"{other.uri} ({other.input}) still holds simulated data: put your own there too, "
            f"`retrain data --from FILE --input {other.input}`, or the model learns from both"
        )
