"""metrics.csv: what is written is read again."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from job_toolkit import metrics
from job_toolkit.failure import InputError
from job_toolkit.metrics import Model

numbers = st.floats(allow_nan=False, allow_infinity=False)
# Python 3.10 neither writes nor reads NUL in CSV.
names = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=8).map(str.strip)
columns = st.from_regex(r"[a-z][a-z0-9 ]{0,7}", fullmatch=True).filter(
    lambda name: name not in metrics.KEYS and name == name.strip()
)
objects = st.dictionaries(st.text(max_size=3), st.lists(st.integers(0, 9), max_size=3), max_size=2)
models = st.builds(
    lambda kind, name, problem, values, spread, details: Model(
        kind,
        name,
        problem,
        values,
        spread,
        {f"{column}_object": value for column, value in details.items()},
    ),
    st.sampled_from(["candidate", "baseline", "ablation"]),
    names,
    st.sampled_from(["", "regression", "binary_classification"]),
    st.dictionaries(columns, numbers, max_size=4),
    st.dictionaries(columns, numbers, max_size=2),
    st.dictionaries(columns, objects, max_size=2),
)


@given(st.lists(models, max_size=5, unique_by=lambda model: (model.kind, model.name)))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, written: list[Model]) -> None:
    path = tmp_path_factory.mktemp("metrics") / "evaluation" / "metrics.csv"
    metrics.write(written, path)
    assert metrics.read(path) == written


def test_a_file_is_a_table_for_people(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    metrics.write(
        [
            Model(
                "candidate", "best, of all", "binary_classification", {"rows": 4, "auc": 0.9}, {"auc": 0.02}
            ),
            Model("baseline", "majority", metrics={"auc": 0.5}),
            Model("candidate", "b", objects={"confusion_matrix": {"0": {"0": 1}}}, metrics={"f1": 1}),
        ],
        path,
    )
    assert path.read_text().splitlines() == [
        "kind,name,problem,rows,auc,f1,auc_standard_deviation,confusion_matrix",
        'candidate,"best, of all",binary_classification,4,0.9,,0.02,',
        "baseline,majority,,,0.5,,,",
        'candidate,b,,,,1,,"{""0"":{""0"":1}}"',
    ]


def test_an_empty_cell_is_no_metric_and_space_does_not_count() -> None:
    text = "kind, name ,auc,f1,auc_standard_deviation\n, a , 0.5 , ,\n\n"
    assert metrics.parse(text) == [Model("candidate", "a", "", {"auc": 0.5})]


@pytest.mark.parametrize(
    "cell",
    [
        "nan",
        "NaN",
        "inf",
        "-Infinity",
        "1e999",
        "yes",
        "good",
        "1,234",
        "0,9",
        "1_000",
        "0x1",
        "\u0661",
        "[1]",
    ],
)
def test_a_cell_that_is_no_number_is_named_with_its_row(cell: str) -> None:
    text = f'kind,name,auc,f1\n,a,0.5,1\n,b,"{cell}",1\n'
    with pytest.raises(InputError) as raised:
        metrics.parse(text, "x.csv")
    assert str(raised.value) == (
        f"x.csv: row 2: column 'auc' holds {cell!r}; it takes a finite number, or nothing where there is none"
    )
    assert metrics.parse(text, "x.csv", lenient=True)[1] == Model("candidate", "b", "", {"f1": 1.0})


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ('{"a": {"a": NaN}}', "NaN is not a number of JSON"),
        ('{"a": {"a": 1e999}}', "1e999 is too large for a number"),
        ('{"a": 1, "a": 2}', "'a' occurs twice in an object"),
        ('{"a": 1', "delimiter"),
        ('{"a":' * 9999, "nested too deeply"),
    ],
)
def test_a_cell_that_is_no_json_object_is_named_with_its_row(cell: str, expected: str) -> None:
    doubled = cell.replace('"', '""')
    with pytest.raises(InputError, match=r"^x: row 1: column 'm' holds no JSON object \(.*\)$") as raised:
        metrics.parse(f'kind,name,m\n,a,"{doubled}"\n', "x")
    assert expected in str(raised.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_not_finite_is_not_written(value: float, tmp_path: Path) -> None:
    for model in (
        Model("baseline", "b", metrics={"auc": value}),
        Model("baseline", "b", metrics={"auc": 1}, deviations={"auc": value}),
        Model("baseline", "b", objects={"curve": {"auc": [1, value]}}),
    ):
        with pytest.raises(InputError, match=r"^baseline 'b': .*auc.* is (nan|inf|-inf)[,;]"):
            metrics.write([model], tmp_path / "metrics.csv")
        assert not (tmp_path / "metrics.csv").exists()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "x: column 'kind' is missing"),
        ("kind,auc\ncandidate,1\n", "x: column 'name' is missing"),
        ("kind,name\ncandidate\n", "x: row 1 has 1 fields where the header has 2"),
        ("kind,name\ncandidate,a\nbaseline,a\n,a\n", "x: row 3: the candidate 'a' occurs twice"),
        ('kind,name\ncandidate,"a', "x: cannot be read as CSV"),
        ("kind,name,auc, auc\n,a,1,2\n", "x: column 'auc' occurs twice in the header"),
    ],
)
def test_another_file_is_refused(text: str, expected: str) -> None:
    with pytest.raises(InputError) as raised:
        metrics.parse(text, "x")
    assert str(raised.value).startswith(expected)


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"metrics\.csv: cannot be read"):
        metrics.read(tmp_path / "metrics.csv")
    (tmp_path / "metrics.csv").write_bytes(b"\xff")
    with pytest.raises(InputError, match=r"metrics\.csv: cannot be read"):
        metrics.read(tmp_path / "metrics.csv")
