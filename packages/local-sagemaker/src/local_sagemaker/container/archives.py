"""Tar archives that jobs bring: read here, outside of any sandbox."""

import contextlib
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

MOST_MEMBERS = 100_000
# Bytes: the larger of the two. Real models and code shrink to a third, or to a tenth where they repeat.
LARGEST = 1 << 30
LARGEST_RATIO = 100

_BLOCK = 1 << 20


def unpack(archive: Path, folder: Path) -> None:
    """Unpack an archive's files, folders and links that stay inside `folder`, which exists.

    Python's own filter for this is missing before 3.11.4.

    Raises:
        tarfile.TarError: it is no archive, or damaged; a member leads out of the folder, or is no file, or
            a link to nothing or to itself; there are more than `MOST_MEMBERS`, or more bytes than `LARGEST`
            and `LARGEST_RATIO` times the archive's own.
        OSError: it cannot be read, or its content cannot be written.
    """
    root = folder.resolve()
    with _open(archive) as tar:
        space = _Space(archive)
        for number, member in enumerate(tar, start=1):
            if number > MOST_MEMBERS:
                raise tarfile.TarError(f"it has more than {MOST_MEMBERS} members")
            _unpack_member(tar, member, root, space)


def read(archive: Path, name: str) -> bytes | None:
    """The content of the member `name`, which may begin with ``./`` there; None when there is no such file.

    Raises as `unpack` does.
    """
    with _open(archive) as tar:
        for number, member in enumerate(tar):
            if number == MOST_MEMBERS:
                break
            if member.name.removeprefix("./") == name and (file := tar.extractfile(member)):
                return b"".join(_Space(archive).blocks(file))
    return None


class _Space:
    """How many bytes an archive may still come to."""

    def __init__(self, archive: Path) -> None:
        self._most = max(LARGEST, LARGEST_RATIO * archive.stat().st_size)
        self._left = self._most

    def blocks(self, file: IO[bytes]) -> Iterator[bytes]:
        """The content of a member. Raises TarError where it is more than may be."""
        while block := file.read(_BLOCK):
            self._left -= len(block)
            if self._left < 0:
                raise tarfile.TarError(f"it unpacks to more than {self._most >> 20} MiB")
            yield block


@contextlib.contextmanager
def _open(archive: Path) -> Iterator[tarfile.TarFile]:
    """An open archive; whatever else its reading raises becomes a TarError."""
    try:
        with tarfile.open(archive) as tar:
            yield tar
    except KeyError as error:
        raise tarfile.TarError(f"a link to a member that is not there: {error.args[0]}") from error
    except RuntimeError as error:  # of Path.resolve, and RecursionError
        raise tarfile.TarError(f"links that lead to themselves: {error}") from error
    except (EOFError, ValueError, OverflowError, zlib.error, lzma.LZMAError) as error:
        raise tarfile.TarError(f"it is damaged: {error}") from error


def _unpack_member(tar: tarfile.TarFile, member: tarfile.TarInfo, root: Path, space: _Space) -> None:
    place = (root / member.name).resolve()
    if not place.is_relative_to(root):
        raise tarfile.TarError(f"{member.name!r} leads out of the archive's folder")
    if member.isdir():
        place.mkdir(parents=True, exist_ok=True)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    if member.issym():
        if not (place.parent / member.linkname).resolve().is_relative_to(root):
            raise tarfile.TarError(f"the link {member.name!r} leads out of the archive's folder")
        place.symlink_to(member.linkname)
    elif (content := tar.extractfile(member)) is not None:
        with content, place.open("wb") as file:
            for block in space.blocks(content):
                file.write(block)
        place.chmod(0o755 if member.mode & 0o100 else 0o644)
    else:
        raise tarfile.TarError(f"{member.name!r} is neither a file nor a folder")
