"""Tags of the resources that this service knows."""

from collections.abc import Iterable

from local_sagemaker.core import paging
from local_sagemaker.core.errors import NotFound, ValidationError
from local_sagemaker.core.store import Document, Store

_MOST = 50

# The resource part of an ARN up to its first slash is the kind of document, the rest its key.
KINDS = frozenset(
    {
        "hyper-parameter-tuning-job",
        "model",
        "model-package",
        "model-package-group",
        "pipeline",
        "processing-job",
        "training-job",
        "transform-job",
    }
)


class Tags:
    """AddTags, ListTags and DeleteTags, and the tags given at creation."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def put(self, arn: str, tags: Iterable[Document]) -> list[Document]:
        """Add `tags` to those of `arn`; a key that is there gets the new value. Returns all of them.

        Raises ValidationError when there would be more than 50.
        """
        new = {tag["Key"]: tag["Value"] for tag in tags}
        if not new:
            return self.get(arn)
        self._store.create("tags", arn, {"Tags": []})

        def change(body: Document) -> None:
            merged = {tag["Key"]: tag["Value"] for tag in body["Tags"]} | new
            if len(merged) > _MOST:
                raise ValidationError(f"{arn} would have {len(merged)} tags; {_MOST} are the most")
            body["Tags"] = [{"Key": key, "Value": value} for key, value in merged.items()]

        all_of_them: list[Document] = self._store.update("tags", arn, change)["Tags"]
        return all_of_them

    def get(self, arn: str) -> list[Document]:
        """The tags of `arn`, oldest first."""
        body = self._store.get("tags", arn)
        return list(body["Tags"]) if body else []

    def forget(self, arn: str) -> None:
        """Remove all tags of a resource that is removed itself."""
        self._store.delete("tags", arn)

    def add_tags(self, request: Document) -> Document:
        """AddTags. Raises NotFound when the resource does not exist."""
        self._check(request["ResourceArn"])
        return {"Tags": self.put(request["ResourceArn"], request["Tags"])}

    def list_tags(self, request: Document) -> Document:
        """ListTags. Raises NotFound when the resource does not exist."""
        self._check(request["ResourceArn"])
        return paging.page(self.get(request["ResourceArn"]), request, "Tags", lambda tag: str(tag["Key"]))

    def delete_tags(self, request: Document) -> Document:
        """DeleteTags; keys that are not there are no error."""
        arn = request["ResourceArn"]
        self._check(arn)
        left = [tag for tag in self.get(arn) if tag["Key"] not in request["TagKeys"]]
        self.forget(arn)
        self.put(arn, left)
        return {}

    def _check(self, arn: str) -> None:
        resource, _, key = arn.split(":", 5)[5].partition("/")
        if resource not in KINDS:
            raise ValidationError(
                f"tags of a {resource!r} are not supported; they are of: {', '.join(sorted(KINDS))}"
            )
        if self._store.get(resource, key) is None:
            raise NotFound(f"{arn} does not exist")
