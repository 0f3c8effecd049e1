"""The course of one job: download, environment, process, upload."""

import contextlib
import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from local_sagemaker import environments, ports, sandbox
from local_sagemaker.errors import LocalError
from local_sagemaker.states import TIMED_OUT, Outcome
from local_sagemaker.work import Job, JobError, Work

STOP_GRACE = 120.0  # seconds between SIGTERM and SIGKILL, as StopTrainingJob promises
DEFAULT_RUNTIME = 86_400.0  # seconds, SageMaker's own default

_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
_PROCESS = "process.json"


class Control:
    """What other threads may tell a job's thread, and the other way round.

    `note` is a line for the beginning of the job's log.
    """

    def __init__(self, note: str = "") -> None:
        self.note = note
        self.stopped = False
        self.grace = STOP_GRACE
        self.wake = threading.Event()  # the process ended, or somebody wants it to
        self.ended = threading.Event()

    def stop(self, grace: float) -> None:
        self.grace = min(self.grace, grace)
        self.stopped = True
        self.wake.set()


class JobRun:
    """The course of one job, in the job's own thread."""

    def __init__(self, job: Job, work: Work, control: Control, phase: Callable[[str], None]) -> None:
        self._job = job
        self._work = work
        self._control = control
        self._phase = phase
        self._code: int | None = None
        self._limit = job.request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", DEFAULT_RUNTIME)

    def run(self) -> Outcome:
        job, work = self._job, self._work
        try:
            self._phase("Downloading")
            work.download(job)
            command = self._command()
            if self._control.stopped:
                return Outcome("Stopped")
            self._phase("Training")
            outcome = self._outcome(timed_out=self._execute(command))
        except (JobError, LocalError) as error:
            return Outcome("Failed", str(error))
        except environments.RequirementsError as error:
            return Outcome("Failed", f"ClientError: the job's requirements cannot be installed: {error}")
        self._phase("Uploading")
        try:
            work.upload(job, outcome.status)
        except JobError as error:
            if outcome.status == "Completed":
                return Outcome("Failed", str(error), outcome.message)
            job.log.note(str(error))
        return outcome

    def _command(self) -> sandbox.Command:
        job, work = self._job, self._work
        base = environments.interpreter(job.settings.python)
        text = work.requirements(job)
        shared = environments.shared(job.settings.environments, base, text, job.log.note) if text else None
        environments.create(job.ml / "env", base, shared)
        for name in ("ml/tmp", "ml/home", "scratch"):
            (job.folder / name).mkdir(exist_ok=True)  # an input may have been put there
        places = ["/opt/ml/env/bin", *([f"{shared}/bin"] if shared else []), f"{base.prefix}/bin"]
        return sandbox.Command(
            words=work.command(job.request),
            environment=_environment(job, work, places),
            folder=job.ml,
            scratch=job.folder / "scratch",
            frozen=job.settings.environments,
            network=job.network,
        )

    def _execute(self, command: sandbox.Command) -> bool:
        """Run to the end; True when it took longer than MaxRuntimeInSeconds."""
        job, control = self._job, self._control
        box = sandbox.detect()
        if not box.isolates:
            job.log.note(
                "this system lets nobody have a private /opt/ml: the job runs with rewritten paths instead"
            )
        try:
            running = box.start(command)
        except (OSError, ValueError) as error:  # NUL in a word, or more words than the system takes
            raise JobError(f"ClientError: the job cannot be started: {error}") from error
        try:
            _remember(job.folder, running)
        except OSError:
            running.kill()
            raise
        reader = threading.Thread(target=job.log.copy, args=(running.output,), daemon=True)
        reader.start()

        def watch() -> None:
            self._code = running.wait()
            control.wake.set()

        threading.Thread(target=watch, daemon=True).start()
        in_time = control.wake.wait(min(self._limit, threading.TIMEOUT_MAX))
        if self._code is None:
            self._end(running)
        reader.join(5)
        return not in_time

    def _end(self, running: sandbox.Running) -> None:
        started = time.monotonic()
        while self._code is None and time.monotonic() - started < self._control.grace:
            running.terminate()
            time.sleep(0.05)
        running.kill()
        while self._code is None:
            time.sleep(0.01)

    def _outcome(self, timed_out: bool) -> Outcome:
        job, code = self._job, self._code
        message = self._work.last_words(job)
        if timed_out:
            return Outcome(
                "Stopped", f"{TIMED_OUT}: the job ran longer than {self._limit} s", message, timed_out=True
            )
        if self._control.stopped:
            return Outcome("Stopped", message=message)
        if code == 0:
            return Outcome("Completed", message=message)
        words = message or job.log.reason() or "the job printed nothing"
        return Outcome("Failed", f"AlgorithmError: {words[:900]}, exit code: {code}", message)


def _environment(job: Job, work: Work, places: Sequence[str]) -> dict[str, str]:
    """All variables of the job: nothing comes from the user's shell, so no credentials do."""
    own = {
        "HOME": "/opt/ml/home",
        "TMPDIR": "/opt/ml/tmp",
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "GIT_PYTHON_REFRESH": "quiet",
        # Inside, the job is root without the right to give files away, which tar would try.
        "TAR_OPTIONS": "--no-same-owner",
    }
    given: dict[str, str] = job.request.get("Environment", {})
    path = [*places, *([given["PATH"]] if "PATH" in given else []), _SYSTEM_PATH]
    return own | job.settings.environment() | work.environment(job) | given | {"PATH": ":".join(path)}


def _remember(folder: Path, running: sandbox.Running) -> None:
    record = {"pid": running.pid, "link": str(running.link) if running.link else None}
    (folder / _PROCESS).write_text(json.dumps(record))


def end_left_over(folder: Path) -> None:
    """End the process of a job whose server was killed, where the sandbox could not."""
    try:
        record = json.loads((folder / _PROCESS).read_text())
        link, pid = record["link"], record["pid"]
    except (OSError, ValueError, TypeError, KeyError):
        return
    if link is None:
        return
    if link in " ".join(ports.command(pid)):
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)
    shutil.rmtree(Path(link).parent, ignore_errors=True)


def tidy(folder: Path, keep: bool) -> None:
    """Remove what nobody needs after a job; with `keep`, leave what explains a failure."""
    with contextlib.suppress(OSError):
        (folder / _PROCESS).unlink()
    names = ("scratch", "ml/env", "ml/tmp", "ml/home") if keep else ("scratch", "ml")
    for name in names:
        shutil.rmtree(folder / name, ignore_errors=True)
