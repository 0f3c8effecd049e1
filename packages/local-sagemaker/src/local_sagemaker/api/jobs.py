"""The operations on processing and training jobs, over `Jobs`."""

from local_sagemaker.core import paging
from local_sagemaker.core.store import Document
from local_sagemaker.jobs.registry import Jobs


class JobOperations:
    """Create, Describe, List and Stop of one kind of job; `noun` is "ProcessingJob" or "TrainingJob"."""

    def __init__(self, jobs: Jobs, kind: str, noun: str) -> None:
        self._jobs = jobs
        self._kind = kind
        self._noun = noun

    def create(self, request: Document) -> Document:
        """Raises InUse for a name in use and ValidationError for what is not done locally."""
        job = {key: value for key, value in request.items() if key != "Tags"}
        return {f"{self._noun}Arn": self._jobs.create(self._kind, job, request.get("Tags", []))}

    def describe(self, request: Document) -> Document:
        return self._jobs.describe(self._kind, request[f"{self._noun}Name"])

    def list(self, request: Document) -> Document:
        """Newest first."""
        name, status = f"{self._noun}Name", f"{self._noun}Status"
        jobs = [
            job for job in self._jobs.list(self._kind) if request.get("StatusEquals") in (None, job[status])
        ]
        jobs = paging.select(jobs, request, name=name, sort_keys={"Name": name, "Status": status})
        return paging.page(jobs, request, f"{self._noun}Summaries", lambda job: str(job[name]))

    def stop(self, request: Document) -> Document:
        self._jobs.stop(self._kind, request[f"{self._noun}Name"])
        return {}
