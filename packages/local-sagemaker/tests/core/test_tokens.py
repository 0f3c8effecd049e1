"""Session tokens: of a root, and of roles."""

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_sagemaker.core import tokens
from local_sagemaker.core.errors import LocalError

TOKEN = "kT0ken-of_43-characters-as-token_urlsafe-g1v"
ROLE_NAMES = st.from_regex(r"[A-Za-z0-9+=,.@_-]{1,64}", fullmatch=True)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@given(ROLE_NAMES, st.sampled_from(["", "service-role/", "a/b/"]))
def test_a_roles_token_says_whose_it_is(name: str, path: str) -> None:
    derived = tokens.of_role(TOKEN, f"arn:aws:iam::111122223333:role/{path}{name}")
    assert derived == tokens.of_role(TOKEN, name)
    assert tokens.holder(TOKEN, derived) == name
    assert tokens.holder(TOKEN + "x", derived) is None


@given(ROLE_NAMES, ROLE_NAMES)
def test_no_role_makes_the_token_of_another(one: str, other: str) -> None:
    _, _, digest = tokens.of_role(TOKEN, one).rpartition(":")
    assert tokens.holder(TOKEN, f"{other}:{digest}") == (one if one == other else None)


@given(st.text())
def test_what_is_no_token_is_nobodys(given_text: str) -> None:
    assert tokens.holder(TOKEN, given_text) is None


def test_the_roots_own_token_is_no_roles() -> None:
    assert tokens.holder(TOKEN, TOKEN) == ""


def test_a_root_keeps_its_token(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="has no session token yet: start the local services there"):
        tokens.read(tmp_path)
    tokens.make(tmp_path)
    made = tokens.read(tmp_path)
    assert mode(tmp_path / tokens.FILE) == 0o600
    (tmp_path / tokens.FILE).chmod(0o644)
    tokens.make(tmp_path)
    assert tokens.read(tmp_path) == made
    assert mode(tmp_path / tokens.FILE) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [tokens.FILE]


@pytest.mark.parametrize("content", [b"", b"cut-off", b"\xff" * 43, b"local-sagemaker"])
def test_what_is_no_token_of_ours_is_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / tokens.FILE).write_bytes(content)
    (tmp_path / tokens.FILE).with_suffix(".new").write_bytes(b"of a start that was cut off")
    tokens.make(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    tokens.make(other)
    assert len(tokens.read(tmp_path)) == 43
    assert tokens.read(tmp_path) != tokens.read(other)
