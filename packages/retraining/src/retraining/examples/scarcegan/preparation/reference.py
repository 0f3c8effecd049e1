"""The profile of the run before: one JSON object in S3 (or a file), read at the start, replaced at the end.

It holds the profiles of the last two runs on different data, so that a run which is repeated on the same data
is compared with the run before, and not with itself.
"""

import json
from pathlib import Path
from typing import Any

from failure import InputError
from preparation.drift import Profile


class Reference:
    """`where`: an s3:// URI or a path; None compares with nothing and keeps nothing."""

    def __init__(self, where: str | None) -> None:
        self.where = where
        self._found: dict[str, Any] = {}
        self._ours = True

    def read(self) -> None:
        """Read it; what cannot be reached ends no job: a line says that nothing is compared.

        Raises InputError when there is something that is no profile.
        """
        if self.where is None:
            return
        try:
            text = self._get(self.where)
        except Exception as error:  # boto3's many, and the file system's
            print(f"Warning: reference {self.where}: cannot be read ({_short(error)}); no PSI")
            return
        if text is None:
            print(f"Reference: there is no {self.where}; this is the first run, nothing to compare with")
            return
        try:
            document = json.loads(text)
            self._ours = "current" in document
            self._found = document if self._ours else {"current": document, "previous": None}
            if not all(one is None or _has_content(one) for one in self._found.values()):
                raise ValueError("no features or rows")
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise self.refused(error) from None

    def refused(self, error: Exception) -> InputError:
        """What to raise where it is no profile."""
        return InputError(f"reference {self.where}: no profile of preprocess.py ({error}); delete it")

    def before(self, profile: Profile) -> Profile | None:
        """The last run's profile; where that is this very one, the one before it."""
        current: Profile | None = self._found.get("current")
        previous: Profile | None = self._found.get("previous")
        if current != profile or not self._ours:
            return current
        if previous is None:
            print("Reference: it is of these very data, and there is none before it; nothing to compare with")
        return previous

    def publish(self, profile: Profile) -> None:
        """Keep the profile for the next run. A job does not end because it cannot: a line says so."""
        if self.where is None or self._found.get("current") == profile or not self._ours:
            return
        text = json.dumps({"current": profile, "previous": self._found.get("current")}) + "\n"
        try:
            self._put(self.where, text)
        except Exception as error:
            print(f"Warning: reference {self.where}: cannot be written ({_short(error)}); keeping none")

    @staticmethod
    def _get(where: str) -> str | None:
        if not where.startswith("s3://"):
            path = Path(where)
            return path.read_text(encoding="utf-8") if path.exists() else None
        client, place = _s3(where)
        try:
            return str(client.get_object(**place)["Body"].read().decode())
        except client.exceptions.NoSuchKey:
            return None

    @staticmethod
    def _put(where: str, text: str) -> None:
        if where.startswith("s3://"):
            client, place = _s3(where)
            client.put_object(**place, Body=text.encode(), ContentType="application/json")
            return
        path = Path(where)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.unfinished")
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)


def _has_content(profile: Any) -> bool:
    features, rows = profile["features"], profile["rows"]
    return bool(features and rows) and isinstance(features, dict) and isinstance(rows, int)


def _s3(uri: str) -> tuple[Any, dict[str, str]]:
    import boto3  # SageMaker's containers have it; the places of its endpoints are in the environment
    from botocore.config import Config

    bucket, _, key = uri.removeprefix("s3://").partition("/")
    quick = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 3})
    return boto3.client("s3", config=quick), {"Bucket": bucket, "Key": key}


def _short(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
