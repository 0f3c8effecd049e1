"""A CSV file in blocks of whole lines: what is in memory at a time does not grow with the file."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

BLOCK = 16 << 20  # bytes
_LONGEST_HEADER = 1 << 20
_LINES_IN_QUOTES = 1000
_OTHER_KINDS = {
    b"PK\x03\x04": "a zip archive or an Excel file",
    b"\x1f\x8b": "packed by gzip; name it .csv.gz",
    b"PAR1": "Parquet; name it .parquet",
    b"\xff\xfe": "text in UTF-16; save it as UTF-8",
    b"\xfe\xff": "text in UTF-16; save it as UTF-8",
}


class OtherKindError(ValueError):
    """The file is of another kind."""


UNREADABLE = (OSError, EOFError, zlib.error, UnicodeDecodeError, OtherKindError)


def open_file(path: Path) -> BinaryIO:
    """The file's bytes, unpacked where its name ends in .gz."""
    return cast(BinaryIO, gzip.open(path, "rb")) if path.name.lower().endswith(".gz") else path.open("rb")


def read_header(file: BinaryIO) -> str:
    """The first line, without its end. Raises OtherKindError or UnicodeDecodeError."""
    line = file.readline(_LONGEST_HEADER)
    for start, kind in _OTHER_KINDS.items():
        if line.startswith(start):
            raise OtherKindError(f"it is {kind}")
    if b"\0" in line:
        raise OtherKindError("it holds zero bytes, as programs' own formats and UTF-16 do; save it as UTF-8")
    return line.decode("utf-8-sig").rstrip("\r\n")


def reason(error: Exception) -> str:
    """Why a file cannot be read, in words that tell how to save it."""
    if not isinstance(error, UnicodeDecodeError):
        return str(error)
    return f"it is not UTF-8, by its byte {error.object[error.start]:#04x}; save it as UTF-8"


def blocks(file: BinaryIO, size: int = BLOCK) -> Iterator[bytes]:
    """The rest of the file in blocks of about `size` bytes that end where a line ends, not within quotes."""
    while block := file.read(size):
        if not block.endswith(b"\n"):
            block += file.readline()
        odd = b'"' in block and block.count(b'"') % 2  # to look is far quicker than to count
        rest: list[bytes] = []
        while odd and len(rest) < _LINES_IN_QUOTES and (line := file.readline()):
            rest.append(line)
            odd ^= line.count(b'"') % 2
        yield b"".join([block, *rest]) if rest else block
