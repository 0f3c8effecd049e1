"""One execution while it runs: its graph walked with as many threads as may work at once."""

import os
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import partial

from local_sagemaker.core import clock
from local_sagemaker.core.store import Document, Store
from local_sagemaker.definition import retrying
from local_sagemaker.definition.cache import Cache
from local_sagemaker.definition.references import Step
from local_sagemaker.engine import scheduler, steps
from local_sagemaker.engine.scope import ExecutionScope
from local_sagemaker.engine.steps import Attempt, StepFailed, StepStopped

_REASON = 1024  # characters of a step's FailureReason, as the model has it
_EXECUTION_REASON = 1300  # and of an execution's


def fail(store: Store, execution: Document, reason: str) -> None:
    """End an execution, and its steps that have not ended, as failed."""
    arn, end = execution["PipelineExecutionArn"], 0.0
    with store.transaction():
        for step in store.list("step", arn):
            if step["StepStatus"] in ("Starting", "Executing", "Stopping"):
                end = clock.now(step["StartTime"], end)
                ended = {"StepStatus": "Failed", "EndTime": end, "FailureReason": reason}
                store.update("step", f"{arn}/{step['StepName']}", partial(_update, ended))
        change = {
            "PipelineExecutionStatus": "Failed",
            "FailureReason": reason,
            "LastModifiedTime": clock.now(execution["LastModifiedTime"], end),
        }
        store.update("execution", arn, partial(_update, change))


def _update(change: Document, body: Document) -> None:
    body.update(change)


class Execution:
    """A running execution.

    Independent steps run at the same time, at most MaxParallelExecutionSteps of them (as many as
    the machine has processors unless given). A failed step keeps those that depend on it from
    running, and no others; a Fail step and `stop` end everything.
    """

    def __init__(self, scope: ExecutionScope, cache: Cache, states: dict[str, str]) -> None:
        """`states` are the steps that count as ended already (kept by a retry, or not selected)."""
        self._scope = scope
        self._cache = cache
        self._store = scope.store
        self.arn: str = scope.execution["PipelineExecutionArn"]
        self._steps = scope.definition.steps
        self._states = dict(states)
        self._stopping = threading.Event()
        self._failing = False
        self._abandoned = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self.arn.rpartition("/")[2], daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Start no more steps and stop the jobs of those that run; a running Lambda is waited for."""
        self._stopping.set()
        for name, state in list(self._states.items()):
            if state == "Executing":
                record = self._store.get("step", f"{self.arn}/{name}") or {}
                steps.stop_job(self._scope, self._steps[name], record)

    def abandon(self) -> None:
        """The process ends: start nothing more and write nothing more; `Executions.recover` says the rest."""
        self._abandoned.set()
        self._stopping.set()

    @property
    def has_ended(self) -> bool:
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            status = self._walk()
            reason = self._failure() if status == "Failed" else None
        except Exception:  # a defect of ours must end the execution, not leave it running forever
            traceback.print_exc()
            with suppress(Exception):
                self.stop()
            reason = "InternalServerError: see the log of the local services"
            self._persist(lambda: fail(self._store, self._scope.execution, reason))
            return
        began: float = self._scope.execution["LastModifiedTime"]
        end = {
            "PipelineExecutionStatus": status,
            "FailureReason": reason,
            "LastModifiedTime": clock.now(began),
        }
        self._persist(lambda: self._store.update("execution", self.arn, lambda body: body.update(end)))

    def _persist(self, write: Callable[[], object]) -> None:
        """Write the end, unless the process or the pipeline is at its own."""
        if not self._abandoned.is_set():
            with suppress(KeyError):
                self._store.persist(write, self._abandoned.is_set)

    def _walk(self) -> str:
        """Run all steps that get to run; returns the execution's status."""
        limit = self._scope.execution.get("ParallelismConfiguration", {}).get("MaxParallelExecutionSteps")
        running: dict[Future[str], str] = {}
        with ThreadPoolExecutor(limit or max(2, os.cpu_count() or 2)) as pool:
            while True:
                if not self._stopping.is_set():
                    for name in scheduler.advance(self._steps, self._states, self._outcomes()):
                        self._states[name] = "Executing"
                        running[pool.submit(self._run_step, self._steps[name])] = name
                if not running:
                    break
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    name = running.pop(future)
                    self._states[name] = future.result()
                    if self._states[name] == scheduler.FAILED and self._steps[name].type == "Fail":
                        self._failing = True
                        self.stop()
        if self._stopping.is_set() and not self._failing:
            return "Stopped"
        return scheduler.result(self._steps, self._states)

    def _run_step(self, step: Step) -> str:
        """One step with its retries; returns its final state."""
        if self._stopping.is_set():
            return scheduler.SKIPPED
        started = clock.now(self._scope.execution["CreationTime"])
        self._open_record(step, started)
        for attempts in range(1, 1_000_000):
            try:
                steps.run(
                    Attempt(
                        step,
                        self._scope,
                        self._cache,
                        lambda change: self._note(step, change),
                        self._stopping,
                    )
                )
            except StepStopped:
                return self._end(step, started, scheduler.STOPPED)
            except StepFailed as error:
                failure = error
            except Exception as error:
                traceback.print_exc()
                reason = retrying.reason_of(error)
                failure = StepFailed(reason, retrying.SERVICE_FAULT if retrying.kind_of(reason) else None)
            else:
                return self._end(step, started, scheduler.SUCCEEDED)
            policies = step.raw.get("RetryPolicies", [])
            pause = retrying.delay(policies, failure.kind, attempts - 1, clock.now() - started)
            if pause is None or self._stopping.wait(pause):
                break
            self._note(step, {"AttemptCount": attempts + 1})
        return self._end(step, started, scheduler.FAILED, failure.reason)

    def _open_record(self, step: Step, started: float) -> None:
        body: Document = {
            "PipelineExecutionArn": self.arn,
            "StepName": step.name,
            "StepType": step.type,
            "StepDisplayName": step.raw.get("DisplayName"),
            "StepDescription": step.raw.get("Description"),
            "StartTime": started,
            "StepStatus": "Starting",
            "AttemptCount": 1,
            "Metadata": {},
        }
        if not self._abandoned.is_set():
            self._store.delete("step", f"{self.arn}/{step.name}")  # what a retry replaces
            self._store.create("step", f"{self.arn}/{step.name}", body, parent=self.arn)

    def _note(self, step: Step, change: Document) -> Document:
        if self._abandoned.is_set():
            return {}
        return self._store.update("step", f"{self.arn}/{step.name}", lambda body: body.update(change))

    def _end(self, step: Step, started: float, status: str, reason: str | None = None) -> str:
        short = reason[: _REASON - 3] + "..." if reason and len(reason) > _REASON else reason
        end = {"StepStatus": status, "EndTime": clock.now(started), "FailureReason": short}
        record = self._note(step, end)
        if status == scheduler.SUCCEEDED and record.get("CacheKey") and not record.get("CacheHitResult"):
            self._cache.remember(self._scope.execution["PipelineArn"], step.name, record["CacheKey"], record)
        return status

    def _outcomes(self) -> dict[str, str]:
        outcomes = {}
        for name, step in self._steps.items():
            if step.type == "Condition" and self._states.get(name) == scheduler.SUCCEEDED:
                record = self._store.get("step", f"{self.arn}/{name}") or {}
                outcomes[name] = record.get("Metadata", {}).get("Condition", {}).get("Outcome", "")
        return outcomes

    def _failure(self) -> str:
        parts = []
        for record in self._store.list("step", self.arn):
            if record["StepStatus"] == scheduler.FAILED:
                parts.append(f"{record['StepName']}: {record.get('FailureReason') or 'no reason given'}")
        text = "Step failure: One or multiple steps failed. " + "; ".join(parts)
        return text if len(text) <= _EXECUTION_REASON else text[: _EXECUTION_REASON - 3] + "..."
