import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from jobs import MODEL, Chain, run

import preprocess
import schema
import simulate
from job_toolkit import processing

COLUMNS = [*schema.FEATURES, schema.TARGET]
Change = Callable[[Path], object]


def prepare(base: Path, *arguments: str) -> int:
    """The job in this process, with the exit code and the reason file of the real one."""
    return processing.run(preprocess.main, ["--base", str(base / "processing"), *arguments])


def outputs(base: Path) -> dict[str, bytes]:
    out = base / "processing" / "output"
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*.csv"))}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    folder = tmp_path / "processing" / "input" / "shoppers"
    folder.mkdir(parents=True)
    simulate.simulate(400, 7).to_csv(folder / "shoppers.csv", index=False)
    return tmp_path


def test_no_row_is_lost_and_purchases_are_spread_evenly(chain: Chain) -> None:
    out = chain.preprocessed
    source = pd.read_csv(chain.root / "preprocess" / "input" / "shoppers" / "shoppers.csv", dtype=str)
    train, validation = (
        pd.read_csv(out / name / f"{name}.csv", dtype=str) for name in ("train", "validation")
    )
    features = pd.read_csv(
        out / "test_features" / "features.csv", header=None, names=list(schema.FEATURES), dtype=str
    )
    labels = pd.read_csv(out / "test_labels" / "labels.csv", dtype=str)
    test = pd.concat([features, labels], axis=1)
    assert len(features) == len(labels)
    together = pd.concat([train, validation, test])
    source["Revenue"] = source["Revenue"].map({"TRUE": "1", "FALSE": "0"})
    # The rows as they came, labels beside their features: the whole is the input in another order.
    expected = sorted(source[COLUMNS].itertuples(index=False, name=None))
    assert sorted(together[COLUMNS].itertuples(index=False, name=None)) == expected
    share = (source["Revenue"] == "1").mean()
    for part, fraction in ((train, 0.6), (validation, 0.2), (test, 0.2)):
        assert len(part) == pytest.approx(fraction * len(source), abs=1)
        assert (part["Revenue"] == "1").sum() == pytest.approx(share * len(part), abs=1)


def test_order_of_columns_number_and_format_of_files_do_not_matter(base: Path) -> None:
    assert prepare(base) == 0
    first = outputs(base)
    assert len(first) == 4
    path = base / "processing" / "input" / "shoppers" / "shoppers.csv"
    rows = pd.read_csv(path, dtype=str)
    rows.head(100)[COLUMNS[::-1]].to_csv(path.with_name("B.CSV"), index=False)
    rows.iloc[100:150].to_csv(path.with_name("a.csv"), index=False)
    with gzip.open(path.with_name("b.csv.GZ"), "wt", encoding="utf-8-sig") as file:
        rows.iloc[150:300].to_csv(file, index=False)
    rows.iloc[300:].to_parquet(path.with_name("c.parquet"))
    path.rename(path.with_name("_old.csv"))
    path.with_name("_SUCCESS").touch()
    assert prepare(base) == 0
    assert outputs(base) == first


def test_another_seed_gives_another_split(base: Path) -> None:
    assert prepare(base) == 0
    first = outputs(base)
    assert prepare(base, "--seed", "8") == 0
    assert outputs(base) != first


def test_missing_values_are_kept_as_missing(base: Path) -> None:
    put("PageValues", "")(base / "processing" / "input" / "shoppers")
    put("Month", " ")(base / "processing" / "input" / "shoppers")
    assert prepare(base) == 0
    tables = [text.decode() for name, text in outputs(base).items() if "labels" not in name]
    assert sum(text.count(",,") + text.count(", ,") for text in tables) == 2


def edit(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Change:
    def apply(folder: Path) -> None:
        path = folder / "shoppers.csv"
        change(pd.read_csv(path, dtype=str, keep_default_na=False)).to_csv(path, index=False)

    return apply


def put(column: str, value: str, row: int = 3) -> Change:
    return edit(lambda table: table.assign(**{column: table[column].where(table.index != row, value)}))


def rewrite(change: Callable[[bytes], bytes]) -> Change:
    def apply(folder: Path) -> None:
        path = folder / "shoppers.csv"
        path.write_bytes(change(path.read_bytes()))

    return apply


BAD: dict[str, tuple[Change, list[str]]] = {
    "missing column": (
        edit(lambda table: table.drop(columns="PageValues")),
        ["shoppers.csv: column 'PageValues' is missing"],
    ),
    "no label": (edit(lambda table: table.drop(columns="Revenue")), ["column 'Revenue' is missing"]),
    "renamed column": (
        edit(lambda table: table.rename(columns={"PageValues": "page_values"})),
        ["column 'PageValues' is missing; is 'page_values' another name of it?"],
    ),
    "extra column": (
        edit(lambda table: table.assign(shoe_size="44")),
        ["column 'shoe_size' is not in the schema; leave it out"],
    ),
    "column twice": (
        rewrite(lambda raw: raw.replace(b"Informational,", b"Administrative,", 1)),
        ["column 'Administrative' occurs twice in the header"],
    ),
    "another file": (
        lambda folder: (folder / "more.xlsx").write_text("x"),
        ["more.xlsx: is no .csv, .csv.gz, .parquet file; convert it, or move it away"],
    ),
    "semicolons": (
        rewrite(lambda raw: raw.replace(b",", b";")),
        ["shoppers.csv: its columns are separated by semicolons; save it with commas"],
    ),
    "quoted semicolons": (
        rewrite(lambda raw: b'"' + raw.replace(b",", b'";"').replace(b"\n", b'"\n"')),
        ["shoppers.csv: its columns are separated by semicolons; save it with commas"],
    ),
    "no header": (
        rewrite(lambda raw: raw.split(b"\n", 1)[1]),
        ["its first line holds none of the columns' names"],
    ),
    "unknown label": (
        put("Revenue", "maybe"),
        ["row 4: column 'Revenue' holds 'maybe'; it takes TRUE or FALSE"],
    ),
    "empty label": (put("Revenue", ""), ["row 4: column 'Revenue' holds ''; it takes TRUE or FALSE"]),
    "text": (
        put("ExitRates", "lots"),
        [
            "row 4: column 'ExitRates' holds 'lots'; it takes a number from 0 to 1",
            ", or nothing where it is unknown",
        ],
    ),
    "negative": (
        put("PageValues", "-1"),
        ["row 4: column 'PageValues' holds '-1'; it takes a number of 0 or more"],
    ),
    "too large": (
        put("BounceRates", "1.5"),
        ["row 4: column 'BounceRates' holds '1.5'; it takes a number from 0 to 1"],
    ),
    "infinite": (put("PageValues", "inf"), ["row 4: column 'PageValues' holds 'inf'"]),
    "NaN": (
        put("PageValues", "NaN"),
        ["row 4: column 'PageValues' holds 'NaN'", "or nothing where it is unknown"],
    ),
    "many": (
        edit(lambda table: table.assign(PageValues="x")),
        ["row 1: column 'PageValues'", "(400 such rows)"],
    ),
    "long row": (
        rewrite(lambda raw: raw + b"1," * 18 + b"1\n"),
        ["row 401 has 19 fields; the columns are 18 ("],
    ),
    "short row": (rewrite(lambda raw: raw + b"1,1\n"), ["row 401 has 2 fields; the columns are 18 ("]),
    "open quote": (rewrite(lambda raw: raw + b'"1,2'), ["shoppers.csv: cannot be read as CSV"]),
    "not UTF-8": (rewrite(lambda raw: raw + b"\xff\xfe\n"), ["shoppers.csv: cannot be read as CSV"]),
    "empty file": (
        rewrite(lambda raw: b""),
        ["shoppers.csv: is empty; the first line must name the columns"],
    ),
    "header alone": (
        rewrite(lambda raw: raw.split(b"\n")[0]),
        ["channel shoppers: no rows in", "a header alone"],
    ),
    "no files": (
        lambda folder: (folder / "shoppers.csv").unlink(),
        ["channel shoppers: no .csv, .csv.gz, .parquet file in"],
    ),
    "no folder": (shutil.rmtree, ["channel shoppers: no .csv, .csv.gz, .parquet file in"]),
    "broken gzip": (
        lambda folder: (folder / "x.csv.gz").write_bytes(
            gzip.compress((folder / "shoppers.csv").read_bytes())[:-2000]
        ),
        ["x.csv.gz: cannot be read as CSV"],
    ),
    "one class": (
        edit(lambda table: table.assign(Revenue="FALSE")),
        ["channel shoppers: 0 of 400 rows have Revenue TRUE; each class needs at least 10"],
    ),
    "few purchases": (
        edit(lambda table: table.assign(Revenue=["TRUE"] * 9 + ["FALSE"] * 391)),
        ["channel shoppers: 9 of 400 rows have Revenue TRUE; each class needs at least 10"],
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_ends_with_one_line_and_no_output(
    case: str, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change, texts = BAD[case]
    change(base / "processing" / "input" / "shoppers")
    assert prepare(base) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: ")
    assert not line.startswith("Error: unexpected")
    for text in texts:
        assert text in line
    assert (base / "output" / "message").read_text() == line + "\n"
    assert not (base / "processing" / "output").exists()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--test-fraction", "1.5"], "arguments: --test-fraction must be between 0 and 1"),
        (["--test-fraction", "nan"], "arguments: --test-fraction must be between 0 and 1"),
        (["--test-fraction", "0.6", "--validation-fraction", "0.5"], "together must be less than 1"),
        (
            ["--test-fraction", "0.001"],
            "(validation fraction 0.2, test fraction 0.001, seed 7) leave no test row with the label '0'",
        ),
        (["--validation-fraction", "0.001"], "leave no validation row with the label '0'"),
        (["--test-fraction", "0.4", "--validation-fraction", "0.599"], "leave no train row with the label"),
        (["--seed", "-1"], "arguments: --seed must be between 0 and 4294967295"),
        (["--seed", "x"], "argument --seed: invalid int value: 'x'"),
        (["--fraction", "0.2"], "unrecognized arguments: --fraction 0.2 (known: --validation-fraction"),
    ],
)
def test_wrong_arguments_are_named(
    arguments: list[str], text: str, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prepare(base, *arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: ")
    assert text in line


def test_the_process_itself_ends_without_a_traceback(base: Path) -> None:
    BAD["unknown label"][0](base / "processing" / "input" / "shoppers")
    done = run("preprocess.py", "--base", base / "processing")
    assert done.returncode == 1
    assert done.stderr == (base / "output" / "message").read_text()
    assert "Traceback" not in done.stdout + done.stderr
    assert str(MODEL) not in done.stderr
