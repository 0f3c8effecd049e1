"""Processing and Metrics steps: a processing job that runs one script."""

import shlex
from typing import Any

from retraining.compile.build import Build
from retraining.config.flow import chaining
from retraining.config.schema.job import ProcessingJob
from retraining.config.schema.pipeline import Step

CODE = "/opt/ml/processing/input/code"


def processing(build: Build, step: Step) -> Any:
    """A processing job that runs one script on its channels and writes its outputs."""
    from sagemaker.mlops.workflow.steps import ProcessingStep

    unit = build.unit(step)
    job: ProcessingJob = chaining.section_of(unit, step)
    source = build.source(step, job.entry_point)
    made = ProcessingStep(
        name=step.step_name,
        step_args=_processor(build, step, job).run(
            code=job.entry_point,
            source_dir=source,
            requirements=build.requirements(source, job.entry_point),
            inputs=_inputs(build, step, job),
            outputs=_outputs(build, step, job),
            arguments=[
                part for name, value in job.arguments.items() for part in (f"--{name}", build.text(value))
            ]
            or None,
        ),
        property_files=_property_files(build, step, job),
        cache_config=build.cache(step),
        retry_policies=build.retries(step),
    )
    build.name_job(step, "ProcessingJobName", job.base_job_name)
    found = made.properties.ProcessingOutputConfig.Outputs
    build.outputs[step.step_name] = {
        name: found[name].S3Output.S3Uri for name in chaining.outputs_of(unit, step)
    }
    return made


def _processor(build: Build, step: Step, job: ProcessingJob) -> Any:
    from sagemaker.core.network import NetworkConfig
    from sagemaker.core.processing import FrameworkProcessor

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
            step.step_name, job.max_runtime_seconds, "StoppingCondition", "MaxRuntimeInSeconds"
        ),
        base_job_name=build.upload_name(step),
        sagemaker_session=build.session,
        env=env or None,
        tags=build.tags(step, job.tags),
        network_config=network_config if needs_network else None,
    )
    # The SDK starts a script by its file's name, as if each stood at the top of its folder.
    upload, script = processor._create_and_upload_runproc, shlex.quote(job.entry_point)
    processor._create_and_upload_runproc = lambda _, *args, **settings: upload(script, *args, **settings)
    return processor


def _inputs(build: Build, step: Step, job: ProcessingJob) -> list[Any]:
    from sagemaker.core.shapes import ProcessingInput, ProcessingS3Input

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


def _outputs(build: Build, step: Step, job: ProcessingJob) -> list[Any]:
    from sagemaker.core.shapes import ProcessingOutput, ProcessingS3Output

    buckets = {name: channel.s3BucketName for name, channel in job.channels.items() if channel.s3BucketName}
    only = next(iter(buckets.values()), None) if step.step_class == "Metrics" else None
    return [
        ProcessingOutput(
            output_name=name,
            s3_output=ProcessingS3Output(
                s3_uri=build.s3(step.step_name, name, bucket=buckets.get(name, only)),
                local_path=path,
                s3_upload_mode=build.value(job.s3_upload_mode),
            ),
        )
        for name, path in chaining.outputs_of(build.unit(step), step).items()
    ]


def _property_files(build: Build, step: Step, job: ProcessingJob) -> list[Any] | None:
    """What a condition reads by JsonGet: the gate's file, where this job writes it."""
    from sagemaker.core.workflow.properties import PropertyFile

    gate = build.unit(step).gate
    if gate is None or gate.output not in chaining.outputs_of(build.unit(step), step):
        return None
    return [PropertyFile(name=gate.output, output_name=gate.output, path=gate.file)]
