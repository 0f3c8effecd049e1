"""Names of the files in an output. Each of several instances writes parts, whose names carry its host's.

SageMaker uploads what all instances of a job wrote to one prefix: the same name twice would be one file.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from job_toolkit.failure import InputError


@dataclass(frozen=True)
class Cluster:
    """Where a job runs: its own host, and all hosts of the job."""

    host: str
    hosts: tuple[str, ...]

    @property
    def several(self) -> bool:
        return len(self.hosts) > 1

    @property
    def rank(self) -> int:
        """The number of this host, from 0."""
        return self.hosts.index(self.host)

    def name(self, where: str) -> str:
        """A file's path or URI: `data.csv` on the only host, `data-<host>.csv` on one of several."""
        stem, dot, suffix = where.rpartition(".")
        return f"{stem}-{self.host}{dot}{suffix}" if self.several else where


def cluster(path: Path) -> Cluster:
    """Read resourceconfig.json; without one, the only host. Raises InputError where it is broken.

    Contract: https://docs.aws.amazon.com/sagemaker/latest/dg/build-your-own-processing-container.html
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        cluster = Cluster(str(document["current_host"]), tuple(map(str, document["hosts"])))
    except FileNotFoundError:
        return Cluster("algo-1", ("algo-1",))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a resourceconfig.json of SageMaker ({error!r})") from None
    host, hosts = cluster.host, cluster.hosts
    if host not in hosts or not all(re.fullmatch(r"[\w.-]+", name) for name in hosts):
        raise InputError(f"{path}: current_host {host!r} is none of the hosts {list(hosts)}")
    if len(set(hosts)) != len(hosts):
        raise InputError(f"{path}: a host is named twice in {list(hosts)}; each needs its own name")
    return cluster


def find(path: Path) -> list[Path]:
    """The file `path`, or its parts in the order of the hosts.

    Raises InputError when there are none, or both.
    """
    parts = [part for part in path.parent.glob(f"{path.stem}-*{path.suffix}") if part.is_file()]
    if path.is_file() and parts:
        raise InputError(f"{path}: is next to {min(parts).name}; they are from two runs, keep one's files")
    if not path.is_file() and not parts:
        raise InputError(f"{path}: there is no such file; preprocess.py writes it")
    return sorted(parts, key=_numerically) or [path]


def _numerically(path: Path) -> list[int | str]:
    """algo-10 after algo-9."""
    return [int(piece) if piece.isdigit() else piece for piece in re.split(r"(\d+)", path.name)]


def folds(folder: Path) -> list[Path]:
    """fold_0.csv, fold_1.csv ... of which `folder` has all, or a part of each from the same hosts.

    Raises InputError where there is none, or one is missing below the last.
    """
    numbers: dict[str, set[int]] = {}  # of each host; "" where it was the only one
    for path in folder.glob("fold_*.csv"):
        if name := re.fullmatch(r"fold_(\d+)(-.+)?\.csv", path.name):
            numbers.setdefault(name[2] or "", set()).add(int(name[1]))
    if not numbers:
        raise InputError(f"{folder}: has no fold_*.csv; preprocess.py writes them")
    count = 1 + max(max(own) for own in numbers.values())
    for host, own in sorted(numbers.items()):
        if missing := set(range(count)) - own:
            raise InputError(
                f"{folder}: has a fold_{count - 1}, but no fold_{min(missing)}{host}.csv; copy all files of"
                " one preprocess.py run, to each instance"
            )
    return [folder / f"fold_{number}.csv" for number in range(count)]
