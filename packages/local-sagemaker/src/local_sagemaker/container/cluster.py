"""The instances of a job: their names, and the addresses that these names have on this machine.

As on SageMaker they are called algo-1, algo-2 and so on. Each has a loopback address of its own: all of
them may listen on the same port, and so may those of other jobs.
"""

import hashlib
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_sagemaker.core.errors import ValidationError

MOST = 100  # of one job, a limit of SageMaker's own
HOSTS_FILE = Path("/etc/hosts")
GROUP = "homogeneousCluster"  # SageMaker's name for instances that are all of one type
INTERFACE = "lo" if sys.platform == "linux" else "lo0"


@dataclass(frozen=True)
class Cluster:
    """All instances of a job. `hosts` are what programs call them, `addresses` where they listen."""

    hosts: tuple[str, ...]
    addresses: tuple[str, ...]

    @classmethod
    def make(cls, seed: str, count: int, named: bool) -> "Cluster":
        """`count` instances at addresses that are unlikely to be those of another `seed`.

        Unless their names can be made known (`named`), they are called by their addresses.
        """
        block = hashlib.sha256(seed.encode()).digest()
        addresses = tuple(f"127.{1 + block[0] % 254}.{block[1]}.{number + 1}" for number in range(count))
        if named or count == 1:
            return cls(tuple(map(folder, range(count))), addresses)
        return cls(addresses, addresses)

    def table(self) -> str:
        """The content of /etc/hosts for the job: its instances, then what the machine's own says."""
        own = "".join(f"{address} {host}\n" for host, address in zip(self.hosts, self.addresses, strict=True))
        return own + (HOSTS_FILE.read_text(errors="surrogateescape") if HOSTS_FILE.is_file() else "")

    def unreachable(self) -> list[str]:
        """The addresses that nobody can listen on: where the system has but one loopback address."""
        return [address for address in self.addresses if not _can_be_bound(address)]


def folder(rank: int) -> str:
    """The name of the instance `rank`, from 0, and of its folder in that of the job."""
    return f"algo-{rank + 1}"


def count(where: str, resources: Mapping[str, Any]) -> int:
    """How many instances `resources` ask for. Raises ValidationError for a number that cannot be."""
    asked: int = resources.get("InstanceCount", 1)
    if not 1 <= asked <= MOST:
        raise ValidationError(
            f"{where}.InstanceCount {asked} is not supported by local-sagemaker: use 1 to {MOST}"
        )
    return asked


def _can_be_bound(address: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
