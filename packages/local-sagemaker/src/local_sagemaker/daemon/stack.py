"""The local services as daemons: start, stop, look at, start afresh."""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from local_sagemaker.core import ports
from local_sagemaker.core.errors import LocalError, PortsInUse
from local_sagemaker.core.settings import FORMAT, HOST, MARKER, Settings, is_ours, make_root, prepare
from local_sagemaker.daemon import server

STOP_TIMEOUT = 25.0  # seconds for running jobs and ministack's state, then SIGKILL

_CLOSING = 3.0  # seconds in which the system takes the port from a process that was killed

# Daemons that this very process started, so that their exit status is collected.
_children: "dict[int, subprocess.Popen[bytes]]" = {}


def up(settings: Settings, on_progress: Callable[[str], None] = lambda _: None) -> None:
    """Start what is not running and wait until it answers. Does nothing when all is well.

    Services that run with other settings, or only in part, are stopped first. Raises LocalError
    for a foreign or broken root, or services that do not start (with the reason from their log);
    PortsInUse, with a line for each port, where others listen on ours.
    """
    is_ours(settings.root)
    make_root(settings.root)
    with _lock(settings.root):
        prepare(settings)
        found = status(settings)
        if _is_well(settings, found):
            return
        if _stop(settings, found):
            on_progress("stopped services that did not answer or ran with other settings")
        _require_free({"sagemaker_port": settings.sagemaker_port, "aws_port": settings.aws_port})
        on_progress(f"starting the local services on ports {settings.sagemaker_port} and {settings.aws_port}")
        _wait_until_well(settings, _start(settings))


def down(settings: Settings) -> bool:
    """Stop both services: SIGTERM (state is kept), SIGKILL if that does not help.

    True if something was running. Raises LocalError for a foreign root.
    """
    if not is_ours(settings.root):
        return False
    with _lock(settings.root):
        return _stop(settings, status(settings))


def status(settings: Settings) -> dict[str, Any]:
    """``{"running": bool, "services": [{"name", "url", "pid", "healthy"}], "root": str}``.

    `running` means that both services of this root answer; `pid` is None for one that is not there.
    """
    health = server.fetch(f"{settings.sagemaker_url}/health")
    pids = _pids(settings, health)
    healthy = {
        "sagemaker": health.get("root") == str(settings.root),
        "aws": "aws" in pids and server.is_healthy(settings),
    }
    urls = {"sagemaker": settings.sagemaker_url, "aws": settings.aws_url}
    services = [
        {"name": name, "url": url, "pid": pids.get(name), "healthy": healthy[name]}
        for name, url in urls.items()
    ]
    return {"running": all(healthy.values()), "services": services, "root": str(settings.root)}


def running_ports(root: Path) -> tuple[int, int] | None:
    """The ports of SageMaker's and of the other services that serve `root` now; None where none answer."""
    known = _record(root).get("settings")
    found = [known.get(name) for name in ("sagemaker_port", "aws_port")] if isinstance(known, dict) else []
    match found:
        case [int(sagemaker), int(aws)]:
            health = server.fetch(f"http://{HOST}:{sagemaker}/health")
            return (sagemaker, aws) if health.get("root") == str(root.absolute()) else None
    return None


def reset(settings: Settings) -> None:
    """Stop the services and remove all that the root holds, also when it is broken.

    Raises LocalError for a root that is not ours; nothing is touched then.
    """
    if not is_ours(settings.root):
        return
    with _lock(settings.root):
        _stop(settings, status(settings))
        for entry in settings.root.iterdir():
            if entry.name == MARKER:
                continue  # stays, of this format: a command still at work may write here afterwards
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        (settings.root / MARKER).write_text(FORMAT + "\n")


@contextlib.contextmanager
def _lock(root: Path) -> Iterator[None]:
    """One command at a time on one root, among all processes."""
    descriptor = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _is_well(settings: Settings, found: dict[str, Any]) -> bool:
    return found["running"] and _record(settings.root).get("settings") == server.describe(settings)


def _start(settings: Settings) -> "subprocess.Popen[bytes]":
    arguments = [f"--root={settings.root}"]
    for name, value in server.describe(settings).items():
        arguments.append(f"--{name.replace('_', '-')}={value}")
    with (settings.logs / "sagemaker.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "local_sagemaker", "serve", *arguments],
            cwd=settings.root,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    _children[process.pid] = process
    return process


def _wait_until_well(settings: Settings, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + server.START_TIMEOUT
    while not _is_well(settings, found := status(settings)):
        ended = process.poll() is not None
        if ended or time.monotonic() > deadline:
            _stop(settings, found)
            reason = _last_line(settings.logs / "sagemaker.log") or "no answer"
            raise LocalError(f"the local services did not start: {reason} (logs: {settings.logs})")
        time.sleep(0.02)


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""


def _require_free(wanted: dict[str, int]) -> None:
    taken = [words for key, port in wanted.items() if (words := in_use(port, key)) is not None]
    if taken:
        raise PortsInUse("\n".join(taken))


def in_use(port: int, key: str) -> str | None:
    """Who uses the port of ``local.<key>`` in conf/project.yaml, and what to do; None where it is free."""
    deadline = time.monotonic() + _CLOSING
    while not ports.is_free(port):
        pid = ports.owner(port)
        words = ports.command(pid) if pid else []
        if words or time.monotonic() > deadline:
            break
        time.sleep(0.02)
    else:
        return None
    elsewhere = f"set local.{key} in conf/project.yaml or the variable LOCAL_{key.upper()}"
    other = _root_of(words) if pid else server.fetch(f"http://{HOST}:{port}/health").get("root")
    if other:
        return (
            f"port {port} is used by the local services of {other}:"
            f" stop them there with `retrain local down`, or {elsewhere}"
        )
    who = f"another program (pid {pid}: {' '.join(words)[:80]})" if pid else "another program"
    return f"port {port} is in use by {who}: stop it, or {elsewhere}"


def _root_of(words: list[str]) -> str | None:
    """The root in the command line of one of our processes."""
    if "local_sagemaker" not in words:
        return None
    named = [word.removeprefix("--root=") for word in words if word.startswith("--root=")]
    if named:
        return named[0]
    return words[-1] if "aws" in words else None


def _record(root: Path) -> dict[str, Any]:
    try:
        found = json.loads((root / server.SERVICES).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _pids(settings: Settings, health: dict[str, Any]) -> dict[str, int]:
    """The running processes of this root by service, checked: numbers are used again."""
    record = _record(settings.root)
    candidates = {name: record.get(name) for name in ("sagemaker", "aws")}
    if health.get("root") == str(settings.root):
        candidates["sagemaker"] = health.get("pid")
    return {
        name: pid
        for name, pid in candidates.items()
        if isinstance(pid, int) and _is_process_of(pid, settings.root)
    }


def _is_process_of(pid: int, root: Path) -> bool:
    child = _children.get(pid)
    if child is not None and child.poll() is not None:
        del _children[pid]
        return False
    shown = " ".join(ports.command(pid))
    return "-m local_sagemaker" in shown and str(root) in shown


def _stop(settings: Settings, found: dict[str, Any]) -> bool:
    """Server first: it stops ministack. What is left of ministack then is stopped by itself."""
    pids = [service["pid"] for service in found["services"] if service["pid"]]
    for pid in pids:
        _end(pid, settings.root)
    (settings.root / server.SERVICES).unlink(missing_ok=True)
    return bool(pids)


def _end(pid: int, root: Path) -> None:
    for number, patience in ((signal.SIGTERM, STOP_TIMEOUT), (signal.SIGKILL, 5.0)):
        deadline = time.monotonic() + patience
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        while _is_process_of(pid, root):
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        else:
            return
