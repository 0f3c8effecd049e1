"""Pipeline parameters given on the command line, and the data that they point at."""

from retraining.configuration import Configuration
from retraining.errors import UserError
from retraining.nearest import nearest
from retraining.parameter import Parameter


def parse(configuration: Configuration, given: list[str]) -> dict[str, str]:
    """``["Epochs=5"]`` as ``{"Epochs": "5"}``, checked against the declared parameters.

    Raises:
        UserError: no `=`, an undeclared name, or a value of the wrong type; one line per error.
    """
    declared = configuration.parameters
    values: dict[str, str] = {}
    errors = []
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            errors.append(f"--param {text!r}: write it as Name=value, such as --param Epochs=5")
        elif name not in declared:
            errors.append(f"--param {name}: no such parameter{nearest(name, declared)}")
        elif problem := _problem(declared[name], value):
            errors.append(f"--param {name}: {problem}")
        else:
            values[name] = value
    if errors:
        raise UserError("\n".join(errors))
    return values


def _problem(parameter: Parameter, value: str) -> str | None:
    if parameter.choices is not None and value not in parameter.choices:
        return f"one of {', '.join(parameter.choices)} is expected, not {value!r}"
    if parameter.type == "Boolean":
        return (
            None
            if value in ("true", "false", "True", "False")
            else f"true or false is expected, not {value!r}"
        )
    kinds = {"Integer": (int, "a whole number"), "Float": (float, "a number")}
    if parameter.type not in kinds:
        return None if value else "an empty text is not allowed"
    convert, expected = kinds[parameter.type]
    try:
        number = convert(value)
    except ValueError:
        return f"{expected} is expected (as in the default {parameter.default!r}), not {value!r}"
    return None if number - number == 0 else f"{expected} is expected, not {value!r}"


def require_inputs(configuration: Configuration, values: dict[str, str]) -> None:
    """Look whether every S3 prefix that a parameter or a channel names holds at least one object.

    Raises:
        UserError: some do not; one line each.
    """
    import boto3
    from botocore.exceptions import ClientError

    s3 = boto3.client("s3")
    errors = []
    for name, parameter in configuration.parameters.items():
        uri = values.get(name, str(parameter.default))
        if not str(parameter.default).startswith("s3://"):
            continue
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        if not uri.startswith("s3://") or not bucket:
            errors.append(f"--param {name}: an S3 URI such as {parameter.default} is expected, not {uri!r}")
            continue
        try:
            found = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("KeyCount", 0)
        except ClientError as error:
            errors.append(
                f"input {name}: {uri}: {error.response['Error'].get('Message', 'cannot be listed')}"
            )
            continue
        if not found:
            errors.append(
                f"input {name}: {uri} holds no objects: put the data there, name another place with "
                f"--param {name}=s3://..., or run `retrain data` for simulated sample data"
            )
    if errors:
        raise UserError("\n".join(errors))
