"""Files as other systems write them, and what stands in the place of a file."""

from collections.abc import Callable
from pathlib import Path

import pytest
from configurations import CHURN, PROJECT, TUNED, lines_of, make

from retraining.config import configuration


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(make(tmp_path))
    return tmp_path


def test_a_file_of_another_encoding_is_said_with_its_line(root: Path) -> None:
    text = (root / TUNED).read_text().replace("layers: 2", "layers: 2, note: \u00e9")
    (root / TUNED).write_text(text, encoding="latin-1")
    assert lines_of(root) == [
        "models/tuned/conf.yaml:8: cannot be read as UTF-8 text: invalid byte 0xe9: save it as UTF-8"
    ]


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_files_of_other_systems_are_read(root: Path, mark: str, ends: str) -> None:
    expected = configuration.load(root)
    for file in (PROJECT, CHURN, TUNED):
        text = mark + (root / file).read_text().replace("\n", ends)
        (root / file).write_bytes(text.encode())
    assert configuration.load(root) == expected


def _folder(path: Path) -> None:
    path.mkdir()


def _dangling_link(path: Path) -> None:
    path.symlink_to("nowhere.yaml")


def _endless_link(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize("make_it", [_folder, _dangling_link, _endless_link])
def test_what_stands_in_the_place_of_a_model_file_is_named(
    root: Path, make_it: Callable[[Path], None]
) -> None:
    (root / TUNED).unlink()
    make_it(root / TUNED)
    assert lines_of(root) == ["models/tuned/conf.yaml: not a file: a folder, or a broken link"]


def test_a_folder_in_the_place_of_the_projects_file_is_named(root: Path) -> None:
    (root / PROJECT).unlink()
    (root / PROJECT).mkdir()
    assert lines_of(root) == ["conf/project.yaml: cannot be read: Is a directory"]
