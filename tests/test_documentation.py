"""A configuration key that is not documented is a defect."""

import ast
import re
from pathlib import Path

import guide
import pytest
from conftest import FOLDER, ROOT

PLATFORM = ROOT / FOLDER / "retraining"
# Which heading of the reference has the keys of a section of the schema.
HEADINGS = {
    "Project": "conf/project.yaml",
    "FrameworkConfiguration": "conf of conf/project.yaml",
    "NetworkSecurity": "conf.sagemakerNetworkSecurity",
    "LocalPorts": "local",
    "Parameter": "A parameter",
    "Unit": "A model",
    "Network": "network",
    "Job": "preprocess, train, evaluate",
    "ProcessingJob": "preprocess",
    "EvaluationJob": "evaluate",
    "TrainingJob": "train",
    "TuningJob": "tune",
    "Range": "A range",
    "TransformJob": "transform",
    "Channel": "A channel",
    "DataFile": "A data file",
    "Location": "location",
    "Gate": "gate",
    "Champion": "champion",
    "LambdaFunction": "lambda",
    "Registry": "registry",
    "JsonFile": "model_quality",
    "InferenceSpecification": "InferenceSpecification",
    "Pipeline": "conf.sagemakerPipeline",
    "Steps": "Steps of a model",
    "Step": "A step",
    "RetryPolicy": "A retry policy",
}


def sections() -> dict[str, ast.ClassDef]:
    """The sections of the schema in all modules of the platform, read without importing them."""
    classes = {
        node.name: node
        for path in sorted(PLATFORM.rglob("*.py"))
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef)
    }

    def is_section(name: str) -> bool:
        bases = [base.id for base in classes[name].bases if isinstance(base, ast.Name)]
        return "BaseModel" in bases or any(is_section(base) for base in bases if base in classes)

    return {name: node for name, node in classes.items() if is_section(name) and name != "Section"}


def keys(section: ast.ClassDef) -> set[str]:
    """The keys of its own fields; an alias stands for the field's name."""
    found = set()
    for node in section.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            alias = re.search(r"alias='(\w+)'", ast.unparse(node.annotation))
            found.add(alias[1] if alias else node.target.id)
    return found


def spellings() -> dict[str, str]:
    """Other words for keys, which the files of AWS's framework have."""
    for node in ast.parse((PLATFORM / "fields.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SPELLINGS":
            return dict(ast.literal_eval(node.value))
    raise AssertionError("fields.py has no SPELLINGS")


def test_the_sections_are_found() -> None:
    found = sections()
    assert {"Project", "Unit", "TrainingJob", "Step", "Parameter", "RetryPolicy"} <= set(found)
    assert {"SMP_REGION", "local"} <= keys(found["Project"])
    assert {"lambda", "preprocess"} <= keys(found["Unit"])
    assert {"step_name", "else_step"} <= keys(found["Step"])


@pytest.mark.parametrize("name", sorted(sections()))
def test_every_key_is_documented(name: str) -> None:
    assert name in HEADINGS, f"which heading of docs/configuration.md documents the keys of {name}?"
    assert set(guide.tables()[HEADINGS[name]]) == keys(sections()[name])


def test_no_table_is_of_something_else() -> None:
    assert set(guide.tables()) == set(HEADINGS.values())
    assert set(HEADINGS) == set(sections())


@pytest.mark.parametrize("other", sorted(spellings().values()))
def test_other_spellings_are_documented(other: str) -> None:
    assert f"`{other}`" in guide.GUIDE.read_text()


def test_the_blocks_of_the_guide_are_found() -> None:
    found = guide.blocks()
    assert len(found) > 25
    assert sum(block.is_whole for block in found) >= 3
    assert {block.file for block in found} == {None, "conf/project.yaml", "conf/prod.yaml"}


def test_every_script_of_the_model_on_the_page_is_written_there() -> None:
    (block,) = guide.blocks(guide.SCRIPTS)
    named = {f"{folder}/{name}" for folder, name in guide.scripts(guide.models_with(block))}
    named = named - {"lambdas/champion.py"} | {"models/churn/simulate.py"}
    assert set(guide.written_scripts()) == named


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda path: path.name)
def test_blocks_of_python_can_be_read(page: Path) -> None:
    for text in re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
        ast.parse(text)


@pytest.mark.parametrize(
    "page", [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md"], ids=lambda path: path.name
)
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", page.read_text()):
        path = page.parent / target if target else page
        assert path.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(path), f"{page.name} links to #{anchor}"


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as they are made of their words."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE):
        words = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found.add(next(name for name in [words, *(f"{words}-{n}" for n in range(1, 9))] if name not in found))
    return found
