"""Keys of a channel that would have no effect where they stand, and names that jobs give to data."""

import re
from collections.abc import Iterator

from retraining.config.files.yaml_file import Location
from retraining.config.schema.fields import CHANNEL_NAME, CHANNEL_WORDS
from retraining.config.schema.job import Channel, ProcessingJob
from retraining.config.schema.model import Unit
from retraining.errors import seen

# Where SageMaker puts the data of jobs whose folders are not free to choose.
_FOLDERS = {"train": "/opt/ml/input/data/<channel>", "transform": "the requests to the model"}


Found = Iterator[tuple[Location, str]]


def check(unit: Unit) -> Found:
    """Places below the unit, and what is wrong there."""
    for section in ("preprocess", "evaluate", "train", "transform"):
        job = getattr(unit, section)
        for name, channel in job.channels.items() if job is not None else ():
            here: Location = (section, "channels", name)
            if isinstance(job, ProcessingJob):
                yield from _check_names(here, channel)
                if job.outputs and _is_given(channel, "location"):
                    folder = "the section's location has the folder of its outputs"
                    yield (*here, "location"), f"it is for jobs without outputs; {folder}: leave it out"
                continue
            for key in ("inputLocalFilepath", "location"):
                if _is_given(channel, key):
                    words = f"it is for processing jobs; {_FOLDERS[section]} has the data here: leave it out"
                    yield (*here, key), words


def _check_names(here: Location, channel: Channel) -> Found:
    """The name of a processing job's input; elsewhere a data file's name is for people."""
    for index, file in enumerate(channel.dataFiles):
        if file.sourceName is not None and not re.fullmatch(CHANNEL_NAME, file.sourceName):
            words = f"{CHANNEL_WORDS} is expected, not {seen(file.sourceName)}"
            yield (*here, "dataFiles", index, "sourceName"), words


def _is_given(channel: Channel, key: str) -> bool:
    return key in channel.model_fields_set
