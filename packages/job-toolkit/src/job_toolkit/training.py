"""A training job in script mode: where its folders are, and how it ends.

Contract: https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html
"""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from job_toolkit import failure

BASE = Path("/opt/ml")


@dataclass(frozen=True)
class Folders:
    """A job's folders: under `base`, which a script takes as `--base`, or else where SageMaker has them."""

    base: Path | None = None

    def channel(self, name: str) -> Path:
        """The files of an input channel."""
        return self._folder(f"SM_CHANNEL_{name.upper()}", f"input/data/{name}")

    @property
    def model(self) -> Path:
        """What becomes model.tar.gz."""
        return self._folder("SM_MODEL_DIR", "model")

    @property
    def output_data(self) -> Path:
        """What becomes output.tar.gz, also when the job fails."""
        return self._folder("SM_OUTPUT_DATA_DIR", "output/data")

    @property
    def checkpoints(self) -> Path:
        """What SageMaker keeps in S3 while the job runs, and restores to a job that goes on from it."""
        return self._folder("SM_CHECKPOINT_DIR", "checkpoints")

    @property
    def config(self) -> Path:
        """hyperparameters.json, resourceconfig.json, inputdataconfig.json."""
        return (self.base or BASE) / "input" / "config"

    def _folder(self, variable: str, path: str) -> Path:
        if self.base is not None:
            return self.base / path
        return Path(os.environ.get(variable, BASE / path))


def folders(argv: list[str]) -> Folders:
    """The folders of a job with these arguments."""
    return Folders(failure.base_folder(argv))


def run(main: Callable[[list[str]], None], argv: list[str] | None = None) -> int:
    """Call main with the arguments, by default the command line's; return the exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    base = failure.base_folder(arguments) or BASE
    return failure.run(lambda: main(arguments), base / "output" / "failure")
