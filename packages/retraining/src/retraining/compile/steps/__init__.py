"""One function per step class: from a step of the configuration to a step object of the SDK."""

from collections.abc import Callable
from typing import Any

from retraining.compile.build import Build
from retraining.compile.steps.conditions import condition, fail
from retraining.compile.steps.lambdas import call
from retraining.compile.steps.models import create_model, register_model
from retraining.compile.steps.processing import processing
from retraining.compile.steps.training import training
from retraining.compile.steps.transform import transform
from retraining.compile.steps.tuning import tuning

STEP_CLASSES: dict[str, Callable[[Build, Any], Any]] = {
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
