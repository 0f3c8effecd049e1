"""Programs that run on several instances: as processes with a resourceconfig.json each."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

HOSTS = ("localhost", "127.0.0.1")  # two names of this machine, as it is all of the instances
PATIENCE = 120.0  # seconds


def make(root: Path, data: Path, count: int = 2) -> list[Path]:
    """The folders of the instances, in place of /opt/ml, with the channels below `data`."""
    bases = [root / f"algo-{rank + 1}" for rank in range(count)]
    for rank, base in enumerate(bases):
        (base / "input" / "config").mkdir(parents=True)
        (base / "input" / "data").symlink_to(data, target_is_directory=True)
        (base / "checkpoints").mkdir()
        hosts = {"current_host": HOSTS[rank], "hosts": HOSTS[:count]}
        (base / "input" / "config" / "resourceconfig.json").write_text(json.dumps(hosts))
    return bases


class Running:
    """A Python script on all instances, with the arguments that `words` has for each."""

    def __init__(self, script: Path, bases: list[Path], words: list[list[str]]) -> None:
        self.logs = [base / "log" for base in bases]
        self.processes = []
        for own, log, base in zip(words, self.logs, bases, strict=True):
            environment = os.environ | {"TRAINING_JOB_NAME": str(base.parent)}
            with log.open("w") as opened:
                process = subprocess.Popen(
                    [sys.executable, script, *own], env=environment, stdout=opened, stderr=subprocess.STDOUT
                )
            self.processes.append(process)

    def wait(self) -> list[int]:
        """The exit codes. Raises TimeoutExpired."""
        try:
            return [process.wait(PATIENCE) for process in self.processes]
        finally:
            self.kill()

    def kill(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()

    def wait_for(self, text: str) -> None:
        """Until the first instance has printed `text`."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.log(0):
            assert time.monotonic() < deadline, self.log(0)
            assert self.processes[0].poll() is None, self.log(0)
            time.sleep(0.02)

    def log(self, rank: int) -> str:
        return self.logs[rank].read_text()
