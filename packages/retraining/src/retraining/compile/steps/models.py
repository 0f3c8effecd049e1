"""CreateModel and RegisterModel steps, and the repacking of a model with its inference code.

A Lambda step that registers a model takes the same parts of the request from here.
"""

from typing import Any

from retraining.compile import sdk_internals
from retraining.compile.build import Build
from retraining.config.flow import chaining, images
from retraining.config.flow.sections import ResolvedStep
from retraining.config.schema.model import JsonFile, Model, Registry

_CODE = "/opt/ml/model/code"


def create_model(build: Build, step: ResolvedStep[Registry]) -> Any:
    """A SageMaker model made of what the model's training step has trained."""
    transform = step.model.transform
    network = build.network(step)
    isolated = network.enable_network_isolation
    if transform is not None and transform.enable_network_isolation is not None:
        isolated = transform.enable_network_isolation
    request: dict[str, Any] = {
        "ExecutionRoleArn": build.role(step, transform.role if transform else None, ("ExecutionRoleArn",)),
        "PrimaryContainer": _container(build, step, *images.served(transform, step.section)),
        "Tags": build.tags(step),
    }
    if step.model.name:
        request["ModelName"] = step.model.name
    if isolated:
        request["EnableNetworkIsolation"] = True
    if network.subnets:
        request["VpcConfig"] = {"Subnets": network.subnets, "SecurityGroupIds": network.security_groups_id}
    return _model_step(build, step, "create_model", request)


def register_model(build: Build, step: ResolvedStep[Registry]) -> Any:
    """One version of the model package group, with the model quality that the evaluation wrote."""
    from sagemaker.core.workflow.execution_variables import ExecutionVariables

    registry = step.section
    serving = registry.InferenceSpecification
    request: dict[str, Any] = {
        "ModelPackageGroupName": build.configuration.package_group(step.model_name),
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
    if quality := model_quality(build, step):
        request["ModelMetrics"] = {"ModelQuality": {"Statistics": quality}}
    return _model_step(build, step, "create_model_package_from_containers", request)


def _model_step(build: Build, step: ResolvedStep[Registry], caller: str, request: dict[str, Any]) -> Any:
    return sdk_internals.model_step(
        build.session, caller, request, name=step.name, retry_policies=build.retries(step)
    )


def _container(build: Build, step: ResolvedStep[Registry], image: Any, version: str | None) -> dict[str, Any]:
    return {
        "Image": build.image(image, version),
        "ModelDataUrl": model_data(build, step),
        "Environment": serving_environment(step.model),
    }


def serving_environment(model: Model) -> dict[str, str]:
    """What tells a serving container which program in the model answers requests."""
    program = _entry_point(model)
    # The serving containers import the program as a module; below a folder that takes dots.
    if "/" in program:
        program = program.removesuffix(".py").replace("/", ".")
    return {"SAGEMAKER_PROGRAM": program, "SAGEMAKER_SUBMIT_DIRECTORY": _CODE}


def _entry_point(model: Model) -> str:
    return (model.transform.entry_point if model.transform else None) or "inference.py"


def model_data(build: Build, step: ResolvedStep[Registry]) -> Any:
    """The trained artefact, or, with ModelRepack, one that holds the inference code as well."""
    artefact, entry_point = build.outputs[step.source]["model"], _entry_point(step.model)
    if not step.section.ModelRepack:
        return artefact
    name = build.configuration.steps[step.source].settings.repack_step
    if name not in build.outputs:
        repack = _repack(build, step, name, artefact, entry_point)
        # A model that is packed anew has another location, which would make it another model.
        repack.cache_config = build.cache(build.configuration.steps[step.source])
        build.generated.setdefault(step.source, []).append(repack)
        build.outputs[name] = {"model": repack.properties.ModelArtifacts.S3ModelArtifacts}
    return build.outputs[name]["model"]


def _repack(build: Build, step: ResolvedStep[Registry], name: str, artefact: Any, entry_point: str) -> Any:
    """The training job that puts the inference code into the model's code/ folder."""
    from sagemaker.train.configs import OutputDataConfig

    network, model, project = build.network(step), step.model, build.configuration.project
    key = build.encryption_key(step)
    source = build.source(step, entry_point)
    # The SDK's step takes neither of these.
    if volume_key := model.kms_key or project.encryption_key:
        build.late[name, ("ResourceConfig", "VolumeKmsKeyId")] = volume_key
    if network.enable_network_isolation:
        build.late[name, ("EnableNetworkIsolation",)] = True
    return sdk_internals.repack_step(
        name=name,
        sagemaker_session=build.session,
        role=build.plain(name, model.role or project.role, "RoleArn"),
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


def model_quality(build: Build, step: ResolvedStep[Registry]) -> dict[str, Any] | None:
    """The model-quality JSON of the evaluation, for the registry."""
    from sagemaker.core.workflow.functions import Join

    measured, evaluate = step.measured_by, step.model.evaluate
    if measured is None or evaluate is None:
        return None
    wanted = step.section.model_quality
    if wanted is None and measured.step_class == "Metrics" and not evaluate.outputs:
        output = chaining.METRICS_OUTPUT
        wanted = JsonFile(output=output, file=f"{output}.json")
    if wanted is None:
        return None
    uri = Join(on="/", values=[build.outputs[measured.step_name][wanted.output], wanted.file])
    return {"ContentType": build.value(evaluate.content_type), "S3Uri": uri}
