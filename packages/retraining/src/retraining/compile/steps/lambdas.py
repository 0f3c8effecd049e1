"""Lambda steps: a function that is told what the chained steps wrote and how the model is served."""

from typing import Any

from retraining.compile.build import Build
from retraining.compile.lambdas import function_arn
from retraining.config.schema.model import Unit
from retraining.config.schema.pipeline import Step


def call(build: Build, step: Step) -> Any:
    """Call the unit's function; its event is described in docs/configuration.md, section Lambda."""
    from sagemaker.core.lambda_helper import Lambda
    from sagemaker.mlops.workflow.lambda_step import LambdaOutput, LambdaOutputTypeEnum, LambdaStep

    function = build.unit(step).lambda_
    assert function is not None
    arn = function.function_arn or function_arn(build.configuration, function.entry_point or "")
    return LambdaStep(
        name=step.step_name,
        lambda_func=Lambda(function_arn=arn, session=build.session),
        inputs=_event(build, step, build.unit(step)),
        outputs=[
            LambdaOutput(output_name=name, output_type=LambdaOutputTypeEnum.String)
            for name in function.outputs
        ],
        cache_config=build.cache(step),
    )


def _event(build: Build, step: Step, unit: Unit) -> dict[str, Any]:
    from sagemaker.core.workflow.execution_variables import ExecutionVariables

    function = unit.lambda_
    assert function is not None
    chained = {
        f"{output}_uri": uri
        for name in reversed(step.chain_input_source_step)
        for output, uri in build.outputs.get(name, {}).items()
    }
    return {
        **chained,
        **(_serving(build, step, unit) if unit.registry else {}),
        "execution": ExecutionVariables.PIPELINE_EXECUTION_ARN,
        "git_commit": build.parameters["GitCommit"],
        "hyperparameters": {
            name: build.text(value)
            for name, value in unit.train.hyperparams.items()
            if not isinstance(value, dict)
        },
        "data": {
            name: build.parameters[name]
            for name, found in build.configuration.parameters.items()
            if str(found.default).startswith("s3://")
        },
        **{name: build.value(value) for name, value in function.inputs.items()},
    }


def _serving(build: Build, step: Step, unit: Unit) -> dict[str, Any]:
    assert unit.registry is not None
    serving = unit.registry.InferenceSpecification
    return {
        "model_package_group": build.package_group(step),
        "description": unit.registry.description,
        "image_uri": build.image(serving.image_uri, serving.framework_version),
        "content_types": [build.value(item) for item in serving.supported_content_types],
        "response_types": [build.value(item) for item in serving.supported_response_MIME_types],
        "transform_instance_types": [build.value(item) for item in serving.SupportedTransformInstanceTypes],
        "realtime_instance_types": [
            build.value(item) for item in serving.SupportedRealtimeInferenceInstanceTypes
        ],
        "approval_status": build.value(serving.approval_status),
    }
