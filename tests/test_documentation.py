"""A configuration key that is not documented is a defect."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLATFORM = ROOT / "{{cookiecutter.project_slug}}" / "retraining"


def configuration_keys() -> list[str]:
    """Fields of the models in schema.py and parameter.py, read without importing them."""
    return sorted(
        {
            node.target.id
            for file in ("schema.py", "parameter.py")
            for section in ast.parse((PLATFORM / file).read_text()).body
            if isinstance(section, ast.ClassDef)
            for node in section.body
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        }
    )


def test_the_keys_are_found() -> None:
    assert {"SMP_REGION", "image_uri", "step_name", "choices", "pipelineName"} <= set(configuration_keys())


@pytest.mark.parametrize("key", configuration_keys())
def test_every_key_is_documented(key: str) -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    assert re.search(rf"`([^`]*[.<>\s])?{key}([.:\s][^`]*)?`", page), f"{key} is not in docs/configuration.md"


@pytest.mark.parametrize(
    "page", [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md"], ids=lambda path: path.name
)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
