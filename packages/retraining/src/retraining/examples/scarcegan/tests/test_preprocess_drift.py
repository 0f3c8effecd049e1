"""Statistics of columns, the profile of a run's data, and how far the next run's moved from it."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jobs import refused, succeed

from data.scaler import Moments
from preparation import column_statistics, drift
from preparation.column_statistics import ColumnStatistics

FLOATS = st.floats(-1e6, 1e6).map(lambda value: 0.0 if abs(value) < 1e-30 else value)
COLUMN = st.lists(FLOATS, min_size=1, max_size=60)


def statistics(*parts: list[float], weight: int = 1) -> ColumnStatistics:
    gathered = ColumnStatistics(["a"])
    for number, part in enumerate(parts):
        rows = pl.DataFrame({"a": part}, schema={"a": pl.Float64})
        gathered.update(column_statistics.summary(rows), ("g", 0, number), rows, rows.height, weight)
    return gathered


@settings(max_examples=100)
@given(st.lists(COLUMN, min_size=1, max_size=4))
def test_statistics_of_parts_are_those_of_the_whole(parts: list[list[float]]) -> None:
    whole = np.array([value for part in parts for value in part])
    gathered = statistics(*parts)
    assert gathered.rows == len(whole)
    assert gathered.minimum[0] == whole.min()
    assert gathered.maximum[0] == whole.max()
    assert gathered.zeros[0] == (whole == 0).sum()
    largest = np.abs(whole).max()
    assert gathered.moments.mean[0] == pytest.approx(whole.mean(), abs=1e-9 * largest)
    assert gathered.moments.std[0] == pytest.approx(whole.std(), abs=1e-6 * largest)
    shares = [0.0, 0.25, 0.5, 0.9, 1.0]
    for share, quantile in zip(shares, gathered.quantiles(shares)[0], strict=True):
        exact = np.quantile(whole, share, method="lower")
        assert quantile == pytest.approx(exact, rel=1 / 128, abs=1e-37)
    first, *others = (Moments.of(np.array(part)[:, None]) for part in parts)
    for other in others:
        first = first.merged(other)
    assert first.count == len(whole)
    assert first.std[0] == pytest.approx(whole.std(), abs=1e-6 * largest)


@settings(max_examples=100)
@given(st.lists(FLOATS, min_size=2, max_size=50))
def test_buckets_are_in_the_order_of_the_numbers(values: list[float]) -> None:
    ordered = np.sort(np.array(values, dtype=np.float32))
    places = column_statistics.position(ordered)
    assert (np.diff(places.astype(int)) >= 0).all()
    back = column_statistics.value(places)
    assert (np.abs(back) <= np.abs(ordered)).all()
    np.testing.assert_allclose(back, ordered, rtol=1 / 128)


@settings(max_examples=100)
@given(COLUMN, COLUMN)
def test_the_index_is_that_of_the_bins(before: list[float], after: list[float]) -> None:
    profile = drift.profile(statistics(before))
    bins = profile["features"]["a"]
    limits = [-math.inf, *bins["limits"], math.inf]
    before, after = (
        column_statistics.value(column_statistics.position(np.float32(values))) for values in (before, after)
    )
    assert bins["counts"] == np.histogram(before, limits)[0].tolist()
    assert sum(bins["counts"]) == len(before)
    expected = 0.0
    for was, now in zip(bins["counts"], np.histogram(after, limits)[0], strict=True):
        e, a = max(was / len(before), 1e-4), max(now / len(after), 1e-4)
        expected += (a - e) * math.log(a / e)
    index = drift.indices_against(profile, statistics(after.tolist()))["a"]
    assert index == pytest.approx(expected, abs=1e-9)
    assert index >= 0
    assert drift.indices_against(profile, statistics(before.tolist()))["a"] == 0


def test_the_index_by_hand() -> None:
    """Half and half, then a quarter and three quarters: 0.25 ln 1.5 + 0.25 ln 2."""
    index = drift.index(np.array([50, 50]), np.array([25, 75]))
    assert index == pytest.approx(0.25 * math.log(1.5) + 0.25 * math.log(2))


def test_a_value_that_many_rows_have_is_a_bin_of_its_own() -> None:
    values = [0.0] * 60 + [float(number) for number in range(1, 41)]
    profile = drift.profile(statistics(values))
    assert profile["features"]["a"]["counts"][:2] == [0, 60]
    constant = drift.profile(statistics([5.0] * 50))
    assert drift.indices_against(constant, statistics([5.5] * 50))["a"] > 5


def test_a_weighted_sample_counts_as_the_rows() -> None:
    profile = drift.profile(statistics([1.0, 2.0, 3.0, 4.0], weight=8))
    assert sum(profile["features"]["a"]["counts"]) == 32


def shift(base: Path, factor: float) -> None:
    for path in (base / "input").glob("*/*.csv"):
        rows = pd.read_csv(path, dtype={"player_id": str})
        rows["deposit_mean"] = rows["deposit_mean"] * factor
        rows.to_csv(path, index=False)


def prepared(base: Path, reference: object) -> tuple[str, dict[str, object]]:
    log = succeed("preprocess.py", "--base", base, "--reference", reference)
    return log, json.loads((base / "output" / "train_data" / "drift.json").read_text())


def test_each_run_is_compared_with_the_one_before(base: Path, tmp_path: Path) -> None:
    reference = tmp_path / "kept" / "profile.json"
    log, first = prepared(base, reference)
    assert f"there is no {reference}; this is the first run, nothing to compare with" in log
    assert first["psi_max"] is None
    assert "PSI_Max" not in log
    log, again = prepared(base, reference)
    assert "of the same data, and there is none before it" in log
    assert again == first
    shift(base, 3)
    log, moved = prepared(base, reference)
    assert moved["psi_max"] == moved["psi"]["deposit_mean"] > 0.25
    others = [value for name, value in moved["psi"].items() if name != "deposit_mean"]
    assert max(others) == 0
    assert f"PSI_Max={moved['psi_max']:.6f}; PSI_Mean={moved['psi_mean']:.6f};\n" in log
    assert f"PSI_deposit_mean={moved['psi_max']:.6f};\n" in log
    assert moved["reference_rows"] == moved["rows"]
    page = (base / "output" / "train_data" / "data_quality.html").read_text()
    assert f'<span class="badge far">{moved["psi_max"]:.3f}</span>' in page
    _, repeated = prepared(base, reference)
    assert repeated == moved
    shift(base, 1 / 3)
    _, back = prepared(base, reference)
    assert back["psi"]["deposit_mean"] > 0.25


def test_the_profile_of_one_run_can_be_named_and_stays(base: Path, small: Path, tmp_path: Path) -> None:
    profile = tmp_path / "profile.json"
    shutil.copy(small / "output" / "train_data" / "profile.json", profile)
    before = profile.read_bytes()
    assert prepared(base, profile)[1]["psi_max"] == 0
    assert profile.read_bytes() == before


def test_another_schema_compares_what_both_have(base: Path, small: Path, tmp_path: Path) -> None:
    profile = json.loads((small / "output" / "train_data" / "profile.json").read_text())
    del profile["features"]["deposit_mean"]
    reference = tmp_path / "profile.json"
    reference.write_text(json.dumps({"current": profile, "previous": None}))
    _, document = prepared(base, reference)
    assert "deposit_mean" not in document["psi"]
    assert len(document["psi"]) == 49


def test_a_run_that_shares_no_feature_with_the_one_before_is_told(
    base: Path, small: Path, tmp_path: Path
) -> None:
    before = (small / "output" / "train_data" / "data_quality.html").read_text()
    assert "There was no earlier run to compare with." in before
    profile = json.loads((small / "output" / "train_data" / "profile.json").read_text())
    profile["features"] = {f"old_{name}": bins for name, bins in profile["features"].items()}
    reference = tmp_path / "profile.json"
    reference.write_text(json.dumps({"current": profile, "previous": None}))
    log, document = prepared(base, reference)
    assert document["psi"] == {}
    assert document["psi_max"] is None
    assert document["reference_rows"] == document["rows"]
    told = "of the run before has none of these features; nothing to compare with"
    assert f"Reference: the profile {told}\n" in log
    page = (base / "output" / "train_data" / "data_quality.html").read_text()
    assert f"The profile {told}." in page
    assert "no earlier run" not in page


NO_PROFILES = (
    "{",
    "[]",
    '{"current": {"features": {"deposit_mean": 3}}}',
    '{"current": {"rows": 5, "features": ["deposit_mean"]}}',
    '{"current": {"rows": "5", "features": {"deposit_mean": {"limits": [], "counts": [5]}}}}',
    '{"current": {"rows": 5, "features": {"deposit_mean": 3}}}',
    '{"current": {"rows": 5, "features": {"deposit_mean": {"limits": ["x"], "counts": [5, 0]}}}}',
    '{"current": {"rows": 5, "features": {"deposit_mean": {"limits": [1], "counts": [5]}}}}',
    '{"current": {"rows": 5, "features": {"deposit_mean": {"limits": [], "counts": [1' + "0" * 30 + "]}}}}",
)


@pytest.mark.parametrize("text", NO_PROFILES)
def test_a_reference_that_is_none_ends_in_one_line(text: str, base: Path, tmp_path: Path) -> None:
    (tmp_path / "profile.json").write_text(text)
    line = refused("preprocess.py", "--base", base, "--reference", tmp_path / "profile.json")
    assert line.startswith(f"Error: reference {tmp_path}/profile.json: no profile of preprocess.py (")
    assert line.endswith("; delete it")
    assert not (base / "output").exists()


def test_a_reference_out_of_reach_ends_no_job(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "any")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    log = succeed("preprocess.py", "--base", base, "--reference", "s3://nowhere/profile.json")
    warning = "Warning: reference s3://nowhere/profile.json: cannot be"
    assert f"{warning} read (EndpointConnectionError" in log
    assert f"{warning} written" in log


def test_the_quality_report_counts_what_the_groups_hold(small: Path) -> None:
    folder = small / "output" / "train_data"
    document = json.loads((folder / "data_quality.json").read_text())
    for group, content in document["groups"].items():
        rows = pd.read_csv(small / "input" / group / "part-0000.csv").drop(columns="player_id")
        assert content["rows"] == len(rows) == sum(content["splits"].values())
        for name, column in content["columns"].items():
            assert column["count"] == len(rows)
            assert column["missing"] == column["out_of_range"] == 0
            assert column["zeros"] == pytest.approx((rows[name] == 0).mean(), rel=1e-5)
            assert column["mean"] == pytest.approx(rows[name].mean(), rel=1e-5, abs=1e-9)
            assert column["std"] == pytest.approx(rows[name].std(ddof=0), rel=1e-5, abs=1e-9)
            assert column["p50"] == pytest.approx(rows[name].quantile(0.5, "lower"), rel=1 / 128, abs=1e-9)
            assert column["max"] == pytest.approx(rows[name].max(), rel=1e-5)
    page = (folder / "data_quality.html").read_text()
    assert page.count("<svg") == len(document["ranges"]) == 50
    assert "http" not in page
