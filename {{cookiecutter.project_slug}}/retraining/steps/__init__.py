"""One function per step class: from a step of the configuration to a step object of the SDK."""

from collections.abc import Callable
from typing import Any

from retraining.build import Build
from retraining.pipeline_schema import Step
from retraining.steps.conditions import condition, fail
from retraining.steps.functions import call
from retraining.steps.models import create_model, register_model
from retraining.steps.processing import processing
from retraining.steps.training import training
from retraining.steps.transform import transform
from retraining.steps.tuning import tuning

STEP_CLASSES: dict[str, Callable[[Build, Step], Any]] = {
    "Processing": processing,
    "Training": training,
    "Tuning": tuning,
    "CreateModel": create_model,
    "Transform": transform,
    "Metrics": processing,
    "Condition": condition,
    "Lambda": call,
    "Fail": fail,
    "RegisterModel": register_model,
}
