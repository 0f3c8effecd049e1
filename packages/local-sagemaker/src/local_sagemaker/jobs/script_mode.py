"""Script mode: how AWS's framework images run a training job whose request names no entrypoint.

The image takes the program and its folder from the hyperparameters ``sagemaker_program`` and
``sagemaker_submit_directory``. Contract: the SageMaker Training Toolkit
(https://github.com/aws/sagemaker-training-toolkit).
"""

import json
import os
import tarfile
from typing import Any

from local_sagemaker.container import archives, cluster
from local_sagemaker.core.store import Document
from local_sagemaker.jobs.instance import Instance, JobError

PROGRAM = "sagemaker_program"
SOURCE = "sagemaker_submit_directory"
OBJECTIVE = "_tuning_objective_metric"

_CODE = "/opt/ml/code"
_ARCHIVE = "/opt/ml/tmp/source"
_RESERVED = frozenset({OBJECTIVE, "default_user_module_name"})
_FOLDERS = {
    "SM_INPUT_CONFIG_DIR": "/opt/ml/input/config",
    "SM_INPUT_DIR": "/opt/ml/input",
    "SM_MODEL_DIR": "/opt/ml/model",
    "SM_MODULE_DIR": _CODE,
    "SM_OUTPUT_DATA_DIR": "/opt/ml/output/data",
    "SM_OUTPUT_DIR": "/opt/ml/output",
    "SM_OUTPUT_INTERMEDIATE_DIR": "/opt/ml/output/intermediate",
}
# As the image does it: requirements first, then the program in place of the shell.
_RUN = 'if [ -f requirements.txt ]; then python3 -m pip install -r requirements.txt || exit $?; fi; exec "$@"'


def is_asked_for(request: Document) -> bool:
    """True for a training job that only a framework image would know how to run."""
    given = request.get("HyperParameters", {})
    return bool(
        not request["AlgorithmSpecification"].get("ContainerEntrypoint")
        and given.get(PROGRAM)
        and given.get(SOURCE)
    )


def hyperparameters(request: Document) -> Document:
    """What the program gets to see: no reserved names, JSON texts as their values."""
    return {
        name: _decode(value)
        for name, value in sorted(request.get("HyperParameters", {}).items())
        if name not in _RESERVED and not name.startswith("sagemaker_")
    }


def command(request: Document) -> list[str]:
    """The program with its hyperparameters as arguments (``--rate 0.1``, ``-n 3``)."""
    program = str(_decode(request["HyperParameters"][PROGRAM]))
    words = ["python3", program] if program.endswith(".py") else [f"./{program}"]
    for name, value in hyperparameters(request).items():
        words += [f"--{name}" if len(name) > 1 else f"-{name}", _argument(value)]
    return ["/bin/sh", "-c", _RUN, "sh", *words]


def download(instance: Instance) -> None:
    """Unpack the program's folder as the working directory. Raises JobError."""
    given = instance.request["HyperParameters"]
    uri, program = str(_decode(given[SOURCE])), str(_decode(given[PROGRAM]))
    instance.fetch(uri, _ARCHIVE, SOURCE)
    code = instance.inside(_CODE)
    code.mkdir(parents=True, exist_ok=True)
    for path in sorted(instance.inside(_ARCHIVE).iterdir()):
        try:
            archives.unpack(path, code)
        except (tarfile.TarError, OSError) as error:
            raise JobError(f"ClientError: {SOURCE} {uri} cannot be unpacked: {error}") from error
    if not (code / program).is_file():
        raise JobError(f"ClientError: {SOURCE} {uri} has no file {program!r}, which {PROGRAM} names")
    (code / program).chmod(0o755)


def requirements(instance: Instance) -> str | None:
    """The text of the folder's ``requirements.txt``, if it has one."""
    path = instance.inside(_CODE) / "requirements.txt"
    return path.read_text(errors="replace") if path.is_file() else None


def environment(instance: Instance) -> dict[str, str]:
    """The ``SM_*`` variables."""
    given = hyperparameters(instance.request)
    channels = [channel["ChannelName"] for channel in instance.request.get("InputDataConfig", [])]
    program = str(_decode(instance.request["HyperParameters"][PROGRAM]))
    values: dict[str, Any] = {
        **_FOLDERS,
        **{f"SM_CHANNEL_{name.upper()}": f"/opt/ml/input/data/{name}" for name in channels},
        **{f"SM_HP_{name.upper()}": value for name, value in given.items()},
        "SM_CHANNELS": channels,
        "SM_CURRENT_HOST": instance.host,
        "SM_CURRENT_INSTANCE_GROUP": cluster.GROUP,
        "SM_CURRENT_INSTANCE_GROUP_HOSTS": instance.hosts,
        "SM_CURRENT_INSTANCE_TYPE": instance.request["ResourceConfig"].get("InstanceType", "ml.m5.large"),
        "SM_HOSTS": instance.hosts,
        "SM_HPS": given,
        "SM_INSTANCE_GROUPS": [cluster.GROUP],
        "SM_LOG_LEVEL": 20,
        "SM_MODULE_NAME": program.removesuffix(".py"),
        "SM_NETWORK_INTERFACE_NAME": cluster.INTERFACE,
        "SM_NUM_CPUS": os.cpu_count() or 1,
        "SM_NUM_GPUS": 0,
        "SM_USER_ARGS": command(instance.request)[4:],
        "SM_USER_ENTRY_POINT": program,
    }
    return {name: _text(value) for name, value in values.items()}


def _decode(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def _text(value: Any) -> str:
    return (
        value
        if isinstance(value, str)
        else json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    )


def _argument(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(f"{key}={item}" for key, item in sorted(value.items()))
    return "" if value is None else str(value)
