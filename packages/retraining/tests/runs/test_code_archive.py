"""A job sees of job_toolkit what its code archive has, and nothing that is installed on this machine."""

import io
import tarfile
from collections.abc import Iterator
from dataclasses import replace

import pytest
from tiny_project import SCRIPTS, Tiny, running

from retraining.compile import definition
from retraining.compile.offline import Uploads
from retraining.runs import deployment, executions, job_log

IMPORT = "from job_toolkit.failure import InputError\n"


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiny]:
    with running(tmp_path_factory.mktemp("tiny")) as project:
        yield project


@pytest.fixture
def tiny(services: Tiny) -> Tiny:
    services.reset()
    return services


def without(uploads: Uploads, removed: str) -> Uploads:
    """The code objects without those of this path, in archives too."""
    kept: Uploads = {}
    for (bucket, key), content in uploads.items():
        if f"/{removed}" not in key:
            is_archive = key.endswith(".tar.gz")
            kept[bucket, key] = repacked(content, removed) if is_archive else content
    return kept


def repacked(archive: bytes, removed: str) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(archive)) as old, tarfile.open(fileobj=target, mode="w:gz") as new:
        for member in old:
            if not f"{member.name}/".startswith(removed.rstrip("/") + "/"):
                new.addfile(member, old.extractfile(member))
    return target.getvalue()


@pytest.mark.parametrize(
    ("removed", "module"),
    [("job_toolkit/failure.py", "job_toolkit.failure"), ("job_toolkit/", "job_toolkit")],
)
@pytest.mark.parametrize("script", ["preprocess.py", "train.py"])
def test_a_job_without_a_module_in_its_archive_fails_as_in_aws(
    tiny: Tiny, script: str, removed: str, module: str
) -> None:
    tiny.write(f"models/tiny/{script}", f"{IMPORT}{SCRIPTS[script]}# {removed}\n")
    configuration = tiny.configuration
    compiled = definition.compile_pipeline(configuration)
    archive = without(compiled.uploads, removed)
    assert archive != compiled.uploads
    deployment.deploy(configuration, replace(compiled, uploads=archive))
    *_, last = executions.watch(executions.start(compiled.name, {"GitCommit": "unknown"}))
    assert last.status == "Failed"
    (failed,) = [step for step in last.steps if step.status == "Failed"]
    assert failed.job is not None
    lines = "\n".join(job_log.last_lines(*failed.job))
    assert f"ModuleNotFoundError: No module named '{module}'" in lines


@pytest.mark.parametrize("script", ["preprocess.py", "train.py"])
def test_a_job_uses_the_module_of_its_archive(tiny: Tiny, script: str) -> None:
    where = "import job_toolkit.failure, pathlib\n" + (
        "folder = pathlib.Path(job_toolkit.failure.__file__).parent\n"
        "assert folder == pathlib.Path(__file__).parent / 'job_toolkit', folder\n"
    )
    tiny.write(f"models/tiny/{script}", where + SCRIPTS[script])
    assert tiny.run()
