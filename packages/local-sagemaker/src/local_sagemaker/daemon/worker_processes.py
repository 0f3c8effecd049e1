"""The processes that ministack starts, its Lambda workers above all, end when it ends, however that was."""

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def bind() -> None:
    """Let every process that this one starts from now on get SIGKILL when this one is gone."""
    setpriv = shutil.which("setpriv", path=f"{os.environ.get('PATH', os.defpath)}:/usr/bin:/bin")
    if setpriv is None:  # no Linux
        return
    prefix = [setpriv, "--pdeathsig", "KILL", "--"]
    # The signal comes when the thread ends that started the process: this one lives as long as ministack.
    spawner = ThreadPoolExecutor(1, "spawner")
    start = subprocess.Popen.__init__

    def bound(process: "subprocess.Popen[Any]", args: Any, *rest: Any, **options: Any) -> None:
        simple = isinstance(args, list | tuple) and not options.get("shell") and not options.get("executable")
        words = [*prefix, *args] if simple else args
        spawner.submit(start, process, words, *rest, **options).result()

    subprocess.Popen.__init__ = bound  # type: ignore[method-assign, assignment]
