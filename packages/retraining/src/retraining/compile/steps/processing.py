"""Processing and Metrics steps: a processing job that runs one script."""

from typing import Any

from retraining.compile import sdk_internals
from retraining.compile.build import Build
from retraining.config.flow.sections import ResolvedStep
from retraining.config.schema.job import ProcessingJob

CODE = "/opt/ml/processing/input/code"


def processing(build: Build, step: ResolvedStep[ProcessingJob]) -> Any:
    """A processing job that runs one script on its channels and writes its outputs."""
    from sagemaker.mlops.workflow.steps import ProcessingStep

    job = step.section
    source = build.source(step, job.entry_point)
    compiled = ProcessingStep(
        name=step.name,
        step_args=_processor(build, step).run(
            code=job.entry_point,
            source_dir=source,
            requirements=build.requirements(source, job.entry_point),
            inputs=_inputs(build, step),
            outputs=_outputs(build, step),
            arguments=[
                part for name, value in job.arguments.items() for part in (f"--{name}", build.text(value))
            ]
            or None,
        ),
        property_files=_property_files(step),
        cache_config=build.cache(step),
        retry_policies=build.retries(step),
    )
    build.name_job(step, "ProcessingJobName", job.base_job_name)
    outputs = compiled.properties.ProcessingOutputConfig.Outputs
    build.outputs[step.name] = {name: outputs[name].S3Output.S3Uri for name in step.outputs}
    return compiled


def _processor(build: Build, step: ResolvedStep[ProcessingJob]) -> Any:
    from sagemaker.core.network import NetworkConfig
    from sagemaker.core.processing import FrameworkProcessor

    job = step.section
    network = build.network(step, job)
    network_config = NetworkConfig(
        subnets=network.subnets or None,
        security_group_ids=network.security_groups_id or None,
        enable_network_isolation=network.enable_network_isolation,
        encrypt_inter_container_traffic=network.encrypt_inter_container_traffic or None,
    )
    env = {name: build.text(value) for name, value in job.env.items()}
    if "/" in job.entry_point:
        env.setdefault("PYTHONPATH", CODE)  # modules at the top are found from a script below it
    needs_network = (
        network.subnets or network.enable_network_isolation or network.encrypt_inter_container_traffic
    )
    key = build.encryption_key(step, job.kms_key)
    processor = FrameworkProcessor(
        image_uri=build.image(job.image_uri, job.framework_version),
        role=build.role(step, job.role),
        instance_count=build.value(job.instance_count),
        instance_type=build.value(job.instance_type),
        command=["python3"],
        volume_size_in_gb=build.value(job.volume_size_in_gb),
        volume_kms_key=key,
        output_kms_key=key,
        max_runtime_in_seconds=build.plain(
            step.name, job.max_runtime_seconds, "StoppingCondition", "MaxRuntimeInSeconds"
        ),
        base_job_name=build.upload_name(step),
        sagemaker_session=build.session,
        env=env or None,
        tags=build.tags(step, job.tags),
        network_config=network_config if needs_network else None,
    )
    sdk_internals.start_by_path(processor, job.entry_point)
    return processor


def _inputs(build: Build, step: ResolvedStep[ProcessingJob]) -> list[Any]:
    from sagemaker.core.shapes import ProcessingInput, ProcessingS3Input

    job = step.section
    return [
        ProcessingInput(
            input_name=item.name,
            s3_input=ProcessingS3Input(
                s3_uri=uri,
                local_path=item.path,
                s3_data_type=build.value(job.s3_data_type),
                s3_input_mode=build.value(job.s3_input_mode),
                **(
                    {"s3_data_distribution_type": build.value(job.s3_data_distribution_type)}
                    if job.s3_data_distribution_type != "FullyReplicated"
                    else {}
                ),
            ),
        )
        for item, uri in build.inputs(step)
    ]


def _outputs(build: Build, step: ResolvedStep[ProcessingJob]) -> list[Any]:
    from sagemaker.core.shapes import ProcessingOutput, ProcessingS3Output

    job = step.section
    buckets = {name: channel.s3BucketName for name, channel in job.channels.items() if channel.s3BucketName}
    only = next(iter(buckets.values()), None) if step.step_class == "Metrics" else None
    return [
        ProcessingOutput(
            output_name=name,
            s3_output=ProcessingS3Output(
                s3_uri=build.s3(step.name, name, bucket=buckets.get(name, only)),
                local_path=path,
                s3_upload_mode=build.value(job.s3_upload_mode),
            ),
        )
        for name, path in step.outputs.items()
    ]


def _property_files(step: ResolvedStep[ProcessingJob]) -> list[Any] | None:
    """What a condition reads by JsonGet: the gate's file, where this job writes it."""
    from sagemaker.core.workflow.properties import PropertyFile

    gate = step.model.gate
    if gate is None or gate.output not in step.outputs:
        return None
    return [PropertyFile(name=gate.output, output_name=gate.output, path=gate.file)]
