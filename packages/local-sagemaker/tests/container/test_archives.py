"""What a job's archive may hold, and what it may not."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from local_sagemaker.container import archives


def packed(path: Path, *members: tarfile.TarInfo, content: bytes = b"x") -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member in members:
            member.size = len(content) if member.isfile() else 0
            tar.addfile(member, io.BytesIO(content) if member.isfile() else None)
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    return info


def test_files_folders_and_inner_links(tmp_path: Path) -> None:
    archive = packed(
        tmp_path / "a.tar.gz",
        member("./deep/file.txt"),
        member("run.sh", mode=0o755),
        member("empty", tarfile.DIRTYPE),
        member("deep/link", tarfile.SYMTYPE, "file.txt"),
        member("up", tarfile.SYMTYPE, "deep/../run.sh"),
    )
    folder = tmp_path / "out"
    folder.mkdir()
    archives.unpack(archive, folder)
    assert (folder / "deep" / "link").read_bytes() == b"x"
    assert (folder / "up").resolve() == folder / "run.sh"
    assert os.access(folder / "run.sh", os.X_OK)
    assert not os.access(folder / "deep" / "file.txt", os.X_OK)
    assert (folder / "empty").is_dir()


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (member("../out.txt"), "leads out"),
        (member("/etc/out.txt"), "leads out"),
        (member("a/../../out.txt"), "leads out"),
        (member("link", tarfile.SYMTYPE, "/etc/passwd"), "leads out"),
        (member("deep/link", tarfile.SYMTYPE, "../../elsewhere"), "leads out"),
        (member("pipe", tarfile.FIFOTYPE), "neither a file nor a folder"),
        (member("disk", tarfile.BLKTYPE), "neither a file nor a folder"),
    ],
)
def test_what_leads_out_is_refused(tmp_path: Path, bad: tarfile.TarInfo, said: str) -> None:
    folder = tmp_path / "inner" / "out"
    folder.mkdir(parents=True)
    with pytest.raises(tarfile.TarError, match=said):
        archives.unpack(packed(tmp_path / "a.tar.gz", bad), folder)
    assert not list(folder.rglob("*out*"))
    assert [path.name for path in (tmp_path / "inner").iterdir()] == ["out"]


def test_a_file_through_a_link_stays_inside(tmp_path: Path) -> None:
    """A link to a folder, then a file below the link: it lands where the link leads, which is inside."""
    archive = packed(tmp_path / "a.tar.gz", member("to", tarfile.SYMTYPE, "real"), member("to/file.txt"))
    folder = tmp_path / "out"
    (folder / "real").mkdir(parents=True)
    archives.unpack(archive, folder)
    assert (folder / "real" / "file.txt").read_bytes() == b"x"


def test_damage_is_said(tmp_path: Path) -> None:
    whole = packed(tmp_path / "a.tar.gz", member("file"), content=os.urandom(100_000)).read_bytes()
    (tmp_path / "half.tar.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.tar.gz").write_text("no archive")
    for name in ("half.tar.gz", "text.tar.gz"):
        with pytest.raises((tarfile.TarError, OSError, EOFError)):
            archives.unpack(tmp_path / name, tmp_path)
