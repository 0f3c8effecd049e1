"""Lambda steps: a function whose event has what the chained steps wrote and how the model is served."""

from typing import Any

from retraining.compile.build import Build
from retraining.compile.lambdas import function_arn
from retraining.config.flow.sections import ResolvedStep
from retraining.config.schema.model import LambdaFunction, Registry


def call(build: Build, step: ResolvedStep[LambdaFunction]) -> Any:
    """Call the model's function; its event is described in docs/configuration.md, section Lambda."""
    from sagemaker.core.lambda_helper import Lambda
    from sagemaker.mlops.workflow.lambda_step import LambdaOutput, LambdaOutputTypeEnum, LambdaStep

    function = step.section
    arn = function.function_arn or function_arn(build.configuration, function.entry_point or "")
    return LambdaStep(
        name=step.name,
        lambda_func=Lambda(function_arn=arn, session=build.session),
        inputs=_event(build, step),
        outputs=[
            LambdaOutput(output_name=name, output_type=LambdaOutputTypeEnum.String)
            for name in function.outputs
        ],
        cache_config=build.cache(step),
    )


def _event(build: Build, step: ResolvedStep[LambdaFunction]) -> dict[str, Any]:
    from sagemaker.core.workflow.execution_variables import ExecutionVariables

    chained = {
        f"{output}_uri": uri
        for name in reversed(step.settings.chain_input_source_step)
        for output, uri in build.outputs.get(name, {}).items()
    }
    registry = step.model.registry
    return {
        **chained,
        **(_serving(build, step.model_name, registry) if registry else {}),
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
        **{name: build.value(value) for name, value in step.section.inputs.items()},
    }


def _serving(build: Build, model_name: str, registry: Registry) -> dict[str, Any]:
    serving = registry.InferenceSpecification
    return {
        "model_package_group": build.configuration.package_group(model_name),
        "description": registry.description,
        "image_uri": build.image(serving.image_uri, serving.framework_version),
        "content_types": [build.value(item) for item in serving.supported_content_types],
        "response_types": [build.value(item) for item in serving.supported_response_MIME_types],
        "transform_instance_types": [build.value(item) for item in serving.SupportedTransformInstanceTypes],
        "realtime_instance_types": [
            build.value(item) for item in serving.SupportedRealtimeInferenceInstanceTypes
        ],
        "approval_status": build.value(serving.approval_status),
    }
