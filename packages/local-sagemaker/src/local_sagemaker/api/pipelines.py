"""Pipelines and their versions."""

import threading

from botocore.exceptions import BotoCoreError, ClientError

from local_sagemaker.core import clock, paging
from local_sagemaker.core.errors import Conflict, NotFound, ValidationError
from local_sagemaker.core.settings import Settings, arn
from local_sagemaker.core.store import Document, Store
from local_sagemaker.core.tags import Tags
from local_sagemaker.definition import parse

_LARGEST = 1048576  # characters of a definition, as CreatePipeline's model has it
_KEPT = ("PipelineDisplayName", "PipelineDescription", "RoleArn", "ParallelismConfiguration")


class Pipelines:
    """Pipelines are kept under their name; each definition is a version under ``<ARN>/<number>``."""

    def __init__(self, settings: Settings, store: Store, tags: Tags) -> None:
        self._settings = settings
        self._store = store
        self._tags = tags
        self._lock = threading.RLock()

    def create(self, request: Document) -> Document:
        """CreatePipeline.

        The same ClientRequestToken again gives the pipeline made before. Raises ValidationError for
        a name in use ("already exists") and for a definition that would not run.
        """
        name = request["PipelineName"]
        with self._lock:
            existing = self._store.get("pipeline", name)
            if existing and existing["ClientRequestToken"] == request["ClientRequestToken"]:
                return {"PipelineArn": existing["PipelineArn"]}
            if existing:
                raise ValidationError(
                    "Pipeline names must be unique within an AWS account and region."
                    f" Pipeline with name ({name}) already exists."
                )
            text = self._definition(request)
            now = clock.now()
            body: Document = {
                "PipelineName": name,
                "PipelineDisplayName": name,
                "PipelineArn": arn(self._settings, f"pipeline/{name}"),
                "PipelineStatus": "Active",
                "ClientRequestToken": request["ClientRequestToken"],
                "CreationTime": now,
                "LastModifiedTime": now,
                "CreatedBy": {},
                "LastModifiedBy": {},
                "LatestVersion": 1,
                **{member: request[member] for member in _KEPT if member in request},
            }
            with self._store.transaction():
                self._tags.put(body["PipelineArn"], request.get("Tags", []))
                self._add_version(body["PipelineArn"], 1, text, now)
                self._store.create("pipeline", name, body)
        return {"PipelineArn": body["PipelineArn"]}

    def update(self, request: Document) -> Document:
        """UpdatePipeline; a definition in the request becomes the next version."""
        with self._lock:
            pipeline = self.find(request["PipelineName"])
            now = clock.now()
            version = pipeline["LatestVersion"]
            text = None
            if "PipelineDefinition" in request or "PipelineDefinitionS3Location" in request:
                text = self._definition(request)
                version += 1
            change = {member: request[member] for member in _KEPT if member in request}
            change |= {"LastModifiedTime": now, "LatestVersion": version}
            with self._store.transaction():
                if text is not None:
                    self._add_version(pipeline["PipelineArn"], version, text, now)
                self._store.update("pipeline", pipeline["PipelineName"], lambda body: body.update(change))
        return {"PipelineArn": pipeline["PipelineArn"], "PipelineVersionId": version}

    def describe(self, request: Document) -> Document:
        """DescribePipeline, the latest version unless one is asked for."""
        pipeline = self.find(request["PipelineName"])
        version = self.version(pipeline, request.get("PipelineVersionId"))
        return {**version, **pipeline, "PipelineDefinition": version["PipelineDefinition"]}

    def list(self, request: Document) -> Document:
        """ListPipelines, newest first."""
        prefix = request.get("PipelineNamePrefix", "")
        summaries = [
            {**pipeline, "LastExecutionTime": pipeline.get("LastRunTime")}
            for pipeline in self._store.list("pipeline")
            if pipeline["PipelineName"].startswith(prefix)
        ]
        summaries = paging.select(summaries, request, name="PipelineName", sort_keys={"Name": "PipelineName"})
        return paging.page(
            summaries, request, "PipelineSummaries", lambda pipeline: str(pipeline["PipelineArn"])
        )

    def delete(self, request: Document) -> Document:
        """DeletePipeline, its executions included. Raises Conflict while one of them runs."""
        with self._lock:
            pipeline = self.find(request["PipelineName"])
            pipeline_arn = pipeline["PipelineArn"]
            executions = self._store.list("execution", pipeline_arn)
            running = [e for e in executions if e["PipelineExecutionStatus"] in ("Executing", "Stopping")]
            if running:
                raise Conflict(
                    f"Pipeline {pipeline['PipelineName']} cannot be deleted while an execution runs:"
                    f" stop {running[0]['PipelineExecutionArn']} first"
                )
            with self._store.transaction():
                for execution in executions:
                    self._store.delete_children("step", execution["PipelineExecutionArn"])
                for kind in ("execution", "pipeline-version", "cache"):
                    self._store.delete_children(kind, pipeline_arn)
                self._store.delete("pipeline", pipeline["PipelineName"])
                self._tags.forget(pipeline_arn)
        return {"PipelineArn": pipeline_arn}

    def list_versions(self, request: Document) -> Document:
        """ListPipelineVersions, newest first."""
        pipeline = self.find(request["PipelineName"])
        versions = self._store.list("pipeline-version", pipeline["PipelineArn"])
        versions = paging.select(versions, request, name="PipelineArn", sort_keys={})
        return paging.page(
            versions, request, "PipelineVersionSummaries", lambda v: str(v["PipelineVersionId"])
        )

    def update_version(self, request: Document) -> Document:
        """UpdatePipelineVersion: its display name and description."""
        pipeline = self.find(request["PipelineArn"])
        version = self.version(pipeline, request["PipelineVersionId"])
        members = ("PipelineVersionDisplayName", "PipelineVersionDescription")
        change = {member: request[member] for member in members if member in request}
        self._store.update("pipeline-version", _key(version), lambda body: body.update(change))
        return {"PipelineArn": pipeline["PipelineArn"], "PipelineVersionId": version["PipelineVersionId"]}

    def find(self, name_or_arn: str) -> Document:
        """A pipeline's document; raises NotFound."""
        name = name_or_arn.partition(":pipeline/")[2] if name_or_arn.startswith("arn:") else name_or_arn
        pipeline = self._store.get("pipeline", name)
        if pipeline is None:
            raise NotFound(f"Pipeline '{arn(self._settings, f'pipeline/{name}')}' does not exist.")
        return pipeline

    def version(self, pipeline: Document, number: int | None = None) -> Document:
        """A version's document, the latest when `number` is None; raises NotFound."""
        wanted = pipeline["LatestVersion"] if number is None else number
        version = self._store.get("pipeline-version", f"{pipeline['PipelineArn']}/{wanted}")
        if version is None:
            raise NotFound(
                f"Pipeline '{pipeline['PipelineArn']}' has no version {wanted};"
                f" the latest is {pipeline['LatestVersion']}"
            )
        return version

    def note_execution(self, pipeline: Document, version: int, execution_arn: str, when: float) -> None:
        """Keep that an execution was started."""
        self._store.update("pipeline", pipeline["PipelineName"], lambda body: body.update(LastRunTime=when))
        self._store.update(
            "pipeline-version",
            f"{pipeline['PipelineArn']}/{version}",
            lambda body: body.update(LastExecutionPipelineExecutionArn=execution_arn),
        )

    def _add_version(self, pipeline_arn: str, number: int, text: str, now: float) -> None:
        body = {
            "PipelineArn": pipeline_arn,
            "PipelineVersionId": number,
            "PipelineDefinition": text,
            "CreationTime": now,
        }
        self._store.create("pipeline-version", _key(body), body, parent=pipeline_arn)

    def _definition(self, request: Document) -> str:
        if ("PipelineDefinition" in request) == ("PipelineDefinitionS3Location" in request):
            raise ValidationError(
                "Either PipelineDefinition or PipelineDefinitionS3Location must be given, and not both"
            )
        text: str = request.get("PipelineDefinition") or self._download(
            request["PipelineDefinitionS3Location"]
        )
        parse.parse(text)
        return text

    def _download(self, location: Document) -> str:
        uri = f"s3://{location['Bucket']}/{location['ObjectKey']}"
        version = {"VersionId": location["VersionId"]} if "VersionId" in location else {}
        try:
            answer = self._settings.client("s3").get_object(
                Bucket=location["Bucket"], Key=location["ObjectKey"], **version
            )
            text: str = answer["Body"].read().decode()
        except (ClientError, BotoCoreError, UnicodeDecodeError) as error:
            raise ValidationError(f"PipelineDefinitionS3Location {uri} cannot be read: {error}") from error
        if len(text) > _LARGEST:
            raise ValidationError(
                f"the definition at {uri} has {len(text)} characters; {_LARGEST} are the most"
            )
        return text


def _key(version: Document) -> str:
    return f"{version['PipelineArn']}/{version['PipelineVersionId']}"
