"""The configuration guide: its YAML blocks as projects that can be checked, and its tables of keys.

A block that begins with `conf:` is a whole file of models; the first one is also what short blocks are
laid over. A short block has keys of the model `churn`, beside them `steps` (laid over the steps of the
same name, or added), and `dependencies`. A first line such as ``# conf/prod.yaml`` names another file.

The page on scripts has one short block, and the scripts of the model that it makes.
"""

import re
import shutil
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from projects import TEMPLATE

DOCS = TEMPLATE.parent / "docs"
GUIDE = DOCS / "configuration.md"
SCRIPTS = DOCS / "scripts.md"
MODEL = "churn"
PROJECT = {
    "project": "shop",
    "SMP_ACCOUNTID": "111122223333",
    "SMP_REGION": "eu-west-1",
    "SMP_S3BUCKETNAME": "shop-data",
    "SMP_ROLE": "arn:aws:iam::111122223333:role/shop",
}


@dataclass(frozen=True)
class Block:
    """A YAML block of the guide; `file` is that which its first line names, or None for the models'."""

    line: int
    file: str | None
    content: Any

    def __str__(self) -> str:
        return f"line {self.line}"

    @property
    def is_whole(self) -> bool:
        return self.file is None and "conf" in self.content


def blocks(page: Path = GUIDE) -> list[Block]:
    """All YAML blocks, in the order of the page."""
    text = page.read_text()
    found = []
    for match in re.finditer(r"^```yaml\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        named = re.match(r"# (conf/\S+\.yaml)\n", match[1])
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(line, named[1] if named else None, yaml.safe_load(match[1])))
    return found


def written_scripts() -> dict[str, str]:
    """Path and text of each script that the page on scripts has."""
    return dict(
        re.findall(r"^```python\n# (\S+\.py)\n(.*?)^```", SCRIPTS.read_text(), re.DOTALL | re.MULTILINE)
    )


def merged(old: Any, new: Any) -> Any:
    """A mapping key by key; every other value is replaced."""
    if isinstance(old, dict) and isinstance(new, dict):
        return old | {key: merged(old.get(key), value) for key, value in new.items()}
    return new


def models_with(block: Block) -> dict[str, Any]:
    """The models' file that a block makes."""
    whole = block if block.is_whole else next(found for found in blocks() if found.is_whole)
    base: dict[str, Any] = deepcopy(whole.content)
    if block.is_whole:
        return base
    if block.file is not None:
        return base
    conf = base["conf"]
    part = dict(block.content)
    steps = conf["sagemakerPipeline"]["models"][MODEL]["steps"]
    for step in part.pop("steps", []):
        same = [index for index, other in enumerate(steps) if other["step_name"] == step["step_name"]]
        steps[slice(*(same[0], same[0] + 1) if same else (len(steps), len(steps)))] = [step]
    if "dependencies" in part:
        conf["sagemakerPipeline"]["dependencies"] = part.pop("dependencies")
    conf["models"][MODEL] = merged(conf["models"][MODEL], part)
    return base


def make_project(folder: Path, block: Block) -> str | None:
    """A project with the block's configuration and empty scripts; returns the environment to read it with."""
    models = models_with(block)
    others = {"conf/project.yaml": PROJECT | {"SMP_MODEL_CONFIGPATH": "models/*/conf.yaml"}}
    if block.file is not None:
        others[block.file] = merged(others.get(block.file, {}), block.content)
    name = next(iter(models["conf"]["models"]))
    for file, content in {**others, f"models/{name}/conf.yaml": models}.items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(content, sort_keys=False))
    for source, script in scripts(models):
        path = folder / source / script
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("def handler(event, context):\n    return {}\n" if source == "lambdas" else "")
    shutil.copy(TEMPLATE / "pipeline.py", folder)
    (folder / "lambdas").mkdir(exist_ok=True)
    shutil.copy(TEMPLATE / "lambdas" / "register_models.py", folder / "lambdas")
    stem = Path(block.file or "conf/project.yaml").stem
    return None if stem == "project" else stem


def scripts(models: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Folder and name of every script that the models name."""
    for unit in models["conf"]["models"].values():
        for section, job in unit.items():
            if isinstance(job, dict) and "entry_point" in job:
                yield "lambdas" if section == "lambda" else unit["source_directory"], job["entry_point"]
        yield unit["source_directory"], "inference.py"
    yield "lambdas", "champion.py"


def tables() -> dict[str, dict[str, tuple[str, bool]]]:
    """The reference: of each heading the keys, with default and whether a parameter may stand there."""
    reference = GUIDE.read_text().partition("\n## Reference\n")[2]
    found: dict[str, dict[str, tuple[str, bool]]] = {}
    for part in re.split(r"^### ", reference, flags=re.MULTILINE)[1:]:
        heading, _, text = part.partition("\n")
        rows = re.findall(r"^\| `(\w+)` \| .* \| (.+) \| (yes )?\|$", text, re.MULTILINE)
        found[heading] = {key: (default, bool(parameter)) for key, default, parameter in rows}
    return found
