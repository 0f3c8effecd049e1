"""The model registry: model package groups and model packages."""

import threading

from local_sagemaker.core import clock, paging
from local_sagemaker.core.errors import Conflict, ValidationError
from local_sagemaker.core.settings import Settings, arn
from local_sagemaker.core.store import Document, Store
from local_sagemaker.core.tags import Tags

_SORT_KEYS = {"Name": "ModelPackageName"}
# Members of UpdateModelPackage that replace what the package has.
_REPLACED = (
    "ModelApprovalStatus",
    "ModelPackageRegistrationType",
    "ApprovalDescription",
    "InferenceSpecification",
    "SourceUri",
    "ModelCard",
    "ModelLifeCycle",
)


class ModelPackages:
    """Groups are kept under their name, packages under the last part of their ARN (``<group>/<version>``).

    As SageMaker does, every operation answers ValidationException, not ResourceNotFound, for a
    group or a package that does not exist.
    """

    def __init__(self, settings: Settings, store: Store, tags: Tags) -> None:
        self._settings = settings
        self._store = store
        self._tags = tags
        self._lock = threading.RLock()

    # Groups

    def create_group(self, request: Document) -> Document:
        """CreateModelPackageGroup. Raises ValidationError ("already exists") for a name in use."""
        name = request["ModelPackageGroupName"]
        group_arn = arn(self._settings, f"model-package-group/{name}")
        body = {
            **{key: value for key, value in request.items() if key != "Tags"},
            "ModelPackageGroupArn": group_arn,
            "CreationTime": clock.now(),
            "CreatedBy": {},
            "ModelPackageGroupStatus": "Completed",
            "LatestVersion": 0,
        }
        if not self._store.create("model-package-group", name, body):
            raise ValidationError(f"Model Package Group already exists: {group_arn}")
        self._tags.put(group_arn, request.get("Tags", []))
        return {"ModelPackageGroupArn": group_arn}

    def describe_group(self, request: Document) -> Document:
        """DescribeModelPackageGroup, by name or ARN."""
        return self._group(request["ModelPackageGroupName"])

    def list_groups(self, request: Document) -> Document:
        """ListModelPackageGroups; by name unless SortBy says otherwise."""
        groups = paging.select(
            self._store.list("model-package-group"),
            request,
            name="ModelPackageGroupName",
            sort_keys={"Name": "ModelPackageGroupName"},
        )
        return paging.page(
            groups, request, "ModelPackageGroupSummaryList", lambda g: str(g["ModelPackageGroupArn"])
        )

    def delete_group(self, request: Document) -> Document:
        """DeleteModelPackageGroup. Raises Conflict while it holds packages."""
        group = self._group(request["ModelPackageGroupName"])
        with self._lock:
            held = len(self._store.list("model-package", group["ModelPackageGroupArn"]))
            if held:
                raise Conflict(
                    f"Model Package Group {group['ModelPackageGroupName']} cannot be deleted:"
                    f" it contains {held} model package{'s' if held > 1 else ''}"
                )
            self._store.delete("model-package-group", group["ModelPackageGroupName"])
            self._tags.forget(group["ModelPackageGroupArn"])
        return {}

    # Packages

    def create(self, request: Document) -> Document:
        """CreateModelPackage: versioned with a group, unversioned with a name of its own.

        The same ClientToken again gives the package made before. Raises ValidationError without or
        with both names, and for a group or a source that does not exist.
        """
        if ("ModelPackageGroupName" in request) == ("ModelPackageName" in request):
            raise ValidationError(
                "Either ModelPackageName or ModelPackageGroupName must be given, and not both"
            )
        token = request.get("ClientToken")
        with self._lock, self._store.transaction():
            made = self._store.get("token", f"CreateModelPackage/{token}") if token else None
            if made and self._store.get("model-package", _key(made["Arn"])):  # else deleted since
                return {"ModelPackageArn": made["Arn"]}
            body = self._new(request)
            if token:
                self._store.delete("token", f"CreateModelPackage/{token}")
                self._store.create("token", f"CreateModelPackage/{token}", {"Arn": body["ModelPackageArn"]})
            self._tags.put(body["ModelPackageArn"], request.get("Tags", []))
        return {"ModelPackageArn": body["ModelPackageArn"]}

    def describe(self, request: Document) -> Document:
        """DescribeModelPackage, by ARN or name."""
        return self._package(request["ModelPackageName"])

    def list(self, request: Document) -> Document:
        """ListModelPackages: those of a group, or the unversioned ones, newest first."""
        if "ModelPackageGroupName" in request:
            parent = self._group(request["ModelPackageGroupName"])["ModelPackageGroupArn"]
            packages = self._store.list("model-package", parent)
        else:
            kind = request.get("ModelPackageType", "Unversioned")
            packages = [
                package
                for package in self._store.list("model-package")
                if kind == "Both" or ("ModelPackageVersion" in package) == (kind == "Versioned")
            ]
        status = request.get("ModelApprovalStatus")
        packages = [package for package in packages if status in (None, package.get("ModelApprovalStatus"))]
        packages = paging.select(packages, request, name="ModelPackageName", sort_keys=_SORT_KEYS)
        return paging.page(packages, request, "ModelPackageSummaryList", lambda p: str(p["ModelPackageArn"]))

    def update(self, request: Document) -> Document:
        """UpdateModelPackage: approval, customer metadata, inference specifications, model card."""
        package = self._package(request["ModelPackageArn"])

        def change(body: Document) -> None:
            body.update({member: request[member] for member in _REPLACED if member in request})
            metadata = body.get("CustomerMetadataProperties", {}) | request.get(
                "CustomerMetadataProperties", {}
            )
            for name in request.get("CustomerMetadataPropertiesToRemove", []):
                metadata.pop(name, None)
            if metadata or "CustomerMetadataProperties" in body:
                body["CustomerMetadataProperties"] = metadata
            if added := request.get("AdditionalInferenceSpecificationsToAdd"):
                body["AdditionalInferenceSpecifications"] = [
                    *body.get("AdditionalInferenceSpecifications", []),
                    *added,
                ]
            body["LastModifiedTime"] = clock.now()
            body["LastModifiedBy"] = {}

        self._store.update("model-package", _key(package["ModelPackageArn"]), change)
        return {"ModelPackageArn": package["ModelPackageArn"]}

    def delete(self, request: Document) -> Document:
        """DeleteModelPackage; its version number is not given again."""
        package = self._package(request["ModelPackageName"])
        self._store.delete("model-package", _key(package["ModelPackageArn"]))
        self._tags.forget(package["ModelPackageArn"])
        return {}

    def _new(self, request: Document) -> Document:
        body: Document = {
            **{key: value for key, value in request.items() if key not in ("Tags", "ClientToken")},
            "ModelPackageStatus": "Completed",
            "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
            "CreationTime": clock.now(),
            "CreatedBy": {},
        }
        if "ModelPackageGroupName" in request:
            return self._new_version(body)
        name = request["ModelPackageName"]
        body["ModelPackageArn"] = arn(self._settings, f"model-package/{name}")
        if not self._store.create("model-package", name, body):
            raise ValidationError(f"Model Package already exists: {body['ModelPackageArn']}")
        return body

    def _new_version(self, body: Document) -> Document:
        group = self._group(body["ModelPackageGroupName"])
        name = group["ModelPackageGroupName"]

        def count(document: Document) -> None:
            document["LatestVersion"] += 1

        version = self._store.update("model-package-group", name, count)["LatestVersion"]
        body.update(
            ModelPackageName=name,
            ModelPackageGroupName=name,
            ModelPackageVersion=version,
            ModelPackageArn=arn(self._settings, f"model-package/{name}/{version}"),
            ModelApprovalStatus=body.get("ModelApprovalStatus", "PendingManualApproval"),
        )
        self._store.create("model-package", f"{name}/{version}", body, parent=group["ModelPackageGroupArn"])
        return body

    def _group(self, name_or_arn: str) -> Document:
        name = name_or_arn.rpartition("/")[2]
        group = self._store.get("model-package-group", name)
        if group is None:
            wanted = arn(self._settings, f"model-package-group/{name}")
            raise ValidationError(f"Model Package Group does not exist: {wanted}")
        return group

    def _package(self, name_or_arn: str) -> Document:
        package = self._store.get("model-package", _key(name_or_arn))
        if package is None:
            raise ValidationError(f"Model Package does not exist: {name_or_arn}")
        return package


def _key(name_or_arn: str) -> str:
    return name_or_arn.partition(":model-package/")[2] if name_or_arn.startswith("arn:") else name_or_arn
