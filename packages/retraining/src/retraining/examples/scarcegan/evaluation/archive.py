"""Model archives: safe extraction, and packing that gives the same bytes for the same files."""

import errno
import gzip
import io
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from failure import InputError


def extract(path: Path, folder: Path) -> None:
    """Extract a .tar.gz. Raises InputError when it is missing or broken, or a member leaves `folder`."""
    try:
        with tarfile.open(path, "r:gz") as tar:
            for member in tar:
                _extract_member(tar, member, path, folder)
            while tar.fileobj and tar.fileobj.read(1 << 20):
                pass  # to the end, where the checksum is
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; it is the training job's model artifact") from None
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise  # there is no room for what is in it
        raise InputError(f"{path}: not a complete .tar.gz archive ({error})") from None


def _extract_member(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path, folder: Path) -> None:
    """By hand: tarfile's own filters are missing in Python 3.11.2, which Debian 12 has."""
    name = PurePosixPath(member.name)
    inside = not name.is_absolute() and ".." not in name.parts
    if not inside or not (member.isfile() or member.isdir()):
        raise InputError(
            f"{path}: refused, a member is not a plain file inside the archive ({member.name!r})"
        )
    target = folder / name
    content = tar.extractfile(member)
    if content is None:
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        shutil.copyfileobj(content, file)


def pack(members: dict[str, Path], path: Path) -> None:
    """Write a .tar.gz of plain files, {name inside: file}, sorted by name, without times or owners."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for name, file in sorted(members.items()):
            content = file.read_bytes()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
