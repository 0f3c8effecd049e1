"""What the local SageMaker remembers: JSON documents in one SQLite file.

Every resource (pipeline, execution, job, model package ...) is one document under a kind and a
key. Documents survive restarts; a commit is on disk when the call returns.
"""

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

Document = dict[str, Any]

# The statements at index n make a state of version n + 1 from one of version n. SQLite's `user_version` says
# which version a file has; it may be 0 in one of version 1: the first statements change nothing there.
_MIGRATIONS = (
    """
CREATE TABLE IF NOT EXISTS documents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    parent TEXT,
    created REAL NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (kind, key)
);
CREATE INDEX IF NOT EXISTS documents_by_parent ON documents (kind, parent, id);
""",
)
VERSION = len(_MIGRATIONS)

_PAUSE = 0.5  # seconds


class StateError(Exception):
    """A database that cannot be opened: damaged, or of a newer version; one line says which."""


def check(path: Path) -> None:
    """Raise StateError unless `Store` can open the file, or there is none. Changes nothing."""
    if not path.exists():
        return
    try:
        # Not read-only: after a kill the write-ahead log has to be replayed before reading.
        with closing(sqlite3.connect(path, timeout=10)) as connection:
            verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            _version(connection)
    except sqlite3.DatabaseError as error:
        raise StateError(f"cannot be read ({error})") from error
    if verdict != "ok":
        raise StateError(f"cannot be read ({verdict})")


def _version(connection: sqlite3.Connection) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > VERSION:
        raise StateError(
            f"was written by a newer version of local-sagemaker: it is state {version}, and this version"
            f" knows none after {VERSION}"
        )
    return version


class Store:
    """Thread-safe document store on one SQLite file (WAL, full synchronisation).

    A file of an earlier version is brought to this one's when it is opened: wholly or, when that is cut
    off, up to one of the versions between.
    """

    def __init__(self, path: Path) -> None:
        """Raises StateError for a file of a newer version."""
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._migrate()

    def _migrate(self) -> None:
        for version in range(_version(self._connection), VERSION):
            self._connection.executescript(
                f"BEGIN IMMEDIATE; {_MIGRATIONS[version]}; PRAGMA user_version = {version + 1}; COMMIT"
            )

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside happens or nothing does; other threads wait. Not to be nested."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # SQLite itself may have rolled back, on a full disk
                    self._connection.execute("ROLLBACK")
                raise

    @staticmethod
    def persist(write: Callable[[], object], given_up: Callable[[], bool]) -> None:
        """Call `write` until it succeeds, every half second: on a full disk, once there is space again.

        The last error is raised when `given_up` says so.
        """
        while True:
            try:
                write()
                return
            except sqlite3.OperationalError:
                if given_up():
                    raise
                time.sleep(_PAUSE)

    def create(self, kind: str, key: str, body: Document, parent: str | None = None) -> bool:
        """Add a document; False when `kind` has `key` already (nothing is changed then)."""
        with self._lock:
            cursor = self._connection.execute(
                "INSERT OR IGNORE INTO documents (kind, key, parent, created, body) VALUES (?, ?, ?, ?, ?)",
                (kind, key, parent, time.time(), json.dumps(body, allow_nan=False)),
            )
            return cursor.rowcount == 1

    def get(self, kind: str, key: str) -> Document | None:
        with self._lock:
            row = self._connection.execute(
                "SELECT body FROM documents WHERE kind = ? AND key = ?", (kind, key)
            ).fetchone()
        return json.loads(row[0]) if row else None

    def update(self, kind: str, key: str, change: Callable[[Document], None]) -> Document:
        """Read, let `change` edit in place, write; atomic among threads. KeyError when absent."""
        with self._lock:
            body = self.get(kind, key)
            if body is None:
                raise KeyError(f"{kind} {key}")
            change(body)
            self._connection.execute(
                "UPDATE documents SET body = ? WHERE kind = ? AND key = ?",
                (json.dumps(body, allow_nan=False), kind, key),
            )
            return body

    def delete(self, kind: str, key: str) -> bool:
        with self._lock:
            return (
                self._connection.execute(
                    "DELETE FROM documents WHERE kind = ? AND key = ?", (kind, key)
                ).rowcount
                == 1
            )

    def delete_children(self, kind: str, parent: str) -> int:
        """Delete all documents of `kind` under `parent`; returns how many there were."""
        with self._lock:
            return self._connection.execute(
                "DELETE FROM documents WHERE kind = ? AND parent = ?", (kind, parent)
            ).rowcount

    def prune(self, kind: str, before: float) -> int:
        """Delete all documents of `kind` created before that time (epoch seconds); how many."""
        with self._lock:
            return self._connection.execute(
                "DELETE FROM documents WHERE kind = ? AND created < ?", (kind, before)
            ).rowcount

    def list(self, kind: str, parent: str | None = None) -> list[Document]:
        """All documents of `kind` (under `parent`, when given), oldest first."""
        query, values = "SELECT body FROM documents WHERE kind = ?", [kind]
        if parent is not None:
            query, values = query + " AND parent = ?", [kind, parent]
        with self._lock:
            rows = self._connection.execute(query + " ORDER BY id", values).fetchall()
        return [json.loads(row[0]) for row in rows]
