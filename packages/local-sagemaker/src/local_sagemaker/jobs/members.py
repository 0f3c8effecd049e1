"""The states of a job, as DescribeProcessingJob and DescribeTrainingJob show them."""

from dataclasses import dataclass

from local_sagemaker.core import clock
from local_sagemaker.core.errors import ApiError, NotFound, ValidationError
from local_sagemaker.core.store import Document
from local_sagemaker.jobs.instance import LONGEST_REASON

TERMINAL = ("Completed", "Failed", "Stopped")
INTERRUPTED = "InternalServerError: the local services were stopped while the job ran; run again"
TIMED_OUT = "MaxRuntimeExceeded"

_MESSAGES = {
    "Starting": "Starting the training job",
    "Downloading": "Downloading input data",
    "Training": "Training in progress",
    "Stopping": "Stopping the training job",
    "Uploading": "Uploading generated training model",
    "Completed": "Training job completed",
    "Stopped": "Training job stopped",
    TIMED_OUT: "Training job stopped: it ran longer than MaxRuntimeInSeconds",
}


@dataclass(frozen=True)
class Outcome:
    """How a job ended: one of TERMINAL, and why when it did not complete."""

    status: str
    reason: str = ""
    message: str = ""
    timed_out: bool = False


@dataclass(frozen=True)
class States:
    """The words of one kind of job ("Processing" or "Training") on the documents of the store."""

    noun: str

    @property
    def name(self) -> str:
        return f"{self.noun}JobName"

    @property
    def status(self) -> str:
        return f"{self.noun}JobStatus"

    def missing(self, name: str) -> ApiError:
        """What the service says of a job that does not exist: of most kinds no ResourceNotFound."""
        match self.noun:
            case "Training":
                return ValidationError("Requested resource not found.")
            case "HyperParameterTuning":
                return NotFound(f"Amazon SageMaker can't find a tuning job called {name}.")
            case _:
                return ValidationError(f"Could not find requested job with name: {name}")

    @property
    def arn(self) -> str:
        return f"{self.noun}JobArn"

    def new(self, request: Document, arn: str) -> Document:
        """The description of a job that was just asked for."""
        now = clock.now()
        body = {key: value for key, value in request.items() if key != "Tags"}
        body |= {self.arn: arn, self.status: "InProgress", "CreationTime": now, "LastModifiedTime": now}
        if self.noun == "Training":
            body |= {"SecondaryStatus": "Starting", "SecondaryStatusTransitions": []}
            self.phase(body, "Starting")
        return body

    def phase(self, body: Document, phase: str, message: str = "") -> None:
        """Enter one of the phases; only training jobs show theirs."""
        now = clock.now(body.get("LastModifiedTime", 0.0))
        body["LastModifiedTime"] = now
        if phase == "Training":
            body[f"{self.noun}StartTime"] = now
        if self.noun != "Training":
            return
        transitions = body["SecondaryStatusTransitions"]
        if transitions:
            transitions[-1]["EndTime"] = now
        text = (message or _MESSAGES.get(phase, phase))[:LONGEST_REASON]
        transitions.append({"Status": phase, "StartTime": now, "StatusMessage": text})
        body["SecondaryStatus"] = phase

    def stopping(self, body: Document) -> None:
        """Somebody asked for the job to stop."""
        body[self.status] = "Stopping"
        self.phase(body, "Stopping")

    def end(self, body: Document, outcome: Outcome) -> None:
        """The last state."""
        self.phase(body, TIMED_OUT if outcome.timed_out else outcome.status, outcome.reason)
        now = body["LastModifiedTime"]
        body[self.status] = outcome.status
        body[f"{self.noun}EndTime"] = now
        if outcome.reason:
            body["FailureReason"] = outcome.reason[:LONGEST_REASON]
        if self.noun != "Training":
            if outcome.message:
                body["ExitMessage"] = outcome.message[:LONGEST_REASON]
            return
        body["SecondaryStatusTransitions"][-1]["EndTime"] = now
        seconds = max(0, round(now - body.get("TrainingStartTime", now)))
        body |= {"TrainingTimeInSeconds": seconds, "BillableTimeInSeconds": seconds}
