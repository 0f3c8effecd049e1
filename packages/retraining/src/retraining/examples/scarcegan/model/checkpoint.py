"""Where a killed training goes on: the whole state after an epoch, in one file.

SageMaker keeps /opt/ml/checkpoints in S3 where the job has a CheckpointConfig. The file is written under
another name and then renamed: whoever reads it sees the old state or the new one, never a part.
"""

import json
import os
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from job_toolkit import strict_json
from job_toolkit.failure import InputError

ADVICE = "delete it, there and in S3, to train from the start"
DAMAGE = (OSError, ValueError, KeyError, TypeError, EOFError, AttributeError, zipfile.BadZipFile, zlib.error)

Arrays = dict[str, NDArray[Any]]


class Checkpoint:
    """One training's state, of the job with this fingerprint.

    It has a folder of its own, as the next run of the pipeline, with other data, gets the same `root`.
    Without `root` nothing is kept: SageMaker makes it where the job has a CheckpointConfig.
    """

    def __init__(self, root: Path, fingerprint: str, name: str) -> None:
        self.root, self.fingerprint = root, fingerprint
        self.path = root / f"run-{fingerprint[:16]}" / f"{name}.npz"

    def save(self, document: dict[str, Any], arrays: Arrays) -> None:
        """Replace the checkpoint. Raises OSError, with its path, where it cannot be written."""
        if not self.root.is_dir():
            return
        head = strict_json.dumps({"fingerprint": self.fingerprint, "document": document})
        content: Arrays = {**arrays, "head": np.frombuffer(head.encode(), np.uint8)}
        part = self.path.with_suffix(".part")
        try:
            self.path.parent.mkdir(exist_ok=True)
            with part.open("wb") as opened:
                np.savez(opened, **content)  # type: ignore[arg-type]
                opened.flush()
                os.fsync(opened.fileno())
            part.replace(self.path)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from None

    def restore(self, take: Callable[[dict[str, Any], Arrays], None]) -> bool:
        """Hand what was saved last to `take`; False where there is no checkpoint.

        Raises InputError as `load` does, and where it is not what `take` expects.
        """
        if (saved := self.load()) is None:
            return False
        try:
            take(*saved)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise InputError(
                f"checkpoint {self.path}: it does not fit the model ({error}); {ADVICE}"
            ) from None
        return True

    def load(self) -> tuple[dict[str, Any], Arrays] | None:
        """The document and arrays that were saved last, or None where there is no checkpoint.

        Raises InputError where the file is damaged, or is another training's.
        """
        if not self.path.exists():
            return None
        try:
            with np.load(self.path, allow_pickle=False) as opened:
                arrays = {name: opened[name] for name in opened.files}
            head = json.loads(arrays.pop("head").tobytes())
            fingerprint, document = head["fingerprint"], head["document"]
        except DAMAGE as error:
            raise InputError(
                f"checkpoint {self.path}: it is damaged ({type(error).__name__}); {ADVICE}"
            ) from None
        if fingerprint != self.fingerprint:
            raise InputError(
                f"checkpoint {self.path}: it is of a training with other data or hyperparameters; {ADVICE}"
            )
        return document, arrays
