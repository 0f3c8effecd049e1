"""Work on many items in threads, with results in the items' order and few of them in memory."""

import ctypes
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

THREADS = 4  # at a time in Python; Polars' own threads work for them

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_KEPT = 1 << 30

Item = TypeVar("Item")
Result = TypeVar("Result")


def keep_memory() -> None:
    """Have this process use freed memory again, where its C library is glibc.

    By default glibc returns a large block to the system when it is freed, and the next block of a file is
    paged in anew: a fifth of the time of reading and writing large files.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(_M_MMAP_THRESHOLD, _KEPT)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)


def in_order(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """work(item) of each item; at most THREADS + 1 are begun and not yet taken."""
    with ThreadPoolExecutor(THREADS) as pool:
        begun: deque[Future[Result]] = deque()
        for item in items:
            begun.append(pool.submit(work, item))
            if len(begun) > THREADS:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
