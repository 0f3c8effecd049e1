"""A seeded 64-bit hash of keys that no version of any library changes: it decides where a row goes."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

LONGEST_KEY = 256  # bytes; hashes() pads all keys to the longest

Hashes = NDArray[np.uint64]


def hashes(keys: pl.Series, seed: int) -> Hashes:
    """Hash n keys of at most LONGEST_KEY bytes, none of them NUL; [n].

    The keys' UTF-8 bytes are mixed in words of eight bytes by the finalizer of SplitMix64 (Steele, Lea,
    Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
    """
    mixed = np.full(len(keys), _mix(np.array([seed], dtype=np.uint64) + np.uint64(0x9E3779B97F4A7C15))[0])
    for word in _words(keys).T:
        # A word of zeros is padding, which must not count: how long other keys are would change the hash.
        mixed = np.where(word != 0, _mix(mixed ^ word), mixed)
    return _mix(mixed)


def part(hashes: Hashes, parts: int) -> NDArray[np.uint16]:
    """Which of equal parts of the hashes' range each is in, [n]; the parts are in the order of the hashes."""
    leading = hashes >> np.uint64(32)
    return (leading * np.uint64(parts) >> np.uint64(32)).astype(np.uint16)


def among(hashes: Hashes, known: Hashes) -> NDArray[np.bool_]:
    """Which of the hashes are among the sorted `known` ones, [n].

    That two keys share a hash is left to chance: with ten million rows and a million known ones, that happens
    in one of two million runs.
    """
    if not len(known):
        return np.zeros(len(hashes), dtype=np.bool_)
    places = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    return np.asarray(known[places] == hashes)


def _words(keys: pl.Series) -> NDArray[np.uint64]:
    """The keys' bytes as little-endian words, padded with zeros; [n, words]."""
    if keys.is_empty():
        return np.empty((0, 1), dtype=np.uint64)
    width = max(8, -(-int(keys.str.len_bytes().max()) // 8) * 8)  # type: ignore[arg-type]
    padded = keys.str.pad_end(width, "\0").str.join("").item().encode()
    if len(padded) != len(keys) * width:  # not ASCII alone
        padded = b"".join(key.encode().ljust(width, b"\0") for key in keys.to_list())
    return np.frombuffer(padded, dtype="<u8").reshape(len(keys), -1)


def _mix(values: Hashes) -> Hashes:
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
