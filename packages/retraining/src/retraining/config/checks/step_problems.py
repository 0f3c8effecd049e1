"""The steps of a pipeline while they are checked, and the problems that are found in them."""

from collections.abc import Collection

from retraining.config.files.problems import Problems
from retraining.config.schema.model import Model
from retraining.config.schema.pipeline import Pipeline, Step
from retraining.errors import Location


class StepProblems:
    """What the checks of steps share.

    Attributes:
        problems: the collector, for keys of the models' files.
        pipeline: the steps, disabled ones included.
        models: the models whose form is right.
        model_names: all that are described; None where not all could be read.
        keys: the key of each step's mapping in the files.
        disabled: names of the steps that are disabled, or whose model is.
    """

    def __init__(
        self,
        problems: Problems,
        pipeline: Pipeline,
        models: dict[str, Model],
        model_names: Collection[str] | None,
    ) -> None:
        self.problems, self.pipeline = problems, pipeline
        self.models, self.model_names = models, model_names
        self.keys: dict[str, Location] = {}
        self.disabled: set[str] = set()
        for name, steps in pipeline.models.items():
            for index, step in enumerate(steps.steps):
                self._register(("conf", "sagemakerPipeline", "models", name, "steps", index), step)
                if step.disabled or (name in models and models[name].disabled):
                    self.disabled.add(step.step_name)

    def _register(self, key: Location, step: Step) -> None:
        first = self.keys.setdefault(step.step_name, key)
        if first != key:
            where = self.problems.document.where((*first, "step_name"))
            words = f"step {step.step_name!r} is defined twice, first on {where}: rename one"
            self.problems.add((*key, "step_name"), words)

    def add(self, step: Step, key: str, words: str) -> None:
        """Add a problem of one of a step's keys."""
        self.problems.add((*self.keys[step.step_name], key), words, step=step.step_name)
