"""Running a strategy over a trace with a virtual clock, billed by the real cache rules.

`run` gives one `ReplayOutcome`: dollars and tokens of the prompts (replies cost the same whatever is kept),
hit rate, cuts, and how much was kept verbatim. Sizes are exact here, so upper bounds equal sizes. It
knows no text; requests inside a tool run are offered to the strategy as an open exchange.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from sash.errors import InvalidOption
from sash.model.cards import ModelCard
from sash.model.turns import Exchange
from sash.model.usage import Usage
from sash.planning.situation import Decision, Gaps, Marks, Situation, Size, Strategy
from sash.planning.traits import decide, traits
from sash.replay.billing import BareCache
from sash.replay.clairvoyant import Promise, promise
from sash.replay.clearing import REFETCH, check_refetch
from sash.replay.traces import Trace

NO_MARKS = Marks(preamble=None, tail=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What every strategy of a comparison is held to. Sizes in tokens."""

    card: ModelCard
    keep: int
    budget: int
    preamble: int = 0
    marks: Marks = field(default_factory=Marks)
    """for strategies that choose none"""
    gaps: Gaps = field(default_factory=Gaps)
    """what other conversations taught about pauses"""
    refetch: int = REFETCH
    """for the optimum that clears: what fetching a result again costs beside its own tokens, in fresh tokens"""

    def __post_init__(self) -> None:
        if not 0 < self.keep < self.budget:
            raise InvalidOption(
                f"keep={self.keep} and budget={self.budget}: keep must be at least 1 and below the budget",
                option="keep",
                value=self.keep,
            )
        if not 0 <= self.preamble < self.budget:
            raise InvalidOption(
                f"preamble={self.preamble} leaves no room in the budget of {self.budget}",
                option="preamble",
                value=self.preamble,
            )
        check_refetch(self.refetch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One request of a run, for charts. Times are seconds after the first request."""

    at: float
    prompt: int
    dollars: float
    """all dollars so far"""
    read: int
    cut: bool
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOutcome:
    """What one strategy did with one trace. Prompt dollars; tokens."""

    trace: str
    model: str
    strategy: str
    keep: int
    budget: int
    dollars: float
    usage: Usage
    requests: int
    cuts: int
    mean_verbatim: float
    min_verbatim: int | None
    """the least held verbatim once the conversation was that long; None where that was not measured"""
    broken: int | None
    """requests that held less than `keep` although more was there and would have fitted; None as above"""
    over: int
    """requests above the budget"""
    points: tuple[Point, ...] = field(default=(), repr=False)

    @property
    def hit_rate(self) -> float:
        """The share of prompt tokens read from the cache."""
        return self.usage.cached_share


def run(trace: Trace, strategy: Strategy, terms: Terms, *, label: str = "", points: bool = False) -> ReplayOutcome:
    """Replay `trace` under `strategy`. `label` names the row (default: the strategy's repr)."""
    player = _Player(trace, strategy, terms, keep_points=points)
    for index in range(len(trace.calls)):
        player.play(index)
    return player.outcome(label or repr(strategy))


class _Player:
    """The state of one run: the conversation so far, its cache, and what the strategy learned."""

    def __init__(self, trace: Trace, strategy: Strategy, terms: Terms, *, keep_points: bool) -> None:
        self.trace, self.strategy, self.terms = trace, strategy, terms
        self.ends = list(accumulate((call.tokens for call in trace.calls), initial=0))
        self.allowed: Promise = promise(trace, keep=terms.keep, budget=terms.budget, preamble=terms.preamble)
        self.cache = BareCache(preamble=terms.preamble, minimum=terms.card.cache_minimum)
        self.exchanges: list[Exchange] = []
        self.start: int | None = None
        self.learned: Mapping[str, Any] = {}
        self.usage, self.dollars = Usage(), 0.0
        self.cuts = self.broken = self.over = 0
        self.verbatim: list[int] = []
        self.points: list[Point] | None = [] if keep_points else None
        self.everything = traits(strategy).ignores_budget

    def play(self, i: int) -> None:
        """Decide, send and bill request `i`."""
        self._append(i)
        first = 0 if self.everything else min(self.allowed.low[i], self.start if self.start is not None else i)
        situation = self._situation(i, first)
        decision = decide(self.strategy, situation)
        self._bill(i, first + decision.first_exchange, decision)
        if decision.learned is not None:
            self.learned = decision.learned

    def _append(self, i: int) -> None:
        call = self.trace.calls[i]
        if call.exchange or not self.exchanges:
            self._close()
            new = Exchange(first=i, last=i, tokens=call.tokens, upper=call.tokens, requests=1, at=self.trace.times[i])
            self.exchanges.append(new)
            return
        old = self.exchanges[-1]
        size = old.tokens + call.tokens
        self.exchanges[-1] = Exchange(
            first=old.first, last=i, tokens=size, upper=size, requests=old.requests + 1, at=old.at, open=True
        )

    def _close(self) -> None:
        if self.exchanges and self.exchanges[-1].open:
            e = self.exchanges[-1]
            self.exchanges[-1] = Exchange(
                first=e.first, last=e.last, tokens=e.tokens, upper=e.upper, requests=e.requests, at=e.at
            )

    def _situation(self, i: int, first: int) -> Situation:
        terms = self.terms
        stay = None
        if self.start is not None:
            prompt = self._prompt(i, self.start)
            stay = Size(tokens=prompt, upper=prompt)
        return Situation(
            exchanges=tuple(self.exchanges[first:]),
            first_exchange=None if self.start is None else self.start - first,
            fixed=Size(tokens=terms.preamble, upper=terms.preamble),
            stay=stay,
            budget=terms.card.window if self.everything else terms.budget,
            keep=terms.keep,
            max_tokens=0,
            card=terms.card,
            now=self.trace.times[i],
            warmth=self.cache.warmth(self.start if self.start is not None else -1),
            gaps=terms.gaps,
            learned=self.learned,
        )

    def _prompt(self, i: int, start: int) -> int:
        return self.terms.preamble + self.ends[i + 1] - self.ends[self.exchanges[start].first]

    def _bill(self, i: int, start: int, decision: Decision) -> None:
        prompt = self._prompt(i, start)
        marks = decision.marks or self.terms.marks
        usage = self.cache.request(start, prompt, marks, self.trace.times[i])
        cut = self.start is not None and start != self.start
        self.dollars += self.terms.card.cost(usage)
        self.usage += usage
        self.cuts += cut
        self.over += prompt > self.terms.budget and not self.everything
        self.verbatim.append(prompt - self.terms.preamble)
        self.broken += start > self.allowed.high[i]
        self.start = start
        if self.points is not None:
            point = Point(
                at=self.trace.times[i],
                prompt=prompt,
                dollars=self.dollars,
                read=usage.read,
                cut=cut,
                rule=decision.rule,
            )
            self.points.append(point)

    def outcome(self, label: str) -> ReplayOutcome:
        """The sums of the run."""
        terms, verbatim = self.terms, self.verbatim
        grown = [v for v, end in zip(verbatim, self.ends[1:], strict=True) if end >= terms.keep] or verbatim
        return ReplayOutcome(
            trace=self.trace.name,
            model=terms.card.id,
            strategy=label,
            keep=terms.keep,
            budget=terms.budget,
            dollars=self.dollars,
            usage=self.usage,
            requests=len(verbatim),
            cuts=self.cuts,
            mean_verbatim=sum(verbatim) / len(verbatim),
            min_verbatim=min(grown),
            broken=self.broken,
            over=self.over,
            points=tuple(self.points or ()),
        )
