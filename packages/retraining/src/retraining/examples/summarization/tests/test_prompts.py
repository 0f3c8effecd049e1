import pytest
from hypothesis import given
from hypothesis import strategies as st

import prompts

TEMPLATE = "Summarize:\n{dialogue}\nSummary:"
turns = st.lists(st.text(alphabet="ab :é", min_size=0, max_size=12), max_size=12)


@given(turns, st.integers(0, 120))
def test_as_many_whole_turns_are_kept_as_fit(lines: list[str], limit: int) -> None:
    kept = [" ".join(line.split()) for line in lines if line.strip()]
    whole = [prompts.build(TEMPLATE, "\n".join(kept[:count])) for count in range(1, len(kept) + 1)]
    fitting = [prompt for prompt in whole if len(prompt) <= limit]
    found = prompts.shorten(TEMPLATE, "\r\n".join(lines), lambda text: len(text) <= limit)
    assert found == (fitting[-1] if fitting else None)


@given(turns)
def test_normalising_twice_changes_nothing(lines: list[str]) -> None:
    once = prompts.normalise("\r\n".join(lines))
    assert prompts.normalise(once) == once
    assert prompts.build(TEMPLATE, once) == prompts.build(TEMPLATE, "\n".join(lines))


def test_braces_in_a_dialogue_are_only_text() -> None:
    assert prompts.build(TEMPLATE, "A: {0} {dialogue}") == "Summarize:\nA: {0} {dialogue}\nSummary:"


@pytest.mark.parametrize("template", ["", "no place", "{dialogue} {dialogue}", "{ dialogue }"])
def test_a_template_holds_the_dialogue_once(template: str) -> None:
    with pytest.raises(ValueError, match=r"must hold \{dialogue\} once"):
        prompts.check(template)
