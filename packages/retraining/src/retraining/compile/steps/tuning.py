"""Tuning steps: a search over hyperparameters, each try a training job."""

from typing import Any

from retraining.compile.build import Build
from retraining.compile.steps.training import channels, trainer
from retraining.config.flow.sections import ResolvedStep
from retraining.config.schema.job import Range, TuningJob
from retraining.config.schema.parameter import default_of


def tuning(build: Build, step: ResolvedStep[TuningJob]) -> Any:
    """A hyperparameter tuning job; its output `model` is the artefact of its best training job."""
    from sagemaker.core.workflow.functions import Join
    from sagemaker.mlops.workflow.steps import TuningStep
    from sagemaker.train.tuner import HyperparameterTuner

    tune, name = step.section, step.name
    limits = ("HyperParameterTuningJobConfig", "ResourceLimits")
    tuner = HyperparameterTuner(
        model_trainer=trainer(build, step),
        objective_metric_name=tune.objective_metric_name,
        hyperparameter_ranges={
            key: _range(build, value) for key, value in tune.hyperparameter_ranges.items()
        },
        metric_definitions=[
            {"Name": metric, "Regex": regex} for metric, regex in step.model.train.metric_definitions.items()
        ],
        strategy=tune.strategy,
        objective_type=tune.objective_type,
        max_jobs=build.plain(name, tune.max_jobs, *limits, "MaxNumberOfTrainingJobs"),
        max_parallel_jobs=build.plain(name, tune.max_parallel_jobs, *limits, "MaxParallelTrainingJobs"),
        early_stopping_type=tune.early_stopping_type,
        base_tuning_job_name=build.upload_name(step),
        random_seed=tune.random_seed,
        tags=build.tags(step, tune.tags),
        **_runtime(build, name, tune),
    )
    compiled = TuningStep(
        name=name,
        step_args=tuner.tune(inputs=channels(build, step)),
        cache_config=build.cache(step),
        retry_policies=build.retries(step),
    )
    _put_what_the_tuner_drops(build, step)
    # Through properties: get_top_model_s3_uri names a key of this execution, wrong after a cache hit.
    output = compiled.properties.TrainingJobDefinition.OutputDataConfig.S3OutputPath
    best = compiled.properties.BestTrainingJob.TrainingJobName
    build.outputs[name] = {"model": Join(on="/", values=[output, best, "output/model.tar.gz"])}
    return compiled


def _put_what_the_tuner_drops(build: Build, step: ResolvedStep[TuningJob]) -> None:
    """What the SDK's tuner, or its trainer, accepts and leaves out of the request."""
    tune, job = step.section, step.model.train
    build.name_job(step, "HyperParameterTuningJobName", tune.base_job_name, longest=32)
    definition = "TrainingJobDefinition"
    if key := job.kms_key or step.model.kms_key or build.configuration.project.encryption_key:
        build.late[step.name, (definition, "ResourceConfig", "VolumeKmsKeyId")] = key
    network = build.network(step, job)
    if network.enable_network_isolation:
        build.late[step.name, (definition, "EnableNetworkIsolation")] = True
    if network.encrypt_inter_container_traffic:
        build.late[step.name, (definition, "EnableInterContainerTrafficEncryption")] = True
    if tune.random_seed == 0:
        build.late[step.name, ("HyperParameterTuningJobConfig", "RandomSeed")] = 0


def _runtime(build: Build, name: str, tune: TuningJob) -> dict[str, Any]:
    if tune.max_runtime_in_seconds is None:
        return {}
    path = ("HyperParameterTuningJobConfig", "ResourceLimits", "MaxRuntimeInSeconds")
    return {"max_runtime_in_seconds": build.plain(name, tune.max_runtime_in_seconds, *path)}


def _range(build: Build, value: Range) -> Any:
    from sagemaker.core.parameter import CategoricalParameter, ContinuousParameter, IntegerParameter

    if value.values:
        return CategoricalParameter([build.text(item) for item in value.values])
    bounds = (value.min, value.max)
    whole = all(isinstance(default_of(bound), int) for bound in bounds)
    kind = IntegerParameter if whole else ContinuousParameter
    return kind(build.value(value.min), build.value(value.max), scaling_type=value.scaling)
