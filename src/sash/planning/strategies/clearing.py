"""Which tool results to clear in place, and what that is worth: the third choice of the economic window.

To clear writes the view anew from the first cleared result on, and a result may have to be read again; to stay reads
what could leave with every request of the run that is still to come. As with a cut, waiting lets more results share
one rewriting: it pays from the excess on at which the cost of carrying it is that of clearing it (`economics`).
Pure arithmetic on values: tokens, dollars.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from sash.model.cards import ModelCard
from sash.planning.economics import order_point
from sash.planning.situation import Clearing, ResultsTurn, Situation

ASKING = 150
"""Tokens of a reply that calls a tool again."""
LEAST = 64
"""Tokens that clearing something has to save to be worth a thought."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearingTerms:
    """What clearing is priced for."""

    card: ModelCard
    view: int
    """tokens of the prompt if nothing leaves"""
    cached: int
    """of these, what can be read from the cache"""
    read: float
    write: float
    """dollars per token"""
    left: float
    """requests still expected in this run"""
    growth: float
    """tokens that a request adds"""
    caution: float
    """how many times its price it counts to read something again"""
    cheap: frozenset[str]
    """tools for which it counts once"""
    spared: frozenset[str]
    """tools whose results stay"""
    all_inputs: bool
    """the inputs of all calls leave with their results: the API clears, and knows no sizes"""

    @property
    def horizon(self) -> float:
        """Dollars that a token costs which stays to the end of the run."""
        return self.read * self.left

    def tokens(self, turn: ResultsTurn) -> int:
        """What leaves with it: its results, and the inputs of the calls where they are large."""
        inputs = turn.call_saves.tokens
        return turn.saves.tokens + (inputs if self.all_inputs or inputs >= LEAST else 0)

    def again(self, turn: ResultsTurn) -> float:
        """Dollars to call for these results again: one more reply, on the view as it is then."""
        asking = self.read * self.view + self.card.price(self.view).output / 1e6 * ASKING * turn.results
        return asking + (self.write + self.horizon) * self.tokens(turn)

    def risk(self, turn: ResultsTurn) -> float:
        """The same by its chance; what is not known to be cheap counts more."""
        cheap = bool(turn.worth.tools) and self.cheap.issuperset(turn.worth.tools)
        return turn.worth.again * self.again(turn) * (1.0 if cheap else self.caution)

    def gain(self, turn: ResultsTurn) -> float:
        """Dollars saved by leaving it out of what is written anyway."""
        return (self.write + self.horizon) * self.tokens(turn) - self.risk(turn)

    def rewriting(self, first: ResultsTurn) -> float:
        """Dollars to write, instead of reading, what is cached behind the first result that leaves."""
        return (self.write - self.read) * max(0, self.cached - (self.view - first.behind))


def candidates(situation: Situation, terms: ClearingTerms) -> list[ResultsTurn]:
    """What may leave, oldest first: all of it stands before the newest `keep` tokens, and none is of a spared tool."""
    older = (turn for turn in situation.results if turn.after >= situation.keep)
    return [turn for turn in older if terms.tokens(turn) >= LEAST and terms.spared.isdisjoint(turn.worth.tools)]


def best_clearing(situation: Situation, terms: ClearingTerms, enough: int) -> Clearing | None:
    """The clearing that saves most and pays now; with `enough` > 0 the best one that frees so many tokens."""
    turns = candidates(situation, terms)
    if not turns:
        return None
    found = _oldest(turns, terms, enough) if terms.all_inputs else _any(turns, terms, enough)
    if not found:
        return None
    clearing = _clearing(found, terms)
    if enough:
        return clearing if clearing.tokens >= enough else None
    return clearing if clearing.saves > 0 and _pays(found, terms) else None


def _any(turns: Sequence[ResultsTurn], terms: ClearingTerms, enough: int) -> list[ResultsTurn]:
    """From where on to clear whatever gains by it; all behind the first one is written anew in any case."""
    gains = [terms.gain(turn) for turn in turns]
    sums = list(accumulate(max(0.0, gain) for gain in reversed(gains)))[::-1]
    starts = [at for at, gain in enumerate(gains) if gain > 0]
    best = max(starts, key=lambda at: sums[at] - terms.rewriting(turns[at]), default=None)
    if enough and (best is None or sum(terms.tokens(turns[at]) for at in starts if at >= best) < enough):
        return _most_worthwhile(turns, terms, enough)
    return [turns[at] for at in starts if at >= best] if best is not None else []


def _most_worthwhile(turns: Sequence[ResultsTurn], terms: ClearingTerms, enough: int) -> list[ResultsTurn]:
    """Where so much has to leave: those first that lose least for their size."""
    order = sorted(turns, key=lambda turn: -terms.gain(turn) / terms.tokens(turn))
    sums = accumulate(map(terms.tokens, order))
    number = next((n for n, tokens in enumerate(sums, 1) if tokens >= enough), len(order))
    return sorted(order[:number], key=lambda turn: turn.seq)


def _oldest(turns: Sequence[ResultsTurn], terms: ClearingTerms, enough: int) -> list[ResultsTurn]:
    """Up to where to clear all there are."""
    sums = list(accumulate(map(terms.gain, turns)))
    best = max(range(len(turns)), key=sums.__getitem__)
    if enough:
        sizes = accumulate(map(terms.tokens, turns))
        best = max(best, next((at for at, tokens in enumerate(sizes) if tokens >= enough), len(turns) - 1))
    return list(turns[: best + 1])


def _clearing(turns: Sequence[ResultsTurn], terms: ClearingTerms) -> Clearing:
    rewriting, tokens = terms.rewriting(turns[0]), sum(map(terms.tokens, turns))
    return Clearing(
        turns=tuple(turns),
        inputs=frozenset(turn.call for turn in turns if terms.tokens(turn) > turn.saves.tokens),
        spared=tuple(sorted(terms.spared)) if terms.all_inputs else (),
        tokens=tokens,
        now=rewriting - terms.write * tokens,
        saves=sum(map(terms.gain, turns)) - rewriting,
        again=sum(turn.worth.again * terms.again(turn) for turn in turns),
        once=sum(map(terms.again, turns)),
    )


def _pays(turns: Sequence[ResultsTurn], terms: ClearingTerms) -> bool:
    """Whether to clear now, and not when there is more to clear; tokens that may come back count by what they gain."""
    stake = terms.rewriting(turns[0]) - terms.write * sum(map(terms.tokens, turns))
    tokens = sum(map(terms.gain, turns)) / (terms.write + terms.horizon)
    return stake <= 0 or tokens >= order_point(stake, carry=terms.read, growth=terms.growth, left=terms.left)
