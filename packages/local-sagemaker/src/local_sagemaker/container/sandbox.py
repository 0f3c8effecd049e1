"""A job's process with a true ``/opt/ml``, and without what the user's own shell has.

With bubblewrap, or else with util-linux alone, the process gets its own mounts (``/opt/ml`` is the
job's folder), its own process ids (ending it ends all that it started) and dies with the server.
Where the system forbids that, ``/opt/ml`` is rewritten to the job's folder in arguments,
environment and the drivers that SageMaker's SDK sent along.
"""

import contextlib
import functools
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local_sagemaker.container.cluster import HOSTS_FILE

CONTAINER_ROOT = "/opt/ml"
WORKDIR = "/opt/ml/code"

_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
_PLAIN = re.compile(r"/opt/ml(?![\w.-])")
_DRIVER_FOLDERS = ("input/data/sm_drivers", "input/data/code", "processing/input", "code")
_DRIVER_SUFFIXES = {".sh", ".py"}

# $1 the job's folder, $2 an empty folder, $3 a folder to make read-only, $4 the content of /etc/hosts,
# if anything, then the command.
# The shell stays as process 1: signals that nobody handles end the command, not nothing, and when
# it ends the kernel ends everything else in the namespace. Process 1 itself is deaf to SIGTERM, so
# the mounting is done by a child, whose end by SIGTERM ends it too.
_ENTER = """
ml=$1 stage=$2 frozen=$3 hosts=$4 path=$PATH
shift 4
PATH=/usr/bin:/bin:/usr/sbin:/sbin
set -e
(
mount -n -t tmpfs -o mode=755 tmpfs "$stage"
for entry in /opt/* /opt/.[!.]*; do
  name=${entry##*/}
  if [ "$name" = ml ]; then continue
  elif [ -L "$entry" ]; then cp -P "$entry" "$stage/$name"
  elif [ -d "$entry" ]; then mkdir "$stage/$name"; mount -n --rbind "$entry" "$stage/$name"
  elif [ -e "$entry" ]; then : > "$stage/$name"; mount -n --bind "$entry" "$stage/$name"
  fi
done
mkdir "$stage/ml"
mount -n --bind "$ml" "$stage/ml"
mount -n --move "$stage" /opt
if [ "$hosts" ]; then mount -n --bind "$hosts" /etc/hosts; fi
if mount -n --bind "$frozen" "$frozen"; then mount -n -o remount,bind,ro "$frozen" || :; fi 2>/dev/null
)
set +e
cd /opt/ml/code
PATH=$path
"$@"
exit $?
"""


@dataclass(frozen=True)
class Command:
    """What to run: `words`, with `environment` and nothing else, in `folder` as ``/opt/ml``.

    `scratch` is an empty folder of the job, `frozen` one that the job may read but not write (what
    jobs share). Without `network` the process reaches nothing, itself included. `hosts` is the
    process's own ``/etc/hosts``, for a sandbox that `resolves`.
    """

    words: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    scratch: Path
    frozen: Path
    network: bool = True
    hosts: Path | None = None


class Sandbox:
    """One way to run a `Command`; `detect` picks the best that works here."""

    name = "none"
    isolates = False

    @property
    def resolves(self) -> bool:
        """True when a command may have names of hosts of its own."""
        return self.isolates and HOSTS_FILE.is_file()

    def start(self, command: Command) -> "Running":
        """Start it; its output, both streams, is on `Running.output`.

        The calling thread has to live until the process ends: the process dies with it.
        """
        return Running(self._popen(self.arguments(command), command.environment), lowest=1)

    def arguments(self, command: Command) -> list[str]:
        """The command line that enters the sandbox and runs `command` in it."""
        raise NotImplementedError

    @staticmethod
    def _popen(words: Sequence[str], environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            words,
            env=dict(environment),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


class Bubblewrap(Sandbox):
    """https://github.com/containers/bubblewrap, where it is installed."""

    name = "bubblewrap"
    isolates = True

    def arguments(self, command: Command) -> list[str]:
        words = [_program("bwrap"), "--dev-bind", "/", "/", "--tmpfs", "/opt"]
        for entry in sorted(Path("/opt").iterdir()):
            if entry == Path(CONTAINER_ROOT):
                continue
            words += (
                ["--symlink", os.readlink(entry), str(entry)]
                if entry.is_symlink()
                else ["--dev-bind", str(entry), str(entry)]
            )
        words += ["--bind", str(command.folder), CONTAINER_ROOT]
        words += ["--ro-bind", str(command.frozen), str(command.frozen)]
        if command.hosts:
            words += ["--ro-bind", str(command.hosts), str(HOSTS_FILE.resolve())]
        words += [
            "--unshare-pid",
            "--proc",
            "/proc",
            "--die-with-parent",
            "--new-session",
            "--chdir",
            WORKDIR,
        ]
        words += [] if command.network else ["--unshare-net"]
        return [*words, "--", *command.words]


class UtilLinux(Sandbox):
    """``unshare`` and ``setpriv``, which every Linux distribution has."""

    name = "unshare"
    isolates = True

    def arguments(self, command: Command) -> list[str]:
        words = [_program("setpriv"), "--pdeathsig", "KILL", _program("unshare"), "--user", "--map-root-user"]
        words += ["--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"]
        words += [] if command.network else ["--net"]
        words += ["/bin/sh", "-c", _ENTER, "sandbox"]
        places = [command.folder, command.scratch, command.frozen, command.hosts or ""]
        return [*words, *map(str, places), *command.words]


class Rewriting(Sandbox):
    """No isolation: ``/opt/ml`` becomes a short link to the job's folder wherever we can see it.

    Reaches arguments, environment and driver scripts; not a path that a program builds itself.
    """

    name = "rewriting of /opt/ml"
    isolates = False

    def start(self, command: Command) -> "Running":
        # No blanks and no braces: scripts use these paths unquoted.
        link = Path(tempfile.mkdtemp(prefix="sagemaker-", dir="/tmp")) / "ml"
        link.symlink_to(command.folder)
        _rewrite_drivers(command.folder, str(link))
        environment = {name: _rewrite(value, str(link)) for name, value in command.environment.items()}
        words = [_rewrite(word, str(link)) for word in command.words]
        # The shell outlives SIGTERM to return the command's own exit code.
        enter = ["/bin/sh", "-c", 'trap : TERM; cd "$1" && shift && "$@"; exit $?', "sandbox", f"{link}/code"]
        process = self._popen([*enter, *words], environment)
        return Running(process, lowest=0, link=link)


class Running:
    """A started command. `output` is what it prints, as bytes; `link` a file outside to be removed."""

    def __init__(self, process: "subprocess.Popen[bytes]", lowest: int, link: Path | None = None) -> None:
        self._process = process
        self._lowest = lowest  # how many generations belong to the sandbox itself
        self._told: set[int] = set()
        self.link = link
        assert process.stdout is not None
        self.output = process.stdout
        self.pid = process.pid

    def wait(self, timeout: float | None = None) -> int | None:
        """The exit code, 128 + n after signal n; None when it still runs after `timeout` seconds."""
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        self._clean()
        return 128 - code if code < 0 else code

    def terminate(self) -> None:
        """SIGTERM to every process of the job.

        Call this again until the job ends: a command that the sandbox starts only after the first call
        gets the signal then. No process gets it twice, nor does one that a command starts in order to end.
        """
        if not Path("/proc/self/stat").exists():
            if not self._told:
                self._signal_group(signal.SIGTERM)
            self._told.add(self.pid)
            return
        processes = {pid: age for pid, age in _descendants(self.pid).items() if age > self._lowest}
        new = processes.keys() - self._told
        if not any(processes[pid] == self._lowest + 1 for pid in new):
            return
        self._told |= new
        for pid in new:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to every process of the job."""
        for pid in _descendants(self.pid):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        self._signal_group(signal.SIGKILL)

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def _clean(self) -> None:
        if self.link is not None:
            self._signal_group(signal.SIGKILL)
            shutil.rmtree(self.link.parent, ignore_errors=True)


@functools.cache
def detect() -> Sandbox:
    """The first of bubblewrap, util-linux and rewriting that works on this machine, tried once."""
    for sandbox in (Bubblewrap(), UtilLinux()):
        if works(sandbox):
            return sandbox
    return Rewriting()


def works(sandbox: Sandbox) -> bool:
    """True when a command in `sandbox` finds its folder as ``/opt/ml``."""
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        for folder in ("ml/code", "scratch", "frozen"):
            (base / folder).mkdir(parents=True)
        (base / "ml" / "probe").touch()
        words = ["/bin/sh", "-c", f"test -e {CONTAINER_ROOT}/probe"]
        try:
            running = sandbox.start(
                Command(words, {"PATH": _SYSTEM_PATH}, base / "ml", base / "scratch", base / "frozen")
            )
        except OSError:  # no such program, or no /opt
            return False
        with running.output:
            running.output.read()
        return running.wait() == 0


def _program(name: str) -> str:
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{_SYSTEM_PATH}")
    if path is None:
        raise FileNotFoundError(name)
    return path


def _rewrite(text: str, link: str) -> str:
    return _PLAIN.sub(link, text)


def _rewrite_drivers(folder: Path, link: str) -> None:
    for part in _DRIVER_FOLDERS:
        for path in (folder / part).rglob("*"):
            if path.suffix in _DRIVER_SUFFIXES and path.is_file():
                text = path.read_text(errors="surrogateescape")
                path.write_text(_rewrite(text, link), errors="surrogateescape")


def _descendants(ancestor: int) -> dict[int, int]:
    """Processes below `ancestor` -> how many generations below. {} where there is no /proc."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The second field, the name in parentheses, may hold anything.
            parent = int(entry.read_text(errors="replace").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.parent.name))
    generations: dict[int, int] = {}
    frontier = [(ancestor, 0)]
    while frontier:
        pid, generation = frontier.pop()
        for child in children.get(pid, []):
            generations[child] = generation + 1
            frontier.append((child, generation + 1))
    return generations
