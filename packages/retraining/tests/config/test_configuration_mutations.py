"""Whatever stands in the files, loading them ends well or with lines that each name a place."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from configurations import CHURN, PLACE, PROJECT, TEXTS, TUNED, make
from hypothesis import given, settings
from hypothesis import strategies as st

from retraining.config import configuration
from retraining.errors import UserError

Path_ = tuple[str | int, ...]
# Below these keys names are free, or passed on as they are.
FREE = (
    "hyperparams",
    "arguments",
    "env",
    "tags",
    "metric_definitions",
    "channels",
    "models",
    "hyperparameter_ranges",
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.dates(),
    st.datetimes(),
    st.binary(max_size=5),
    st.sampled_from(
        ["SMP_ROLE", "SMP_X", "${SMP_", "x" * 5000, "a >> b", "s3://", "1e400", 10**400, "\n", "{{"]
    ),
)
KEYS = st.one_of(
    st.text(max_size=10),
    st.integers(),
    st.booleans(),
    st.none(),
    st.sampled_from(["parameter", "default", "<<"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


def paths(value: Any, here: Path_ = ()) -> Iterator[Path_]:
    """The paths of all keys and items below `value`."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*here, key)
        yield from paths(item, (*here, key))


PLACES = [(file, path) for file, text in TEXTS.items() for path in paths(yaml.safe_load(text))]
KNOWN_KEYS = [
    (file, path)
    for file, path in PLACES
    if isinstance(path[-1], str) and len(path[-1]) > 3 and not (len(path) > 1 and path[-2] in FREE)
]


@contextmanager
def changed(file: str, text: str) -> Iterator[Path]:
    """The good configuration with another text of one file."""
    folder, before = Path(tempfile.mkdtemp()), Path.cwd()
    try:
        os.chdir(make(folder))
        (folder / file).write_text(text, encoding="utf-8")
        yield folder
    finally:
        os.chdir(before)
        shutil.rmtree(folder)


def loads_or_says(root: Path) -> list[str]:
    """The lines of the error; whatever else is raised fails the test."""
    try:
        configuration.load(root)
    except UserError as error:
        lines = str(error).splitlines()
        assert lines
        assert all(PLACE.match(line) for line in lines), lines
        return lines
    return []


def parent_of(content: Any, path: Path_) -> Any:
    for part in path[:-1]:
        content = content[part]
    return content


@given(place=st.sampled_from(PLACES))
@settings(max_examples=100)
def test_without_any_one_key(place: tuple[str, Path_]) -> None:
    file, path = place
    content = yaml.safe_load(TEXTS[file])
    del parent_of(content, path)[path[-1]]
    with changed(file, yaml.safe_dump(content, sort_keys=False)) as root:
        loads_or_says(root)


@given(place=st.sampled_from(PLACES), value=VALUES)
@settings(max_examples=100)
def test_with_any_value_anywhere(place: tuple[str, Path_], value: Any) -> None:
    file, path = place
    content = yaml.safe_load(TEXTS[file])
    parent_of(content, path)[path[-1]] = value
    with changed(file, yaml.safe_dump(content, sort_keys=False, allow_unicode=True)) as root:
        loads_or_says(root)


@given(place=st.sampled_from(KNOWN_KEYS), data=st.data())
@settings(max_examples=120)
def test_a_misspelt_key_is_refused_and_named(place: tuple[str, Path_], data: st.DataObject) -> None:
    file, path = place
    key = str(path[-1])
    index = data.draw(st.integers(1, len(key) - 2))
    wrong = data.draw(
        st.sampled_from(
            [
                key[:index] + key[index + 1 :],
                key[:index] + key[index] + key[index:],
                key[:index] + key[index + 1] + key[index] + key[index + 2 :],
            ]
        )
    )
    if wrong == key:
        return
    content = yaml.safe_load(TEXTS[file])
    parent = parent_of(content, path)
    renamed = {wrong if name == key else name: value for name, value in parent.items()}
    parent.clear()
    parent.update(renamed)
    with changed(file, yaml.safe_dump(content, sort_keys=False)) as root:
        lines = loads_or_says(root)
    named = [line for line in lines if wrong in line and "unknown key" in line]
    assert len(named) == 1, lines
    assert named[0].startswith(f"{file}:")


@given(place=st.sampled_from(KNOWN_KEYS))
@settings(max_examples=60)
def test_a_key_that_stands_twice_is_refused_and_named(place: tuple[str, Path_]) -> None:
    file, path = place
    content = yaml.safe_load(TEXTS[file])
    key = str(path[-1])
    parent_of(content, path)[f"{key}@"] = 1
    text = yaml.safe_dump(content, sort_keys=False).replace(f"{key}@:", f"{key}:")
    with changed(file, text) as root:
        (line,) = loads_or_says(root)
    assert f"{key}: duplicate key, first on line " in line


@given(file=st.sampled_from([PROJECT, CHURN, TUNED]), data=st.data())
@settings(max_examples=100)
def test_with_any_text_in_the_middle(file: str, data: st.DataObject) -> None:
    text = TEXTS[file]
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(start + 40, len(text))))
    middle = data.draw(
        st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(["\t", "&a *a", "<<: ", "!!x "])
    )
    with changed(file, text[:start] + middle + text[end:]) as root:
        loads_or_says(root)
