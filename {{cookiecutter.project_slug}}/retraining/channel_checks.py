"""Keys of a channel that would have no effect where they stand."""

from collections.abc import Iterator

from retraining.job_schema import Channel, ProcessingJob
from retraining.unit_schema import Unit

# Where SageMaker puts the data of jobs whose folders are not free to choose.
_FOLDERS = {"train": "/opt/ml/input/data/<channel>", "transform": "the requests to the model"}


def check(unit: Unit) -> Iterator[tuple[tuple[str, ...], str]]:
    """Places below the unit, and what is wrong there."""
    for section in ("preprocess", "evaluate", "train", "transform"):
        job = getattr(unit, section)
        for name, channel in job.channels.items() if job is not None else ():
            here = (section, "channels", name)
            if isinstance(job, ProcessingJob):
                if job.outputs and _is_given(channel, "location"):
                    folder = "the section's location has the folder of its outputs"
                    yield (*here, "location"), f"it is for jobs without outputs; {folder}: leave it out"
                continue
            for key in ("inputLocalFilepath", "location"):
                if _is_given(channel, key):
                    words = f"it is for processing jobs; {_FOLDERS[section]} has the data here: leave it out"
                    yield (*here, key), words


def _is_given(channel: Channel, key: str) -> bool:
    return key in channel.model_fields_set
