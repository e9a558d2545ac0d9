"""Which results of one turn give way: as few as can be, and all of them only where no single one fits."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from sash.planning.overflow.oversize import chosen
from sash.planning.situation import Size

amounts = st.lists(st.integers(1, 10_000), min_size=1, max_size=7)


@given(amounts, st.integers(0, 3_000), st.integers(0, 30_000))
def test_the_fewest_results_give_way(saved: list[int], rest: int, limit: int) -> None:
    """What stays fits, where anything can; no fewer would do; where a single result fits, one stays."""
    saves = {f"toolu_{at}": Size(tokens=tokens, upper=tokens) for at, tokens in enumerate(saved)}
    size = Size(tokens=rest + sum(saved), upper=rest + sum(saved))
    gone = chosen(saves, size, limit, False)
    assert len(set(gone)) == len(gone)
    needed = size.tokens - limit
    if needed <= 0:
        assert gone == []
    elif rest > limit:
        assert set(gone) == set(saves)
    else:
        assert sum(saves[call].tokens for call in gone) >= needed
        fewer = combinations(saved, len(gone) - 1)
        assert not any(sum(some) >= needed for some in fewer)
        assert len(gone) < len(saved) or rest + min(saved) > limit


@given(amounts, st.integers(0, 3_000), st.integers(0, 30_000), st.integers(0, 500))
def test_a_bound_decides_only_where_nobody_could_count(saved: list[int], rest: int, limit: int, doubt: int) -> None:
    """By the estimate no more give way than by the bound, and none where the estimate fits."""
    saves = {f"toolu_{at}": Size(tokens=tokens, upper=tokens) for at, tokens in enumerate(saved)}
    size = Size(tokens=rest + sum(saved), upper=rest + sum(saved) + doubt)
    estimated, bounded = chosen(saves, size, limit, False), chosen(saves, size, limit, True)
    assert bounded[: len(estimated)] == estimated
    assert estimated == [] or size.tokens > limit


@given(st.integers(1, 1_000), st.integers(1, 1_000), st.integers(0, 1_000))
def test_a_result_that_is_just_enough_goes_rather_than_a_larger_one(needed: int, more: int, limit: int) -> None:
    """Exactly to the limit is within it."""
    saves = {"just": Size(tokens=needed, upper=needed), "more": Size(tokens=needed + more, upper=needed + more)}
    size = Size(tokens=limit + needed, upper=limit + needed)
    assert chosen(saves, size, limit, False) == ["just"]
