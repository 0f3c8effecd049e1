"""Training on several instances: who they are, and what they compute together.

Every instance holds the whole model and all rows, draws rows and noise of its own, and takes the same steps:
along the mean of all gradients (tf.distribute.MultiWorkerMirroredStrategy). So all have the same parameters
at any time. The first one, the chief, writes models and checkpoints and prints metrics.
"""

import functools
import hashlib
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from data import part_files
from job_toolkit.failure import InputError

# TensorFlow listens on all addresses, so local instances, which share a machine, need a port each; below
# those that the system gives to connections.
FIRST_PORT, PORTS = 20_000, 12_000
REDUCTION = tf.distribute.ReduceOp.MEAN


@dataclass(frozen=True)
class Workers:
    """The instances that train together. `rank` is the number of this one, from 0."""

    count: int = 1
    rank: int = 0
    strategy: Any = None  # tf.distribute.MultiWorkerMirroredStrategy, where there are several

    @property
    def is_chief(self) -> bool:
        return self.rank == 0

    def compiled(self, function: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
        """`function` as a graph, by XLA where there is one instance: it knows no `mean` over several."""
        if self.strategy is None:
            return tf.function(function, jit_compile=True, autograph=False)  # type: ignore[no-any-return]

        @functools.partial(tf.function, autograph=False)
        def graph(*values: tf.Tensor) -> tf.Tensor:
            with self.strategy.scope():  # which `mean` asks for
                return function(*values)

        def together(*values: tf.Tensor) -> tf.Tensor:
            try:
                return graph(*values)
            except tf.errors.OpError as error:
                if "ollective" not in str(error):
                    raise
                raise InputError(
                    f"instance {self.rank + 1} of {self.count}: another instance has ended, so the training"
                    " cannot go on; its log says why"
                ) from None

        return together

    def check_same(self, content: str, message: str) -> None:
        """Raise InputError with `message` on all instances, unless all come with the same `content`."""
        if self.strategy is None:
            return
        digest = np.frombuffer(hashlib.sha256(content.encode()).digest(), np.uint8).astype(np.float32)
        rows = np.zeros((self.count, len(digest)), np.float32)
        rows[self.rank] = digest
        digests = self.count * self.compiled(mean)(tf.constant(rows)).numpy()
        if (digests.round() != digest).any():
            raise InputError(message)


ALONE = Workers()


def mean(values: tf.Tensor) -> tf.Tensor:
    """The mean over all instances, in a function that `Workers.compiled` made."""
    strategy = tf.distribute.get_strategy()
    if strategy.num_replicas_in_sync == 1:
        return values

    def reduce() -> tf.Tensor:
        # A copy, on this instance's device.
        return tf.distribute.get_replica_context().all_reduce(REDUCTION, tf.identity(values))

    return strategy.run(reduce)


def join(config: Path, job: str) -> Workers:
    """The instances that `config`, the resourceconfig.json of the training job `job`, names.

    To be called before any tensor is made. Waits until all instances have called it. Raises InputError.
    """
    cluster = part_files.cluster(config)
    if not cluster.several:
        return ALONE
    count, rank, first = len(cluster.hosts), cluster.rank, first_port(job)
    _check_port(first + rank)
    tf.config.set_visible_devices(tf.config.list_physical_devices("GPU")[:1], "GPU")
    addresses = [f"{host}:{first + number}" for number, host in enumerate(cluster.hosts)]
    print(f"Instance {rank + 1} of {count}: waiting for all of {', '.join(addresses)}", flush=True)
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": addresses}), task_type="worker", task_id=rank, rpc_layer="grpc"
    )
    return Workers(count, rank, tf.distribute.MultiWorkerMirroredStrategy(resolver))


def first_port(job: str) -> int:
    """Where the chief listens; the next instances use the next ports. Two jobs at a time hardly meet."""
    return FIRST_PORT + int(hashlib.sha256(job.encode()).hexdigest(), 16) % PORTS


def _check_port(port: int) -> None:
    """TensorFlow would wait for the others before it says so."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as error:
            raise InputError(
                f"port {port}, where this instance listens for the others: {error.strerror};"
                " end what uses it, or start the job with another name"
            ) from None
