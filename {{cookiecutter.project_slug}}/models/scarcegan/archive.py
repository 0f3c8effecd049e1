"""Model archives: safe extraction, and packing that gives the same bytes for the same files."""

import gzip
import io
import tarfile
import zlib
from pathlib import Path

from failure import InputError


def extract(path: Path, folder: Path) -> None:
    """Extract a .tar.gz. Raises InputError when it is missing or broken, or a member leaves `folder`."""
    try:
        with tarfile.open(path, "r:gz") as tar:
            tar.extractall(folder, filter="data")
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; it is the training job's model artifact") from None
    except tarfile.FilterError as error:
        raise InputError(
            f"{path}: refused, a member is not a plain file inside the archive ({error})"
        ) from None
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: not a complete .tar.gz archive ({error})") from None


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
