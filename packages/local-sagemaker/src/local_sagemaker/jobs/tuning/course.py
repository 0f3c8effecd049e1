"""The course of one tuning job: training jobs proposed, started and awaited until enough is known."""

import contextlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Protocol

from local_sagemaker.core.errors import ApiError
from local_sagemaker.core.store import Document
from local_sagemaker.jobs.course import Control
from local_sagemaker.jobs.members import Outcome
from local_sagemaker.jobs.tuning import request as tuning
from local_sagemaker.jobs.tuning.search import Candidate, Trial

_GLANCE = 0.2  # seconds between looks at the clock and at whether somebody wants the job to stop
_TRAINING = "training-job"


class TrainingJobs(Protocol):
    """What of `Jobs` a tuning job needs."""

    def create(self, kind: str, request: Document, tags: Sequence[Document], note: str) -> str: ...

    def stop(self, kind: str, name: str) -> None: ...

    def wait(self, kind: str, name: str) -> Document: ...


@dataclass
class _Attempt:
    """One training job; `last` is its description once it has ended."""

    name: str
    values: Candidate
    last: Document | None = None


class TuningRun:
    """The course of one tuning job, in the tuning job's own thread."""

    def __init__(
        self,
        request: Document,
        arn: str,
        tags: Sequence[Document],
        jobs: TrainingJobs,
        control: Control,
        note: Callable[[], object],
    ) -> None:
        """`note` is called whenever a training job was started or has ended."""
        self._request = request
        self._arn = arn
        self._tags = tags
        self._jobs = jobs
        self._control = control
        self._note = note
        self._plan = tuning.plan(request)
        self._attempts: list[_Attempt] = []
        self._running: dict[Future[Document], _Attempt] = {}
        self._deadline = time.monotonic() + (self._plan.runtime or float("inf"))
        self._refusal = ""

    def run(self) -> Outcome:
        with ThreadPoolExecutor(self._plan.parallel) as pool:
            try:
                self._walk(pool)
            except BaseException:  # a defect of ours: what runs must not outlive it
                self._stop_running()
                raise
        return self._outcome()

    def _walk(self, pool: ThreadPoolExecutor) -> None:
        """Start training jobs and wait for them until none runs and none is left to start."""
        while True:
            while not self._is_over() and self._may_start():
                if (attempt := self._start()) is None:
                    break
                self._running[pool.submit(self._jobs.wait, _TRAINING, attempt.name)] = attempt
            if not self._running:
                return
            for future in wait(self._running, _GLANCE, FIRST_COMPLETED).done:
                self._running.pop(future).last = future.result()
                self._note()
            if self._is_over():
                self._stop_running()

    def _stop_running(self) -> None:
        for attempt in self._attempts:
            if attempt.last is None:
                with contextlib.suppress(ApiError):  # it has just ended
                    self._jobs.stop(_TRAINING, attempt.name)

    def _start(self) -> _Attempt | None:
        """The next training job; None when it cannot be started."""
        number = len(self._attempts)
        values = self._plan.search.propose([self._trial(index) for index in range(number)])
        request = tuning.training_job(self._request, self._arn, number + 1, values)
        try:
            self._jobs.create(_TRAINING, request, self._tags, self._control.note)
        except ApiError as error:
            self._refusal = f"ClientError: {error.message}"
            return None
        attempt = _Attempt(request["TrainingJobName"], values)
        self._attempts.append(attempt)
        self._note()
        return attempt

    def _trial(self, index: int) -> Trial:
        """What the next proposal may know of an earlier training job."""
        attempt = self._attempts[index]
        hidden = self._plan.in_order and index > len(self._attempts) - self._plan.parallel
        return Trial(attempt.values, None if hidden else self._objective(attempt))

    def _objective(self, attempt: _Attempt) -> float | None:
        """Less is better; None while it is not known, and when there is none."""
        objective = tuning.objective_of(attempt.last, self._plan.metric) if attempt.last else None
        return None if objective is None else self._plan.sign * objective

    def _may_start(self) -> bool:
        number = len(self._attempts)
        if number >= self._plan.most or len(self._running) >= self._plan.parallel:
            return False
        due = self._attempts[: max(0, number - self._plan.parallel + 1)]
        return not self._plan.in_order or all(attempt.last for attempt in due)

    def _is_over(self) -> bool:
        """True when no more training jobs may start, and those that run have to stop."""
        if self._control.stopped or self._refusal or time.monotonic() > self._deadline:
            return True
        ended = [attempt for attempt in self._attempts if attempt.last]
        objectives = [value for attempt in ended if (value := self._objective(attempt)) is not None]
        if not objectives:
            return len(ended) >= tuning.ATTEMPTS
        plan = self._plan
        reached = plan.target is not None and min(objectives) <= plan.sign * plan.target
        return reached or (plan.patience is not None and tuning.not_improving(objectives) >= plan.patience)

    def _outcome(self) -> Outcome:
        if self._control.stopped:
            return Outcome("Stopped")
        if self._refusal:
            return Outcome("Failed", self._refusal)
        if any(self._objective(attempt) is not None for attempt in self._attempts):
            return Outcome("Completed")
        return Outcome("Failed", self._failure())

    def _failure(self) -> str:
        """In SageMaker's words, with what the first training job had to say."""
        count = len(self._attempts)
        jobs = [attempt.last for attempt in self._attempts if attempt.last]
        if any(job["TrainingJobStatus"] == "Completed" for job in jobs):
            return (
                f"No objective metrics found after running {count} training jobs. Please ensure that the"
                " custom algorithm is emitting the objective metric as defined by the regular expression"
                f" provided. Looked for {self._plan.metric!r}."
            )
        reasons = [
            f" {job['TrainingJobName']}: {job['FailureReason']}" for job in jobs if "FailureReason" in job
        ]
        return (
            f"No training job succeeded after {count} attempts. Please take a look at the training job"
            f" failures to get more details.{(reasons or [''])[0]}"
        )
