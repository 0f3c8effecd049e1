"""The operations on hyperparameter tuning jobs, over `Jobs`."""

from typing import Any

from local_sagemaker.api.jobs import JobOperations
from local_sagemaker.core import paging
from local_sagemaker.core.store import Document
from local_sagemaker.jobs.registry import Jobs
from local_sagemaker.jobs.tuning.request import KIND, summary


class TuningOperations(JobOperations):
    """Create, Describe, List and Stop, and the list of one tuning job's training jobs."""

    def __init__(self, jobs: Jobs) -> None:
        super().__init__(jobs, KIND, "HyperParameterTuningJob")

    def list(self, request: Document) -> Document:
        """By name unless SortBy says otherwise."""
        jobs = []
        for job in self._jobs.list(self._kind):
            config = job["HyperParameterTuningJobConfig"]
            status = job["HyperParameterTuningJobStatus"]
            if request.get("StatusEquals") in (None, status):
                limits = {"Strategy": config["Strategy"], "ResourceLimits": config["ResourceLimits"]}
                jobs.append({**job, **limits})
        name = "HyperParameterTuningJobName"
        jobs = paging.select(
            jobs,
            {"SortBy": "Name", **request},
            name=name,
            sort_keys={"Name": name, "Status": "HyperParameterTuningJobStatus"},
            descending=False,
        )
        return paging.page(jobs, request, "HyperParameterTuningJobSummaries", lambda job: str(job[name]))

    def list_training_jobs(self, request: Document) -> Document:
        """By name unless SortBy says otherwise; by objective, jobs without one are left out.

        Raises NotFound.
        """
        body = self.describe(request)
        children = self._jobs.children("training-job", body["HyperParameterTuningJobArn"])
        jobs = [summary(job, body) for job in children]
        jobs = [job for job in jobs if request.get("StatusEquals") in (None, job["TrainingJobStatus"])]
        order = request.get("SortBy", "Name")
        if order == "FinalObjectiveMetricValue":
            jobs = [job for job in jobs if job["ObjectiveStatus"] == "Succeeded"]
        jobs.sort(key=lambda job: _sort_key(job, order))
        if request.get("SortOrder", "Ascending") == "Descending":
            jobs.reverse()
        return paging.page(jobs, request, "TrainingJobSummaries", lambda job: str(job["TrainingJobName"]))


def _sort_key(job: Document, order: str) -> Any:
    if order == "FinalObjectiveMetricValue":
        return job["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
    return job[{"Name": "TrainingJobName", "Status": "TrainingJobStatus"}.get(order, order)]
