"""Calling the Lambda function of a Lambda step."""

import json
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from local_sagemaker.core import wire
from local_sagemaker.core.settings import Settings, session

# Lambda's own longest time-out is 15 minutes; an answer that comes late must not be asked for twice.
_CONFIG = Config(read_timeout=15 * 60 + 30, connect_timeout=5, retries={"total_max_attempts": 1})
_PYTHON_TYPES: dict[str, tuple[type, ...]] = {"Integer": (int,), "Float": (int, float), "Boolean": (bool,)}


class FunctionError(Exception):
    """The function could not be called, failed, or returned something else than it should."""

    def __init__(self, message: str, throttled: bool = False) -> None:
        super().__init__(message)
        self.throttled = throttled


def invoke(settings: Settings, function: str, payload: Any) -> Any:
    """The JSON value that the function (name or ARN) returns for `payload`; raises FunctionError."""
    client = session(settings).client("lambda", endpoint_url=settings.aws_url, config=_CONFIG)
    try:
        answer = client.invoke(
            FunctionName=function,
            InvocationType="RequestResponse",
            Payload=json.dumps(payload, allow_nan=False).encode(),
        )
        body = answer["Payload"].read()
    except ClientError as error:
        code = error.response["Error"]["Code"]
        raise FunctionError(
            f"ClientError: the function {function} cannot be invoked: {error}",
            code == "TooManyRequestsException",
        ) from error
    except BotoCoreError as error:
        raise FunctionError(f"ClientError: the function {function} cannot be invoked: {error}") from error
    try:
        result = wire.read_json(body) if body else None
    except ValueError as error:
        raise FunctionError(
            f"ClientError: the function {function} returned no JSON ({error}): {body[:200]!r}"
        ) from error
    if answer.get("FunctionError") or not 200 <= answer["StatusCode"] < 300:
        raise FunctionError(f"ClientError: the function {function} failed: {_reason(result)}")
    return result


def outputs(result: Any, declared: dict[str, str]) -> dict[str, Any]:
    """The declared outputs (name -> type) out of a function's result, which is an object with their names.

    An output of type String is the text of whatever is there. Raises FunctionError for one that is
    missing or of another type.
    """
    if not declared:
        return {}
    if not isinstance(result, dict):
        raise FunctionError(
            f"ClientError: the function must return an object with {', '.join(declared)}, not {result!r}"
        )
    values = {}
    for name, kind in declared.items():
        if name not in result:
            there = ", ".join(map(str, result)) or "nothing"
            raise FunctionError(
                f"ClientError: the function returned no output '{name}'; it returned: {there}"
            )
        values[name] = _typed(name, kind, result[name])
    return values


def _typed(name: str, kind: str, value: Any) -> Any:
    if kind == "String":
        return value if isinstance(value, str) else json.dumps(value, allow_nan=False)
    if not isinstance(value, _PYTHON_TYPES[kind]) or (isinstance(value, bool) and kind != "Boolean"):
        raise FunctionError(
            f"ClientError: the function's output '{name}' is declared {kind}; it returned {value!r}"
        )
    return value


def _reason(result: Any) -> str:
    if isinstance(result, dict) and "errorMessage" in result:
        kind = result.get("errorType")
        return f"{kind}: {result['errorMessage']}" if kind else str(result["errorMessage"])
    return json.dumps(result, allow_nan=False)
