"""What each kind of job does between its first state and its last."""

import json
import shutil
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Protocol

from local_sagemaker.container import cluster, sandbox
from local_sagemaker.core.settings import Settings, arn
from local_sagemaker.core.store import Document, Store
from local_sagemaker.definition.retrying import reason_of
from local_sagemaker.jobs.course import Control, JobRun, tidy
from local_sagemaker.jobs.instance import Instance, Work
from local_sagemaker.jobs.log import JobLog, LogFile
from local_sagemaker.jobs.members import Outcome, States
from local_sagemaker.jobs.metrics import Metrics, MetricsError


class Handler(Protocol):
    """One kind of job. Its functions may be called from any thread."""

    states: States

    def accept(self, request: Document) -> Document:
        """The request as it is kept. Raises ValidationError for what cannot be done here."""

    def description(self, request: Document) -> Document:
        """What Describe shows of a new job in addition to the request's own members."""

    def run(self, name: str, request: Document, control: Control) -> tuple[Outcome, Document]:
        """How the job ended and what Describe shows of it; whatever happens, it ends."""

    def facts(self, name: str) -> Document:
        """What Describe shows of a job that was cut off."""


class ContainerJobs:
    """A kind of job that runs one command on each of its instances: `work` knows which.

    `complete` adds to a request whatever else the job needs.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        kind: str,
        noun: str,
        work: Work,
        complete: Callable[[Document], Document] = lambda request: request,
    ) -> None:
        self.states = States(noun)
        self._settings = settings
        self._store = store
        self._kind = kind
        self._work = work
        self._complete = complete

    def accept(self, request: Document) -> Document:
        completed = self._complete(request)
        self._work.check(completed)
        return completed

    def description(self, _request: Document) -> Document:
        return {}

    def facts(self, _name: str) -> Document:
        return {}

    def run(self, name: str, request: Document, control: Control) -> tuple[Outcome, Document]:
        folder = self._settings.jobs / name
        instances: Sequence[Instance] = ()
        file: LogFile | None = None
        facts: Document = {}
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            (folder / "request.json").write_text(json.dumps(request, indent=2, allow_nan=False))
            metrics = Metrics(request.get("AlgorithmSpecification", {}).get("MetricDefinitions", []))
            file = LogFile(self._settings.job_log(name))
            instances = self._instances(name, request, file, metrics)
            if control.note:
                instances[0].log.note(control.note)
            outcome = JobRun(instances, self._work, control, lambda phase: self._enter(name, phase)).run()
            facts = instances[0].facts
            try:
                if final := metrics.final():
                    facts["FinalMetricDataList"] = final
            except MetricsError as error:
                instances[0].log.note(str(error))
        except Exception as error:  # a defect of ours: the job must not stay InProgress
            outcome = Outcome("Failed", reason_of(error))
            if instances:
                instances[0].log.note(traceback.format_exc())
        try:
            tidy(folder, keep=outcome.status != "Completed")
            self._close(instances, file, outcome)
        except Exception as error:
            traceback.print_exc()
            outcome = Outcome("Failed", outcome.reason or reason_of(error), outcome.message)
        return outcome, facts

    def _instances(self, name: str, request: Document, file: LogFile, metrics: Metrics) -> Sequence[Instance]:
        """The instances of a job, with a folder each."""
        count = self._work.instances(request)
        identity = arn(self._settings, f"{self._kind}/{name}")
        seed = f"{self._settings.root}/{identity}"
        hosts = cluster.Cluster.make(seed, count, named=sandbox.detect().resolves)
        instances = []
        for rank in range(count):
            host = cluster.folder(rank)
            log = JobLog(file, f"{host} | " if count > 1 else "", metrics.read)
            folder = self._settings.jobs / name / (host if count > 1 else "")
            (folder / "ml" / "code").mkdir(parents=True)
            instances.append(Instance(self._settings, name, identity, request, folder, log, hosts, rank))
        return instances

    def _enter(self, name: str, phase: str) -> None:
        self._store.update(self._kind, name, lambda body: self.states.phase(body, phase))

    def _close(self, instances: Sequence[Instance], file: LogFile | None, outcome: Outcome) -> None:
        """The last line of the log, and the log to CloudWatch Logs: a stream for each instance."""
        if instances:
            instances[0].log.note(f"{outcome.status}{': ' if outcome.reason else ''}{outcome.reason}")
        if file:
            file.close()
        for instance in instances:
            stream = f"{instance.name}/{cluster.folder(instance.rank)}-{int(time.time())}"
            instance.log.send(self._settings, f"/aws/sagemaker/{self.states.noun}Jobs", stream)
