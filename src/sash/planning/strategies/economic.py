"""The economic window: cut or clear when it is free, when it pays or when it must; mark what pays.

At each request it prices every choice of (stay, cut, or clear old tool results) x (tail marked for 5 min, for 1 h,
not at all):
the prompt now, and what follows from it (`sash.planning.economics`), and takes the least. What it
learns of the conversation's pauses and sizes travels in `Decision.learned`. Without prices it falls
back to two fixed watermarks and says so.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import ClassVar, NamedTuple

from sash.errors import InvalidOption
from sash.model.cards import ModelCard, Ttl, lasting
from sash.model.fitting import nearest
from sash.model.settings import settings
from sash.model.values import counted
from sash.planning.economics import CachePolicy, Frame, PauseModel, cache_policies, prior, rates
from sash.planning.runs import RunModel
from sash.planning.situation import Clearing, Clears, Decision, Marks, Situation
from sash.planning.strategies.base import Named
from sash.planning.strategies.clearing import ClearingTerms, best_clearing
from sash.planning.strategies.windows import SteppedWindow
from sash.planning.traits import part

BOUNDARIES = 12
"""how many exchanges of the shortest run are considered as the next place to cut at"""
ROOM = 0.25
"""the share of the room behind the preamble that is free again after clearing that the limit forced"""
SAID = "no_beta_said"
"""the key in what is learned under which stands that it was said"""
LATER = (1, 4, 16, 64)
"""exchanges from now at which a cut of the usual size is considered too"""


@settings
@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Economic(Named):
    """The default. `early`: cut before the limit forces it, where that costs less; without it all stays that fits.

    `per_cut`: dollars that each cut costs beside the prompt (a summary). `inside_tools`: cut inside a tool
    run where it pays, on models that do not bind thinking; without it only the limit cuts there.

    `clear_results`: old tool results, and large inputs of their calls, may leave where that pays, in a tool run, too;
    the rest of the view stays as it is. `caution`: how many times its price it counts that one has to be read again
    (1: just that; a result that is missed costs more than money). `exclude`: tools whose results stay. `cheap`: tools
    that are cheap to call again and do nothing else, beside those that say so themselves (`sash.tool(cheap=True)`);
    theirs count once. With `early=False` they leave only where the limit forces it.
    """

    clears: ClassVar[bool] = True
    gone: ClassVar[Mapping[str, str]] = {
        "worth": "it kept all or nothing: early=False keeps all that fits the budget, keep= of the conversation a part"
    }

    early: bool = True
    per_cut: float = 0.0
    inside_tools: bool = False
    clear_results: bool = True
    caution: float = 2.0
    exclude: tuple[str, ...] = ()
    cheap: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (math.isfinite(self.caution) and self.caution >= 0):
            raise InvalidOption(
                f"Economic(caution={self.caution}) must be 0 or more: 1 counts what reading again costs",
                option="caution",
                value=self.caution,
            )
        if not (math.isfinite(self.per_cut) and self.per_cut >= 0):
            raise InvalidOption(
                f"Economic(per_cut={self.per_cut}) must be 0 or more dollars", option="per_cut", value=self.per_cut
            )

    def decide(self, situation: Situation) -> Decision:
        """Price the choices, take the least. Its time grows with the exchanges in `keep`, not with the history."""
        if not situation.card.prices:
            return _without_prices(situation)
        return _Choice(self, situation).decision()


def check_tools(strategy: object, known: Collection[str]) -> None:
    """Raise InvalidOption where an economic window names tools that are not among the `known` ones, if any are."""
    window = part(strategy, Economic)
    for option in ("exclude", "cheap") if window is not None and known else ():
        for name in getattr(window, option):
            if name not in known:
                raise InvalidOption(
                    f"Economic({option}=...): no tool is named {name!r}; {nearest(name, known)}",
                    option=option,
                    value=name,
                )


def _without_prices(situation: Situation) -> Decision:
    decision = SteppedWindow().decide(situation)
    return replace(
        decision, reason=f"no prices are known for {situation.card.id}, so fixed limits decide: {decision.reason}"
    )


def _without_beta(card: ModelCard, missed: Clearing) -> str:
    """What to tell where only the API could clear, and cannot be asked to."""
    saving = f", which would save about ${missed.saves:.4f} with the requests to come" if missed.saves > 0 else ""
    return (
        f"Old tool results stay in view: {card.id} binds thinking to what stands before it, so that only the API may "
        f"clear them, by a beta feature, and this client has none (`client.beta`). {missed.tokens:,} tokens could "
        f"leave{saving}."
    )


class PricedOption(NamedTuple):
    """One thing that could be done, priced in dollars."""

    start: int
    view: int
    """tokens behind the preamble"""
    tail: Ttl | None
    lifetime: Ttl
    now: float
    """the prompt of this request"""
    ahead: float
    """what follows, less the usual cost of the requests to come"""
    clearing: Clearing | None = None
    """results that leave, the start staying where it is"""

    @property
    def total(self) -> float:
        return self.now + self.ahead


class _Choice:
    """One decision in the making: the sizes, what was learned, and the options."""

    def __init__(self, strategy: Economic, situation: Situation) -> None:
        self.strategy, self.situation = strategy, situation
        self.start = situation.first_exchange or 0
        self.inside = situation.exchanges[-1].open
        size = situation.prompt(self.start)
        self.preamble = situation.fixed.tokens
        self.view = size.tokens - self.preamble
        self.upper = size.upper
        self.must = size.upper > situation.limit
        self.held = max(self.start, situation.holding(situation.keep))
        """where the shortest run starts that holds `keep`"""
        self.short, self.run = self._shortest()
        self.least = self.run + situation.recalled.tokens
        self.habits = self._learn(size.tokens)
        self.growth = max(1.0, self.habits.tokens)
        self.over = self.habits.over if self.habits.over >= 0 else 0.5 * self.growth * self.habits.requests
        self.usual = max(1.0, min(self.view, situation.keep + self.over))
        self.outlook = self.habits.outlook(prior(situation.gaps))
        self.policies = cache_policies(self._frame(), self.outlook)
        self.runs = self._learn_runs()
        self.clearing = self._clearing(situation.clears)
        said = situation.learned.get(SAID, False)
        self.missed = self._clearing("oldest") if situation.lacks_beta and not said else None
        """what would leave, had the client beta features; None: nothing, or that was said before"""
        self.said = {SAID: True} if said or self.missed else {}

    def _shortest(self) -> tuple[int, int]:
        """Where the shortest run that holds `keep`, and fits, starts, the newest exchange at the latest; its tokens."""
        situation = self.situation
        index = max(self.start, situation.shortest(situation.keep)) if self.must else self.held
        pinned = [situation.exchanges[i].tokens for i in situation.pinned_exchanges if self.start <= i < index]
        return index, situation.kept(index) + sum(pinned)

    def _learn(self, prompt: int) -> PauseModel:
        situation = self.situation
        habits = PauseModel.from_json(situation.learned)
        added = prompt - habits.sent if habits.sent else situation.exchanges[-1].tokens
        whole = self.run >= situation.keep
        return habits.after(
            situation.now,
            added=max(1, added),
            sent=prompt,
            inside=self.inside,
            over=self.run - situation.keep if whole else None,
        )

    def _learn_runs(self) -> RunModel:
        """The lengths of the runs so far; that of the last exchange is known when the next one begins."""
        runs, before = RunModel.from_json(self.situation.learned.get("runs", {})), self.situation.exchanges[-2:-1]
        return runs if self.inside or not before else runs.after(before[0].requests)

    def _clearing(self, clears: Clears) -> Clearing | None:
        """The best way to clear old results, where some may leave and that pays, or makes room."""
        situation, strategy = self.situation, self.strategy
        if not (strategy.clear_results and clears and situation.results) or situation.first_exchange is None:
            return None
        if not (strategy.early or self.must):
            return None
        prompt = self.preamble + self.view
        _, read, write = rates(situation.card.price(prompt))
        cached, alive = self._cached(self.start, prompt)
        terms = ClearingTerms(
            card=situation.card,
            view=prompt,
            cached=cached,
            read=read,
            write=write[alive or "5m"],
            left=self.runs.left(situation.exchanges[-1].requests if self.inside else 1),
            growth=self.growth,
            caution=strategy.caution,
            cheap=situation.cheap.union(strategy.cheap),
            spared=frozenset(strategy.exclude),
            all_inputs=clears == "oldest",
        )
        return best_clearing(situation, terms, self._enough() if self.must else 0)

    def _enough(self) -> int:
        """Tokens that have to leave for the run to go on for a while, where the limit forces a change."""
        room = self.situation.limit - self.preamble
        return self.upper - self.preamble - int(room * (1.0 - ROOM))

    def _frame(self) -> Frame:
        situation = self.situation
        usual = self.preamble + self.usual
        fresh, read, write = rates(situation.card.price(int(usual)))
        return Frame(
            preamble=self.preamble,
            usual=self.usual,
            lucky=min(self.usual, float(situation.keep)),
            growth=self.growth,
            room=self._room() - usual,
            fresh=fresh,
            read=read,
            write=write,
            per_cut=self.strategy.per_cut + situation.per_cut,
        )

    def _room(self) -> int:
        """The limit, or the price cliff before it: crossing one is priced when it comes, never planned for."""
        cliff, limit = self.situation.card.cliff, self.situation.limit
        return limit if cliff is None or self.preamble + self.usual > cliff else min(limit, cliff)

    def decision(self) -> Decision:
        """The cheapest option, in words."""
        options = list(self._options())
        best = min(options, key=lambda option: option.total)
        return Decision(
            first_exchange=best.start,
            cleared=best.clearing.seqs if best.clearing else frozenset(),
            clearing=best.clearing,
            rule=self._rule(best),
            reason=self._reason(best),
            marks=self._marks(best),
            rejected=self._rejected(best, options),
            saves=self._saves(best, options),
            learned={
                **self.habits.to_json(),
                "sent": self.preamble + best.view,
                "runs": self.runs.to_json(),
                **self.said,
            },
            note=_without_beta(self.situation.card, self.missed) if self.missed else "",
        )

    def _saves(self, best: PricedOption, options: list[PricedOption]) -> float:
        """What a cut saves that nothing but the price asks for."""
        if best.start == self.start or self._crosses():
            return 0.0
        staying = [option.total for option in options if option.start == self.start and not option.clearing]
        return min(staying) - best.total if staying else 0.0

    def _options(self) -> Iterator[PricedOption]:
        """Stay unless the limit forbids, cut or clear where something can leave."""
        can_leave = self.short > self.start
        if not (self.must and (can_leave or self.clearing)):
            yield from self._priced(self.start, self.view)
        if self.clearing:
            yield from self._cleared(self.clearing)
        if can_leave and (self.must or self._may_cut_early() or self._crosses()):
            yield from self._priced(self.short, self.least)

    def _cleared(self, clearing: Clearing) -> Iterator[PricedOption]:
        """The prices of staying, less what clearing saves."""
        for option in self._priced(self.start, self.view):
            yield option._replace(
                view=self.view - clearing.tokens,
                now=option.now + clearing.now,
                ahead=option.ahead - clearing.saves - clearing.now,
                clearing=clearing,
            )

    def _crosses(self) -> bool:
        """Whether staying would pass a price cliff, and a cut would not: as good as a limit, unless crossing pays."""
        cliff = self.situation.card.cliff
        return cliff is not None and self.preamble + self.least <= cliff < self.preamble + self.view

    def _may_cut_early(self) -> bool:
        return self.strategy.early and (not self.inside or self._may_cut_inside())

    def _may_cut_inside(self) -> bool:
        return self.strategy.inside_tools and not self.situation.card.thinking_bound

    def _priced(self, start: int, view: int) -> Iterator[PricedOption]:
        situation, prompt = self.situation, self.preamble + view
        fresh, read, write = rates(situation.card.price(prompt))
        cached, alive = self._cached(start, prompt)
        rest = prompt - cached
        large = prompt >= situation.card.cache_minimum
        cut = start != self.start and situation.first_exchange is not None
        extra = self.strategy.per_cut + situation.per_cut if cut else 0.0
        for way in self.policies:
            if not self._possible(way.ttl, alive, cached):
                continue
            ahead = extra + way.ahead + way.next * self._carrying(way, start, view)
            if large and self._may_mark():
                yield PricedOption(start, view, way.ttl, way.ttl, read * cached + write[way.ttl] * rest, ahead)
            if large and self._must_mark():
                continue
            # left unwritten now, it is written next time, if that comes in time to read the rest
            postponed = way.next * (write[way.ttl] - read) * rest
            yield PricedOption(start, view, None, way.ttl, read * cached + fresh * rest, ahead + postponed)

    def _possible(self, ttl: Ttl, alive: Ttl | None, cached: int) -> bool:
        """Whether new tokens can have this lifetime: behind a shorter one a longer one protects nothing."""
        if self._must_mark():
            return self.situation.marks is not None and ttl == self.situation.marks.tail
        if alive is not None:
            return ttl == alive
        return not (ttl == "1h" and cached and self.situation.warmth.preamble_ttl == "5m")

    def _may_mark(self) -> bool:
        """Whether the caller leaves it to us, or asks for a marker."""
        return self.situation.marks is None or self._must_mark()

    def _must_mark(self) -> bool:
        return self.situation.marks is not None and self.situation.marks.tail is not None

    def _cached(self, start: int, prompt: int) -> tuple[int, Ttl | None]:
        """Tokens that can be read if the view starts there, and the lifetime of its tail if that is alive."""
        situation, warmth = self.situation, self.situation.warmth
        if situation.forced:
            return 0, None
        if start == situation.first_exchange and warmth.tail_until > situation.now and warmth.tail_tokens:
            return min(warmth.tail_tokens, prompt), warmth.tail_ttl
        shared = self.preamble - situation.front  # what stands behind it is written anew
        large = shared >= situation.card.cache_minimum
        return (shared, None) if large and warmth.preamble_until > situation.now else (0, None)

    def _carrying(self, policy: CachePolicy, start: int, view: int) -> float:
        """What the tokens beyond the usual view cost from the next request on."""
        if start == self.start and self.view >= self.situation.keep:
            return policy.waiting(view - self.usual, self._later_cuts())
        return policy.carried(view - self.usual)

    def _later_cuts(self) -> list[tuple[float, float]]:
        """When one could cut later, and to how much: (requests from now, tokens of the shortest run then).

        As `keep` fills with new exchanges, the older ones of the shortest run drop out one by one; just
        after a long one does, a cut is cheap.
        """
        situation, requests = self.situation, self.habits.requests
        keep, each = situation.keep, self.growth * requests
        inner = [situation.kept(start) for start in range(self.held + 1, situation.newest + 1)[:BOUNDARIES]]
        cuts = [(n := max(1, math.ceil((keep - run) / each)) * requests, run + n * self.growth) for run in inner]
        far = [(max(n * each, keep) / self.growth, keep) for n in LATER if n * each >= keep]
        last = max(1.0, (self._room() - self.preamble - self.view) / self.growth)
        cuts = [cut for cut in (*cuts, *(far or [(keep / self.growth, keep)])) if cut[0] <= last]
        return cuts or [(last, keep + self.over)]

    def _marks(self, best: PricedOption) -> Marks:
        situation = self.situation
        if best.tail == "1h":
            return _marks_of("1h", "1h")
        _, read, write = rates(situation.card.price(self.preamble + best.view))
        dear = {ttl: (1 - self.outlook[ttl].next) * (write[ttl] - read) for ttl in write}
        cheaper: Ttl = "5m" if dear["5m"] <= dear["1h"] else "1h"
        return _marks_of(cheaper, best.tail)

    def _rule(self, best: PricedOption) -> str:
        if self.situation.first_exchange is None:
            return "first"
        if best.start == self.start and not best.clearing:
            return "forced" if self.situation.forced else "stay"
        if self.must or (self._crosses() and not best.clearing):
            return "must"
        return "pays" if self._warm() else "free"

    def _warm(self) -> bool:
        return self._cached(self.start, self.preamble + self.view)[1] is not None

    def _reason(self, best: PricedOption) -> str:
        situation = self.situation
        if situation.first_exchange is None:
            return f"this is the first request ({best.view:,} tokens of conversation)"
        if best.clearing:
            return f"{self._why_now(best)}: {leaving(best.clearing)}"
        if best.start != self.start:
            return f"{self._why_now(best)}: the oldest turns leave, {best.view:,} tokens of conversation stay"
        if self.short == self.start:
            return f"nothing has to leave: the newest {situation.keep:,} tokens always stay"
        if not self.strategy.early:
            return f"nothing has to leave: the prompt takes at most {self.upper:,} of {situation.limit:,} tokens"
        if self.inside and not self._may_cut_inside():
            return f"nothing leaves while Claude is at work with tools ({best.view:,} tokens of conversation)"
        way = next(way for way in self.policies if way.ttl == best.lifetime)
        return (
            f"nothing leaves yet: to shorten the conversation of {best.view:,} tokens to {self.least:,} "
            f"pays from about {int(self.usual + way.cut_at):,}"
        )

    def _why_now(self, best: PricedOption) -> str:
        """Why something leaves with this request."""
        situation = self.situation
        if self.must:
            most = situation.prompt(self.start).upper
            return f"the prompt could take {most:,} tokens, more than the {situation.limit:,} allowed"
        if self._crosses() and not best.clearing:
            return f"beyond {situation.card.cliff:,} tokens every one of them costs more"
        if self._warm():
            return f"to read {self.view:,} tokens with every request costs more than to cache fewer anew"
        return f"what is sent must be cached anew anyway ({situation.forced or 'the cache has expired'})"

    def _rejected(self, best: PricedOption, options: list[PricedOption]) -> str:
        others = [o for o in options if (o.start, o.view, o.tail) != (best.start, best.view, best.tail)]
        if not others:
            return ""
        # another view if there is one, else another mark
        other = min(others, key=lambda o: (o.start == best.start and o.view == best.view, o.total))
        verb = "keeping" if (other.start, other.view) == (self.start, self.view) else "shortening to"
        same = (other.start, other.view) == (best.start, best.view)
        what = "the same" if same else f"{verb} {other.view:,} tokens of conversation"
        return (
            f"{what}, {lasting(other.tail)}: ${other.now:.6f} for this prompt instead of ${best.now:.6f}, "
            f"${other.total - best.total:.6f} dearer with the requests to come"
        )


@cache
def _marks_of(preamble: Ttl, tail: Ttl | None) -> Marks:
    """Values are checked when they are built: each of these few is built once."""
    return Marks(preamble=preamble, tail=tail)


def leaving(clearing: Clearing) -> str:
    """What clearing comes to, in words."""
    results = sum(turn.results for turn in clearing.turns)
    return f"{counted(results, 'old tool result')} of {clearing.tokens:,} tokens leave, and can be read again"
