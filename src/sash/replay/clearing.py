"""The clairvoyant optimum with clearing as a move: a proven lower bound, and the bill of a schedule that exists.

**The model.** As in `clairvoyant`: any start that keeps the promise, any lifetimes, one for a whole view, and leaving
a view forgets what the cache held of it. Now a view may also send a placeholder for any tool result that lies before
the newest `keep` tokens (those stay verbatim); what is cleared stays cleared until the view begins anew. A change keeps
what is cached in front of the first result that it clears, if a marker stands there: a request that begins or clears a
view may set one more, behind the last call that is not among the newest `keep` tokens. Budget and prices are those of
what is really sent. A reply that uses something only a cleared result told (`TraceResult.needed`) fetches it again:
`refetch` tokens and the result's own, at the price of fresh ones; uses that follow each other within `keep` tokens take
one fetch. What left by a cut costs no fetch, as in `optimum`: so clearing is a move more, and never dearer. With a
result its call's arguments may leave.

**The lower bound.** States are those of `optimum`, with the newest request e at which the view changed. Each is given
less than any real view could cost, so no schedule that clears can cost less:
- *Sizes.* Of results that came before the newest `keep` tokens at e the view holds placeholders only, of their calls'
  arguments nothing. It cannot hold less: later results could not be cleared at e, and nothing changed since.
- *A change at i* reads all before the newest call with a result that may be cleared, in its cleared form, and rewrites
  the rest. A real change begins at that result or an older one: it reads no more and rewrites no less.
- *Fetches.* Between two changes each result is there or not. If it is, it was read at every request; if it is not, each
  use costs a fetch. Each use is charged the less of a fetch and the reading since the use before it (or since e). A
  result that is there paid at least the sum of these stretches, one that is not the sum of the fetches, and each result
  chooses by itself, and anew with every change: so the bound feels the price of a fetch less than schedules do.
- *Unwritten tails.* After a change, or twice in a row, they count as if only the newest request were unwritten.
- *Many requests.* Where a view may last longer than there are columns for, changes are told apart by stretches of
  requests, each as if it had been made at the stretch's last one so far: that only lets it clear more.

**The schedule.** The same program over real sizes, for schedules of one kind: every change clears all results but for
a fixed set of keepers and leaves arguments as they are, its marker stands where the next change looks for it, and its
bill is what the cache would charge. The best of three sets (none, those whose reading costs less than their fetches,
all that are needed), and of `optimum` itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from math import isfinite
from typing import Any

from sash.errors import InvalidOption
from sash.model.cards import ModelCard
from sash.replay.clairvoyant import SingleLifetime, optimum
from sash.replay.traces import Trace, TraceResult

_INF = float("inf")
PLACEHOLDER = 8
"""Tokens of the API's own placeholder, "[tool result cleared to save context]"."""
REFETCH = 4_000
"""What the call and the request behind it cost, in fresh tokens: some 60 tokens of output, and 60,000 read again."""
CELLS, COLUMNS = 6_000, (16, 256)
"""States of each kind to go over with every request, about; changes of a view that are told apart, least and most."""
STATES = ("warm5", "late5", "warm51", "late51", "warm1", "late1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Optima:
    """The least that any policy could have paid, in dollars: without clearing, and between what it lies with it."""

    starts: float
    """moving the start alone: `optimum`"""
    least: float
    """with clearing, no schedule costs less"""
    most: float
    """with clearing, one that exists costs so much"""


def optima(
    trace: Trace, card: ModelCard, *, keep: int, budget: int, preamble: int = 0, refetch: int = REFETCH
) -> Optima:
    """What the cheapest policy pays, without clearing and with it.

    `refetch`: what fetching a cleared result again costs beside its own tokens, in fresh tokens. All three are equal
    where the trace tells of no results. Raises UnknownModel without prices, InvalidOption for a negative refetch.
    """
    check_refetch(refetch)
    plain = optimum(trace, card, keep=keep, budget=budget, preamble=preamble)
    if not any(_clearable(result) for call in trace.calls for result in call.results):
        return Optima(starts=plain, least=plain, most=plain)
    given = _Given(trace, card, keep, budget, preamble, refetch)
    found = [_Schedule(given, keepers).least() for keepers in given.keepers()]
    return Optima(starts=plain, least=min(plain, _Bound(given).least()), most=min(plain, *found))


def check_refetch(refetch: int) -> None:
    """Raise InvalidOption for what is no price of fetching a result again."""
    if not (isfinite(refetch) and refetch >= 0):
        raise InvalidOption(f"refetch={refetch!r}: give fresh tokens, from 0 on", option="refetch", value=refetch)


def _clearable(result: TraceResult) -> bool:
    return result.tokens > PLACEHOLDER or result.arguments > 0


def _saved(result: TraceResult) -> int:
    """Tokens that a placeholder saves."""
    return max(0, result.tokens - PLACEHOLDER)


@dataclass(frozen=True, slots=True)
class _ResultUse:
    """A reply that needs a result, as far as it lies behind the newest tokens then."""

    request: int
    call: int
    """the one that brought the result"""
    since: int
    """the request behind the use before this one, or `call`"""
    result: TraceResult
    fetch: float
    """dollars"""


class _Given:
    """What bound and schedules have in common."""

    def __init__(self, trace: Trace, card: ModelCard, keep: int, budget: int, preamble: int, refetch: int) -> None:
        self.trace, self.card, self.keep, self.budget, self.preamble = trace, card, keep, budget, preamble
        self.refetch = refetch
        ends = list(accumulate((call.tokens for call in trace.calls), initial=0))
        self.old = [0] * len(trace.calls)
        """how many calls lie before the newest `keep` tokens, at each request"""
        first = 0
        for i in range(len(trace.calls)):
            while first < i and ends[i + 1] - ends[first + 1] >= keep:
                first += 1
            self.old[i] = first
        self.uses = self._uses()

    def _uses(self) -> list[list[_ResultUse]]:
        """By request. A use that follows another of the same result within `keep` tokens takes no fetch of its own."""
        found: list[list[_ResultUse]] = [[] for _ in self.trace.calls]
        price = self.card.price(0).fresh / 1e6
        for call, given in enumerate(self.trace.calls):
            for result in filter(_clearable, given.results):
                before = call - 1
                for at in result.needed:
                    if call < self.old[at] and before < self.old[at]:
                        dollars = (self.refetch + result.tokens) * price
                        found[at].append(_ResultUse(at, call, before + 1, result, dollars))
                    before = at
        return found

    def keepers(self) -> list[frozenset[int]]:
        """Sets of results, by identity, that schedules never clear."""
        fetches: dict[int, float] = {}
        reading: dict[int, float] = {}
        read = self.card.price(0).read / 1e6
        for use in (use for uses in self.uses for use in uses):
            fetches[id(use.result)] = fetches.get(id(use.result), 0.0) + use.fetch
            reading[id(use.result)] = read * _saved(use.result) * (len(self.trace.calls) - use.call)
        worth = frozenset(one for one, dollars in fetches.items() if dollars > reading[one])
        return list(dict.fromkeys((frozenset(), worth, frozenset(fetches))))

    def cleared(self, keepers: frozenset[int], arguments: bool) -> list[int]:
        """Tokens of each call once its results are cleared, but for the keepers; its arguments, too, or not."""
        return [
            call.tokens - sum(_saved(one) + one.arguments * arguments for one in call.results if id(one) not in keepers)
            for call in self.trace.calls
        ]


class _Clearing(SingleLifetime):
    """`optimum`'s program with a column for each request at which the view may have changed.

    Rows are the starts of a window that moves on, columns stretches of `grain` requests.
    """

    def __init__(self, given: _Given, keepers: frozenset[int]) -> None:
        super().__init__(given.trace, given.card, given.keep, given.budget, given.preamble)
        np, self.given, self.keepers = self.np, given, keepers
        calls = given.trace.calls
        self.holding = [any(_clearable(one) and id(one) not in keepers for one in call.results) for call in calls]
        self.at, self.last, self.upto = 0, self.opens[:1], self.opens[:1]
        """the request at hand; for each column, its last request so far, and how many calls it may have cleared"""
        self.small = np.array(list(accumulate(given.cleared(keepers, arguments=self.loose), initial=0)), dtype=float)
        self.old = np.array(given.old)
        self.reads = np.append(0.0, np.cumsum(np.full(len(calls), self.card.price(0).read / 1e6)))
        self.lows = self._lows()
        self.grain = self._grain()
        self.row = self.column = 0
        for name in STATES:
            setattr(self, name, np.full((1, 1), _INF))

    def _grain(self) -> int:
        """Requests of a column: as few as leave about so many cells."""
        starts = max(high + 1 - low for low, high in zip(self.lows, self.allowed.high, strict=True))
        longest = max(i + 1 - int(self.opens[low]) for i, low in enumerate(self.lows))
        fewest, most = COLUMNS
        return -(-longest // max(fewest, min(most, CELLS // starts)))

    def _lows(self) -> list[int]:
        """The earliest start that fits at this request or a later one, with all cleared that may be."""
        np, found, newest = self.np, [], -1
        for i, old in enumerate(self.old):
            newest += newest + 1 < len(self.opens) and self.opens[newest + 1] == i
            fits = np.flatnonzero(self._sizes(i + 1, self.opens[: newest + 1], old) <= self.given.budget)
            found.append(int(fits[0]) if len(fits) else newest)
        return list(accumulate(reversed(found), min))[::-1]

    def _sizes(self, upto: int, opens: Any, old: Any) -> Any:
        """Tokens of the prompt: calls from `opens` to `upto`, those before `old` cleared."""
        border = self.np.maximum(opens, old)
        return self.preamble + self.small[border] - self.small[opens] + self.ends[upto] - self.ends[border]

    def least(self) -> float:
        """Run the program to the end of the trace."""
        for i, gap in enumerate(self.gaps):
            self._age(gap if i else _INF)
            self._step(i, slice(self.lows[i], self.allowed.high[i] + 1))
        return min(self._abandon())

    # ---- what bound and schedule say otherwise -----------------------------------------------------

    def _readable(self) -> Any:
        """For each column: what a change finds in the cache ends before this call; -1: it would clear nothing."""
        raise NotImplementedError

    def _dollars(self, use: _ResultUse) -> Any:
        """For each column what a use costs that lies before its change."""
        raise NotImplementedError

    def _cached(self, prefix: Any) -> Any:
        """Of the prefix before a change, the tokens that the cache holds."""
        raise NotImplementedError

    loose = False
    """whether a change counts as its column's last, arguments leave, and tails unwritten for long are unwritten once"""

    # ---- a request ---------------------------------------------------------------------------------

    def _charges(self, i: int, opens: Any) -> Any:
        """Dollars for the uses at `i`, by start and column."""
        charges = self.np.zeros((len(opens), len(self.upto)))
        for use in self.given.uses[i]:
            lost = (use.call < self.upto)[None, :] & (use.call >= opens)[:, None]
            charges += self.np.where(lost, self._dollars(use), 0.0)
        return charges

    def _step(self, i: int, starts: slice) -> None:
        np, opens = self.np, self.opens[starts]
        columns = np.arange(int(opens[0]) // self.grain, i // self.grain + 1)
        self.at, self.last = i, np.minimum((columns + 1) * self.grain - 1, i)
        upto = self.upto = self.old[self.last if self.loose else columns * self.grain]
        whole = self._sizes(i + 1, opens, upto[-1])
        newest = np.arange(starts.start, starts.stop) == np.searchsorted(self.opens, i, side="right") - 1
        uses = self._charges(i, opens)
        more = np.where((whole <= self.given.budget) | newest, uses[:, -1], _INF)
        rates = self._rates(whole)
        gone, bare5, bare1, begun = self._begun(whole, rates, more)
        self._move_window(starts, columns)
        held = self._sizes(i, opens[:, None], upto[None, :])
        room = (held + self.ends[i + 1] - self.ends[i] <= self.given.budget) | newest[:, None]
        changed = self._changes(whole, rates, self._readable(), more)
        left5, left1 = self._grow(i, held, np.where(room, uses, _INF))
        for name, dollars in (*begun.items(), *changed.items()):
            state = getattr(self, name)
            state[:, -1] = np.minimum(state[:, -1], dollars)
        self._settle(gone, min(bare5, left5), min(bare1, left1))

    def _begun(self, whole: Any, rates: Any, more: Any) -> tuple[float, float, float, dict[str, Any]]:
        """Begin anew at each start: new (gone, bare5, bare1), and the views that are cached."""
        view, large = whole - self.preamble, whole >= self.minimum
        gone, _, one = self._abandon()
        to_gone, to_bare5, to_bare1, new5, new51 = self._afresh(view, rates, large, more)
        new1 = self.np.where(large, self._afresh1(gone, one, view, rates) + more, _INF)
        return to_gone, to_bare5, to_bare1, {"warm5": new5, "warm51": new51, "warm1": new1}

    def _move_window(self, starts: slice, columns: Any) -> None:
        """Let go of starts that come no more, and of changes older than the first start; take in new ones."""
        rows, width = starts.stop - starts.start, len(columns)
        for name in STATES:
            old = getattr(self, name)[starts.start - self.row :, int(columns[0]) - self.column :]
            new = self.np.full((rows, width), _INF)
            new[: len(old), : old.shape[1]] = old[:rows, :width]
            setattr(self, name, new)
        self.row, self.column = starts.start, int(columns[0])

    def _changes(self, whole: Any, rates: Any, readable: Any, more: Any) -> dict[str, Any]:
        """Clear in each view that goes on, and write or send the rest: the views after it, by start."""
        np = self.np
        opens = self.opens[self.row : self.row + len(whole)]
        border = np.maximum(opens[:, None], readable[None, :])
        prefix = self._cached(self.preamble + self.small[border] - self.small[opens][:, None])
        fresh, read, write5, write1 = rates
        clears = (readable >= 0)[None, :] & (opens < self.upto[-1])[:, None]
        reading = np.where(clears, read[:, None] * prefix, _INF)
        rest = whole[:, None] - prefix
        more = np.where(whole >= self.minimum, more, _INF)
        found: dict[str, Any] = {}
        for source, target, write in (
            ("5", "5", write5),
            ("51", "51", write5),
            ("1", "1", write1),
            ("1", "51", write5),
        ):
            before = np.minimum(getattr(self, f"warm{source}"), getattr(self, f"late{source}")) + reading
            for state, rate in (("warm", write), ("late", fresh)) if self.loose else (("warm", write),):
                least = (before + rate[:, None] * rest).min(axis=1) + more
                found[state + target] = np.minimum(found.get(state + target, _INF), least)
        return found

    def _grow(self, i: int, held: Any, more: Any) -> tuple[float, float]:
        """Let each view grow at its end; the least with only the preamble alive for 5 min, or 1 h."""
        np, rates = self.np, self._rates(held + self.ends[i + 1] - self.ends[i])
        shorter = self._go_on(self.warm1, self.late1, i, held, rates[2], rates)[0]
        least: dict[str, float] = {}
        for name, write in (("5", rates[2]), ("51", rates[2]), ("1", rates[3])):
            warm, late = f"warm{name}", f"late{name}"
            written, once, twice = self._go_on(getattr(self, warm), getattr(self, late), i, held, write, rates)
            written = np.minimum(written, shorter) if name == "51" else written
            setattr(self, warm, written + more)
            setattr(self, late, (np.minimum(once, twice) if self.loose else once) + more)
            least[name] = float((twice + more).min())
        return least["5"], min(least["51"], least["1"])


class _Bound(_Clearing):
    """Less than any schedule could pay."""

    loose = True

    def __init__(self, given: _Given) -> None:
        super().__init__(given, frozenset())
        marked = [call if held else -1 for call, held in enumerate(self.holding)]
        self.newest = self.np.array(list(accumulate(marked, max, initial=-1)))
        """before each call, the last one that holds something to clear"""

    def _readable(self) -> Any:
        return self.np.full_like(self.upto, self.newest[self.old[self.at]])

    def _dollars(self, use: _ResultUse) -> Any:
        read = self.reads[self.at + 1] - self.reads[self.np.maximum(self.last, use.since)]
        return self.np.minimum(use.fetch, _saved(use.result) * read)

    def _cached(self, prefix: Any) -> Any:
        return prefix


class _Schedule(_Clearing):
    """What schedules of one kind pay: each change clears all but the keepers."""

    def __init__(self, given: _Given, keepers: frozenset[int]) -> None:
        super().__init__(given, keepers)
        none = len(self.holding)
        marked = [call if held else none for call, held in enumerate(self.holding)]
        self.next = self.np.array(list(accumulate(reversed(marked), min, initial=none))[::-1])
        """for each call, the first one from it on that holds something to clear"""

    def _readable(self) -> Any:
        """Where the marker of the last change stands; behind it, where nothing to clear lies in between."""
        cleared = self.next[self.upto]
        border = self.np.where(cleared - 1 > self.last, cleared - 1, self.upto)
        return self.np.where(cleared < self.upto[-1], border, -1)

    def _dollars(self, use: _ResultUse) -> Any:
        return 0.0 if id(use.result) in self.keepers else use.fetch

    def _cached(self, prefix: Any) -> Any:
        return self.np.where(prefix >= self.minimum, prefix, self.preamble if self.preamble_caches else 0.0)
