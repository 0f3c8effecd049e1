"""The HTTP face: SageMaker's JSON protocol, one table of operations.

A request is ``POST /`` with the header ``X-Amz-Target: SageMaker.<Operation>`` and a JSON body; an
error is HTTP 400 with ``{"__type": code, "message": text}``.
"""

import contextlib
import json
import os
import secrets
import sqlite3
import traceback
from collections.abc import AsyncIterator, Callable

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local_sagemaker.api.access import Access
from local_sagemaker.api.executions import Executions
from local_sagemaker.api.jobs import JobOperations
from local_sagemaker.api.pipelines import Pipelines
from local_sagemaker.api.tuning_jobs import TuningOperations
from local_sagemaker.core import wire
from local_sagemaker.core.errors import ApiError, SerializationError, UnknownOperation
from local_sagemaker.core.settings import Settings
from local_sagemaker.core.store import Document, Store
from local_sagemaker.core.tags import Tags
from local_sagemaker.jobs.registry import Jobs
from local_sagemaker.registry.model_packages import ModelPackages
from local_sagemaker.registry.models import Models

Operation = Callable[[Document], Document]

_TARGET = "SageMaker."
_MEDIA_TYPE = "application/x-amz-json-1.1"


def create_app(settings: Settings, store: Store, jobs: Jobs) -> Starlette:
    """The API of one project. What an earlier process left running is marked as failed."""
    tags = Tags(store)
    pipelines = Pipelines(settings, store, tags)
    packages = ModelPackages(settings, store, tags)
    executions = Executions(settings, store, jobs, pipelines, packages)
    executions.recover()
    table = {
        **_pipeline_operations(pipelines, executions),
        **_package_operations(packages),
        **_job_operations(JobOperations(jobs, "processing-job", "ProcessingJob"), "ProcessingJob"),
        **_job_operations(JobOperations(jobs, "training-job", "TrainingJob"), "TrainingJob"),
        **_job_operations(JobOperations(jobs, "transform-job", "TransformJob"), "TransformJob"),
        **_model_operations(Models(settings, store, tags)),
        **_tuning_operations(TuningOperations(jobs)),
        "AddTags": tags.add_tags,
        "DeleteTags": tags.delete_tags,
        "ListTags": tags.list_tags,
    }

    async def handle(request: Request) -> Response:
        try:
            body = await request.body()
        except ClientDisconnect:
            return Response(status_code=400)  # that nobody reads
        return await run_in_threadpool(_answer, table, request.headers.get("x-amz-target", ""), body)

    async def health(_: Request) -> Response:
        return JSONResponse({"service": "local-sagemaker", "root": str(settings.root), "pid": os.getpid()})

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        executions.close()

    return Starlette(
        routes=[Route("/", handle, methods=["POST"]), Route("/health", health)],
        middleware=[
            Middleware(
                Access,
                token=settings.session_token,
                port=settings.sagemaker_port,
                command=settings.command,
                is_public=lambda method, path: path == "/health",
            )
        ],
        lifespan=lifespan,
    )


def _pipeline_operations(pipelines: Pipelines, executions: Executions) -> dict[str, Operation]:
    return {
        "CreatePipeline": pipelines.create,
        "DeletePipeline": pipelines.delete,
        "DescribePipeline": pipelines.describe,
        "DescribePipelineDefinitionForExecution": executions.describe_definition,
        "DescribePipelineExecution": executions.describe,
        "ListPipelineExecutionSteps": executions.list_steps,
        "ListPipelineExecutions": executions.list,
        "ListPipelineParametersForExecution": executions.list_parameters,
        "ListPipelineVersions": pipelines.list_versions,
        "ListPipelines": pipelines.list,
        "RetryPipelineExecution": executions.retry,
        "StartPipelineExecution": executions.start,
        "StopPipelineExecution": executions.stop,
        "UpdatePipeline": pipelines.update,
        "UpdatePipelineExecution": executions.update,
        "UpdatePipelineVersion": pipelines.update_version,
    }


def _package_operations(packages: ModelPackages) -> dict[str, Operation]:
    return {
        "CreateModelPackage": packages.create,
        "CreateModelPackageGroup": packages.create_group,
        "DeleteModelPackage": packages.delete,
        "DeleteModelPackageGroup": packages.delete_group,
        "DescribeModelPackage": packages.describe,
        "DescribeModelPackageGroup": packages.describe_group,
        "ListModelPackageGroups": packages.list_groups,
        "ListModelPackages": packages.list,
        "UpdateModelPackage": packages.update,
    }


def _model_operations(models: Models) -> dict[str, Operation]:
    return {
        "CreateModel": models.create,
        "DeleteModel": models.delete,
        "DescribeModel": models.describe,
        "ListModels": models.list,
    }


def _job_operations(jobs: JobOperations, noun: str) -> dict[str, Operation]:
    return {
        f"Create{noun}": jobs.create,
        f"Describe{noun}": jobs.describe,
        f"List{noun}s": jobs.list,
        f"Stop{noun}": jobs.stop,
    }


def _tuning_operations(tuning: TuningOperations) -> dict[str, Operation]:
    return {
        **_job_operations(tuning, "HyperParameterTuningJob"),
        "ListTrainingJobsForHyperParameterTuningJob": tuning.list_training_jobs,
    }


def _answer(table: dict[str, Operation], target: str, body: bytes) -> Response:
    try:
        return _respond(200, _perform(table, target, body))
    except ApiError as error:
        return _respond(400, {"__type": error.code, "message": error.message})
    except (sqlite3.OperationalError, OSError) as error:
        traceback.print_exc()
        message = f"the state of the local services cannot be read or written: {error}"
        return _respond(500, {"__type": "InternalFailure", "message": message})
    except Exception as error:
        traceback.print_exc()
        message = f"a defect of local-sagemaker ({error!r}); the log of the local services says where"
        return _respond(500, {"__type": "InternalFailure", "message": message})


def _perform(table: dict[str, Operation], target: str, body: bytes) -> Document:
    if not target.startswith(_TARGET):
        raise UnknownOperation(f"the header X-Amz-Target must be {_TARGET}<Operation>, not {target!r}")
    operation = target.removeprefix(_TARGET)
    if operation not in table:
        known = ", ".join(sorted(table))
        raise UnknownOperation(f"local-sagemaker does not implement {operation}; it knows: {known}")
    try:
        request = wire.read_json(body or b"{}")
    except ValueError as error:
        raise SerializationError(f"the body is not JSON: {error}") from error
    wire.check_types(operation, request)
    return wire.serialise(operation, table[operation](wire.validate(operation, request)))


def _respond(status: int, body: Document) -> Response:
    headers = {"x-amzn-RequestId": secrets.token_hex(16)}
    return Response(json.dumps(body, allow_nan=False), status, headers, media_type=_MEDIA_TYPE)
