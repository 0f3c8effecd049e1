"""Training steps: a training job in script mode."""

from typing import Any

from retraining.compile.build import AnyStep, ArgumentPath, Build
from retraining.config.flow.sections import ResolvedStep
from retraining.config.schema.job import TrainingJob

CODE = "/opt/ml/input/data/code"


def training(build: Build, step: ResolvedStep[TrainingJob]) -> Any:
    """A training job in script mode; its output `model` is the model artefact."""
    from sagemaker.mlops.workflow.steps import TrainingStep

    compiled = TrainingStep(
        name=step.name,
        step_args=trainer(build, step).train(input_data_config=channels(build, step)),
        cache_config=build.cache(step),
        retry_policies=build.retries(step),
    )
    build.name_job(step, "TrainingJobName", step.section.base_job_name)
    build.outputs[step.name] = {"model": compiled.properties.ModelArtifacts.S3ModelArtifacts}
    return compiled


def trainer(build: Build, step: AnyStep) -> Any:
    """The SDK's ModelTrainer for the model's section `train`; of a Training or a Tuning step."""
    from sagemaker.core.shapes import StoppingCondition
    from sagemaker.train import ModelTrainer
    from sagemaker.train.configs import Compute, MetricDefinition, Networking, SourceCode

    job = step.model.train
    name = step.name
    # Where the job's own arguments begin: a tuning job holds them one level down.
    at: ArgumentPath = ("TrainingJobDefinition",) if step.step_class == "Tuning" else ()
    source = build.source(step, job.entry_point, *_inference_code(build, step))
    network = build.network(step, job)
    key = build.encryption_key(step, job.kms_key)
    env = {variable: build.text(value) for variable, value in job.env.items()}
    if "/" in job.entry_point:
        env.setdefault("PYTHONPATH", CODE)  # modules at the top are found from a script below it
    wait = {}
    if job.max_wait_seconds is not None:
        path = (*at, "StoppingCondition", "MaxWaitTimeInSeconds")
        wait["max_wait_time_in_seconds"] = build.plain(name, job.max_wait_seconds, *path)
    return ModelTrainer(
        training_image=build.image(job.image_uri, job.framework_version),
        role=build.role(step, job.role, (*at, "RoleArn")),
        base_job_name=build.upload_name(step),
        sagemaker_session=build.session,
        source_code=SourceCode(
            source_dir=source,
            entry_script=job.entry_point,
            requirements=build.requirements(source, job.entry_point),
        ),
        compute=Compute(
            instance_type=build.value(job.instance_type),
            instance_count=build.value(job.instance_count),
            volume_size_in_gb=build.plain(
                name, job.volume_size_in_gb, *at, "ResourceConfig", "VolumeSizeInGB"
            ),
            **({"volume_kms_key_id": key} if key else {}),
            **(
                {
                    "enable_managed_spot_training": build.plain(
                        name, job.use_spot_instances, *at, "EnableManagedSpotTraining"
                    )
                }
                if job.use_spot_instances is not False
                else {}
            ),
        ),
        networking=Networking(
            subnets=network.subnets or None,
            security_group_ids=network.security_groups_id or None,
            enable_network_isolation=network.enable_network_isolation or None,
            enable_inter_container_traffic_encryption=network.encrypt_inter_container_traffic or None,
        )
        if network.subnets or network.enable_network_isolation or network.encrypt_inter_container_traffic
        else None,
        stopping_condition=StoppingCondition(
            max_runtime_in_seconds=build.plain(
                name, job.max_runtime_seconds, *at, "StoppingCondition", "MaxRuntimeInSeconds"
            ),
            **wait,
        ),
        output_data_config=_output(build, step, job, key),
        checkpoint_config=_checkpoints(build, job),
        hyperparameters={key: build.text(value) for key, value in job.hyperparams.items()},
        environment=env or None,
        tags=[{"key": tag["Key"], "value": tag["Value"]} for tag in build.tags(step, job.tags)],
    ).with_metric_definitions(
        [MetricDefinition(name=name, regex=regex) for name, regex in job.metric_definitions.items()]
    )


def _inference_code(build: Build, step: AnyStep) -> list[str]:
    """Without ModelRepack the training job itself puts the inference code into the model: it needs it."""
    model = step.model
    if model.registry is None or model.registry.ModelRepack:
        return []
    entry_point = (model.transform.entry_point if model.transform else None) or "inference.py"
    path = build.configuration.root / model.source_directory / entry_point
    return [entry_point] if path.is_file() else []


def _output(build: Build, step: AnyStep, job: TrainingJob, key: Any) -> Any:
    from sagemaker.train.configs import OutputDataConfig

    return OutputDataConfig(
        s3_output_path=build.value(job.output_path) if job.output_path else build.s3(step.name),
        **({"kms_key_id": key} if key else {}),
    )


def _checkpoints(build: Build, job: TrainingJob) -> Any:
    from sagemaker.core.shapes import CheckpointConfig

    if job.checkpoint_s3_uri is None:
        return None
    return CheckpointConfig(s3_uri=build.value(job.checkpoint_s3_uri), local_path=job.checkpoint_local_path)


def channels(build: Build, step: AnyStep) -> list[Any]:
    """The job's channels, with the pretrained model of `model_data_uri` as the channel `model`."""
    from sagemaker.core.shapes import Channel, DataSource, S3DataSource

    job = step.model.train
    sources = {item.name: uri for item, uri in build.inputs(step)}
    content_types: dict[str, Any] = dict.fromkeys(sources, job.content_type)
    if job.model_data_uri is not None:
        sources["model"] = build.value(job.model_data_uri)
        content_types["model"] = "application/x-sagemaker-model"
    return [
        Channel(
            channel_name=name,
            data_source=DataSource(
                s3_data_source=S3DataSource(
                    s3_data_type="S3Prefix",
                    s3_uri=uri,
                    s3_data_distribution_type=build.value(job.distribution),
                )
            ),
            input_mode=build.value(job.input_mode),
            **({"content_type": build.value(content_types[name])} if content_types[name] else {}),
        )
        for name, uri in sources.items()
    ]
