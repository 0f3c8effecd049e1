"""The steps of a pipeline with their places in the files, and the errors that are found in them."""

from collections.abc import Collection

from retraining.config.files.yaml_file import Document, Location, dotted
from retraining.config.schema.model import Unit
from retraining.config.schema.pipeline import Pipeline, Step


class PlacedSteps:
    """Collects the errors of the steps, each with its place; `models` are None where not all are known."""

    def __init__(
        self, document: Document, pipeline: Pipeline, units: dict[str, Unit], models: Collection[str] | None
    ) -> None:
        self.document, self.pipeline, self.units, self.models = document, pipeline, units, models
        self.errors: list[str] = []
        self.places: dict[str, Location] = {}
        self.disabled: set[str] = set()
        for model, steps in pipeline.models.items():
            for index, step in enumerate(steps.steps):
                here: Location = ("conf", "sagemakerPipeline", "models", model, "steps", index)
                self._place(here, step)
                if step.disabled or (model in units and units[model].disabled):
                    self.disabled.add(step.step_name)

    def _place(self, here: Location, step: Step) -> None:
        first = self.places.setdefault(step.step_name, here)
        if first != here:
            where = self.document.where((*first, "step_name"))
            self.add(
                (*here, "step_name"), f"step {step.step_name!r} stands twice, first on {where}: rename one"
            )

    def add(self, location: Location, message: str) -> None:
        self.errors.append(f"{self.document.where(location)}: {dotted(location)}: {message}")

    def at(self, step: Step, key: str, message: str) -> None:
        where = self.document.where((*self.places[step.step_name], key))
        self.errors.append(f"{where}: step {step.step_name!r}: {key}: {message}")
