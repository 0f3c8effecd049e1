"""What a job's archive may hold, and what it may not."""

import contextlib
import gzip
import io
import os
import shutil
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
        (member("hard", tarfile.LNKTYPE, "nothing"), "a link to a member that is not there"),
        (member("hard", tarfile.LNKTYPE, "hard"), "a link to a member that is not there"),
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


def test_links_that_lead_to_themselves_are_refused(tmp_path: Path) -> None:
    for members in (
        [member("a", tarfile.SYMTYPE, "b"), member("b", tarfile.SYMTYPE, "a"), member("a/file")],
        [member("a", tarfile.SYMTYPE, "a"), member("a/file")],
        [member("a", tarfile.SYMTYPE, "b"), member("b", tarfile.SYMTYPE, "a"), member("a")],
        [member(f"l{n}", tarfile.LNKTYPE, f"l{n - 1}") for n in range(1, 3000)],
    ):
        folder = tmp_path / "out"
        folder.mkdir()
        with pytest.raises((tarfile.TarError, OSError)):
            archives.unpack(packed(tmp_path / "a.tar.gz", *members), folder)
        shutil.rmtree(folder)


def test_what_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "LARGEST", 3 << 20)
    twice = [member("a"), *(member(f"b{n}", tarfile.LNKTYPE, "a") for n in range(3))]
    for members, size in (([member("a")], 4 << 20), (twice, 1 << 20)):
        archive = packed(tmp_path / "a.tar.gz", *members, content=bytes(size))
        assert archive.stat().st_size < 10_000
        with pytest.raises(tarfile.TarError, match="it unpacks to more than 3 MiB"):
            archives.unpack(archive, tmp_path)
    archives.unpack(packed(tmp_path / "a.tar.gz", member("a"), content=bytes(3 << 20)), tmp_path)
    with pytest.raises(tarfile.TarError, match="it unpacks to more than 3 MiB"):
        archives.read(packed(tmp_path / "a.tar.gz", member("./a"), content=bytes(4 << 20)), "a")
    random = os.urandom(4 << 20)  # an archive that is that large itself
    archives.unpack(packed(tmp_path / "a.tar.gz", member("a"), content=random), tmp_path)
    assert (tmp_path / "a").read_bytes() == random
    monkeypatch.setattr(archives, "MOST_MEMBERS", 3)
    with pytest.raises(tarfile.TarError, match="it has more than 3 members"):
        archives.unpack(packed(tmp_path / "a.tar.gz", *(member(name) for name in "abcd")), tmp_path)


@given(st.data())
def test_no_archive_raises_anything_else(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        names = st.sampled_from(["a", "b", "a/b", "b/a", "../a", "/a", ".", "", "a/../b"])
        kinds = st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE])
        members = data.draw(st.lists(st.builds(member, names, kinds, names), max_size=6))
        content = bytearray(packed(folder / "a.tar.gz", *members).read_bytes())
        raw = bytearray(gzip.decompress(content))
        damaged = raw if data.draw(st.booleans()) else content
        for _ in range(data.draw(st.integers(0, 3))):
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
        (folder / "a.tar").write_bytes(damaged)
        (folder / "out").mkdir()
        with contextlib.suppress(tarfile.TarError, OSError):
            archives.read(folder / "a.tar", "a")
        with contextlib.suppress(tarfile.TarError, OSError):
            archives.unpack(folder / "a.tar", folder / "out")
        assert {path.name for path in folder.iterdir()} == {"a.tar.gz", "a.tar", "out"}


def test_damage_is_said(tmp_path: Path) -> None:
    whole = packed(tmp_path / "a.tar.gz", member("file"), content=os.urandom(100_000)).read_bytes()
    (tmp_path / "half.tar.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.tar.gz").write_text("no archive")
    for name in ("half.tar.gz", "text.tar.gz"):
        with pytest.raises((tarfile.TarError, OSError)):
            archives.unpack(tmp_path / name, tmp_path)
