"""How sure a mean is."""

from __future__ import annotations

from statistics import fmean

from hypothesis import given, settings
from hypothesis import strategies as st

from sash.lab import interval

GROUPS = st.lists(st.lists(st.floats(0, 1_000), min_size=1, max_size=4), min_size=1, max_size=6)


@settings(max_examples=10)
@given(GROUPS, st.integers(0, 9))
def test_an_interval_holds_the_mean_within_what_was_measured(groups: list[list[float]], seed: int) -> None:
    """It is the same for the same seed, and there is none for a single value."""
    values = [value for group in groups for value in group]
    found = interval(groups, seed)
    assert found == interval(groups, seed)
    if len(values) < 2:
        assert found is None
    else:
        slack = 1e-9 * max(values)
        assert found and min(values) - slack <= found.low <= fmean(values) + slack
        assert fmean(values) - slack <= found.high <= max(values) + slack


def test_conversations_are_drawn_not_questions_alone() -> None:
    """Questions of few conversations tell less than as many of many: the interval is wider."""
    few, many = [[0.0] * 20, [1.0] * 20], [[0.0, 1.0] for _ in range(20)]
    narrow, wide = interval(many), interval(few)
    assert narrow and wide and wide.high - wide.low > 2 * (narrow.high - narrow.low)
