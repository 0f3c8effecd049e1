"""Condition and Fail steps: the quality gate."""

from typing import Any

from retraining.compile.build import Build
from retraining.compile.lambdas import function_arn
from retraining.config.schema.aws_names import CHAMPION
from retraining.config.schema.model import Gate
from retraining.config.schema.pipeline import Step


def condition(build: Build, step: Step) -> Any:
    """The quality gate: the steps after it run where the value keeps the bound; else Fail says why."""
    from sagemaker.core.workflow.conditions import ConditionGreaterThanOrEqualTo, ConditionLessThanOrEqualTo
    from sagemaker.core.workflow.functions import JsonGet
    from sagemaker.mlops.workflow.condition_step import ConditionStep

    gate = build.unit(step).gate
    assert gate is not None
    seen = JsonGet(
        step_name=step.chain_input_source_step[0], property_file=gate.output, json_path=gate.json_path
    )
    bound = build.value(_bound(gate))
    if gate.champion is None:
        words = ", below the minimum " if gate.maximum is None else ", above the maximum "
        needed = [words, build.text(_bound(gate))]
    else:
        champion = _champion(build, step, gate)
        build.beside.setdefault(step.step_name, []).append(champion)
        bound = champion.properties.Outputs["bound"]
        needed = [", but it must be ", champion.properties.Outputs["reason"]]
    compare = ConditionGreaterThanOrEqualTo if gate.maximum is None else ConditionLessThanOrEqualTo
    return ConditionStep(
        name=step.step_name,
        conditions=[compare(left=seen, right=bound)],
        if_steps=[],
        else_steps=[_otherwise(build, step, [f"Quality gate: {gate.json_path} is ", seen, *needed])],
    )


def _bound(gate: Gate) -> Any:
    return gate.minimum if gate.maximum is None else gate.maximum


def _otherwise(build: Build, step: Step, reason: list[Any]) -> Any:
    """The Fail step that else_step names, or one that says what the gate saw."""
    from sagemaker.core.workflow.functions import Join
    from sagemaker.mlops.workflow.fail_step import FailStep

    if step.else_step is not None:
        return build.steps[step.else_step]
    return FailStep(name=f"{step.step_name}Failed", error_message=Join(on="", values=reason))


def _champion(build: Build, step: Step, gate: Gate) -> Any:
    """The Lambda step that looks up the champion and says what a candidate must reach."""
    from sagemaker.core.lambda_helper import Lambda
    from sagemaker.mlops.workflow.lambda_step import LambdaOutput, LambdaOutputTypeEnum, LambdaStep

    assert gate.champion is not None
    inputs = {
        "model_package_group": build.package_group(step),
        "json_path": gate.champion.json_path or gate.json_path,
        "tolerance": build.value(gate.champion.tolerance),
        "minimum" if gate.maximum is None else "maximum": build.value(_bound(gate)),
    }
    return LambdaStep(
        name=f"{step.step_name}Champion",
        lambda_func=Lambda(function_arn=function_arn(build.configuration, CHAMPION), session=build.session),
        inputs=inputs,
        depends_on=[build.steps[step.chain_input_source_step[0]]],
        outputs=[
            LambdaOutput(output_name="bound", output_type=LambdaOutputTypeEnum.Float),
            LambdaOutput(output_name="reason", output_type=LambdaOutputTypeEnum.String),
            LambdaOutput(output_name="champion", output_type=LambdaOutputTypeEnum.String),
        ],
    )


def fail(build: Build, step: Step) -> Any:
    """A step that ends the execution as Failed, with its message."""
    from sagemaker.mlops.workflow.fail_step import FailStep

    return FailStep(name=step.step_name, error_message=build.value(step.error_message))
