"""Laws of `Count`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash.errors import InvalidOption
from sash.model.counts import ZERO, Count, Source

SOURCES: tuple[Source, ...] = ("usage", "endpoint", "estimate")
counts = st.builds(
    lambda tokens, margin, source: Count(tokens, tokens + margin, source),
    st.integers(0, 10**7),
    st.integers(0, 10**5),
    st.sampled_from(SOURCES),
)


@given(st.lists(counts))
def test_a_sum_adds_tokens_and_bounds(parts: list[Count]) -> None:
    """The sum of counts has the sum of their tokens and the sum of their bounds."""
    whole = sum(parts, ZERO)
    assert (whole.tokens, whole.upper) == (sum(c.tokens for c in parts), sum(c.upper for c in parts))


@given(st.lists(counts, min_size=1))
def test_a_sum_is_as_weak_as_its_weakest_part(parts: list[Count]) -> None:
    """One estimate among exact parts makes the sum an estimate."""
    weakest = max((c.source for c in parts), key=SOURCES.index)
    assert sum(parts, ZERO).source == weakest


def test_exact_is_exact() -> None:
    """What usage said has no margin, and stays exact when summed with its like."""
    assert (Count.exact(7) + Count.exact(5)).is_exact
    assert not (Count.exact(7) + Count(1, 1, "endpoint")).is_exact


def test_bases_are_named_once() -> None:
    """A sum names each base it rests on, once."""
    whole = Count.exact(1) + Count(1, 2, "estimate", "ctok/v5") + Count(1, 2, "estimate", "ctok/v5")
    assert whole.base == "ctok/v5"


@pytest.mark.parametrize("wrong", [(-1, 0, "usage"), (5, 4, "estimate"), (1, 1, "guess")])
def test_impossible_counts_cannot_be_built(wrong: tuple[int, int, Source]) -> None:
    """Negative tokens, a bound below the number, and an unknown source are refused."""
    with pytest.raises(InvalidOption):
        Count(*wrong)
