"""Processing, training, tuning and transform jobs from request to last state, each a thread of its own."""

import json
import re
import shutil
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Sequence

from local_sagemaker.container import cluster as instances
from local_sagemaker.container import sandbox
from local_sagemaker.core.errors import InUse, NotFound, ValidationError
from local_sagemaker.core.settings import Settings, arn
from local_sagemaker.core.store import Store
from local_sagemaker.core.tags import Tags
from local_sagemaker.definition.retrying import reason_of
from local_sagemaker.jobs import transform
from local_sagemaker.jobs.course import STOP_GRACE, Control, JobRun, end_left_over, tidy
from local_sagemaker.jobs.instance import Document, Job, Work
from local_sagemaker.jobs.log import JobLog, LogFile
from local_sagemaker.jobs.members import INTERRUPTED, TERMINAL, Outcome, States
from local_sagemaker.jobs.metrics import Metrics, MetricsError
from local_sagemaker.jobs.processing import Processing
from local_sagemaker.jobs.training import Training
from local_sagemaker.jobs.tuning.course import TuningRun
from local_sagemaker.jobs.tuning.request import KIND, check, description, overview
from local_sagemaker.registry.models import Models

CLOSE_GRACE = 3.0  # seconds between SIGTERM and SIGKILL when the services stop

_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
_WORKS: dict[str, tuple[States, Work]] = {
    "processing-job": (States("Processing"), Processing()),
    "training-job": (States("Training"), Training()),
    transform.KIND: (States("Transform"), transform.Transform()),
}
# Tuning jobs come last: they tell how their training jobs ended.
_STATES = {kind: states for kind, (states, _) in _WORKS.items()} | {KIND: States("HyperParameterTuning")}


class Jobs:
    """All jobs of one root. Its functions may be called from any thread."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._tags = Tags(store)
        self._lock = threading.Lock()
        self._active: dict[tuple[str, str], Control] = {}
        self._closing = False

    def create(self, kind: str, request: Document, tags: Iterable[Document] = (), note: str = "") -> str:
        """Start a job; returns its ARN at once.

        `kind` is one of `_STATES`, such as "training-job", `request` the input of its Create operation.
        Raises InUse for a name that is taken, ValidationError for a request that cannot be done here.
        """
        states = _STATES[kind]
        name = request[states.name]
        if not _NAME.fullmatch(name):
            raise ValidationError(f"{states.name} {name!r} has to match {_NAME.pattern}")
        if kind == transform.KIND:
            models = Models(self._settings, self._store, self._tags)
            request = transform.with_container(request, models)
        if kind == KIND:
            check(request)
        else:
            _WORKS[kind][1].check(request)
        identity = arn(self._settings, f"{kind}/{name}")
        body = states.new(request, identity)
        if kind == KIND:
            body |= description(request)
        with self._lock:
            if self._closing:
                raise ValidationError(f"the local services are stopping: {name} was not started")
            if not self._store.create(kind, name, body, parent=request.get("TuningJobArn")):
                raise InUse(
                    "Job name must be unique within an AWS account and region,"
                    f" and a {states.noun.lower()} job with this name already exists ({identity})"
                )
            self._tags.put(identity, [*request.get("Tags", []), *tags])
            control = Control(note)
            self._active[kind, name] = control
            arguments = (kind, name, request, control)
            threading.Thread(target=self._run, args=arguments, name=name, daemon=True).start()
        return identity

    def describe(self, kind: str, name: str) -> Document:
        """The job as Describe...Job tells it, times in epoch seconds. Raises NotFound."""
        body = self._store.get(kind, name)
        if body is None:
            raise NotFound(f"Could not find {kind.replace('-', ' ')} {name!r}")
        return body

    def list(self, kind: str) -> list[Document]:
        """All descriptions, oldest first."""
        return self._store.list(kind)

    def children(self, kind: str, parent: str) -> Sequence[Document]:
        """The descriptions of the jobs that the tuning job with the ARN `parent` started, oldest first."""
        return self._store.list(kind, parent)

    def stop(self, kind: str, name: str) -> None:
        """SIGTERM to all of the job's processes, SIGKILL after a grace; returns at once.

        Raises NotFound, and ValidationError for a job that has ended.
        """
        states = _STATES[kind]
        self.describe(kind, name)
        control = self._active.get((kind, name))

        def change(body: Document) -> None:
            if body[states.status] in TERMINAL:
                raise ValidationError(
                    f"The request was rejected because the {states.noun.lower()} job {name}"
                    f" is in status {body[states.status]}."
                )
            if body[states.status] != "Stopping":
                states.stopping(body)

        self._store.update(kind, name, change)
        if control:
            control.stop(STOP_GRACE)

    def wait(self, kind: str, name: str) -> Document:
        """Block until the job has ended; its description. Raises NotFound."""
        control = self._active.get((kind, name))
        if control:
            control.ended.wait()
        return self.describe(kind, name)

    def recover(self) -> None:
        """Jobs that an earlier server left behind have failed. To be called before any `create`."""
        for kind, states in _STATES.items():
            for body in self._store.list(kind):
                if body[states.status] in TERMINAL:
                    continue
                name = body[states.name]
                end_left_over(self._settings.jobs / name)
                tidy(self._settings.jobs / name, keep=True)
                self._end(kind, name, Outcome("Failed", INTERRUPTED), self._children_now(kind, name))

    def close(self) -> None:
        """Stop all jobs and wait for them; no new ones."""
        with self._lock:
            self._closing = True
            active = list(self._active.values())
        for control in active:
            control.stop(CLOSE_GRACE)
        for control in active:
            control.ended.wait(2 * CLOSE_GRACE)

    def _run(self, kind: str, name: str, request: Document, control: Control) -> None:
        try:
            run = self._tune if kind == KIND else self._work
            outcome, facts = run(kind, name, request, control)
            if self._closing and outcome.status != "Completed":
                outcome = Outcome("Failed", INTERRUPTED)
            self._end(kind, name, outcome, facts)
        finally:
            self._active.pop((kind, name), None)
            control.ended.set()

    def _work(self, kind: str, name: str, request: Document, control: Control) -> tuple[Outcome, Document]:
        """How the job ended and what `describe` is to say of it; whatever happens, it ends."""
        work = _WORKS[kind][1]
        folder = self._settings.jobs / name
        jobs: Sequence[Job] = ()
        file: LogFile | None = None
        facts: Document = {}
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            (folder / "request.json").write_text(json.dumps(request, indent=2))
            metrics = Metrics(request.get("AlgorithmSpecification", {}).get("MetricDefinitions", []))
            file = LogFile(self._settings.job_log(name))
            jobs = self._instances(kind, name, request, file, metrics)
            if control.note:
                jobs[0].log.note(control.note)
            outcome = JobRun(jobs, work, control, self._phase(kind, name)).run()
            facts = jobs[0].facts
            try:
                if final := metrics.final():
                    facts["FinalMetricDataList"] = final
            except MetricsError as error:
                jobs[0].log.note(str(error))
        except Exception as error:  # a defect of ours: the job must not be InProgress for ever
            outcome = Outcome("Failed", reason_of(error))
            if jobs:
                jobs[0].log.note(traceback.format_exc())
        try:
            tidy(folder, keep=outcome.status != "Completed")
            self._close(kind, jobs, file, outcome)
        except Exception as error:
            traceback.print_exc()
            reason = outcome.reason or reason_of(error)
            outcome = Outcome("Failed", reason, outcome.message)
        return outcome, facts

    def _instances(
        self, kind: str, name: str, request: Document, file: LogFile, metrics: Metrics
    ) -> Sequence[Job]:
        """The instances of a job, with a folder each."""
        count = _WORKS[kind][1].instances(request)
        identity = arn(self._settings, f"{kind}/{name}")
        seed = f"{self._settings.root}/{identity}"
        cluster = instances.Cluster.make(seed, count, named=sandbox.detect().resolves)
        jobs = []
        for rank in range(count):
            host = instances.folder(rank)
            log = JobLog(file, f"{host} | " if count > 1 else "", metrics.read)
            folder = self._settings.jobs / name / (host if count > 1 else "")
            (folder / "ml" / "code").mkdir(parents=True)
            jobs.append(Job(self._settings, name, identity, request, folder, log, cluster, rank))
        return jobs

    def _close(self, kind: str, jobs: Sequence[Job], file: LogFile | None, outcome: Outcome) -> None:
        """The last line of the log, and the log to CloudWatch Logs: a stream for each instance."""
        if jobs:
            jobs[0].log.note(f"{outcome.status}{': ' if outcome.reason else ''}{outcome.reason}")
        if file:
            file.close()
        for job in jobs:
            stream = f"{job.name}/{instances.folder(job.rank)}-{int(time.time())}"
            job.log.send(self._settings, f"/aws/sagemaker/{_STATES[kind].noun}Jobs", stream)

    def _tune(self, kind: str, name: str, request: Document, control: Control) -> tuple[Outcome, Document]:
        """The same for a tuning job."""

        def note() -> None:
            self._store.update(kind, name, lambda body: body.update(self._children_now(kind, name)))

        identity = arn(self._settings, f"{kind}/{name}")
        try:
            outcome = TuningRun(request, identity, self._tags.of(identity), self, control, note).run()
        except Exception as error:
            traceback.print_exc()
            outcome = Outcome("Failed", reason_of(error))
        return outcome, self._children_now(kind, name)

    def _children_now(self, kind: str, name: str) -> Document:
        """What a tuning job tells of its training jobs; nothing for other jobs."""
        body = self.describe(kind, name)
        if kind != KIND:
            return {}
        return overview(body, self.children("training-job", body["HyperParameterTuningJobArn"]))

    def _end(self, kind: str, name: str, outcome: Outcome, facts: Document) -> None:
        def change(body: Document) -> None:
            body.update(facts)
            _STATES[kind].end(body, outcome)

        self._store.update(kind, name, change)

    def _phase(self, kind: str, name: str) -> Callable[[str], None]:
        states = _WORKS[kind][0]

        def enter(phase: str) -> None:
            def change(body: Document) -> None:
                states.phase(body, phase)

            self._store.update(kind, name, change)

        return enter
