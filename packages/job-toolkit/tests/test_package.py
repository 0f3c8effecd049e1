"""What a script reaches by importing one module of the package."""

import json
import subprocess
import sys
from pathlib import Path

import job_toolkit

SOURCES = Path(job_toolkit.__file__).parent
MODULES = sorted(
    path.stem
    for path in (*SOURCES.glob("*.py"), *(file.parent for file in SOURCES.glob("*/__init__.py")))
    if path.stem != "__init__"
)


def imported(*modules: str) -> set[str]:
    """The top-level packages and the package's own modules that are there after importing `modules`."""
    program = (
        f"import json, sys\nbefore = set(sys.modules)\nfor name in {modules!r}: __import__(name)\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    return set(json.loads(done.stdout))


def test_the_package_names_its_modules_and_imports_none() -> None:
    assert sorted(job_toolkit.__all__) == MODULES
    assert len(MODULES) <= 13, "with __init__, at most fourteen in a folder: give some of them a room"
    for name in MODULES:
        assert f"`{name}`" in str(job_toolkit.__doc__)
    assert not [name for name in imported("job_toolkit") if name.startswith("job_toolkit.")]


def test_what_an_entry_point_always_needs_imports_the_standard_library_only() -> None:
    names = imported(
        *(f"job_toolkit.{name}" for name in ("failure", "training", "processing", "hyperparameters")),
        *(f"job_toolkit.{name}" for name in ("metrics", "model_quality", "pages.report", "strict_json")),
        "job_toolkit.imports",
    )
    assert {name.split(".")[0] for name in names} - {"job_toolkit"} <= set(sys.stdlib_module_names)
