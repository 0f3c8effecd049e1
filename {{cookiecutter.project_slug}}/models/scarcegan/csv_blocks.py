"""A CSV file in blocks of whole lines: what is in memory at a time does not grow with the file."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

BLOCK = 16 << 20  # bytes
_LONGEST_HEADER = 1 << 20
_LINES_IN_QUOTES = 1000
UNREADABLE = (OSError, EOFError, zlib.error, UnicodeDecodeError)


def open_file(path: Path) -> BinaryIO:
    """The file's bytes, unpacked where its name ends in .gz."""
    return cast(BinaryIO, gzip.open(path, "rb")) if path.name.endswith(".gz") else path.open("rb")


def read_header(file: BinaryIO) -> str:
    """The first line, without its end."""
    return file.readline(_LONGEST_HEADER).decode("utf-8-sig").rstrip("\r\n")


def blocks(file: BinaryIO, size: int = BLOCK) -> Iterator[bytes]:
    """The rest of the file in blocks of about `size` bytes that end where a line ends, not within quotes."""
    while block := file.read(size):
        if not block.endswith(b"\n"):
            block += file.readline()
        odd = block.count(b'"') % 2
        rest: list[bytes] = []
        while odd and len(rest) < _LINES_IN_QUOTES and (line := file.readline()):
            rest.append(line)
            odd ^= line.count(b'"') % 2
        yield b"".join([block, *rest]) if rest else block
