"""The course of one job: download, environment, processes, upload."""

import contextlib
import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from local_sagemaker.container import environments, interpreters, sandbox
from local_sagemaker.core import ports
from local_sagemaker.core.errors import LocalError
from local_sagemaker.jobs.instance import Instance, JobError, Work
from local_sagemaker.jobs.members import TIMED_OUT, Outcome

STOP_GRACE = 120.0  # seconds between SIGTERM and SIGKILL, as StopTrainingJob promises
FAILURE_GRACE = 10.0  # the same for the other instances, once one has failed
DEFAULT_RUNTIME = 86_400.0  # seconds, SageMaker's own default

_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
_PROCESS = "process.json"
_HOSTS = "hosts"


class Control:
    """What a job's thread and other threads tell each other.

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


class Process:
    """The running command of one instance. `code` is None until it has ended."""

    def __init__(
        self, instance: Instance, running: sandbox.Running, ended: Callable[["Process"], None]
    ) -> None:
        self.instance = instance
        self.code: int | None = None
        self._running = running
        self._ended = ended
        self._reader = threading.Thread(target=instance.log.copy, args=(running.output,), daemon=True)
        try:
            self._reader.start()
            threading.Thread(target=self._watch, daemon=True).start()
        except RuntimeError as error:
            running.kill()
            running.wait()
            raise JobError(f"InternalServerError: the job was not started: {error}") from error

    def _watch(self) -> None:
        self.code = self._running.wait()
        self._ended(self)

    def terminate(self) -> None:
        if self.code is None:
            self._running.terminate()

    def kill(self) -> None:
        if self.code is None:
            self._running.kill()

    def read(self) -> None:
        """Wait for the last of what it printed."""
        self._reader.join(5)


class JobRun:
    """The course of one job, in the job's own thread. `instances` are those of the job."""

    def __init__(
        self, instances: Sequence[Instance], work: Work, control: Control, phase: Callable[[str], None]
    ) -> None:
        self._instances = instances
        self._work = work
        self._control = control
        self._phase = phase
        self._processes: list[Process] = []
        self._over: list[Process] = []  # in the order of their ends
        limits = instances[0].request.get("StoppingCondition", {})
        self._limit = limits.get("MaxRuntimeInSeconds", DEFAULT_RUNTIME)

    def run(self) -> Outcome:
        work, control = self._work, self._control
        try:
            self._phase("Downloading")
            commands = []
            for instance in self._instances:
                if not control.stopped:
                    work.download(instance)
                    commands.append(self._command(instance))
            if control.stopped:
                return Outcome("Stopped")
            self._phase("Training")
            outcome = self._outcome(timed_out=self._execute(commands))
        except (JobError, LocalError) as error:
            return Outcome("Failed", str(error))
        except environments.RequirementsError as error:
            return Outcome("Failed", f"ClientError: the job's requirements cannot be installed: {error}")
        self._phase("Uploading")
        try:
            work.upload(self._instances, outcome.status)
        except JobError as error:
            if outcome.status == "Completed":
                return Outcome("Failed", str(error), outcome.message)
            self._instances[0].log.note(str(error))
        return outcome

    def _command(self, instance: Instance) -> sandbox.Command:
        work = self._work
        settings = instance.settings
        base = interpreters.base(settings.environments, settings.python, settings.hidden)
        text = work.requirements(instance)
        shared = None
        if text:
            shared = environments.shared(
                settings.environments, base, text, settings.pip_variables, instance.log.note
            )
        environments.create(instance.ml / "env", base, shared)
        for name in ("ml/tmp", "ml/home", "scratch"):
            (instance.folder / name).mkdir(exist_ok=True)  # an input may have been put there
        table = instance.folder / _HOSTS
        table.write_text(instance.cluster.table(), errors="surrogateescape")
        places = ["/opt/ml/env/bin", *([f"{shared}/bin"] if shared else []), str(base.bin)]
        return sandbox.Command(
            words=work.command(instance.request),
            environment=_environment(instance, work, places),
            folder=instance.ml,
            scratch=instance.folder / "scratch",
            frozen=settings.environments,
            network=instance.network,
            hosts=table if sandbox.detect().resolves else None,
        )

    def _execute(self, commands: Sequence[sandbox.Command]) -> bool:
        """Run all instances to their ends; True when that took longer than MaxRuntimeInSeconds."""
        box = sandbox.detect()
        self._warn(box)
        try:
            for instance, command in zip(self._instances, commands, strict=True):
                self._processes.append(Process(instance, self._start(box, instance, command), self._ended))
        except BaseException:
            self._end(grace=0)
            raise
        in_time = self._control.wake.wait(min(self._limit, threading.TIMEOUT_MAX))
        failure = in_time and not self._control.stopped
        self._end(grace=FAILURE_GRACE if failure else STOP_GRACE)
        for process in self._processes:
            process.read()
        return not in_time

    def _warn(self, box: sandbox.Sandbox) -> None:
        first = self._instances[0]
        if not box.isolates:
            first.log.note(
                "this system lets nobody have a private /opt/ml: the job runs with rewritten paths instead"
            )
        if len(self._instances) > 1 and (missing := first.cluster.unreachable()):
            first.log.note(
                "WARNING instances do not reach each other: this system has no"
                f" {', '.join(missing)}; on macOS, for each of them: sudo ifconfig lo0 alias {missing[0]}"
            )

    def _start(self, box: sandbox.Sandbox, instance: Instance, command: sandbox.Command) -> sandbox.Running:
        try:
            running = box.start(command)
        except (OSError, ValueError) as error:  # NUL in a word, or more words than the system takes
            raise JobError(f"ClientError: the job cannot be started: {error}") from error
        try:
            _remember(instance.folder, running)
        except OSError:
            running.kill()
            raise
        return running

    def _ended(self, process: Process) -> None:
        self._over.append(process)
        if process.code or len(self._over) == len(self._instances):
            self._control.wake.set()

    def _end(self, grace: float) -> None:
        """End what still runs, in at most `grace` seconds, or less when a stop asks for less."""
        started = time.monotonic()
        running = [process for process in self._processes if process.code is None]
        while any(process.code is None for process in running):
            if time.monotonic() - started >= min(grace, self._control.grace):
                break
            for process in running:
                process.terminate()
            time.sleep(0.05)
        for process in running:
            process.kill()
        while any(process.code is None for process in running):
            time.sleep(0.01)

    def _outcome(self, timed_out: bool) -> Outcome:
        words = [self._work.last_words(instance) for instance in self._instances]
        message = next(filter(None, words), "")
        if timed_out:
            return Outcome(
                "Stopped", f"{TIMED_OUT}: the job ran longer than {self._limit} s", message, timed_out=True
            )
        if self._control.stopped:
            return Outcome("Stopped", message=message)
        first = next((process for process in self._over if process.code), None)
        if first is None:
            return Outcome("Completed", message=message)
        instance, message = first.instance, words[first.instance.rank]
        if len(self._instances) > 1:
            instance.log.note(f"exit code {first.code}: the job has failed, all its instances were ended")
        said = message or instance.log.reason() or "the job printed nothing"
        return Outcome("Failed", f"AlgorithmError: {said[:900]}, exit code: {first.code}", message)


def _environment(instance: Instance, work: Work, places: Sequence[str]) -> dict[str, str]:
    """All variables of the job: nothing comes from the user's shell, and its credentials are its role's."""
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
    given: dict[str, str] = instance.request.get("Environment", {})
    path = [*places, *([given["PATH"]] if "PATH" in given else []), _SYSTEM_PATH]
    aws = instance.settings.environment(role=instance.request["RoleArn"])
    return own | aws | work.environment(instance) | given | {"PATH": ":".join(path)}


def _remember(folder: Path, running: sandbox.Running) -> None:
    record = {"pid": running.pid, "link": str(running.link) if running.link else None}
    (folder / _PROCESS).write_text(json.dumps(record, allow_nan=False))


def end_left_over(folder: Path) -> None:
    """End the processes of a job whose server was killed, where the sandbox could not."""
    for path in (folder / _PROCESS, *folder.glob(f"*/{_PROCESS}")):
        try:
            record = json.loads(path.read_text())
            link, pid = record["link"], record["pid"]
        except (OSError, ValueError, TypeError, KeyError):
            continue
        if link is None:
            continue
        if link in " ".join(ports.command(pid)):
            with contextlib.suppress(OSError):
                os.killpg(pid, signal.SIGKILL)
        shutil.rmtree(Path(link).parent, ignore_errors=True)


def tidy(folder: Path, keep: bool) -> None:
    """Remove what nobody needs after a job; with `keep`, leave what explains a failure."""
    names = ("scratch", "ml/env", "ml/tmp", "ml/home") if keep else ("scratch", "ml")
    instances = list(folder.glob(f"*/{_HOSTS}"))
    for place in (folder, *(path.parent for path in instances)):
        for name in (_PROCESS, _HOSTS):
            with contextlib.suppress(OSError):
                (place / name).unlink()
        for name in names:
            shutil.rmtree(place / name, ignore_errors=True)
        if not keep and place != folder:
            shutil.rmtree(place, ignore_errors=True)
