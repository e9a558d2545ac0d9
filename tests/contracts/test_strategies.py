"""What every window strategy must do, over any situation."""

from __future__ import annotations

import dataclasses
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sash.model.blocks import dumps
from sash.model.cards import card
from sash.model.turns import Exchange
from sash.planning import strategies as windows
from sash.planning.situation import Gaps, Situation, Size, Warmth
from strategies import WINDOWS

CARDS = [card(name) for name in ("claude-sonnet-5-5", "claude-haiku-5-5", "claude-opus-4-6")]


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """Any situation the planner can put a strategy into."""
    sizes = draw(st.lists(st.tuples(st.integers(1, 4_000), st.integers(0, 60)), min_size=1, max_size=30))
    turns = draw(st.lists(st.integers(1, 3), min_size=len(sizes), max_size=len(sizes)))
    ends = list(accumulate(2 * many for many in turns))
    exchanges = tuple(
        Exchange(
            first=end - 2 * many + 1, last=end, tokens=tokens, upper=tokens + doubt, requests=many, at=100.0 * index,
            open=index == len(sizes) - 1 and many > 1,
        )
        for index, ((tokens, doubt), many, end) in enumerate(zip(sizes, turns, ends, strict=True))
    )  # fmt: skip
    fixed = Size(tokens=100, upper=110)
    start = draw(st.none() | st.integers(0, len(sizes) - 1))
    held = sum(e.tokens for e in exchanges[start or 0 :]) + fixed.tokens
    stay = None if start is None else Size(tokens=held, upper=held + draw(st.integers(0, 40)))
    now = 100.0 * len(sizes)
    return Situation(
        exchanges=exchanges,
        first_exchange=start,
        forced=draw(st.sampled_from(["", "the tools changed"])),
        fixed=fixed,
        stay=stay,
        pinned_exchanges=draw(st.frozensets(st.integers(0, len(sizes) - 1), max_size=2)),
        budget=draw(st.integers(500, 60_000)),
        keep=draw(st.integers(1, 400)),
        max_tokens=1_000,
        card=draw(st.sampled_from(CARDS)),
        now=now,
        warmth=Warmth(tail_until=now + draw(st.sampled_from([-10, 100])), tail_tokens=held // 2),
        gaps=Gaps(within_5m=2, within_1h=3, total=4),
    )


@pytest.mark.parametrize("name", sorted(WINDOWS))
@settings(max_examples=40, deadline=None)
@given(situation=situations())
def test_a_decision_can_be_carried_out(name: str, situation: Situation) -> None:
    """It starts at an exchange, never before the present view, and says why in words."""
    decision = WINDOWS[name].decide(situation)
    assert 0 <= decision.first_exchange <= situation.newest
    if not getattr(WINDOWS[name], "ignores_budget", False):
        assert decision.first_exchange >= (situation.first_exchange or 0)
    assert decision.rule
    assert decision.reason
    dumps(decision.learned)


@pytest.mark.parametrize("name", sorted(WINDOWS))
@settings(max_examples=40, deadline=None)
@given(situation=situations())
def test_deciding_is_pure(name: str, situation: Situation) -> None:
    """The same situation, the same decision."""
    assert WINDOWS[name].decide(situation) == WINDOWS[name].decide(situation)


@pytest.mark.parametrize("name", sorted(name for name in WINDOWS if name != "everything"))
@settings(max_examples=40, deadline=None)
@given(situation=situations())
def test_what_fits_is_found(name: str, situation: Situation) -> None:
    """Where the newest exchange alone fits with its bound, the decision's prompt does, if only by its estimate."""
    decision = WINDOWS[name].decide(situation)
    if situation.fits(situation.newest):
        assert situation.prompt(decision.first_exchange).tokens <= situation.limit


@pytest.mark.parametrize("name", sorted(WINDOWS))
def test_a_strategy_is_a_frozen_value_named_by_its_repr(name: str) -> None:
    """Its repr is its row in reports, tells the settings, and makes it again."""
    window: Any = WINDOWS[name]
    kind: Any = type(window)
    assert dataclasses.is_dataclass(window)
    assert kind.__dataclass_params__.frozen
    assert eval(repr(window), {c: getattr(windows, c) for c in windows.__all__}) == window
    assert hash(window) == hash(WINDOWS[name])
