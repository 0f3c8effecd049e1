"""Transform steps: batch transform with the model that a CreateModel step made."""

from typing import Any

from retraining.compile.build import Build
from retraining.config.flow.sections import ResolvedStep
from retraining.config.schema.job import TransformJob


def transform(build: Build, step: ResolvedStep[TransformJob]) -> Any:
    """A batch transform job; its output `transform` holds one ``.out`` file per file of the input."""
    from sagemaker.core.transformer import Transformer
    from sagemaker.core.workflow.functions import Join
    from sagemaker.mlops.workflow.steps import TransformStep

    job = step.section
    key = build.encryption_key(step, job.kms_key)
    bucket = next((channel.s3BucketName for channel in job.channels.values()), None)
    transformer = Transformer(
        model_name=build.steps[step.source].properties.ModelName,
        instance_count=build.plain(step.name, job.instance_count, "TransformResources", "InstanceCount"),
        instance_type=build.value(job.instance_type),
        strategy=build.value(job.strategy),
        assemble_with=build.value(job.assemble_with),
        output_path=build.value(job.output_path) if job.output_path else build.s3(step.name, bucket=bucket),
        output_kms_key=key,
        volume_kms_key=key,
        accept=build.value(job.accept or job.content_type),
        max_concurrent_transforms=build.value(job.max_concurrent_transforms),
        max_payload=build.value(job.max_payload),
        env={name: build.text(value) for name, value in job.env.items()} or None,
        tags=build.tags(step, job.tags),
        base_transform_job_name=build.upload_name(step),
        sagemaker_session=build.session,
    )
    ((_, data),) = build.inputs(step)
    if step.settings.chain_input_additional_prefix:
        data = Join(on="/", values=[data, step.settings.chain_input_additional_prefix])
    client = {}
    if job.max_runtime_seconds is not None:
        client["InvocationsTimeoutInSeconds"] = build.value(job.max_runtime_seconds)
    compiled = TransformStep(
        name=step.name,
        step_args=transformer.transform(
            data=data,
            content_type=build.value(job.content_type),
            split_type=build.value(job.split_type),
            input_filter=build.value(job.input_filter),
            output_filter=build.value(job.output_filter),
            join_source=build.value(job.join_source),
            model_client_config=client or None,
        ),
        cache_config=build.cache(step),
        retry_policies=build.retries(step),
    )
    build.name_job(step, "TransformJobName", job.base_job_name)
    build.outputs[step.name] = {"transform": compiled.properties.TransformOutput.S3OutputPath}
    return compiled
