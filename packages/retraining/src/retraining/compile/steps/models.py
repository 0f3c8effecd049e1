"""CreateModel and RegisterModel steps, and the repacking of a model with its inference code."""

from typing import Any

from retraining.compile.build import Build
from retraining.config.flow import chaining, images, order
from retraining.config.schema.model import JsonFile, Unit
from retraining.config.schema.pipeline import Step

_CODE = "/opt/ml/model/code"


def create_model(build: Build, step: Step) -> Any:
    """A SageMaker model made of what the unit's training step has trained."""
    unit = build.unit(step)
    transform = unit.transform
    network = build.network(step)
    isolated = network.enable_network_isolation
    if transform is not None and transform.enable_network_isolation is not None:
        isolated = transform.enable_network_isolation
    request: dict[str, Any] = {
        "ExecutionRoleArn": build.role(step, transform.role if transform else None, ("ExecutionRoleArn",)),
        "PrimaryContainer": _container(build, step, *images.served(unit)),
        "Tags": build.tags(step),
    }
    if unit.name:
        request["ModelName"] = unit.name
    if isolated:
        request["EnableNetworkIsolation"] = True
    if network.subnets:
        request["VpcConfig"] = {"Subnets": network.subnets, "SecurityGroupIds": network.security_groups_id}
    return _model_step(build, step, "create_model", request)


def register_model(build: Build, step: Step) -> Any:
    """One version of the model package group, with the model quality that the evaluation wrote."""
    from sagemaker.core.workflow.execution_variables import ExecutionVariables

    unit = build.unit(step)
    registry = unit.registry
    assert registry is not None
    serving = registry.InferenceSpecification
    request: dict[str, Any] = {
        "ModelPackageGroupName": build.package_group(step),
        "ModelApprovalStatus": build.value(serving.approval_status),
        "InferenceSpecification": {
            "Containers": [_container(build, step, serving.image_uri, serving.framework_version)],
            "SupportedContentTypes": [build.value(item) for item in serving.supported_content_types],
            "SupportedResponseMIMETypes": [
                build.value(item) for item in serving.supported_response_MIME_types
            ],
            "SupportedTransformInstanceTypes": [
                build.value(item) for item in serving.SupportedTransformInstanceTypes
            ],
            "SupportedRealtimeInferenceInstanceTypes": [
                build.value(item) for item in serving.SupportedRealtimeInferenceInstanceTypes
            ],
        },
        "CustomerMetadataProperties": {
            "PIPELINE_ARN": ExecutionVariables.PIPELINE_EXECUTION_ARN,
            "GIT_COMMIT": build.parameters["GitCommit"],
        },
    }
    if registry.description:
        request["ModelPackageDescription"] = registry.description
    if quality := _model_quality(build, step, unit):
        request["ModelMetrics"] = {"ModelQuality": {"Statistics": quality}}
    return _model_step(build, step, "create_model_package_from_containers", request)


def _model_step(build: Build, step: Step, caller: str, request: dict[str, Any]) -> Any:
    """A ModelStep of a request made here: ModelBuilder adds empty variables and a validation of its own."""
    from types import SimpleNamespace

    from sagemaker.core.workflow.pipeline_context import _ModelStepArguments
    from sagemaker.mlops.workflow.model_step import ModelStep

    arguments = _ModelStepArguments(SimpleNamespace(sagemaker_session=build.session))
    arguments.caller_name = caller
    if caller == "create_model":
        arguments.create_model_request = request
    else:
        arguments.create_model_package_request = request
    return ModelStep(name=step.step_name, step_args=arguments, retry_policies=build.retries(step))


def _container(build: Build, step: Step, image: Any, version: str | None) -> dict[str, Any]:
    unit = build.unit(step)
    entry_point = (unit.transform.entry_point if unit.transform else None) or "inference.py"
    # The serving containers import the program as a module; below a folder that takes dots.
    program = entry_point.removesuffix(".py").replace("/", ".") if "/" in entry_point else entry_point
    environment = {"SAGEMAKER_PROGRAM": program, "SAGEMAKER_SUBMIT_DIRECTORY": _CODE}
    return {
        "Image": build.image(image, version),
        "ModelDataUrl": _model_data(build, step, unit, entry_point),
        "Environment": environment,
    }


def _model_data(build: Build, step: Step, unit: Unit, entry_point: str) -> Any:
    """The trained artefact, or, with ModelRepack, one that holds the inference code as well."""
    trained = order.trained_by(
        build.configuration.pipeline, build.configuration.dag.models[step.step_name], step
    )
    assert trained is not None
    assert unit.registry is not None
    artefact = build.outputs[trained.step_name]["model"]
    if not unit.registry.ModelRepack:
        return artefact
    name = f"{trained.step_name}-RepackModel"
    if name not in build.outputs:
        made = _repack(build, step, name, artefact, entry_point)
        build.beside.setdefault(trained.step_name, []).append(made)
        build.outputs[name] = {"model": made.properties.ModelArtifacts.S3ModelArtifacts}
    return build.outputs[name]["model"]


def _repack(build: Build, step: Step, name: str, artefact: Any, entry_point: str) -> Any:
    """The SDK's training job that puts the inference code into the model's code/ folder."""
    from sagemaker.mlops.workflow._utils import _RepackModelStep
    from sagemaker.train.configs import OutputDataConfig

    network, unit, project = build.network(step), build.unit(step), build.configuration.project
    key = build.encryption_key(step)
    source = build.source(step, entry_point)
    # The SDK's step takes neither of these.
    if volume_key := unit.kms_key or project.encryption_key:
        build.late[name, ("ResourceConfig", "VolumeKmsKeyId")] = volume_key
    if network.enable_network_isolation:
        build.late[name, ("EnableNetworkIsolation",)] = True
    return _RepackModelStep(
        name=name,
        sagemaker_session=build.session,
        role=build.plain(name, unit.role or project.role, "RoleArn"),
        model_data=artefact,
        entry_point=entry_point,
        source_dir=source,
        requirements=build.requirements(source, entry_point),
        subnets=network.subnets or None,
        security_group_ids=network.security_groups_id or None,
        retry_policies=build.retries(step, is_job=True),
        base_job_name=f"{build.upload_name(step)}-repack",
        tags=[{"key": tag["Key"], "value": tag["Value"]} for tag in build.tags(step)],
        output_data_config=OutputDataConfig(
            s3_output_path=build.s3(name), **({"kms_key_id": key} if key else {})
        ),
    )


def _model_quality(build: Build, step: Step, unit: Unit) -> dict[str, Any] | None:
    """Where the model-quality JSON of the evaluation stands, for the registry."""
    from sagemaker.core.workflow.functions import Join

    assert unit.registry is not None
    configuration = build.configuration
    measured = order.measured_by(configuration.pipeline, configuration.dag.models[step.step_name], step)
    if measured is None or unit.evaluate is None:
        return None
    wanted = unit.registry.model_quality
    if wanted is None and measured.step_class == "Metrics" and not unit.evaluate.outputs:
        output = chaining.METRICS_OUTPUT
        wanted = JsonFile(output=output, file=f"{output}.json")
    if wanted is None:
        return None
    uri = Join(on="/", values=[build.outputs[measured.step_name][wanted.output], wanted.file])
    return {"ContentType": build.value(unit.evaluate.content_type), "S3Uri": uri}
