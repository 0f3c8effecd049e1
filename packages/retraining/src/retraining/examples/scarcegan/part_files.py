"""Names of the files in an output. Of several instances each writes parts, whose names carry its host's.

SageMaker uploads what all instances of a job wrote to one prefix: the same name twice would be one file.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from failure import InputError


@dataclass(frozen=True)
class Cluster:
    """Where a job runs: its own host, and all hosts of the job."""

    host: str
    hosts: tuple[str, ...]

    @property
    def several(self) -> bool:
        return len(self.hosts) > 1

    def name(self, file: str) -> str:
        """`data.csv` on the only host, `data-<host>.csv` on one of several."""
        path = Path(file)
        return f"{path.stem}-{self.host}{path.suffix}" if self.several else file

    def name_in(self, where: str | None) -> str | None:
        """`name` of the last part of a path or URI."""
        if where is None:
            return None
        folder, slash, file = where.rpartition("/")
        return f"{folder}{slash}{self.name(file)}"


def cluster(path: Path) -> Cluster:
    """Read resourceconfig.json; without one, the only host.

    Contract: https://docs.aws.amazon.com/sagemaker/latest/dg/build-your-own-processing-container.html
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        found = Cluster(str(document["current_host"]), tuple(map(str, document["hosts"])))
    except FileNotFoundError:
        return Cluster("algo-1", ("algo-1",))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a resourceconfig.json of SageMaker ({error!r})") from None
    if found.host not in found.hosts or not all(re.fullmatch(r"[\w.-]+", host) for host in found.hosts):
        raise InputError(f"{path}: current_host {found.host!r} is none of the hosts {list(found.hosts)}")
    if len(set(found.hosts)) != len(found.hosts):
        raise InputError(f"{path}: a host is named twice in {list(found.hosts)}; each needs its own name")
    return found


def find(path: Path) -> list[Path]:
    """The file `path`, or its parts in the order of the hosts.

    Raises InputError when there are none, or both.
    """
    parts = sorted(
        (part for part in path.parent.glob(f"{path.stem}-*{path.suffix}") if part.is_file()),
        key=lambda part: [
            int(piece) if piece.isdigit() else piece for piece in re.split(r"(\d+)", part.name)
        ],
    )
    if path.is_file() and parts:
        raise InputError(f"{path}: lies beside {parts[0].name}; these are files of two runs, keep one's")
    if not path.is_file() and not parts:
        raise InputError(f"{path}: there is no such file; preprocess.py writes it")
    return parts or [path]


def folds(folder: Path) -> list[Path]:
    """fold_0.csv, fold_1.csv ... of which `folder` has all, or a part of each from the same hosts.

    Raises InputError where one is missing below the last.
    """
    found: dict[str, set[int]] = {}
    for path in folder.glob("fold_*.csv"):
        if name := re.fullmatch(r"fold_(\d+)(-.+)?\.csv", path.name):
            found.setdefault(name[2] or "", set()).add(int(name[1]))
    last = max((max(numbers) for numbers in found.values()), default=-1)
    for part, numbers in sorted(found.items()):
        if len(numbers) <= last:
            missing = next(number for number in range(last + 1) if number not in numbers)
            raise InputError(
                f"{folder}: has a fold_{last}, but no fold_{missing}{part}.csv; copy all files of one"
                " preprocess.py run, to each instance"
            )
    return [folder / f"fold_{number}.csv" for number in range(last + 1)]
