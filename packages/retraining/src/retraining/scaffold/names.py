"""Names for the parts of a copied model that no other model's part has."""

import re
from collections.abc import Collection
from dataclasses import dataclass

S3 = re.compile(r"(s3://[^/]+)/?(.*)", re.DOTALL)


def camel(name: str) -> str:
    """``house_prices`` as ``HousePrices``."""
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[_-]+", name))


@dataclass(frozen=True)
class Names:
    """From the names of `like`, a model or an example, to those of `name`.

    Attributes:
        models: the new name of each copied model.
        steps: the names of the steps that are copied.
        data: S3 prefix of the new model's input data, with / at its end.
    """

    like: str
    name: str
    models: dict[str, str]
    steps: Collection[str]
    data: str

    def prefixed(self, name: str) -> str:
        """``TestFraction`` as ``ChurnTestFraction``: steps and pipeline parameters."""
        old = camel(self.like)
        rest = name.removeprefix(old)
        return camel(self.name) + (rest if rest[:1].isupper() else name)

    def step(self, name: str) -> str:
        """The new name of a step; a step of another model keeps its own."""
        return self.prefixed(name) if name in self.steps else name

    def hyphenated(self, model: str, name: str, length: int) -> str:
        """A job's or a group's name, with hyphens only: the model's, and what follows it."""
        old, new = (text.replace("_", "-") for text in (model, self.models[model]))
        rest = name.removeprefix(old).strip("-")
        return f"{new}-{rest}"[:length].rstrip("-") if rest else new[:length]

    def input_data(self, uri: str) -> str:
        """``s3://bucket/data/houses/`` as ``s3://bucket/data/churn/houses/``; also for a key alone."""
        match = S3.fullmatch(uri)
        key = match[2] if match else uri
        rest = key.removeprefix("data/").removeprefix(f"{self.like}/")
        given_whole = match or "SMP_" not in self.data
        return f"{self.data}{rest}" if given_whole else f"data/{self.name}/{rest}"

    def output_data(self, uri: str) -> str:
        """A prefix that jobs write to, with the model's name in it."""
        parts = uri.rstrip("/").split("/")
        if self.like in parts[3:]:
            return "/".join([*parts[:3], *(self.name if part == self.like else part for part in parts[3:])])
        return "/".join([*parts, self.name])
