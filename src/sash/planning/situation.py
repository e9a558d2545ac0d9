"""What a strategy sees and what it answers.

A `Situation` is everything a decision may rest on, as values: the exchanges that could be sent, where
the present view starts, sizes with upper bounds, the budget, the model's card, the state of the cache.
A `Decision` is the index of the first exchange to send, and the reason. Sizes are tokens, times unix
seconds. It knows no text and no API: whether a request is legal is judged elsewhere.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from operator import attrgetter, neg
from typing import Any, Literal, Protocol

from sash.model.cards import ModelCard, Ttl
from sash.model.settings import settings
from sash.model.summaries import Trouble
from sash.model.turns import Exchange

_TOKENS, _UPPER = attrgetter("tokens"), attrgetter("upper")
CHEAP = "cheap"
"""Where a recorded decision names the tools that were said to be cheap to call again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Tokens as estimated, and the bound they will not pass at the stated coverage."""

    tokens: int = 0
    upper: int = 0

    def __add__(self, other: Size) -> Size:
        return Size(tokens=self.tokens + other.tokens, upper=self.upper + other.upper)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaps:
    """What is known of the time between plain user requests, start to start (decayed counts), here and elsewhere."""

    within_5m: float = 0.0
    within_1h: float = 0.0
    total: float = 0.0
    here: float = 0.0
    """How many of `total` come from this conversation itself; the rest is the prior from the database's others."""

    def chance(self, ttl: Ttl) -> float:
        """The chance that the next plain user request starts within `ttl`; with nothing known, one half."""
        hits = self.within_5m if ttl == "5m" else self.within_1h
        return (hits + 1.0) / (self.total + 2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Warmth:
    """What the cache is believed to hold. Times are unix seconds at which an entry ends; 0: nothing."""

    preamble_until: float = 0.0
    preamble_ttl: Ttl = "5m"
    tail_until: float = 0.0
    tail_ttl: Ttl = "5m"
    tail_tokens: int = 0
    """size of the prefix up to the last written tail of the present epoch"""
    stable_until: float = 0.0
    """of the part of the preamble that stays, where the rest of it changes"""


@settings
@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """Which cache lifetimes to ask for; None: no marker there."""

    preamble: Ttl | None = "5m"
    kept_marker: Ttl | None = None
    """on the last tail of the epoch written for 1 h (at the cut, as a rule), where the tail now lives shorter"""
    tail: Ttl | None = "5m"


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What a turn of tool results may still be good for."""

    again: float = 1.0
    """the chance that something which only it says is needed again"""
    tools: tuple[str, ...] = ()
    """the tool of each result"""
    why: str = ""
    """what the chance rests on, in words"""


Clears = Literal["", "any", "oldest"]
"""Which results may give way while the view stays: none, any (as placeholders), or the oldest, by the API."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsTurn:
    """A turn of tool results in the present view that is still sent as recorded."""

    seq: int
    exchange: int
    """index of its exchange"""
    results: int
    """how many calls it answers"""
    saves: Size
    """what placeholders in the place of its results would save"""
    call: int = 0
    """seq of the reply that made the calls"""
    call_saves: Size = field(default_factory=Size)
    """what leaving out the calls' input would save"""
    behind: int = 0
    """tokens of the view from the reply on that made the calls"""
    after: int = 0
    """tokens of the view behind this turn"""
    worth: Worth = field(default_factory=Worth)


@dataclass(frozen=True, kw_only=True)
class Situation:
    """The next request, before it is decided. `exchanges` is oldest first; the last one holds the newest turn."""

    exchanges: tuple[Exchange, ...]
    first_exchange: int | None
    """index at which the present view starts; None: there is no view yet"""
    forced: str = ""
    """why a new epoch must begin whatever the strategy says (system, tools or model changed); "" if it need not"""
    fixed: Size
    """preamble, summary and frames: sent whatever is decided"""
    front: int = 0
    """tokens of `fixed` that stand behind the preamble: summary, pinned exchanges, instructions"""
    upto: int = 0
    """seq up to which the summary covers that a cut would bring in; 0: there is none"""
    per_cut: float = 0.0
    """dollars that a cut costs beside the prompt: the fixed part of a summary"""
    trouble: Trouble = field(default_factory=Trouble)
    """with making summaries"""
    stay: Size | None = None
    """the prompt if the view just grows: the last exact total plus what was added; None without a view"""
    attachments: Size = field(default_factory=Size)
    """attachments in the present view that a cut would leave behind: part of `stay`, of no exchange's size"""
    recalled: Size = field(default_factory=Size)
    """what is attached to the newest question: sent wherever the view starts, of no exchange's size"""
    pinned_exchanges: frozenset[int] = frozenset()
    """indices of pinned exchanges: sent in front when they lie before the start"""
    results: tuple[ResultsTurn, ...] = ()
    """oldest first, those of pinned exchanges left out; only for strategies that ask for it (`clears = True`)"""
    clears: Clears = ""
    """which of these may give way in place"""
    lacks_beta: bool = False
    """the oldest would be the API's to clear, had the client beta features"""
    cheap: frozenset[str] = frozenset()
    """tools that were said to be cheap to call again"""
    budget: int
    reserve: int = 0
    """of the budget, for what is still to be attached to the newest question"""
    keep: int
    max_tokens: int
    card: ModelCard
    now: float
    warmth: Warmth = field(default_factory=Warmth)
    gaps: Gaps = field(default_factory=Gaps)
    marks: Marks | None = None
    """the lifetimes that the caller fixed; None: the strategy's to choose"""
    base: str = ""
    """what the estimates among the sizes rest on"""
    learned: Mapping[str, Any] = field(default_factory=dict)
    """what a strategy stored earlier for this conversation (plain JSON values)"""

    @property
    def limit(self) -> int:
        """The most prompt tokens this request may have: the budget, or the window without the reply, less `reserve`."""
        return min(self.budget, self.card.window - self.max_tokens) - self.reserve

    @property
    def newest(self) -> int:
        """Index of the exchange that holds the newest turn."""
        return len(self.exchanges) - 1

    @cached_property
    def covered(self) -> int:
        """Index of the first exchange that the summary does not cover: those before it may leave without loss."""
        return next((i for i, e in enumerate(self.exchanges) if e.last > self.upto), self.newest)

    @cached_property
    def _tokens(self) -> list[int]:
        """Tokens of exchanges[i:], for every i."""
        return from_each_on([*map(_TOKENS, self.exchanges)])

    @cached_property
    def _uppers(self) -> list[int]:
        """Upper bounds of exchanges[i:], for every i."""
        return from_each_on([*map(_UPPER, self.exchanges)])

    def kept(self, start: int) -> int:
        """Verbatim tokens of the exchanges from `start` on."""
        return self._tokens[start]

    def pinned_before(self, start: int) -> list[Exchange]:
        """Pinned exchanges that are sent in front if the view starts at exchange `start`."""
        return [self.exchanges[i] for i in self.pinned_exchanges if i < start]

    def prompt(self, start: int) -> Size:
        """The whole prompt if the view starts at exchange `start`."""
        if start == self.first_exchange and self.stay is not None and not self.forced:
            return self.stay
        pins = self.pinned_before(start)
        sent = self.fixed + self.recalled
        return sent + Size(
            tokens=self._tokens[start] + sum(e.tokens for e in pins),
            upper=self._uppers[start] + sum(e.upper for e in pins),
        )

    def fits(self, start: int) -> bool:
        """Whether the upper bound of the prompt stays within the limit."""
        return self.prompt(start).upper <= self.limit

    def may_cut(self) -> bool:
        """Whether a cut may fall now: not while a tool exchange is open, unless the budget (or a change) forces it."""
        if self.first_exchange is None or self.forced or not self.exchanges[-1].open:
            return True
        return not self.fits(self.first_exchange)

    def shortest(self, keep: int) -> int:
        """The latest start that still holds `keep` tokens and fits; the newest exchange at the latest."""
        return self.fitting(self.holding(keep))

    def holding(self, keep: int) -> int:
        """The latest start that still holds `keep` tokens; the earliest one where none does."""
        return max(0, bisect_right(self._tokens, -keep, hi=len(self.exchanges), key=neg) - 1)

    def fitting(self, start: int) -> int:
        """The earliest start from `start` on that fits; the newest exchange if none does."""
        return next((i for i in range(start, self.newest) if self.fits(i)), self.newest)


def from_each_on(sizes: Sequence[int]) -> list[int]:
    """The sum of sizes[i:], for every i; the last one is that of none."""
    sums = list(accumulate(reversed(sizes), initial=0))
    sums.reverse()
    return sums


@dataclass(frozen=True, slots=True, kw_only=True)
class Clearing:
    """Tool results that give way in place: nothing else of the view changes, and what stands before stays cached."""

    turns: tuple[ResultsTurn, ...]
    """oldest first"""
    inputs: frozenset[int]
    """seqs of the replies whose calls lose their inputs, too"""
    spared: tuple[str, ...]
    """tools whose results stay among these turns, where the API clears"""
    tokens: int
    """what leaves the view"""
    now: float
    """dollars by which the prompt of this request gets dearer; below 0: cheaper"""
    saves: float
    """dollars that this saves with the requests to come, reading again included"""
    again: float
    """dollars to be expected for reading some of it again, part of `saves`"""
    once: float
    """dollars of reading all of it again, once"""

    @property
    def seqs(self) -> frozenset[int]:
        """Of all the turns that are sent with less from now on."""
        return frozenset(turn.seq for turn in self.turns) | self.inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to send: the exchanges from index `first_exchange` on; the view stays where that is the situation's."""

    first_exchange: int
    rule: str
    """one word or two: first, stay, must, pays, free, slide, forced"""
    reason: str
    """one sentence with its numbers"""
    cleared: frozenset[int] = frozenset()
    """seqs of turns to send with placeholders from now on; a new epoch begins when there are any"""
    clearing: Clearing | None = None
    """where these give way in place, and not at a cut: what for"""
    marks: Marks | None = None
    """None: the conversation's own setting"""
    rejected: str = ""
    """the alternative that was not taken, with its price"""
    note: str = ""
    """what else there is to tell, a sentence"""
    saves: float = 0.0
    """dollars that leaving out what would fit saves, with the requests to come"""
    learned: Mapping[str, Any] | None = None
    """what to store for the next decision; None: unchanged"""
    summarise: int = 0
    """seq up to which a summary should be made, so that those turns may leave; 0: none is wanted"""
    waits: bool = False
    """the budget forces those turns out with this very request: it is worth waiting for the summary"""


class Strategy(Protocol):
    """A frozen value with one method; its repr is its row label in reports."""

    def decide(self, situation: Situation) -> Decision:
        """Choose the start. Pure: no I/O, clock or randomness."""
        ...


def too_large(situation: Situation) -> bool:
    """Whether not even the newest exchange alone fits, by its estimate (not only by its bound)."""
    return situation.prompt(situation.newest).tokens > situation.limit
