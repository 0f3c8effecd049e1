"""What the local SageMaker remembers: JSON documents in one SQLite file.

Every resource (pipeline, execution, job, model package ...) is one document under a kind and a
key. Documents survive restarts; a commit is on disk when the call returns.
"""

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Document = dict[str, Any]

_SCHEMA = """
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
"""


class Store:
    """Thread-safe document store on one SQLite file (WAL, full synchronisation)."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.executescript(_SCHEMA)

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
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def create(self, kind: str, key: str, body: Document, parent: str | None = None) -> bool:
        """Add a document; False when `kind` has `key` already (nothing is changed then)."""
        with self._lock:
            cursor = self._connection.execute(
                "INSERT OR IGNORE INTO documents (kind, key, parent, created, body) VALUES (?, ?, ?, ?, ?)",
                (kind, key, parent, time.time(), json.dumps(body)),
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
                "UPDATE documents SET body = ? WHERE kind = ? AND key = ?", (json.dumps(body), kind, key)
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
