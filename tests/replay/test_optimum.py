"""The clairvoyant optimum against brute force, and as a bound under every strategy."""

import math
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sash.errors import UnknownModel
from sash.model.cards import ModelCard, card
from sash.planning.situation import Marks
from sash.planning.strategies import Economic, SlidingWindow, SteppedWindow
from sash.replay import NO_MARKS, Terms, Trace, TraceCall, mixed_optimum, optimum, promise, regimes, run, synthetic
from sash.replay.billing import BareCache

CARDS = (card("claude-sonnet-5"), card("claude-sonnet-5-5"), card("claude-opus-4-5"), card("claude-haiku-5-5"))
GAPS = (5.0, 250.0, 300.0, 1000.0, 3500.0, 3600.0, 50_000.0)
EVERY = tuple(
    Marks(preamble=head, tail=tail)
    for head in (None, "5m", "1h")
    for tail in (None, "5m", "1h")
    if tail is None or head == "1h" or head == tail
)
calls = st.builds(TraceCall, st.sampled_from(GAPS), st.integers(200, 3000), st.booleans())


def brute(trace: Trace, model: ModelCard, keep: int, budget: int, preamble: int, *, mixed: bool) -> float:
    """The least over every start and every mark at every request, billed by the replay's cache."""
    allowed = promise(trace, keep=keep, budget=budget, preamble=preamble)
    sizes = [call.tokens for call in trace.calls]

    def least(i: int, cache: BareCache) -> float:
        if i == len(sizes):
            return 0.0
        best = math.inf
        for start in range(allowed.low[i], allowed.high[i] + 1):
            prompt = preamble + sum(sizes[trace.opens[start] : i + 1])
            for marks in EVERY:
                after = deepcopy(cache)
                usage = after.request(start, prompt, marks, trace.times[i])
                if not mixed and not one_lifetime(after, start, trace.times[i]):
                    continue
                best = min(best, model.cost(usage) + least(i + 1, after))
        return best

    return least(0, BareCache(preamble=preamble, minimum=model.cache_minimum))


def one_lifetime(cache: BareCache, start: int, now: float) -> bool:
    """Hold the model of `optimum`: a view marked shorter than before lives shorter as a whole; others are forgotten."""
    view = cache._views[start]
    cache._views = {start: view}
    if len({segment.ttl for segment in view}) > 1:
        if view[-1].ttl == "1h":
            return False
        for segment in view:
            segment.ttl, segment.until = "5m", min(segment.until, now + 300)
    return True


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(calls, min_size=1, max_size=4),
    st.sampled_from(CARDS[:3]),
    st.sampled_from((0, 300, 1500)),
    st.sampled_from((500, 2000)),
)
def test_the_program_finds_the_brute_force_least(some: list[Any], model: ModelCard, preamble: int, keep: int) -> None:
    """On traces small enough to try everything, the dynamic program gives exactly the least."""
    trace = Trace("t", tuple(some))
    bounds = {"keep": keep, "budget": 6000, "preamble": preamble}
    assert optimum(trace, model, **bounds) == pytest.approx(
        brute(trace, model, keep, 6000, preamble, mixed=False), rel=1e-9
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(calls, min_size=1, max_size=3), st.sampled_from(CARDS[:3]), st.sampled_from((0, 300, 1500)))
def test_mixing_is_bounded_by_brute_force_too(some: list[Any], model: ModelCard, preamble: int) -> None:
    """Whatever order of marks is sent, it costs no less than the mixed optimum, nor that more than the single one."""
    trace = Trace("t", tuple(some))
    bounds = {"keep": 500, "budget": 6000, "preamble": preamble}
    mixed = mixed_optimum(trace, model, **bounds)
    assert mixed <= brute(trace, model, 500, 6000, preamble, mixed=True) * (1 + 1e-9)
    assert mixed <= optimum(trace, model, **bounds) * (1 + 1e-9)


strategies = st.one_of(
    st.just(Economic()),
    st.just(Economic(inside_tools=True)),
    st.builds(SlidingWindow, tokens=st.integers(4000, 30_000)),
    st.builds(SlidingWindow, turns=st.integers(1, 60)),
    st.builds(SteppedWindow, keep=st.integers(4000, 9000), high=st.integers(9001, 32_000)),
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(regimes()),
    st.integers(0, 10**6),
    strategies,
    st.sampled_from(CARDS),
    st.sampled_from((Marks(), NO_MARKS, Marks(preamble="1h", tail="1h"), Marks(preamble="1h", tail="5m"))),
    st.sampled_from((0, 2500)),
)
def test_no_window_strategy_beats_the_optimum(
    regime: Any, seed: int, strategy: Any, model: ModelCard, marks: Marks, preamble: int
) -> None:
    """What keeps the promise pays at least the optimum, on any traffic and at any price."""
    trace = synthetic(regime, seed, exchanges=60)
    outcome = run(trace, strategy, Terms(card=model, keep=4000, budget=32_000, preamble=preamble, marks=marks))
    bounds = {"keep": 4000, "budget": 32_000, "preamble": preamble}
    if outcome.broken == 0:
        assert outcome.dollars >= optimum(trace, model, **bounds) * (1 - 1e-9)
        assert outcome.dollars >= mixed_optimum(trace, model, **bounds) * (1 - 1e-9)


def test_the_promise_is_the_shortest_and_the_longest_view() -> None:
    """low is the earliest start that fits, high the latest that holds keep; a large exchange stands alone."""
    trace = Trace("t", tuple(TraceCall(1, size) for size in (100, 100, 100, 500, 100)))
    allowed = promise(trace, keep=150, budget=400)
    assert allowed.low == (0, 0, 0, 3, 4)
    assert allowed.high == (0, 0, 1, 3, 4)


def test_without_prices_there_is_no_optimum() -> None:
    """A card that has no prices is named."""
    bare = ModelCard(id="x", window=10_000, max_output=100, prices=(), cache_minimum=512)
    with pytest.raises(UnknownModel):
        optimum(Trace("t", (TraceCall(0, 5),)), bare, keep=10, budget=100)
