"""One function per step class: from a step of the configuration to a step object of the SDK."""

from collections.abc import Callable
from typing import Any

from retraining.build import Build
from retraining.configuration import Configuration
from retraining.errors import UserError
from retraining.schema import ProcessingJob, Step, Unit

CACHE_EXPIRES = "P30D"
PROCESSING = "/opt/ml/processing"


def _cache(step: Step) -> Any:
    from sagemaker.mlops.workflow.steps import CacheConfig

    return CacheConfig(enable_caching=True, expire_after=CACHE_EXPIRES) if step.enable_cache else None


def _retries() -> list[Any]:
    """Throttling, service faults and missing capacity are tried again; a failing script is not."""
    from sagemaker.mlops.workflow.retry import (
        SageMakerJobExceptionTypeEnum,
        SageMakerJobStepRetryPolicy,
        StepExceptionTypeEnum,
        StepRetryPolicy,
    )

    return [
        StepRetryPolicy(
            [StepExceptionTypeEnum.SERVICE_FAULT, StepExceptionTypeEnum.THROTTLING], max_attempts=3
        ),
        SageMakerJobStepRetryPolicy(
            exception_types=[SageMakerJobExceptionTypeEnum.RESOURCE_LIMIT],
            failure_reason_types=[
                SageMakerJobExceptionTypeEnum.INTERNAL_ERROR,
                SageMakerJobExceptionTypeEnum.CAPACITY_ERROR,
            ],
            interval_seconds=60,
            max_attempts=3,
        ),
    ]


def processing(build: Build, step: Step, unit: Unit) -> Any:
    """A processing job that runs one script on its channels and writes its outputs."""
    from sagemaker.core.network import NetworkConfig
    from sagemaker.core.processing import FrameworkProcessor
    from sagemaker.core.shapes import ProcessingInput, ProcessingOutput, ProcessingS3Input, ProcessingS3Output
    from sagemaker.core.workflow.properties import PropertyFile
    from sagemaker.mlops.workflow.steps import ProcessingStep

    job: ProcessingJob = getattr(unit, step.section or "preprocess")
    project = build.configuration.project
    network = None
    if project.SMP_SUBNETS or project.SMP_SECURITYGROUPS:
        network = NetworkConfig(subnets=project.SMP_SUBNETS, security_group_ids=project.SMP_SECURITYGROUPS)
    processor = FrameworkProcessor(
        image_uri=build.image(job.image_uri),
        role=project.SMP_ROLE,
        instance_count=build.value(job.instance_count),
        instance_type=build.value(job.instance_type),
        command=["python3"],
        volume_size_in_gb=job.volume_size_in_gb,
        volume_kms_key=project.kms_key,
        output_kms_key=project.kms_key,
        max_runtime_in_seconds=job.max_runtime_seconds,
        base_job_name=job.base_job_name or f"{project.project}-{step.step_name}",
        sagemaker_session=build.session,
        env={name: build.text(value) for name, value in job.env.items()} or None,
        tags=build.tags(job),
        network_config=network,
    )
    inputs = [
        ProcessingInput(
            input_name=name,
            s3_input=ProcessingS3Input(
                s3_uri=uri,
                local_path=f"{PROCESSING}/input/{name}",
                s3_data_type="S3Prefix",
                s3_input_mode="File",
            ),
        )
        for name, uri in build.sources_of(step, job.channels).items()
    ]
    outputs = [
        ProcessingOutput(
            output_name=name,
            s3_output=ProcessingS3Output(
                s3_uri=build.s3(step.step_name, name),
                local_path=f"{PROCESSING}/output/{name}",
                s3_upload_mode="EndOfJob",
            ),
        )
        for name in job.outputs
    ]
    made = ProcessingStep(
        name=step.step_name,
        step_args=processor.run(
            code=job.entry_point,
            source_dir=build.source(unit, job, step),
            inputs=inputs,
            outputs=outputs,
            arguments=[
                part for name, value in job.arguments.items() for part in (f"--{name}", build.text(value))
            ]
            or None,
        ),
        property_files=[PropertyFile(name=gate.output, output_name=gate.output, path=gate.file)]
        if (gate := unit.gate) and gate.output in job.outputs
        else None,
        cache_config=_cache(step),
        retry_policies=_retries(),
    )
    found = made.properties.ProcessingOutputConfig.Outputs
    build.outputs[step.step_name] = {name: found[name].S3Output.S3Uri for name in job.outputs}
    return made


def training(build: Build, step: Step, unit: Unit) -> Any:
    """A training job in script mode; its output `model` is the model artefact."""
    from sagemaker.core.shapes import StoppingCondition
    from sagemaker.mlops.workflow.steps import TrainingStep
    from sagemaker.train import ModelTrainer
    from sagemaker.train.configs import (
        Compute,
        InputData,
        MetricDefinition,
        Networking,
        OutputDataConfig,
        SourceCode,
    )

    job, project = unit.train, build.configuration.project
    networking = None
    if project.SMP_SUBNETS or project.SMP_SECURITYGROUPS:
        networking = Networking(subnets=project.SMP_SUBNETS, security_group_ids=project.SMP_SECURITYGROUPS)
    source = build.source(unit, job, step)
    has_requirements = (build.folder / source / "requirements.txt").is_file()
    trainer = ModelTrainer(
        training_image=build.image(job.image_uri),
        role=project.SMP_ROLE,
        base_job_name=job.base_job_name or f"{project.project}-{step.step_name}",
        sagemaker_session=build.session,
        source_code=SourceCode(
            source_dir=source,
            entry_script=job.entry_point,
            requirements="requirements.txt" if has_requirements else None,
        ),
        compute=Compute(
            instance_type=build.value(job.instance_type),
            instance_count=build.value(job.instance_count),
            volume_size_in_gb=job.volume_size_in_gb,
            **({"volume_kms_key_id": project.kms_key} if project.kms_key else {}),
        ),
        networking=networking,
        stopping_condition=StoppingCondition(max_runtime_in_seconds=job.max_runtime_seconds),
        output_data_config=OutputDataConfig(
            s3_output_path=build.s3(step.step_name),
            **({"kms_key_id": project.kms_key} if project.kms_key else {}),
        ),
        hyperparameters={name: build.text(value) for name, value in job.hyperparams.items()},
        environment={name: build.text(value) for name, value in job.env.items()} or None,
        tags=[{"key": tag["Key"], "value": tag["Value"]} for tag in build.tags(job)],
    ).with_metric_definitions(
        [MetricDefinition(name=name, regex=regex) for name, regex in job.metric_definitions.items()]
    )
    channels = [
        InputData(channel_name=name, data_source=uri)
        for name, uri in build.sources_of(step, job.channels).items()
    ]
    made = TrainingStep(
        name=step.step_name,
        step_args=trainer.train(input_data_config=channels),
        cache_config=_cache(step),
        retry_policies=_retries(),
    )
    build.outputs[step.step_name] = {"model": made.properties.ModelArtifacts.S3ModelArtifacts}
    return made


def condition(build: Build, step: Step, unit: Unit) -> Any:
    """The quality gate: the steps after it run where the value reaches the minimum; else Fail says why."""
    from sagemaker.core.workflow.conditions import ConditionGreaterThanOrEqualTo
    from sagemaker.core.workflow.functions import Join, JsonGet
    from sagemaker.mlops.workflow.condition_step import ConditionStep
    from sagemaker.mlops.workflow.fail_step import FailStep

    gate, source = unit.gate, step.chain_input_source_step
    if gate is None or len(source) != 1:
        raise UserError(
            f"step {step.step_name!r}: a Condition chains exactly one step, the one whose output it reads"
        )
    seen = JsonGet(step_name=source[0], property_file=gate.output, json_path=gate.json_path)
    reason = Join(
        on="",
        values=[
            f"Quality gate: {gate.json_path} is ",
            seen,
            ", below the minimum ",
            build.text(gate.minimum),
        ],
    )
    return ConditionStep(
        name=step.step_name,
        conditions=[ConditionGreaterThanOrEqualTo(left=seen, right=build.value(gate.minimum))],
        if_steps=[],
        else_steps=[FailStep(name=f"{step.step_name}Failed", error_message=reason)],
    )


def register(build: Build, step: Step, unit: Unit) -> Any:
    """The Lambda that registers every candidate as one model package of a group."""
    from sagemaker.core.lambda_helper import Lambda
    from sagemaker.core.workflow.execution_variables import ExecutionVariables
    from sagemaker.mlops.workflow.lambda_step import LambdaOutput, LambdaOutputTypeEnum, LambdaStep

    registry = unit.registry
    chained: dict[str, Any] = {}
    for name in step.chain_input_source_step:
        chained |= build.outputs.get(name, {})
    if registry is None or not {"evaluation", "candidates"} <= chained.keys():
        raise UserError(
            f"step {step.step_name!r}: its chained steps must write the outputs evaluation and candidates"
        )
    inference = registry.InferenceSpecification
    data = build.configuration.parameters
    inputs = {
        "model_package_group": registry.model_package_group,
        "description": registry.description,
        "candidates_uri": chained["candidates"],
        "evaluation_uri": chained["evaluation"],
        "image_uri": build.image(inference.image_uri),
        "content_types": inference.supported_content_types,
        "response_types": inference.supported_response_MIME_types,
        "transform_instance_types": inference.SupportedTransformInstanceTypes,
        "realtime_instance_types": inference.SupportedRealtimeInferenceInstanceTypes,
        "approval_status": build.value(inference.approval_status),
        "execution": ExecutionVariables.PIPELINE_EXECUTION_ARN,
        "git_commit": build.parameters["GitCommit"],
        "hyperparameters": {
            name: build.text(value)
            for name, value in unit.train.hyperparams.items()
            if not isinstance(value, dict)
        },
        "data": {
            name: build.parameters[name]
            for name, found in data.items()
            if str(found.default).startswith("s3://")
        },
    }
    return LambdaStep(
        name=step.step_name,
        lambda_func=Lambda(function_arn=function_arn(build.configuration), session=build.session),
        inputs=inputs,
        outputs=[LambdaOutput(output_name="model_packages", output_type=LambdaOutputTypeEnum.String)],
    )


def function_name(configuration: Configuration) -> str:
    """Name of the Lambda function that registers models."""
    return f"{configuration.project.project}-register-models"


def function_arn(configuration: Configuration) -> str:
    """ARN of that function, known before it exists."""
    project = configuration.project
    partition = project.SMP_ROLE.split(":")[1]
    place = f"{project.SMP_REGION}:{project.SMP_ACCOUNTID}"
    return f"arn:{partition}:lambda:{place}:function:{function_name(configuration)}"


STEP_CLASSES: dict[str, Callable[[Build, Step, Unit], Any]] = {
    "Processing": processing,
    "Training": training,
    "Metrics": processing,
    "Condition": condition,
    "Lambda": register,
}
