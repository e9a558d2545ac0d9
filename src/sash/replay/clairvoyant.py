"""The clairvoyant optimum: the least that any window policy could have paid for a trace.

A dynamic program over (start of the view, what the cache holds of it) that knows every gap and size.
Promise: at each request the view starts at an exchange; it holds `keep` tokens verbatim (or all there
are, or the most that fits), and the prompt stays within `budget` (an exchange that alone passes it is
sent alone). Actions at each request: any start that keeps the promise, earlier ones too, also inside a
tool run; the tail marked for 5 min, 1 h or not at all, so that a prefix may be read without writing;
the preamble's mark of its own, never shorter than the tail's. Billing: "Prompt caching" and "Pricing"
(a prefix is readable up to its first expired segment; a read refreshes; lifetimes count from request
start; nothing below the model's minimum; the tier is that of the whole prompt).

`optimum` has one lifetime for the whole view. It is exact for this model, where leaving a view forgets
what the cache held of it: coming back to a view left earlier never pays as long as cached reads cost
less than half of fresh tokens and the smaller view goes on (its exchanges hold `keep` for ever after).
Of the unwritten tail it remembers the newest request only: tokens sent fresh three times cost more than
written once and read twice. `mixed_optimum` lets a view begin with a 1 h part and go on with a 5 min
part, divided anywhere; the 1 h part grows only where the rest has expired, as lengthening protects only
new tokens. numpy is loaded on first use.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from sash.model.cards import TTL_SECONDS, ModelCard
from sash.replay.traces import Trace

_INF = float("inf")


def _load_numpy() -> Any:
    """The one place of this module that imports numpy."""
    import numpy as np  # noqa: PLC0415

    return np


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What each request of a trace may start at: exchange indices `low[i]` to `high[i]`, both included."""

    low: tuple[int, ...]
    high: tuple[int, ...]


def promise(trace: Trace, *, keep: int, budget: int, preamble: int = 0) -> Promise:
    """The starts that hold `keep` tokens verbatim and fit `budget`, for every request. Linear in the trace."""
    opens = trace.opens
    ends = list(accumulate((call.tokens for call in trace.calls), initial=0))
    low, high = [], []
    first = last = 0
    newest = -1
    for i in range(len(trace.calls)):
        newest += newest + 1 < len(opens) and opens[newest + 1] == i
        while first < newest and preamble + ends[i + 1] - ends[opens[first]] > budget:
            first += 1
        while last < newest and ends[i + 1] - ends[opens[last + 1]] >= keep:
            last += 1
        low.append(first)
        high.append(max(first, last))
    return Promise(low=tuple(low), high=tuple(high))


def optimum(trace: Trace, card: ModelCard, *, keep: int, budget: int, preamble: int = 0) -> float:
    """Dollars of the cheapest policy with one lifetime per view. Raises UnknownModel where the card has no prices."""
    return SingleLifetime(trace, card, keep, budget, preamble).least()


def mixed_optimum(trace: Trace, card: ModelCard, *, keep: int, budget: int, preamble: int = 0) -> float:
    """Dollars of the cheapest policy that may also mix lifetimes inside a view. Costs requests x window squared."""
    return _Mixed(trace, card, keep, budget, preamble).least()


class _Program:
    """What both programs share: sizes, prices, the 5 min views, and the moves that begin a view anew.

    `gone`, `bare5` and `bare1` are the least dollars so far with nothing cached, or with the preamble
    alone alive for 5 min or 1 h. By start: `warm5` (preamble 5 min) and `warm51` (preamble 1 h) are views
    whose tail lives 5 min; `late5` and `late51` the same with the newest request unwritten.
    """

    def __init__(self, trace: Trace, card: ModelCard, keep: int, budget: int, preamble: int) -> None:
        np = self.np = _load_numpy()
        card.price(0)  # raises where no prices are known
        self.card, self.preamble, self.minimum = card, preamble, card.cache_minimum
        self.gaps = [call.gap_s for call in trace.calls]
        self.ends = np.array(list(accumulate((call.tokens for call in trace.calls), initial=0)), dtype=float)
        self.opens = np.array(trace.opens)
        self.before = self.ends[self.opens]
        self.allowed = promise(trace, keep=keep, budget=budget, preamble=preamble)
        self.preamble_caches = preamble >= card.cache_minimum
        count = len(trace.opens)
        self.gone, self.bare5, self.bare1 = 0.0, _INF, _INF
        self.warm5, self.late5, self.warm51, self.late51 = (np.full(count, _INF) for _ in range(4))

    def least(self) -> float:
        """Run the program to the end of the trace."""
        for i, gap in enumerate(self.gaps):
            self._age(gap if i else _INF)
            self._step(i, slice(self.allowed.low[i], self.allowed.high[i] + 1))
        return min(self._abandon())

    def _long_views(self) -> list[Any]:
        """The states in which something of the view lives 1 h."""
        raise NotImplementedError

    def _step(self, i: int, starts: slice) -> None:
        raise NotImplementedError

    def _age(self, gap: float) -> None:
        """Let entries expire that `gap` seconds outlive."""
        if gap >= TTL_SECONDS["5m"]:
            self.gone = min(self.gone, self.bare5, _emptied(self.warm5, self.late5))
            self.bare5, left = _INF, _emptied(self.warm51, self.late51)
            self._keep_preamble(left)
        if gap >= TTL_SECONDS["1h"]:
            self.gone = min(self.gone, self.bare1, _emptied(*self._long_views()))
            self.bare1 = _INF

    def _keep_preamble(self, left: float) -> None:
        if self.preamble_caches:
            self.bare1 = min(self.bare1, left)
        else:
            self.gone = min(self.gone, left)

    def _abandon(self) -> tuple[float, float, float]:
        """The least so far if the view is left: (nothing alive, preamble alive 5 min, 1 h)."""
        left5 = min(self.bare5, float(self.warm5.min()), float(self.late5.min()))
        long = [float(array.min()) for array in self._long_views()]
        left1 = min(self.bare1, float(self.warm51.min()), float(self.late51.min()), *long)
        if self.preamble_caches:
            return self.gone, left5, left1
        return min(self.gone, left5, left1), _INF, _INF

    def _rates(self, prompts: Any) -> tuple[Any, Any, Any, Any]:
        """Dollars per token, fresh, read, written for 5 min and for 1 h, for prompts of these sizes."""
        fresh, read = self._rate("fresh", prompts), self._rate("read", prompts)
        return fresh, read, self._rate("write_5m", prompts), self._rate("write_1h", prompts)

    def _rate(self, name: str, prompts: Any) -> Any:
        rate = self.np.full(prompts.shape, getattr(self.card.prices[0], name) / 1e6)
        for tier in self.card.prices[1:]:
            rate = self.np.where(prompts > tier.above, getattr(tier, name) / 1e6, rate)
        return rate

    def _afresh(
        self, view: Any, rates: tuple[Any, Any, Any, Any], large: Any, more: Any = 0.0
    ) -> tuple[float, float, float, Any, Any]:
        """Begin anew at each start without a 1 h part: new (gone, bare5, bare1, warm5, warm51).

        `view` are the tokens after the preamble, `large` where the whole prompt can be cached; `more` are dollars by
        start beside those of the tokens.
        """
        fresh, read, write5, write1 = rates
        gone, five, one = self._abandon()
        size, where = self.preamble, self.np.where
        to_gone = float((gone + fresh * (size + view) + more).min())
        warm5 = gone + write5 * (size + view) + more
        warm51 = self.np.full_like(view, _INF)
        to_bare5 = to_bare1 = _INF
        if self.preamble_caches:
            started5 = self.np.minimum(gone + write5 * size, five + read * size)
            started1 = self.np.minimum(gone + write1 * size, one + read * size)
            unwritten, written = fresh * view + more, write5 * view + more
            to_bare5, to_bare1 = float((started5 + unwritten).min()), float((started1 + unwritten).min())
            warm5, warm51 = started5 + written, started1 + written
        return to_gone, to_bare5, to_bare1, where(large, warm5, _INF), where(large, warm51, _INF)

    def _held(self, i: int, starts: slice) -> Any:
        """Tokens of the prompt before request `i`, by start."""
        return self.preamble + self.ends[i] - self.before[starts]

    def _go_on(self, warm: Any, late: Any, i: int, held: Any, write: Any, rates: tuple[Any, Any, Any, Any]) -> Any:
        """Stay in a view: (least if its tail is written now, if only this request stays unwritten, if two do)."""
        fresh, read = rates[0], rates[1]
        new, last = self.ends[i + 1] - self.ends[i], self.ends[i] - self.ends[max(i - 1, 0)]
        from_warm, from_late = warm + read * held, late + read * (held - last)
        written = self.np.minimum(from_warm + write * new, from_late + write * (new + last))
        return written, from_warm + fresh * new, from_late + fresh * (new + last)

    def _store(self, starts: slice, values: tuple[Any, Any], states: tuple[Any, Any]) -> None:
        for value, state in zip(values, states, strict=True):
            state.fill(_INF)
            state[starts] = value

    def _settle(self, gone: float, bare5: float, bare1: float) -> None:
        """Set the states without a view; a preamble too small for the cache leaves nothing alive."""
        if self.preamble_caches:
            self.gone, self.bare5, self.bare1 = gone, bare5, bare1
        else:
            self.gone, self.bare5, self.bare1 = min(gone, bare5, bare1), _INF, _INF


def _emptied(*arrays: Any) -> float:
    """The least of these states, which are then emptied."""
    least = min(float(array.min()) for array in arrays)
    for array in arrays:
        array.fill(_INF)
    return least


class SingleLifetime(_Program):
    """One lifetime per view: adds `warm1` and `late1`, views that live 1 h."""

    def __init__(self, trace: Trace, card: ModelCard, keep: int, budget: int, preamble: int) -> None:
        super().__init__(trace, card, keep, budget, preamble)
        self.warm1, self.late1 = (self.np.full_like(self.warm5, _INF) for _ in range(2))

    def _long_views(self) -> list[Any]:
        return [self.warm1, self.late1]

    def _afresh1(self, gone: float, one: float, view: Any, rates: tuple[Any, Any, Any, Any]) -> Any:
        """Begin anew at each start with all of it for 1 h, where nothing is alive or the preamble for 1 h."""
        new1 = gone + rates[3] * (self.preamble + view)
        if self.preamble_caches:
            new1 = self.np.minimum(new1, one + rates[1] * self.preamble + rates[3] * view)
        return new1

    def _step(self, i: int, starts: slice) -> None:
        np, view, held = self.np, self.ends[i + 1] - self.before[starts], self._held(i, starts)
        rates = self._rates(self.preamble + view)
        large = self.preamble + view >= self.minimum
        gone, _, one = self._abandon()
        to_gone, to_bare5, to_bare1, new5, new51 = self._afresh(view, rates, large)
        new1 = self._afresh1(gone, one, view, rates)
        moves5 = self._go_on(self.warm5[starts], self.late5[starts], i, held, rates[2], rates)
        moves51 = self._go_on(self.warm51[starts], self.late51[starts], i, held, rates[2], rates)
        moves1 = self._go_on(self.warm1[starts], self.late1[starts], i, held, rates[3], rates)
        shortened = self._go_on(self.warm1[starts], self.late1[starts], i, held, rates[2], rates)[0]
        self._store(starts, (np.minimum(moves5[0], new5), moves5[1]), (self.warm5, self.late5))
        best51 = np.minimum(np.minimum(moves51[0], shortened), new51)
        self._store(starts, (best51, moves51[1]), (self.warm51, self.late51))
        best1 = np.minimum(moves1[0], np.where(large, new1, _INF))
        self._store(starts, (best1, moves1[1]), (self.warm1, self.late1))
        ends1 = min(float(moves51[2].min()), float(moves1[2].min()))
        self._settle(to_gone, min(to_bare5, float(moves5[2].min())), min(to_bare1, ends1))


class _Mixed(_Program):
    """A 1 h part up to request b, then a 5 min part. Rows are starts, columns b.

    `stub`: only the 1 h part is cached; `tailed`: the 5 min part behind it reaches to the last request.
    """

    def __init__(self, trace: Trace, card: ModelCard, keep: int, budget: int, preamble: int) -> None:
        super().__init__(trace, card, keep, budget, preamble)
        self.row = self.column = 0
        self.stub, self.tailed = (self.np.full((1, 1), _INF) for _ in range(2))

    def _long_views(self) -> list[Any]:
        return [self.stub, self.tailed]

    def _age(self, gap: float) -> None:
        super()._age(gap)
        if TTL_SECONDS["5m"] <= gap < TTL_SECONDS["1h"]:
            self.stub = self.np.minimum(self.stub, self.tailed)
            self.tailed.fill(_INF)

    def _step(self, i: int, starts: slice) -> None:
        np, view, held = self.np, self.ends[i + 1] - self.before[starts], self._held(i, starts)
        rates = self._rates(self.preamble + view)
        large = self.preamble + view >= self.minimum
        gone, _, one = self._abandon()
        to_gone, to_bare5, to_bare1, new5, new51 = self._afresh(view, rates, large)
        moves5 = self._go_on(self.warm5[starts], self.late5[starts], i, held, rates[2], rates)
        moves51 = self._go_on(self.warm51[starts], self.late51[starts], i, held, rates[2], rates)
        self._shift(starts, int(self.opens[starts.start]), i)
        self._grow(i, starts, rates, self._first_tokens(gone, one, rates))
        self._store(starts, (np.minimum(moves5[0], new5), moves5[1]), (self.warm5, self.late5))
        self._store(starts, (np.minimum(moves51[0], new51), moves51[1]), (self.warm51, self.late51))
        self._settle(to_gone, min(to_bare5, float(moves5[2].min())), min(to_bare1, float(moves51[2].min())))

    def _first_tokens(self, gone: float, one: float, rates: tuple[Any, Any, Any, Any]) -> Any:
        """Least dollars with the preamble alive for 1 h and nothing of the view yet, by start."""
        written = gone + rates[3] * self.preamble
        return self.np.minimum(written, one + rates[1] * self.preamble) if self.preamble_caches else written

    def _shift(self, starts: slice, column: int, i: int) -> None:
        """Re-cut the tables to the starts and requests of this step."""
        rows, columns = starts.stop - starts.start, i + 1 - column
        for name in ("stub", "tailed"):
            old = getattr(self, name)[max(0, starts.start - self.row) :, column - self.column :]
            new = self.np.full((rows, columns), _INF)
            height, width = min(rows, old.shape[0]), min(columns, old.shape[1])
            new[:height, :width] = old[:height, :width]
            setattr(self, name, new)
        self.row, self.column = starts.start, column

    def _grow(self, i: int, starts: slice, rates: tuple[Any, Any, Any, Any], begun: Any) -> None:
        """Read, then write the rest: 1 h up to any b, 5 min behind it; or leave the rest unwritten."""
        np = self.np
        fresh, read, write5, write1 = (rate[:, None] for rate in rates)
        upto = self.ends[self.column + 1 : i + 2][None, :]
        before, end = self.before[starts][:, None], self.ends[i + 1]
        held = self.preamble + upto - before
        inside = upto > before
        behind = self.tailed + read * (self.preamble + self.ends[i] - before)
        unwritten = np.minimum(self.stub + read * held + fresh * (end - upto), behind + fresh * (end - self.ends[i]))
        tailed = behind + write5 * (end - self.ends[i])
        reach = np.minimum.accumulate(self.stub + read * held - write1 * upto, axis=1)
        reach = np.minimum(reach, begun[:, None] - write1 * before) + write1 * upto
        reach = np.where(inside & (held >= self.minimum), reach, _INF)
        split = reach + write5 * (end - upto)
        self.stub, self.tailed = unwritten, np.minimum(tailed, split)
        self.stub[:, -1] = np.minimum(unwritten[:, -1], reach[:, -1])
        self.tailed[:, -1] = _INF
