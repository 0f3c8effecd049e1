"""Lambda steps: a function of the model's own, or the project's that registers models."""

from typing import Any

from retraining.compile.build import Build
from retraining.compile.lambdas import function_arn
from retraining.compile.steps.models import model_data, model_quality, serving_environment
from retraining.config.flow.sections import ResolvedStep
from retraining.config.schema.aws_names import REGISTERING
from retraining.config.schema.model import LambdaFunction, Registry

_CANDIDATES = "candidates_uri"


def call(build: Build, step: ResolvedStep[LambdaFunction | Registry]) -> Any:
    """Call a function with the event that docs/configuration.md describes, section Lambda functions."""
    event = _event(build, step)
    if isinstance(step.section, Registry):
        arn = function_arn(build.configuration, REGISTERING)
        return _lambda_step(build, step, arn, event | _model(build, step, event), ["model_packages"])
    function = step.section
    arn = function.function_arn or function_arn(build.configuration, function.entry_point or "")
    inputs = {name: build.value(value) for name, value in function.inputs.items()}
    return _lambda_step(build, step, arn, event | inputs, function.outputs)


def _lambda_step(
    build: Build, step: ResolvedStep[Any], arn: str, event: dict[str, Any], outputs: list[str]
) -> Any:
    from sagemaker.core.lambda_helper import Lambda
    from sagemaker.mlops.workflow.lambda_step import LambdaOutput, LambdaOutputTypeEnum, LambdaStep

    return LambdaStep(
        name=step.name,
        lambda_func=Lambda(function_arn=arn, session=build.session),
        inputs=event,
        outputs=[LambdaOutput(output_name=name, output_type=LambdaOutputTypeEnum.String) for name in outputs],
        cache_config=build.cache(step),
    )


def _model(build: Build, step: ResolvedStep[Any], event: dict[str, Any]) -> dict[str, Any]:
    """The trained model, with its quality; nothing where a chained step writes candidates."""
    if _CANDIDATES in event:
        return {}
    quality = model_quality(build, step)
    return {
        "model_data": model_data(build, step),
        **({"model_quality": quality} if quality else {}),
    }


def _event(build: Build, step: ResolvedStep[Any]) -> dict[str, Any]:
    from sagemaker.core.workflow.execution_variables import ExecutionVariables

    chained = {
        f"{output}_uri": uri
        for name in reversed(step.settings.chain_input_source_step)
        for output, uri in build.outputs.get(name, {}).items()
    }
    return {
        **chained,
        **_serving(build, step),
        "execution": ExecutionVariables.PIPELINE_EXECUTION_ARN,
        "git_commit": build.parameters["GitCommit"],
        "hyperparameters": {
            name: build.text(value)
            for name, value in step.model.train.hyperparams.items()
            if not isinstance(value, dict)
        },
        "data": {
            name: build.parameters[name]
            for name, parameter in build.configuration.parameters.items()
            if str(parameter.default).startswith("s3://")
        },
    }


def _serving(build: Build, step: ResolvedStep[Any]) -> dict[str, Any]:
    """What the section registry says; nothing without one."""
    registry = step.model.registry
    if registry is None:
        return {}
    serving = registry.InferenceSpecification
    return {
        "model_package_group": build.configuration.package_group(step.model_name),
        "description": registry.description,
        "image_uri": build.image(serving.image_uri, serving.framework_version),
        "environment": serving_environment(step.model),
        "content_types": [build.value(item) for item in serving.supported_content_types],
        "response_types": [build.value(item) for item in serving.supported_response_MIME_types],
        "transform_instance_types": [build.value(item) for item in serving.SupportedTransformInstanceTypes],
        "realtime_instance_types": [
            build.value(item) for item in serving.SupportedRealtimeInferenceInstanceTypes
        ],
        "approval_status": build.value(serving.approval_status),
    }
