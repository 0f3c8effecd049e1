"""The collector of problems in the configuration's files."""

from retraining.config.files.yaml_file import Document
from retraining.errors import Location, Problem


class Problems:
    """Collects problems of a document in `collected`; each gets the line of its key.

    `at` gives collectors for other documents, or for keys below one, which add to the same list.
    """

    def __init__(
        self, document: Document, below: Location = (), collected: list[Problem] | None = None
    ) -> None:
        self.document, self.below = document, below
        self.collected: list[Problem] = [] if collected is None else collected

    def at(self, *keys: str | int, document: Document | None = None) -> "Problems":
        """A collector for keys below `keys`, in this document or in another one."""
        below = keys if document is not None else (*self.below, *keys)
        return Problems(document or self.document, below, self.collected)

    def add(self, key: Location, words: str, *related: Location, step: str | None = None) -> None:
        """Add a problem of a value; `related` are keys, below the same one, that it depends on too."""
        full = (*self.below, *key)
        others = tuple((*self.below, *other) for other in related)
        self.collected.append(Problem(self.document.where(full), full, words, step, others))
