"""The optimum with clearing: its bound and its schedule about brute force, and about `optimum`."""

from __future__ import annotations

import math
from copy import deepcopy
from itertools import accumulate, chain, combinations
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replay.test_optimum import CARDS, EVERY, GAPS, one_lifetime
from sash.errors import InvalidOption
from sash.model.cards import ModelCard, Ttl, card
from sash.planning.situation import Marks
from sash.replay import Optima, Trace, TraceCall, TraceResult, clearing, optima, optimum, promise, synthetic
from sash.replay.billing import BareCache, Segment
from sash.replay.clearing import PLACEHOLDER


class Marked(BareCache):
    """A cache that takes one more marker, and views that are changed behind a place."""

    more: int | None = None

    def change(self, start: int, behind: float) -> None:
        """Forget what is cached of a view behind so many tokens of its prompt."""
        self._views[start] = [segment for segment in self._views.get(start, []) if segment.end <= behind]

    def _write(self, segments: list[Segment], prompt: int, marks: Marks, now: float) -> list[tuple[Ttl, int]]:
        reached = max((segment.end for segment in segments), default=0)
        if self.more is None or marks.tail is None or self.more <= max(reached, self.preamble):
            return super()._write(segments, prompt, marks, now)
        first = super()._write(segments, self.more, marks, now)
        return first + super()._write(segments, prompt, marks, now)


class Brute:
    """The least over every start, every set of results to clear, every mark, at every request."""

    def __init__(self, trace: Trace, model: ModelCard, keep: int, budget: int, preamble: int, refetch: int) -> None:
        self.trace, self.card, self.budget, self.preamble = trace, model, budget, preamble
        self.ends = [0, *accumulate(call.tokens for call in trace.calls)]
        self.high = promise(trace, keep=keep, budget=budget, preamble=preamble).high
        self.old = [
            max((c for c in range(i + 1) if self.ends[i + 1] - self.ends[c] >= keep), default=0)
            for i in range(len(trace.calls))
        ]
        self.results = [(c, one) for c, call in enumerate(trace.calls) for one in call.results]
        self.saves = [(c, one.tokens - PLACEHOLDER) for c, one in self.results]
        self.saves += [(c, one.arguments) for c, one in self.results]
        """what may leave: results, and behind them the arguments of their calls, in the same order"""
        self.refetch = refetch
        self.known: dict[Any, float] = {}

    def size(self, start: int, upto: int, gone: frozenset[int]) -> int:
        """Tokens of the calls from an exchange on, up to a call, without what is gone."""
        first = self.trace.opens[start]
        left = sum(saved for n, (c, saved) in enumerate(self.saves) if n in gone and first <= c < upto)
        return self.preamble + self.ends[max(upto, first)] - self.ends[first] - left

    def fetches(self, i: int, gone: frozenset[int]) -> float:
        """Dollars for what the reply to request `i` uses of what is gone."""
        total = 0.0
        for n in (n for n in gone if n < len(self.results)):
            call, one = self.results[n]
            before = max((at for at in one.needed if at < i), default=call - 1)
            if i in one.needed and before < self.old[i]:
                total += (self.refetch + one.tokens) * self.card.price(0).fresh / 1e6
        return total

    def views(self, i: int, start: int, gone: frozenset[int]) -> list[tuple[int, frozenset[int], bool]]:
        """(start, what is gone, whether the view goes on) of all that may be sent."""
        newest = sum(at <= i for at in self.trace.opens) - 1
        found = []
        for chosen in range(self.high[i] + 1):
            first = self.trace.opens[chosen]
            may = [n for n, (c, saved) in enumerate(self.saves) if first <= c < self.old[i] and saved > 0]
            for some in chain.from_iterable(combinations(may, k) for k in range(len(may) + 1)):
                if any(n >= len(self.results) and n - len(self.results) not in some for n in some):
                    continue  # arguments leave with their results alone
                if chosen < newest and self.size(chosen, i + 1, frozenset(some)) > self.budget:
                    continue
                found.append((chosen, frozenset(some), False))
                if chosen == start and gone <= frozenset(some):
                    found.append((chosen, frozenset(some), True))
        return found

    def least(
        self, i: int = 0, cache: Marked | None = None, start: int = -1, gone: frozenset[int] = frozenset()
    ) -> float:
        """From request `i` on."""
        cache = cache or Marked(preamble=self.preamble, minimum=self.card.cache_minimum)
        if i == len(self.trace.calls):
            return 0.0
        key = repr((i, start, sorted(gone), cache._head, cache._views.get(start)))
        if key not in self.known:
            self.known[key] = min(self._send(i, cache, gone, view) for view in self.views(i, start, gone))
        return self.known[key]

    def _send(self, i: int, cache: Marked, before: frozenset[int], view: tuple[int, frozenset[int], bool]) -> float:
        start, gone, goes_on = view
        new = min((self.saves[n][0] for n in gone - before), default=i)
        best = math.inf
        for marks in EVERY:
            for more in {None, self.size(start, self.old[i], gone)} if gone != before or not goes_on else {None}:
                after = deepcopy(cache)
                after.change(start, self.size(start, new, gone) if goes_on and gone != before else math.inf)
                if not goes_on:
                    after._views = {}
                after.more = more
                usage = after.request(start, self.size(start, i + 1, gone), marks, self.trace.times[i])
                if one_lifetime(after, start, self.trace.times[i]):
                    rest = self.least(i + 1, after, start, gone)
                    best = min(best, self.card.cost(usage) + self.fetches(i, gone) + rest)
        return best


@st.composite
def traces(draw: Any) -> Trace:
    """Short traces with a few results, the first of them large, some used again."""
    count = draw(st.integers(2, 4))
    calls = []
    for i in range(count):
        tokens, gap = draw(st.integers(200, 30_000 if i < 2 else 3000)), draw(st.sampled_from((5.0, 5.0, *GAPS)))
        needed = tuple(sorted(draw(st.sets(st.integers(i, count - 1), max_size=1))))
        size = draw(st.integers(tokens // 2, tokens))
        given_to = draw(st.sampled_from((0, 0, tokens - size)))
        results = (TraceResult(size, "read", needed, given_to),) if draw(st.booleans()) else ()
        calls.append(TraceCall(gap, tokens, draw(st.booleans()), results))
    return Trace("t", tuple(calls))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    traces(),
    st.sampled_from(CARDS[:3]),
    st.sampled_from((0, 1500)),
    st.sampled_from((300, 1000)),
    st.sampled_from((9000, 90_000)),
    st.sampled_from((0, 500, 20_000)),
    st.sampled_from((1, 2, 256)),
)
def test_the_least_of_all_lies_between_bound_and_schedule(
    trace: Trace, model: ModelCard, preamble: int, keep: int, budget: int, refetch: int, columns: int
) -> None:
    """On traces small enough to try everything, nothing costs less than the bound, and the schedule no less."""
    with patch.object(clearing, "COLUMNS", (1, columns)):
        found = optima(trace, model, keep=keep, budget=budget, preamble=preamble, refetch=refetch)
    least = Brute(trace, model, keep, budget, preamble, refetch).least()
    assert found.least <= least * (1 + 1e-9)
    assert least <= found.most * (1 + 1e-9)


def test_where_one_large_result_is_never_used_both_are_exact() -> None:
    """Bound, brute force and schedule agree, below the optimum that cannot clear."""
    model, terms = card("claude-sonnet-5-5"), {"keep": 300, "budget": 90_000}
    first = TraceCall(0, 40_000, True, (TraceResult(39_000),))
    trace = Trace("t", (first, *(TraceCall(5.0, 500, False) for _ in range(3))))
    found, least = optima(trace, model, **terms), Brute(trace, model, 300, 90_000, 0, 0).least()
    assert found.least == pytest.approx(least, rel=1e-9)
    assert found.most == pytest.approx(least, rel=1e-9)
    assert least < 0.99 * optimum(trace, model, **terms)


def worked(seed: int) -> Trace:
    """Made-up tool runs."""
    return synthetic("tools", seed, exchanges=14)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(CARDS), st.sampled_from((0, 2500)))
def test_clearing_is_a_move_more_and_what_it_loses_has_its_price(seed: int, model: ModelCard, preamble: int) -> None:
    """Never dearer than the optimum of starts; and the dearer a fetch, the more the bound asks."""
    trace = worked(seed)
    terms = {"keep": 4000, "budget": 18_000, "preamble": preamble}
    plain = optimum(trace, model, **terms)
    found = [optima(trace, model, **terms, refetch=refetch) for refetch in (0, 4000, 10**7)]
    assert all(one.least <= one.most <= plain for one in found)
    assert [one.least for one in found] == sorted(one.least for one in found)


@pytest.mark.parametrize("regime", ["chatty", "office"])
def test_without_results_there_is_nothing_to_clear(regime: str) -> None:
    """Bound and schedule are the optimum itself."""
    trace = synthetic(regime, 3, exchanges=30)
    terms = {"keep": 2000, "budget": 8000}
    plain = optimum(trace, CARDS[0], **terms)
    assert optima(trace, CARDS[0], **terms) == Optima(starts=plain, least=plain, most=plain)


@pytest.mark.parametrize("refetch", [-1, math.nan, math.inf])
def test_a_fetch_has_a_price(refetch: Any) -> None:
    """A price below nothing, or no number, is named."""
    with pytest.raises(InvalidOption, match="refetch"):
        optima(worked(1), CARDS[0], keep=2000, budget=8000, refetch=refetch)
