"""The session token that clients of one root send as AWS_SESSION_TOKEN, and those of roles.

It is all that the services check of a client's credentials. A job or a function has one that is derived from
it and says whose it is: ``<role>:<HMAC-SHA256 of the role under the root's token>``.
"""

import contextlib
import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path
from urllib.parse import quote

from local_sagemaker.core.errors import LocalError

FILE = "token"
_TOKEN = re.compile(r"[\w-]{43}")


def make(root: Path) -> None:
    """Make the token of `root` where there is none, in a file that nobody but its owner reads."""
    file = root / FILE
    with contextlib.suppress(FileNotFoundError):
        if _TOKEN.fullmatch(file.read_text(errors="replace")):
            file.chmod(0o600)
            return
    draft = file.with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w") as text:
        text.write(secrets.token_urlsafe(32))
    draft.replace(file)


def read(root: Path) -> str:
    """The token of `root`. Raises LocalError where there is none: its services were never started."""
    try:
        return (root / FILE).read_text()
    except FileNotFoundError:
        raise LocalError(f"{root} has no session token yet: start the local services there") from None


def fingerprint(token: str) -> str:
    """What tells tokens apart, for all to see."""
    return hashlib.sha256(token.encode()).hexdigest()


def of_role(token: str, role: str) -> str:
    """What a job or a function with the `role` (name or ARN) has in place of `token`."""
    name = quote(role.rpartition("/")[2], safe="+=,.@-_")
    return f"{name}:{hmac.digest(token.encode(), name.encode(), 'sha256').hex()}"


def holder(token: str, given: str) -> str | None:
    """Whose the token `given` is: "" for that of the root, else the name of a role; None for a wrong one."""
    name, derived, _ = given.rpartition(":")
    expected = of_role(token, name) if derived else token
    return name if hmac.compare_digest(expected.encode(), given.encode()) else None
