from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rouge

words = st.lists(st.sampled_from("abc"), max_size=7)


@given(words, words)
def test_the_subsequence_is_the_longest(left: list[str], right: list[str]) -> None:
    shared = {
        part
        for size in range(len(left) + 1)
        for part in combinations(left, size)
        if part in set(combinations(right, size))
    }
    assert rouge.longest_common_subsequence(left, right) == max(map(len, shared))


@given(words, words)
def test_the_measure_is_symmetric_and_between_0_and_1(left: list[str], right: list[str]) -> None:
    score = rouge.rouge_l(" ".join(left), " ".join(right))
    assert score == rouge.rouge_l(" ".join(right), " ".join(left))
    assert 0 <= score <= 1
    assert (score == 1) == (bool(left) and left == right)


@pytest.mark.parametrize(
    ("reference", "candidate", "score"),
    [
        # The example of the paper's section 3.1: both share "police killed gunman" in part.
        ("police killed the gunman", "police kill the gunman", 3 / 4),
        ("police killed the gunman", "the gunman kill police", 2 / 4),
        ("Ann will meet Bob at noon.", "ann WILL meet bob", 8 / 10),
        ("Ann can't come.", "Ann can come", 6 / 7),
        ("", "", 0),
        ("...", "!", 0),
        ("Größe", "größe", 1),
    ],
)
def test_known_values(reference: str, candidate: str, score: float) -> None:
    assert rouge.rouge_l(reference, candidate) == pytest.approx(score)
