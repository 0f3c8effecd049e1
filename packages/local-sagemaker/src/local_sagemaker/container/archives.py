"""Tar archives that jobs bring: unpacked here, outside of any sandbox."""

import shutil
import tarfile
from pathlib import Path


def unpack(archive: Path, folder: Path) -> None:
    """Unpack an archive's files, folders and links that stay inside `folder`, which exists.

    Python's own filter for this is missing before 3.11.4.

    Raises:
        tarfile.TarError: it is no archive, or a member leads out of the folder, or is no file.
        OSError, EOFError: it is damaged, or cannot be written.
    """
    root = folder.resolve()
    with tarfile.open(archive) as tar:
        for member in tar:
            place = (root / member.name).resolve()
            if not place.is_relative_to(root):
                raise tarfile.TarError(f"{member.name!r} leads out of the archive's folder")
            if member.isdir():
                place.mkdir(parents=True, exist_ok=True)
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            if member.issym():
                if not (place.parent / member.linkname).resolve().is_relative_to(root):
                    raise tarfile.TarError(f"the link {member.name!r} leads out of the archive's folder")
                place.symlink_to(member.linkname)
            elif (content := tar.extractfile(member)) is not None:
                with content, place.open("wb") as file:
                    shutil.copyfileobj(content, file)
                place.chmod(0o755 if member.mode & 0o100 else 0o644)
            else:
                raise tarfile.TarError(f"{member.name!r} is neither a file nor a folder")
