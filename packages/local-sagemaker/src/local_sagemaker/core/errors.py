"""Errors of the local SageMaker API, as boto3 sees them."""


class ApiError(Exception):
    """An error response of the API: HTTP 400 whose ``__type`` is `code`.

    botocore turns `code` into its typed exception where the service model names one
    (``ResourceNotFound``, ``ResourceInUse``, ``ResourceLimitExceeded``, ``ConflictException``)
    and into a plain ``ClientError`` otherwise (``ValidationException``).
    """

    code = "ValidationException"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ValidationError(ApiError):
    """The request is malformed, or names something that the API refuses."""


class NotFound(ApiError):
    """The named resource does not exist."""

    code = "ResourceNotFound"


class InUse(ApiError):
    """A resource of that name exists; the message contains "already exists"."""

    code = "ResourceInUse"


class Conflict(ApiError):
    """The resource is in a state that forbids the request."""

    code = "ConflictException"


class LimitExceeded(ApiError):
    """The machine gives no more of what the request needs."""

    code = "ResourceLimitExceeded"


class UnknownOperation(ApiError):
    """An operation that SageMaker does not have, or that is not implemented here."""

    code = "UnknownOperationException"


class SerializationError(ApiError):
    """The body is no JSON, or a member has another type than the model says."""

    code = "SerializationException"


class LocalError(Exception):
    """Something a user can cause outside the API (ports, folders); one line that says what to do."""


class PortsInUse(LocalError):
    """Others listen on ports of the services; one line for each."""
