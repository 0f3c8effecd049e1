"""Where the data of the pipeline's inputs is, and whose it is."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, Literal

import boto3
from botocore.exceptions import ClientError, ParamValidationError

from retraining.config.configuration import Configuration
from retraining.config.flow import chaining
from retraining.config.schema.parameter import Parameter, default_of
from retraining.errors import UserError

# Metadata of the objects that `retrain data` writes: what has it may be replaced, all else is the user's.
MARK = {"simulated-by": "retrain-data"}
_BATCH = 64


@dataclass(frozen=True)
class ModelInput:
    """One input that no step writes; `input` is its parameter, or else its name in the job."""

    model: str
    channel: str
    input: str
    uri: str
    has_parameter: bool = True

    @property
    def bucket(self) -> str:
        return self.uri.removeprefix("s3://").partition("/")[0]

    @property
    def prefix(self) -> str:
        return self.uri.removeprefix("s3://").partition("/")[2]

    @property
    def folder(self) -> str:
        """What the keys of simulated data begin with."""
        return f"{self.prefix.rstrip('/')}/" if self.prefix else ""


@dataclass(frozen=True)
class Content:
    """The keys of the objects, and the first one that `retrain data` did not write."""

    keys: tuple[str, ...]
    foreign: str | None = None

    @property
    def holds(self) -> Literal["nothing", "simulated", "own"]:
        if self.foreign is not None:
            return "own"
        return "simulated" if self.keys else "nothing"


@dataclass(frozen=True)
class InputState:
    """An input with the data that it has; `is_new` where these were written just now."""

    input: ModelInput
    content: Content
    is_new: bool = False

    @property
    def counted(self) -> str:
        """``2 objects``, ``1 object, part.csv``, ``3 objects, such as part.csv``."""
        count = len(self.content.keys)
        words = f"{count} object{'s' * (count != 1)}"
        if self.content.foreign is None:
            return words
        name = self.content.foreign.rpartition("/")[2]
        return f"{words}, {'such as ' * (count > 1)}{name}"

    def as_json(self) -> dict[str, Any]:
        objects = len(self.content.keys)
        described = asdict(self.input)
        del described["has_parameter"]
        return described | {"holds": self.content.holds, "objects": objects, "written": self.is_new}


def all_inputs(configuration: Configuration, model_name: str) -> list[ModelInput]:
    """What a model's jobs read and no step writes, where the defaults point; each once."""
    inputs = [
        ModelInput(
            model_name,
            item.name,
            item.uri.parameter if isinstance(item.uri, Parameter) else item.name,
            str(default_of(item.uri)),
            isinstance(item.uri, Parameter),
        )
        for step in configuration.steps.values()
        if step.model_name == model_name
        for item in step.inputs
        if item.uri is not None
    ]
    return list(dict.fromkeys(inputs))


def simulated_inputs(
    configuration: Configuration, model_name: str, to: str | None = None
) -> list[ModelInput]:
    """The inputs of a model's preprocessing: where their defaults point, or one folder for each below `to`.

    An input is called like its channel; in a channel with several data files, like their sourceName.
    """
    preprocess = configuration.models[model_name].preprocess
    inputs = []
    for channel_name, channel in (preprocess.channels if preprocess else {}).items():
        for index, file in enumerate(channel.dataFiles):
            name = channel_name if len(channel.dataFiles) == 1 else file.sourceName or channel_name
            default = chaining.data_uri(channel, index)
            is_parameter = isinstance(default, Parameter)
            uri = str(default_of(default)) if to is None else f"{to.rstrip('/')}/{name}/"
            shown = default.parameter if isinstance(default, Parameter) else name
            inputs.append(ModelInput(model_name, name, shown, uri, is_parameter))
    return inputs


def look(configuration: Configuration, model_input: ModelInput) -> InputState:
    """What a job that reads the input would get.

    Raises:
        UserError: there is no such bucket, or it cannot be listed.
    """
    s3 = boto3.client("s3")
    bucket = model_input.bucket
    try:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=model_input.prefix)
        listed = [item["Key"] for page in pages for item in page.get("Contents", [])]
    except ParamValidationError:
        raise UserError(f"{model_input.uri}: {bucket!r} cannot be the name of a bucket") from None
    except ClientError as error:
        raise UserError(f"{model_input.uri}: {_why(error, configuration, bucket)}") from None
    # S3's console makes empty objects for folders.
    keys = tuple(key for key in listed if not key.endswith("/"))
    return InputState(model_input, Content(keys, next(_foreign(s3, bucket, keys), None)))


def _why(error: ClientError, configuration: Configuration, bucket: str) -> str:
    if error.response["Error"]["Code"] != "NoSuchBucket":
        return str(error.response["Error"].get("Message", "it cannot be listed"))
    own = configuration.project.bucket
    use = "" if bucket == own else f"use the project's, s3://{own}/, or "
    return (
        f"bucket {bucket} does not exist: {use}create it: `aws s3 mb s3://{bucket}` "
        "(on this machine with the variables of `retrain local env`)"
    )


def _foreign(s3: Any, bucket: str, keys: tuple[str, ...]) -> Iterator[str]:
    """The keys without the mark; in batches, because a prefix may be large and the first key is enough."""

    def is_simulated(key: str) -> bool:
        try:
            metadata = s3.head_object(Bucket=bucket, Key=key)["Metadata"]
        except ClientError:
            return False
        return bool(MARK.items() <= metadata.items())

    with ThreadPoolExecutor(8) as pool:
        for begin in range(0, len(keys), _BATCH):
            batch = keys[begin : begin + _BATCH]
            for key, ours in zip(batch, pool.map(is_simulated, batch), strict=True):
                if not ours:
                    yield key
