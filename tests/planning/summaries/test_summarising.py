"""Summarised, the price of making a summary, and whether to make one ahead: decisions on values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.test_strategies import situations
from sash.errors import InvalidOption
from sash.model.cards import card
from sash.model.summaries import Trouble
from sash.model.turns import Exchange
from sash.planning.situation import Gaps, Situation, Size, Warmth
from sash.planning.strategies import Economic, SlidingWindow, SteppedWindow, Summarised
from sash.planning.summaries.cost import limit_of, making

INNER = (Economic(), SteppedWindow(), SlidingWindow(), SlidingWindow(turns=2))


def exchanges(count: int, tokens: int) -> tuple[Exchange, ...]:
    """Question and answer, `count` times."""
    return tuple(Exchange(first=2 * n + 1, last=2 * n + 2, tokens=tokens, upper=tokens) for n in range(count))


def situation(count: int = 20, tokens: int = 500, **more: Any) -> Situation:
    """A view of `count` exchanges in a warm cache."""
    held = count * tokens + 1_000
    fields: dict[str, Any] = {
        "exchanges": exchanges(count, tokens),
        "first_exchange": 0,
        "fixed": Size(tokens=1_000, upper=1_000),
        "stay": Size(tokens=held, upper=held),
        "budget": 32_000,
        "keep": 2_000,
        "max_tokens": 1_000,
        "card": card("claude-sonnet-5-5"),
        "now": 1_000.0,
        "warmth": Warmth(preamble_until=2_000, tail_until=2_000, tail_tokens=held - tokens),
        "gaps": Gaps(within_5m=9, within_1h=10, total=10),
    }
    return Situation(**{**fields, **more})


@pytest.mark.parametrize("inner", INNER, ids=repr)
@settings(max_examples=60, deadline=None)
@given(seen=situations(), upto=st.integers(0, 60))
def test_nothing_leaves_uncovered_unless_it_must(inner: Any, seen: Situation, upto: int) -> None:
    """The start stays within what the summary covers wherever that fits; beyond it, a summary is asked for."""
    strategy, seen = Summarised(inner=inner, tokens=100), replace(seen, upto=upto)
    decision = strategy.decide(seen)
    free = max(seen.first_exchange or 0, seen.covered)
    if seen.fits(free) and decision.first_exchange > free:
        assert decision.rule == "must" or seen.prompt(seen.first_exchange or 0).upper > seen.limit
    if decision.first_exchange > free:
        assert decision.summarise == seen.exchanges[decision.first_exchange - 1].last
        assert decision.waits
        assert "no summary covers" in decision.reason


@pytest.mark.parametrize("inner", INNER, ids=repr)
@settings(max_examples=60, deadline=None)
@given(seen=situations())
def test_with_all_covered_it_is_the_inner_strategy(inner: Any, seen: Situation) -> None:
    """Where a summary covers everything, the inner strategy decides, with the summary's price in the cut."""
    strategy, seen = Summarised(inner=inner, tokens=100), replace(seen, upto=10_000)
    assert strategy.decide(seen) == inner.decide(strategy.priced(seen))


def test_a_summary_has_its_price_in_the_cut() -> None:
    """The dearer a summary, the later a cut pays."""
    cheap, dear = (Summarised(by=by, tokens=4_000, warm=False) for by in ("claude-haiku-5-5", "claude-opus-5-5"))
    seen = situation()
    assert 0 < cheap.priced(seen).per_cut < dear.priced(seen).per_cut
    pays = [
        next(
            count
            for count in range(5, 400)
            if strategy.decide(situation(count, upto=10_000, budget=900_000)).first_exchange > 0
        )
        for strategy in (cheap, dear)
    ]
    assert pays[0] < pays[1]


def test_who_makes_it_is_a_matter_of_price() -> None:
    """A cheap model reads what leaves; where the other model is dear and the prefix warm, the chat's own does it."""
    seen = situation()
    cheap = making(seen, by="claude-haiku-5-5", limit=1_000, leaving=8_000, read=10_000)
    assert cheap.method == "model"
    dear = making(seen, by="claude-opus-5-5", limit=1_000, leaving=8_000, read=10_000)
    assert dear.method == "warm"
    assert dear.dollars < making(seen, by="claude-opus-5-5", limit=1_000, leaving=8_000, warm=False).dollars
    assert making(seen, by="claude-haiku-5-5", limit=1_000, leaving=8_000, warm=True).method == "warm"
    assert (
        making(replace(seen, first_exchange=None), by="claude-opus-5-5", limit=1_000, leaving=8_000, warm=True).method
        == "model"
    )


def test_an_open_breaker_does_not_wait() -> None:
    """After three failures in a row a forced cut goes without, until the time to try again."""
    seen = situation(70, 500, trouble=Trouble(failures=3, retry_at=1_100.0))
    decision = Summarised().decide(seen)
    assert (decision.rule, decision.waits) == ("must", False)
    assert "failed 3 times" in decision.reason
    assert Summarised().decide(replace(seen, now=1_200.0)).waits


def test_the_limit_follows_the_budget() -> None:
    """An eighth of the budget, at most 4,000 tokens, unless one is given."""
    assert [limit_of(None, budget) for budget in (100, 8_000, 32_000, 200_000)] == [64, 1_000, 4_000, 4_000]
    assert limit_of(777, 8_000) == 777


@pytest.mark.parametrize(
    "wrong",
    [{"tokens": 3}, {"keep": -1}, {"warm": "often"}, {"inner": Summarised()}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    """InvalidOption when built."""
    with pytest.raises(InvalidOption):
        Summarised(**wrong)
