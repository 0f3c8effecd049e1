"""The local services as daemons: start, stop, look at, empty."""

import contextlib
import dataclasses
import fcntl
import functools
import ipaddress
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from local_sagemaker.core import ports, root, tokens
from local_sagemaker.core.errors import LocalError, PortsInUse
from local_sagemaker.core.settings import HOST, Settings
from local_sagemaker.daemon import server
from local_sagemaker.daemon.shell import for_pip, for_services

STOP_TIMEOUT = 25.0  # seconds for running jobs and ministack's state, then SIGKILL

_CLOSING = 3.0  # seconds in which the system takes the port from a process that was killed

# Daemons that this very process started, so that their exit status is collected.
_children: "dict[int, subprocess.Popen[bytes]]" = {}


def up(
    settings: Settings,
    on_progress: Callable[[str], None] = lambda _: None,
    shell: Mapping[str, str] = os.environ,
) -> None:
    """Start what is not running and wait until it answers. Does nothing when all is well.

    The services get the environment `shell`, without what concerns AWS in it.

    Services that run with other settings, or do not get well by themselves, are stopped first.

    Raises:
        LocalError: a foreign or broken root, or services that do not start (with the reason from their log).
        PortsInUse: others listen on ours; a line for each port.
    """
    root.is_ours(settings.root)
    root.make(settings.root)
    with _lock(settings.root):
        root.prepare(settings)
        state = settled(settings)
        if _is_well(settings, state):
            server.create_bucket(settings)
            return
        if _stop(settings, state):
            on_progress("stopped services that did not answer or ran with other settings")
        _require_free(settings)
        on_progress(f"starting the local services on ports {settings.sagemaker_port} and {settings.aws_port}")
        process = _start(settings, shell)
        try:
            _wait_until_well(settings, process)
        except KeyboardInterrupt:
            process.terminate()
            raise


def down(settings: Settings) -> bool:
    """Stop both services: SIGTERM (state is kept), SIGKILL if that does not help.

    True if something was running. Raises LocalError for a foreign root.
    """
    if not root.is_ours(settings.root):
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


def recorded(folder: Path, command: str) -> Settings:
    """The settings with which the services of the root `folder` were started, for `down`, `reset`, `status`.

    Where nothing is recorded, none run, and only the folder counts. `command` is as in Settings.
    """
    description = _record(folder).get("settings")
    settings = server.described(folder, description) if isinstance(description, dict) else None
    if settings is None:
        settings = Settings(folder, "", "", "", sagemaker_port=0, aws_port=0)
    return dataclasses.replace(settings, command=command)


def settled(settings: Settings) -> dict[str, Any]:
    """`status`, once a server that runs with these settings has brought ministack back, which takes seconds.

    Also of a server that is too busy to answer at once: its executions run.
    """
    deadline = time.monotonic() + server.START_TIMEOUT
    while not _is_well(settings, state := status(settings)):
        is_server_there = bool(state["services"][0]["pid"])
        if not (is_server_there and _is_same(settings)) or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return state


def running(folder: Path) -> Settings | None:
    """The settings with which the services of the root `folder` run now; None where none answer."""
    description = _record(folder).get("settings")
    settings = server.described(folder, description) if isinstance(description, dict) else None
    if settings is None:
        return None
    health = server.fetch(f"{settings.sagemaker_url}/health")
    return settings if health.get("root") == str(settings.root) else None


@functools.cache
def is_local(url: str) -> bool:
    """True when local services, of whichever folder, answer at ``http://host:port`` of this machine."""
    host = urlsplit(url).hostname or ""
    try:
        is_here = ipaddress.ip_address(host).is_loopback or ipaddress.ip_address(host).is_unspecified
    except ValueError:
        is_here = host.rpartition(".")[2] == "localhost"
    return is_here and ("root" in server.fetch(f"{url}/health") or server.is_ministack(url))


def reset(settings: Settings) -> None:
    """Stop the services and remove all that the root holds but its token, also when it is broken.

    Raises LocalError for a root that is not ours; nothing is touched then.
    """
    if not root.is_ours(settings.root):
        return
    with _lock(settings.root):
        _stop(settings, status(settings))
        for entry in settings.root.iterdir():
            if entry.name in (root.MARKER, tokens.FILE):
                continue  # a command that is still at work may write here afterwards, or ask again
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """One command at a time on one root, among all processes."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _is_well(settings: Settings, state: dict[str, Any]) -> bool:
    return state["running"] and _is_same(settings)


def _is_same(settings: Settings) -> bool:
    record = _record(settings.root)
    # Services of a version without tokens take requests of anybody.
    is_guarded = record.get("token") == tokens.fingerprint(settings.session_token)
    return is_guarded and record.get("settings") == server.describe(settings)


def _start(settings: Settings, shell: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    arguments = [f"--root={settings.root}", f"--command={settings.command}"]
    for name, value in server.describe(settings).items():
        option = f"--{name.replace('_', '-')}"
        if isinstance(value, dict):
            value = [f"{key}={text}" for key, text in value.items()]
        arguments += [f"{option}={one}" for one in (value if isinstance(value, list) else [value])]
    with (settings.logs / "sagemaker.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "local_sagemaker", "serve", *arguments],
            cwd=settings.root,
            env=for_services(shell),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    _children[process.pid] = process
    # Not in its environment: what pip needs may hold passwords, and any process can read an environment.
    with contextlib.suppress(BrokenPipeError), process.stdin as pipe:  # type: ignore[union-attr]
        pipe.write(json.dumps(for_pip(shell), allow_nan=False).encode())
    return process


def _wait_until_well(settings: Settings, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + server.START_TIMEOUT
    while not _is_well(settings, state := status(settings)):
        ended = process.poll() is not None
        if ended or time.monotonic() > deadline:
            _stop(settings, state)
            reason = _last_line(settings.logs / "sagemaker.log") or "no answer"
            raise LocalError(f"the local services did not start: {reason} (logs: {settings.logs})")
        time.sleep(0.02)


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""


def _require_free(settings: Settings) -> None:
    wanted = {"sagemaker_port": settings.sagemaker_port, "aws_port": settings.aws_port}
    taken = [words for key, port in wanted.items() if (words := in_use(settings, port, key)) is not None]
    if taken:
        raise PortsInUse("\n".join(taken))


def port(variable: str, default: int) -> int:
    """The port that the environment variable asks for, else `default`. Raises LocalError for no port."""
    text = os.environ.get(variable)
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{4,5}", text) or not 1024 <= int(text) <= 65535:
        raise LocalError(
            f"environment variable {variable}: a port from 1024 to 65535 is expected, not {text!r}"
        )
    return int(text)


def in_use(settings: Settings, port: int, key: str) -> str | None:
    """Who uses `port`, and what to do; None where it is free.

    `key` is what it is to be used for, such as ``aws_port``: the variable LOCAL_AWS_PORT chooses another.
    """
    deadline = time.monotonic() + _CLOSING
    while not ports.is_free(port):
        pid = ports.owner(port)
        words = ports.command(pid) if pid else []
        if words or time.monotonic() > deadline:
            break
        time.sleep(0.02)
    else:
        return None
    elsewhere = settings.port_advice.format(key=key, variable=f"LOCAL_{key.upper()}")
    other = _root_of(words) if pid else server.fetch(f"http://{HOST}:{port}/health").get("root")
    if other:
        return (
            f"port {port} is used by the local services of {other}:"
            f" stop them there with `{settings.command} down`, or {elsewhere}"
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


def _record(folder: Path) -> dict[str, Any]:
    try:
        record = json.loads((folder / server.SERVICES).read_text())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


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


def _is_process_of(pid: int, folder: Path) -> bool:
    child = _children.get(pid)
    if child is not None and child.poll() is not None:
        del _children[pid]
        return False
    shown = " ".join(ports.command(pid))
    return "-m local_sagemaker" in shown and str(folder) in shown


def _stop(settings: Settings, state: dict[str, Any]) -> bool:
    """Server first: it stops ministack. What is left of ministack then is stopped by itself."""
    pids = [service["pid"] for service in state["services"] if service["pid"]]
    for pid in pids:
        _end(pid, settings.root)
    (settings.root / server.SERVICES).unlink(missing_ok=True)
    return bool(pids)


def _end(pid: int, folder: Path) -> None:
    for number, patience in ((signal.SIGTERM, STOP_TIMEOUT), (signal.SIGKILL, 5.0)):
        deadline = time.monotonic() + patience
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        while _is_process_of(pid, folder):
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        else:
            return
