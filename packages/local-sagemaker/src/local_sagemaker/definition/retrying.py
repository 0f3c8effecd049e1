"""RetryPolicies of a step (``sagemaker.mlops.workflow.retry``)."""

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local_sagemaker.core.errors import ValidationError

SERVICE_FAULT = "Step.SERVICE_FAULT"
THROTTLING = "Step.THROTTLING"
INTERNAL_ERROR = "SageMaker.JOB_INTERNAL_ERROR"
CAPACITY_ERROR = "SageMaker.CAPACITY_ERROR"
RESOURCE_LIMIT = "SageMaker.RESOURCE_LIMIT"

_KINDS = (SERVICE_FAULT, THROTTLING, INTERNAL_ERROR, CAPACITY_ERROR, RESOURCE_LIMIT)
_MEMBERS = {"ExceptionType", "IntervalSeconds", "BackoffRate", "MaxAttempts", "ExpireAfterMin"}
_REASONS = {
    "InternalServerError": INTERNAL_ERROR,
    "CapacityError": CAPACITY_ERROR,
    "ResourceLimitExceeded": RESOURCE_LIMIT,
}


def check(policies: Any) -> None:
    """Raise ValidationError unless `policies` is a list of retry policies."""
    if not isinstance(policies, list):
        raise ValidationError(f"RetryPolicies must be a list, not {policies!r}")
    for policy in policies:
        if not isinstance(policy, dict) or set(policy) - _MEMBERS:
            raise ValidationError(
                f"a retry policy has the members {', '.join(sorted(_MEMBERS))}, not {policy!r}"
            )
        kinds = policy.get("ExceptionType")
        if not isinstance(kinds, list) or not kinds or any(kind not in _KINDS for kind in kinds):
            raise ValidationError(f"ExceptionType must be a list out of {', '.join(_KINDS)}, not {kinds!r}")
        if ("MaxAttempts" in policy) == ("ExpireAfterMin" in policy):
            raise ValidationError("a retry policy needs either MaxAttempts or ExpireAfterMin")
        for member in _MEMBERS - {"ExceptionType"}:
            value = policy.get(member, 1)
            if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
                raise ValidationError(f"{member} of a retry policy must be a number from 0 on, not {value!r}")


def reason_of(error: Exception) -> str:
    """The FailureReason for an exception that the local services did not expect.

    What the machine or a neighbouring service did may be otherwise a second later. A defect is not, nor is
    what a service refuses (no such object, no right to it), and neither is an InternalServerError: retry
    policies repeat that one, and it would end the same.
    """
    if isinstance(error, ClientError):
        is_passing = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400) >= 500
        kind = "InternalServerError" if is_passing else "ClientError"
        return f"{kind}: {error}"
    kind = "InternalServerError" if isinstance(error, OSError | BotoCoreError) else "LocalServiceError"
    return f"{kind}: {type(error).__name__}: {error}"


def kind_of(failure_reason: str) -> str | None:
    """The exception type that a job's FailureReason stands for; None for an error of the user's own code."""
    return _REASONS.get(failure_reason.partition(":")[0])


def delay(policies: list[dict[str, Any]], kind: str | None, retries: int, elapsed: float) -> float | None:
    """Seconds to wait before the next attempt, None when there is none.

    `retries` is how many were made, `elapsed` the seconds since the step started. The first policy
    that names `kind` decides: IntervalSeconds (1 unless given), times BackoffRate (2.0) per retry.
    """
    for policy in policies:
        if kind not in policy["ExceptionType"]:
            continue
        pause = float(policy.get("IntervalSeconds", 1)) * float(policy.get("BackoffRate", 2.0)) ** retries
        if "MaxAttempts" in policy:
            return pause if retries < policy["MaxAttempts"] else None
        return pause if elapsed + pause < 60 * policy["ExpireAfterMin"] else None
    return None
