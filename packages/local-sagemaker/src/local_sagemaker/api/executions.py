"""Pipeline executions: starting, describing, stopping, retrying."""

import secrets
import string
import threading
import time

from local_sagemaker.api.pipelines import Pipelines
from local_sagemaker.core import clock, paging
from local_sagemaker.core.errors import Conflict, NotFound, ValidationError
from local_sagemaker.core.settings import Settings
from local_sagemaker.core.store import Document, Store
from local_sagemaker.definition import expressions, parameters, parse
from local_sagemaker.definition.cache import Cache
from local_sagemaker.definition.expressions import ExpressionError
from local_sagemaker.engine import selection
from local_sagemaker.engine.execution import Execution, fail
from local_sagemaker.engine.scheduler import SUCCEEDED
from local_sagemaker.engine.scope import ExecutionScope
from local_sagemaker.jobs.registry import Jobs
from local_sagemaker.registry.model_packages import ModelPackages

_ALPHABET = string.ascii_lowercase + string.digits
_TOKEN_AGE = 86_400.0  # seconds
_RUNNING = ("Executing", "Stopping")
_INTERRUPTED = (
    "the local services were stopped while this execution ran; start it again: finished steps are cache hits"
)
_KEPT = (
    "PipelineExecutionDisplayName",
    "PipelineExecutionDescription",
    "ParallelismConfiguration",
    "SelectiveExecutionConfig",
)


class Executions:
    """Executions are kept under their ARN, their steps under ``<execution ARN>/<step>``."""

    def __init__(
        self, settings: Settings, store: Store, jobs: Jobs, pipelines: Pipelines, packages: ModelPackages
    ) -> None:
        self._settings = settings
        self._store = store
        self._jobs = jobs
        self._pipelines = pipelines
        self._packages = packages
        self._cache = Cache(store)
        self._lock = threading.RLock()
        self._running: dict[str, Execution] = {}

    def recover(self) -> None:
        """At the server's start: what a server that ended left running has failed.

        Idempotency tokens older than a day are forgotten; clients repeat a request within minutes.
        """
        self._store.prune("token", time.time() - _TOKEN_AGE)
        for execution in self._store.list("execution"):
            if execution["PipelineExecutionStatus"] in _RUNNING:
                fail(self._store, execution, _INTERRUPTED)

    def close(self) -> None:
        """At the server's end: nothing more starts, nothing more is written; jobs end with `Jobs.close`."""
        with self._lock:
            running = list(self._running.values())
        for execution in running:
            execution.abandon()

    def start(self, request: Document) -> Document:
        """StartPipelineExecution.

        The same ClientRequestToken again gives the execution started before. Raises NotFound for a
        pipeline or version that does not exist and ValidationError for parameters that do not fit.
        """
        with self._lock:
            pipeline = self._pipelines.find(request["PipelineName"])
            token = f"{pipeline['PipelineArn']}/start/{request['ClientRequestToken']}"
            made = self._store.get("token", token)
            if made and self._store.get("execution", made["Arn"]):  # else of a pipeline deleted since
                return {"PipelineExecutionArn": made["Arn"]}
            execution, scope = self._new(pipeline, request)
            arn = execution["PipelineExecutionArn"]
            kept = selection.select(self._store, scope.definition, execution)
            with self._store.transaction():
                self._store.create("execution", arn, execution, parent=pipeline["PipelineArn"])
                for record in kept:
                    self._store.create("step", f"{arn}/{record['StepName']}", record, parent=arn)
                self._store.delete("token", token)
                self._store.create("token", token, {"Arn": arn})
                self._pipelines.note_execution(
                    pipeline, execution["PipelineVersionId"], arn, execution["CreationTime"]
                )
            self._run(scope, selection.states(scope.definition, execution))
        return {"PipelineExecutionArn": arn}

    def describe(self, request: Document) -> Document:
        """DescribePipelineExecution."""
        return self._find(request["PipelineExecutionArn"])

    def list(self, request: Document) -> Document:
        """ListPipelineExecutions, newest first."""
        pipeline = self._pipelines.find(request["PipelineName"])
        summaries = [
            {
                **execution,
                "StartTime": execution["CreationTime"],
                "PipelineExecutionFailureReason": execution.get("FailureReason"),
            }
            for execution in self._store.list("execution", pipeline["PipelineArn"])
        ]
        keys = {"PipelineExecutionArn": "PipelineExecutionArn"}
        summaries = paging.select(summaries, request, name="PipelineExecutionArn", sort_keys=keys)
        return paging.page(
            summaries, request, "PipelineExecutionSummaries", lambda e: str(e["PipelineExecutionArn"])
        )

    def list_steps(self, request: Document) -> Document:
        """ListPipelineExecutionSteps: the steps that started, the latest first."""
        if "PipelineExecutionArn" not in request:  # the model does not require it, the service does
            raise ValidationError("PipelineExecutionArn must be given")
        execution = self._find(request["PipelineExecutionArn"])
        records = self._store.list("step", execution["PipelineExecutionArn"])
        records = paging.select(records, request, name="StepName", sort_keys={})
        return paging.page(records, request, "PipelineExecutionSteps", lambda record: str(record["StepName"]))

    def list_parameters(self, request: Document) -> Document:
        """ListPipelineParametersForExecution: every parameter with the value it had."""
        execution = self._find(request["PipelineExecutionArn"])
        listed = [
            {"Name": name, "Value": expressions.to_text(value)}
            for name, value in execution["Parameters"].items()
        ]
        return paging.page(listed, request, "PipelineParameters", lambda parameter: str(parameter["Name"]))

    def describe_definition(self, request: Document) -> Document:
        """DescribePipelineDefinitionForExecution."""
        return self._version(self._find(request["PipelineExecutionArn"]))

    def update(self, request: Document) -> Document:
        """UpdatePipelineExecution; a new parallelism counts from the next retry on."""
        arn = self._find(request["PipelineExecutionArn"])["PipelineExecutionArn"]
        change = {member: request[member] for member in _KEPT if member in request}
        change["LastModifiedTime"] = clock.now()
        self._store.update("execution", arn, lambda body: body.update(change))
        return {"PipelineExecutionArn": arn}

    def stop(self, request: Document) -> Document:
        """StopPipelineExecution. Raises Conflict when it ended already; asking twice is no error."""
        with self._lock:
            execution = self._find(request["PipelineExecutionArn"])
            arn = execution["PipelineExecutionArn"]
            if execution["PipelineExecutionStatus"] not in _RUNNING:
                status = execution["PipelineExecutionStatus"]
                raise Conflict(f"Pipeline execution {arn} is {status}: it cannot be stopped")

            def change(body: Document) -> None:
                if body["PipelineExecutionStatus"] == "Executing":
                    body.update(PipelineExecutionStatus="Stopping", LastModifiedTime=clock.now())

            self._store.update("execution", arn, change)
            if arn in self._running:
                self._running[arn].stop()
        return {"PipelineExecutionArn": arn}

    def retry(self, request: Document) -> Document:
        """RetryPipelineExecution: run again what did not succeed.

        Raises Conflict unless the execution failed or was stopped.
        """
        token = f"{request['PipelineExecutionArn']}/retry/{request['ClientRequestToken']}"
        with self._lock:
            if made := self._store.get("token", token):
                return {"PipelineExecutionArn": made["Arn"]}
            execution = self._find(request["PipelineExecutionArn"])
            arn = execution["PipelineExecutionArn"]
            if execution["PipelineExecutionStatus"] not in ("Failed", "Stopped"):
                status = execution["PipelineExecutionStatus"]
                raise Conflict(
                    f"Pipeline execution {arn} is {status}: only Failed and Stopped ones can be retried"
                )
            change: Document = {"PipelineExecutionStatus": "Executing", "FailureReason": None}
            change |= {
                member: request[member] for member in ("ParallelismConfiguration",) if member in request
            }
            with self._store.transaction():
                scope = self._scope(self._store.update("execution", arn, lambda body: body.update(change)))
                states = selection.states(scope.definition, execution)
                for record in self._store.list("step", arn):
                    if record["StepStatus"] == SUCCEEDED:
                        states[record["StepName"]] = SUCCEEDED
                    else:
                        self._store.delete("step", f"{arn}/{record['StepName']}")
                self._store.create("token", token, {"Arn": arn})
            self._run(scope, states)
        return {"PipelineExecutionArn": arn}

    def _new(self, pipeline: Document, request: Document) -> tuple[Document, ExecutionScope]:
        version = self._pipelines.version(pipeline, request.get("PipelineVersionId"))
        identity = "".join(secrets.choice(_ALPHABET) for _ in range(12))
        now = clock.now()
        inherited = {m: pipeline[m] for m in ("ParallelismConfiguration",) if m in pipeline}
        execution: Document = {
            "PipelineArn": pipeline["PipelineArn"],
            "PipelineExecutionArn": f"{pipeline['PipelineArn']}/execution/{identity}",
            "PipelineExecutionDisplayName": f"execution-{int(now * 1000)}",
            "PipelineExecutionStatus": "Executing",
            "PipelineVersionId": version["PipelineVersionId"],
            "CreationTime": now,
            "LastModifiedTime": now,
            "CreatedBy": {},
            "LastModifiedBy": {},
            **inherited,
            **{member: request[member] for member in _KEPT if member in request},
        }
        parsed = parse.parse(version["PipelineDefinition"])
        execution["Parameters"] = parameters.values(parsed.parameters, request.get("PipelineParameters", []))
        scope = self._scope(execution, parsed)
        try:
            execution["PipelineExperimentConfig"] = expressions.resolve(parsed.experiment, scope)
            execution["MLflowConfig"] = expressions.resolve(parsed.mlflow, scope)
        except ExpressionError as error:
            raise ValidationError(f"PipelineExperimentConfig or MlflowConfig: {error}") from error
        if "MlflowExperimentName" in request:
            execution["MLflowConfig"]["MlflowExperimentName"] = request["MlflowExperimentName"]
        return execution, scope

    def _run(self, scope: ExecutionScope, states: dict[str, str]) -> None:
        """Start the execution, which fails at once where the system starts no more threads."""
        execution = Execution(scope, self._cache, states)
        try:
            execution.start()
        except RuntimeError as error:
            fail(self._store, scope.execution, f"InternalServerError: the execution was not started: {error}")
            return
        self._running = {arn: other for arn, other in self._running.items() if not other.has_ended}
        self._running[execution.arn] = execution

    def _scope(self, execution: Document, parsed: parse.Definition | None = None) -> ExecutionScope:
        return ExecutionScope(
            settings=self._settings,
            store=self._store,
            jobs=self._jobs,
            packages=self._packages,
            execution=execution,
            definition=parsed or parse.parse(self._version(execution)["PipelineDefinition"]),
            values=execution["Parameters"],
        )

    def _version(self, execution: Document) -> Document:
        pipeline = self._pipelines.find(execution["PipelineArn"])
        return self._pipelines.version(pipeline, execution["PipelineVersionId"])

    def _find(self, arn: str) -> Document:
        execution = self._store.get("execution", arn)
        if execution is None:
            raise NotFound(f"Pipeline execution '{arn}' does not exist.")
        return execution
