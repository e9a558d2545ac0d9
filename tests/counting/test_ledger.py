"""Laws of exact counts."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash.counting.ledger import Anchor, Difference, apportion, carried, difference, reply_count, shared_out
from sash.errors import InvalidOption
from sash.model.counts import Count
from sash.model.usage import Usage

sizes = st.lists(st.integers(0, 10**6), min_size=1, max_size=12)


def anchor(total: int, *turns: int, **facts: Any) -> Anchor:
    """A clean request of epoch 1."""
    return Anchor(**{"total": total, "turns": turns, "epoch": 1, "model": "claude-opus-5", **facts})


@given(st.integers(0, 10**7), sizes)
def test_apportioned_shares_sum_exactly(total: int, estimates: list[int]) -> None:
    """Shares are 0 or more, sum to the total, and are within one token of their proportion."""
    shares = apportion(total, estimates)
    assert sum(shares) == total
    assert min(shares) >= 0
    whole = sum(estimates)
    if whole:
        assert all(
            abs(share - total * estimate / whole) <= 1 for share, estimate in zip(shares, estimates, strict=True)
        )


def test_nothing_to_go_by_means_equal_shares() -> None:
    """Turns estimated at nothing share equally; no turns, no shares; negative numbers are refused."""
    assert apportion(7, [0, 0, 0]) == (3, 2, 2)
    assert apportion(7, []) == ()
    with pytest.raises(InvalidOption):
        apportion(-1, [1])


def test_a_difference_is_the_exact_size_of_what_was_appended() -> None:
    """Two clean totals of a growing view tell what lay between."""
    assert difference(anchor(100, 1), anchor(160, 1, 2, 3)) == Difference(turns=(2, 3), tokens=60)


@pytest.mark.parametrize(
    "later",
    [
        anchor(160, 1, 2, 3, clean=False),
        anchor(160, 1, 2, 3, epoch=2),
        anchor(160, 1, 2, 3, model="claude-opus-4-6"),
        anchor(160, 2, 3),
        anchor(160, 1),
        anchor(90, 1, 2),
    ],
    ids=["unclean", "other epoch", "other model", "cut", "nothing appended", "shrunk"],
)
def test_totals_that_do_not_tell_give_nothing(later: Anchor) -> None:
    """Compaction, a cut, another model or epoch: no size is derived."""
    assert difference(anchor(100, 1), later) is None


def test_usage_on_the_wire_makes_an_anchor() -> None:
    """All three fields are summed; the last message iteration counts; a looped or edited request is not clean."""
    usage = {"input_tokens": 3, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 100, "output_tokens": 9}
    made = Anchor.from_wire(usage, turns=[1, 2], epoch=1, model="m")
    assert (made.total, made.clean) == (123, True)
    looped = {
        **usage,
        "iterations": [{"type": "compaction", "input_tokens": 900}, {"type": "message", "input_tokens": 50}],
    }
    assert (Anchor.from_wire(looped, turns=[1], epoch=1, model="m")).total == 50
    assert not Anchor.from_wire(looped, turns=[1], epoch=1, model="m").clean
    assert not Anchor.from_wire(
        {**usage, "server_tool_use": {"web_search_requests": 2}}, turns=[1], epoch=1, model="m"
    ).clean
    assert not Anchor.from_wire(usage, turns=[1], epoch=1, model="m", thinking_dropped=True).clean


def test_a_replys_size_comes_from_its_usage() -> None:
    """Thinking that the model strips is taken off, unless a tool exchange is open; a stream's start is not believed."""
    usage = Usage(output=500, thinking=300)
    assert reply_count(usage).tokens == 500
    assert reply_count(usage, thinking_kept="last").tokens == 200
    assert reply_count(usage, thinking_kept="last", open_tools=True).tokens == 500
    visible = Count(90, 95, "estimate", "ctok/v5")
    assert reply_count(Usage(output=3), visible) == visible
    assert reply_count(Usage(output=85), visible).tokens == 85


@given(st.integers(1, 10**6), sizes)
def test_settled_turns_sum_to_the_difference(total: int, estimates: list[int]) -> None:
    """Sizes derived from a difference sum to it, and each bound lies between the size and the whole."""
    turns = tuple(range(len(estimates)))
    settled = shared_out(
        Difference(turns=turns, tokens=total),
        {
            turn: Count(tokens, tokens + 10, "estimate", "ctok/v5")
            for turn, tokens in zip(turns, estimates, strict=True)
        },
    )
    assert sum(count.tokens for count in settled.values()) == total
    assert all(count.tokens <= count.upper <= total for count in settled.values())
    assert len(turns) > 1 or settled[0].is_exact


def test_counts_never_cross_tokenizer_generations() -> None:
    """On a model of the same generation a stored count is an estimate; on another it is none at all."""
    exact = Count.exact(100)
    same = carried(exact, counted_on="v5", wanted="v5")
    assert same is not None
    assert not same.is_exact
    assert carried(exact, counted_on="v3", wanted="v5") is None
