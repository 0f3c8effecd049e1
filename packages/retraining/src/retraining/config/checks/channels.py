"""Keys of a channel that would have no effect there, and the names of jobs' inputs."""

import re

from retraining.config.files.problems import Problems
from retraining.config.schema.fields import CHANNEL_NAME, CHANNEL_WORDS
from retraining.config.schema.job import Channel, ProcessingJob
from retraining.config.schema.model import Model
from retraining.errors import Location, seen

# Where SageMaker puts the data of jobs whose folders are not free to choose.
_FOLDERS = {"train": "/opt/ml/input/data/<channel>", "transform": "the requests to the model"}


def check_channels(problems: Problems, model: Model) -> None:
    for section in ("preprocess", "evaluate", "train", "transform"):
        job = model.section(section)
        for name, channel in job.channels.items() if job is not None else ():
            here: Location = (section, "channels", name)
            if isinstance(job, ProcessingJob):
                _check_names(problems, here, channel)
                if job.outputs and "location" in channel.model_fields_set:
                    folder = "the section's location has the folder of its outputs"
                    words = f"it is for jobs without outputs; {folder}: leave it out"
                    problems.add((*here, "location"), words, (section, "outputs"))
                continue
            for key in ("inputLocalFilepath", "location"):
                if key in channel.model_fields_set:
                    words = f"it is for processing jobs; {_FOLDERS[section]} has the data here: leave it out"
                    problems.add((*here, key), words)


def _check_names(problems: Problems, here: Location, channel: Channel) -> None:
    """The name of a processing job's input; elsewhere a data file's name is for people."""
    for index, file in enumerate(channel.dataFiles):
        if file.sourceName is not None and not re.fullmatch(CHANNEL_NAME, file.sourceName):
            words = f"{CHANNEL_WORDS} is expected, not {seen(file.sourceName)}"
            problems.add((*here, "dataFiles", index, "sourceName"), words)
