"""Measure a project with the default answers: what each command of a first hour costs, on this machine.

Makes the project anew in build/bench, with free ports. Seconds are wall-clock; MiB are the command's own
largest resident set: the local services and the jobs are processes of their own, and not in it.
"""

import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).parent / "build" / "bench"
RETRAIN = ".venv/bin/retrain"
STEPS = {
    "install, downloads cached": ["make", "--silent", "install"],
    "check the configuration": [RETRAIN, "check"],
    "compile the definition": [RETRAIN, "definition", "--out", os.devnull],
    "start the local services": [RETRAIN, "local", "up"],
    "draw the sample data": [RETRAIN, "data"],
    "run": [RETRAIN, "run"],
    "run again, steps cached": [RETRAIN, "run"],
}


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


def stop_services() -> None:
    if (FOLDER / RETRAIN).exists():
        subprocess.run([RETRAIN, "local", "down"], cwd=FOLDER, check=False)


def make_project() -> None:
    stop_services()
    shutil.rmtree(FOLDER, ignore_errors=True)
    command = [sys.executable, "-m", "cookiecutter", ".", "--no-input", "--default-config"]
    command += ["--output-dir", str(FOLDER.parent), f"project_slug={FOLDER.name}"]
    subprocess.run(command, cwd=Path(__file__).parent, check=True)
    path = FOLDER / "conf" / "project.yaml"
    ports = iter(free_ports(3))
    path.write_text(re.sub(r"(?<=_port: )\d+", lambda _: str(next(ports)), path.read_text()))


def measure(command: list[str], log: Path) -> tuple[float, float]:
    """Run a command in the project; its wall-clock seconds and largest resident set in MiB."""
    with log.open("ab") as words:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=FOLDER, stdout=words, stderr=words)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"Error: {' '.join(command)} ended with status {process.returncode}; its words are in {log}")
    return seconds, usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)


def main() -> None:
    make_project()
    log = FOLDER.parent / "bench.log"
    log.unlink(missing_ok=True)
    print(f"{platform.system()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    spent: dict[str, float] = {}
    try:
        for name, command in STEPS.items():
            spent[name], memory = measure(command, log)
            print(f"{name:<28}{spent[name]:>9.2f} s{memory:>9.0f} MiB", flush=True)
    finally:
        stop_services()
    print("\nas parts of the first run:")
    for name, seconds in spent.items():
        print(f"{name:<28}{seconds / spent['run']:>9.2f}")
    print("\nwhat the runs said of themselves:")
    for line in re.findall(r"^Time: .*$", log.read_text(), re.MULTILINE):
        print(line)


if __name__ == "__main__":
    main()
