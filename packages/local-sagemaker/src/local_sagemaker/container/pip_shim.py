"""``python -m pip`` inside jobs: at once when there is nothing to do, else pip itself.

The drivers of SageMaker's SDK run pip twice per job. pip takes a second to find that everything is
there; this takes a few milliseconds, and needs no network. A copy of this file runs inside jobs.
"""

import importlib
import runpy
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main(words: "list[str]") -> None:
    """Do what `words` ask for, or hand over to pip."""
    done = _install(words[1:]) if words[:1] == ["install"] else None
    if words[:1] == ["uninstall"]:
        done = _uninstall(words[1:])
    if done is None:
        _pip()
        return
    print("\n".join(done))


def _install(words: "list[str]") -> "list[str] | None":
    requirements = importlib.import_module("pip.requirements")  # our copy

    texts = []
    rest = iter(words)
    for word in rest:
        if word in ("-r", "--requirement"):
            try:
                texts.append(Path(next(rest)).read_text())
            except (OSError, StopIteration):
                return None
        elif word in ("-i", "--index-url"):
            next(rest, None)
        elif word not in ("-q", "--quiet", "--no-cache-dir", "--disable-pip-version-check"):
            return None
    present = requirements.satisfied("\n".join(texts)) if texts else None
    return None if present is None else [f"Requirement already satisfied: {name}" for name in present]


def _uninstall(words: "list[str]") -> "list[str] | None":
    requirements = importlib.import_module("pip.requirements")

    names = [word for word in words if not word.startswith("-")]
    if not names or any(requirements.installed(name) for name in names):
        return None
    return [f"WARNING: Skipping {name} as it is not installed." for name in names]


def _pip() -> None:
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != HERE.parent]
    for name in [name for name in sys.modules if name == "pip" or name.startswith("pip.")]:
        del sys.modules[name]
    try:
        import pip  # noqa: F401
    except ImportError:
        import ensurepip

        wheel = next((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"), None)
        if wheel is None:
            sys.exit(
                "there is no pip for this Python: install pip into the environment whose Python runs the jobs"
            )
        sys.path.insert(0, str(wheel))
    runpy.run_module("pip", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
