"""Where a pipeline can run, in the words of the option ``--on``."""

from typing import Literal

PlaceName = Literal["local", "aws"]
