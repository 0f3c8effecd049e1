"""Condition and Fail steps: the quality gate."""

from typing import Any

from retraining.compile.build import Build
from retraining.compile.lambdas import function_arn
from retraining.config.flow.sections import ResolvedStep
from retraining.config.schema.aws_names import CHAMPION
from retraining.config.schema.model import Champion, Gate


def condition(build: Build, step: ResolvedStep[Gate]) -> Any:
    """The quality gate: the steps after it run where the value keeps the bound; else Fail says why."""
    from sagemaker.core.workflow.conditions import ConditionGreaterThanOrEqualTo, ConditionLessThanOrEqualTo
    from sagemaker.core.workflow.functions import JsonGet
    from sagemaker.mlops.workflow.condition_step import ConditionStep

    gate = step.section
    measured = JsonGet(step_name=step.source, property_file=gate.output, json_path=gate.json_path)
    bound = build.value(gate.bound)
    if gate.champion is None:
        words = ", below the minimum " if gate.maximum is None else ", above the maximum "
        needed = [words, build.text(gate.bound)]
    else:
        champion = _champion(build, step, gate.champion)
        build.generated.setdefault(step.name, []).append(champion)
        bound = champion.properties.Outputs["bound"]
        needed = [", but it must be ", champion.properties.Outputs["reason"]]
    compare = ConditionGreaterThanOrEqualTo if gate.maximum is None else ConditionLessThanOrEqualTo
    reason = [f"Quality gate: {gate.json_path} is ", measured, *needed]
    return ConditionStep(
        name=step.name,
        conditions=[compare(left=measured, right=bound)],
        if_steps=[],
        else_steps=[_otherwise(build, step, reason)],
    )


def _otherwise(build: Build, step: ResolvedStep[Gate], reason: list[Any]) -> Any:
    """The Fail step that else_step names, or one that says what the gate measured."""
    from sagemaker.core.workflow.functions import Join
    from sagemaker.mlops.workflow.fail_step import FailStep

    if step.settings.else_step is not None:
        return build.steps[step.settings.else_step]
    return FailStep(name=step.settings.own_fail_step, error_message=Join(on="", values=reason))


def _champion(build: Build, step: ResolvedStep[Gate], champion: Champion) -> Any:
    """The Lambda step that looks up the champion and says what a candidate must reach."""
    from sagemaker.core.lambda_helper import Lambda
    from sagemaker.mlops.workflow.lambda_step import LambdaOutput, LambdaOutputTypeEnum, LambdaStep

    gate = step.section
    inputs = {
        "model_package_group": build.configuration.package_group(step.model_name),
        "json_path": champion.json_path or gate.json_path,
        "tolerance": build.value(champion.tolerance),
        "minimum" if gate.maximum is None else "maximum": build.value(gate.bound),
    }
    return LambdaStep(
        name=step.settings.champion_step,
        lambda_func=Lambda(function_arn=function_arn(build.configuration, CHAMPION), session=build.session),
        inputs=inputs,
        depends_on=[build.steps[step.source]],
        outputs=[
            LambdaOutput(output_name="bound", output_type=LambdaOutputTypeEnum.Float),
            LambdaOutput(output_name="reason", output_type=LambdaOutputTypeEnum.String),
            LambdaOutput(output_name="champion", output_type=LambdaOutputTypeEnum.String),
        ],
    )


def fail(build: Build, step: ResolvedStep[None]) -> Any:
    """A step that ends the execution as Failed, with its message."""
    from sagemaker.mlops.workflow.fail_step import FailStep

    return FailStep(name=step.name, error_message=build.value(step.settings.error_message))
