"""The Python that a model's benchmarks run in: this one, or else one with the project's locked packages."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "packages" / "retraining" / "src" / "retraining" / "examples" / "scarcegan"
READY = ROOT / "build" / "dev" / ".venv" / "ready"
NEEDED = ("tensorflow", "sklearn", "pandas")


def enter() -> None:
    """Go on where the packages are, with the example's modules; they are installed the first time."""
    if all(importlib.util.find_spec(name) for name in NEEDED):
        sys.path.insert(0, str(MODEL))
        return
    if not READY.exists():
        print(f"installing the project's packages to {READY.parent}", file=sys.stderr, flush=True)
    made = subprocess.run(["make", "--silent", str(READY.relative_to(ROOT))], cwd=ROOT, check=False)
    if made.returncode:
        sys.exit("Error: the project's packages could not be installed; see the output of make above")
    if Path(sys.prefix) == READY.parent:
        sys.exit(f"Error: {READY.parent} lacks a package of {', '.join(NEEDED)}; remove that folder")
    python = str(READY.parent / "bin" / "python")
    os.execv(python, [python, *sys.argv])
