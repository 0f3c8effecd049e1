"""Tuning jobs as one more kind of job: their work is to start training jobs."""

import traceback

from local_sagemaker.core.settings import Settings, arn
from local_sagemaker.core.store import Document, Store
from local_sagemaker.core.tags import Tags
from local_sagemaker.definition.retrying import reason_of
from local_sagemaker.jobs.course import Control
from local_sagemaker.jobs.members import Outcome, States
from local_sagemaker.jobs.tuning import request as tuning
from local_sagemaker.jobs.tuning.course import TrainingJobs, TuningRun


class TuningJobs:
    """The handler of tuning jobs; `jobs` starts their training jobs."""

    states = States("HyperParameterTuning")

    def __init__(self, settings: Settings, store: Store, tags: Tags, jobs: TrainingJobs) -> None:
        self._settings = settings
        self._store = store
        self._tags = tags
        self._jobs = jobs

    def accept(self, request: Document) -> Document:
        tuning.check(request)
        return request

    def description(self, request: Document) -> Document:
        return tuning.description(request)

    def run(self, name: str, request: Document, control: Control) -> tuple[Outcome, Document]:
        def note() -> None:
            self._store.update(tuning.KIND, name, lambda body: body.update(self.facts(name)))

        identity = arn(self._settings, f"{tuning.KIND}/{name}")
        try:
            outcome = TuningRun(request, identity, self._tags.get(identity), self._jobs, control, note).run()
        except Exception as error:
            traceback.print_exc()
            outcome = Outcome("Failed", reason_of(error))
        return outcome, self.facts(name)

    def facts(self, name: str) -> Document:
        """What the tuning job shows of its training jobs."""
        body = self._store.get(tuning.KIND, name) or {}
        children = self._store.list("training-job", body["HyperParameterTuningJobArn"])
        return tuning.overview(body, children)
