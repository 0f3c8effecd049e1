"""Processing, training, tuning and transform jobs from request to last state, each a thread of its own."""

import re
import threading
import traceback
from collections.abc import Iterable, Sequence

from local_sagemaker.core.errors import InUse, LimitExceeded, ValidationError
from local_sagemaker.core.settings import Settings, arn
from local_sagemaker.core.store import Document, Store
from local_sagemaker.core.tags import Tags
from local_sagemaker.definition.retrying import reason_of
from local_sagemaker.jobs import transform
from local_sagemaker.jobs.course import STOP_GRACE, Control, end_left_over, tidy
from local_sagemaker.jobs.handlers import ContainerJobs, Handler
from local_sagemaker.jobs.members import INTERRUPTED, TERMINAL, Outcome
from local_sagemaker.jobs.processing import Processing
from local_sagemaker.jobs.training import Training
from local_sagemaker.jobs.transform import Transform
from local_sagemaker.jobs.tuning.handler import TuningJobs
from local_sagemaker.jobs.tuning.request import KIND as TUNING
from local_sagemaker.registry.models import Models

CLOSE_GRACE = 3.0  # seconds between SIGTERM and SIGKILL when the services stop

_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")


class Jobs:
    """All jobs of one root. Its functions may be called from any thread."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._tags = Tags(store)
        self._lock = threading.Lock()
        self._active: dict[tuple[str, str], Control] = {}
        self._closing = False
        models = Models(settings, store, self._tags)
        # Tuning jobs come last: they show how their training jobs ended.
        self._handlers: dict[str, Handler] = {
            "processing-job": ContainerJobs(settings, store, "processing-job", "Processing", Processing()),
            "training-job": ContainerJobs(settings, store, "training-job", "Training", Training()),
            transform.KIND: ContainerJobs(
                settings,
                store,
                transform.KIND,
                "Transform",
                Transform(),
                lambda request: transform.with_container(request, models),
            ),
            TUNING: TuningJobs(settings, store, self._tags, self),
        }

    def create(self, kind: str, request: Document, tags: Iterable[Document] = (), note: str = "") -> str:
        """Start a job; returns its ARN at once.

        `kind` is the first part of such a job's resource in ARNs ("training-job"), `request` the input of
        its Create operation, `note` a line for the beginning of the job's log.

        Raises InUse for a name that is taken, ValidationError for a request that cannot be done here,
        LimitExceeded where the system starts no more threads.
        """
        handler = self._handlers[kind]
        states = handler.states
        name = request[states.name]
        if not _NAME.fullmatch(name):
            raise ValidationError(f"{states.name} {name!r} has to match {_NAME.pattern}")
        request = handler.accept(request)
        identity = arn(self._settings, f"{kind}/{name}")
        body = states.new(request, identity) | handler.description(request)
        with self._lock:
            if self._closing:
                raise ValidationError(f"the local services are stopping: {name} was not started")
            with self._store.transaction():
                if not self._store.create(kind, name, body, parent=request.get("TuningJobArn")):
                    raise InUse(
                        "Job name must be unique within an AWS account and region,"
                        f" and a {states.noun.lower()} job with this name already exists ({identity})"
                    )
                self._tags.put(identity, [*request.get("Tags", []), *tags])
            control = Control(note)
            self._active[kind, name] = control
            arguments = (kind, name, request, control)
            try:
                threading.Thread(target=self._run, args=arguments, name=name, daemon=True).start()
            except RuntimeError as error:
                del self._active[kind, name]
                with self._store.transaction():
                    self._tags.forget(identity)
                    self._store.delete(kind, name)
                raise LimitExceeded(f"{name} was not started: {error}") from error
        return identity

    def describe(self, kind: str, name: str) -> Document:
        """The job as Describe...Job shows it, times in epoch seconds.

        Raises NotFound for a tuning job that does not exist and, as SageMaker does, ValidationError for one
        of the other kinds.
        """
        body = self._store.get(kind, name)
        if body is None:
            raise self._handlers[kind].states.missing(name)
        return body

    def list(self, kind: str) -> list[Document]:
        """All descriptions, oldest first."""
        return self._store.list(kind)

    def children(self, kind: str, parent: str) -> Sequence[Document]:
        """The descriptions of the jobs that the tuning job with the ARN `parent` started, oldest first."""
        return self._store.list(kind, parent)

    def stop(self, kind: str, name: str) -> None:
        """SIGTERM to all of the job's processes, SIGKILL after a grace; returns at once.

        Raises as `describe` does, and ValidationError for a job that has ended.
        """
        states = self._handlers[kind].states
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
        """Block until the job has ended; its description. Raises as `describe` does."""
        control = self._active.get((kind, name))
        if control:
            control.ended.wait()
        return self.describe(kind, name)

    def recover(self) -> None:
        """Jobs that an earlier server left behind have failed. To be called before any `create`."""
        for kind, handler in self._handlers.items():
            states = handler.states
            for body in self._store.list(kind):
                if body[states.status] in TERMINAL:
                    continue
                name = body[states.name]
                end_left_over(self._settings.jobs / name)
                tidy(self._settings.jobs / name, keep=True)
                self._end(kind, name, Outcome("Failed", INTERRUPTED), handler.facts(name))

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
            try:
                outcome, facts = self._handlers[kind].run(name, request, control)
            except Exception as error:
                traceback.print_exc()
                outcome, facts = Outcome("Failed", reason_of(error)), {}
            if self._closing and outcome.status != "Completed":
                outcome = Outcome("Failed", INTERRUPTED)
            self._end(kind, name, outcome, facts)
        finally:
            self._active.pop((kind, name), None)
            control.ended.set()

    def _end(self, kind: str, name: str, outcome: Outcome, facts: Document) -> None:
        """Note how the job ended, as soon as it can be noted: the disk may be full for a while."""

        def change(body: Document) -> None:
            body.update(facts)
            self._handlers[kind].states.end(body, outcome)

        self._store.persist(lambda: self._store.update(kind, name, change), lambda: self._closing)
