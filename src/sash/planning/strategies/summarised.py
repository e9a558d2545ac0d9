"""Any window with a summary of what left it: exchanges leave once a summary covers them, and it stands in front."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from sash.errors import InvalidOption
from sash.model.cards import card
from sash.model.settings import settings
from sash.planning.situation import Decision, Situation, Strategy
from sash.planning.strategies.base import Around
from sash.planning.strategies.economic import Economic
from sash.planning.summaries.cost import SummaryCost, limit_of, making
from sash.planning.traits import check_strategy, traits

BREAKER = 3
"""Failures in a row after which not even a forced cut waits for a summary before its time has come."""


@settings
@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Summarised(Around):
    """`inner` decides when to cut; what leaves is summarised first, as a rule ahead of time, in the background.

    `by`: the model that reads what leaves. `tokens`: the summary's limit (default: an eighth of the budget, at most
    4,000). `keep`: the recent tokens that stay verbatim (default: the conversation's). `must_keep`: numbers, names,
    dates, ids, addresses, code and instructions that a summary misses are added, or their turns stay. `warm`: let the
    chat's own model summarise on its cached prefix: "auto" where that costs less. `ahead`: make summaries before they
    are needed. `wait`: where the budget forces a cut that no summary covers, make one first; else cut without.
    """

    summarises = True

    inner: Strategy = field(default_factory=Economic)
    by: str = "claude-haiku-5-5"
    tokens: int | None = None
    keep: int | None = None
    must_keep: bool = True
    warm: bool | Literal["auto"] = "auto"
    ahead: bool = True
    wait: bool = True

    def __post_init__(self) -> None:
        check_strategy(self.inner, "inner")
        card(self.by)  # raises UnknownModel
        if self.warm not in (True, False, "auto"):
            raise InvalidOption(f'warm={self.warm!r}: choose "auto", True or False', option="warm", value=self.warm)
        for name, value, least in (("tokens", self.tokens, 64), ("keep", self.keep, 0)):
            if value is not None and value < least:
                raise InvalidOption(f"Summarised({name}={value}): use at least {least}", option=name, value=value)
        if traits(self.inner).summarises:
            raise InvalidOption("Summarised(inner=...) has summaries already", option="inner", value=self.inner)

    def __repr__(self) -> str:
        shown = [f"{f.name}={value!r}" for f in fields(self) if (value := getattr(self, f.name)) != f.default]
        return f"{type(self).__name__}({', '.join(shown)})"

    def decide(self, situation: Situation) -> Decision:
        """What the inner strategy would do with what a summary covers; more only where the budget forces it."""
        situation = self.priced(situation)
        free = max(situation.first_exchange or 0, situation.covered)
        wish = self.inner.decide(situation)
        if wish.first_exchange <= free:
            return wish
        held = self._held(situation, free)
        if held.first_exchange > free:
            return self._forced(situation)
        reason = f"{held.reason}; no summary covers more yet (with one: {wish.reason})"
        return replace(
            held, reason=reason, learned=_learned(wish, held), summarise=_last(situation, wish.first_exchange)
        )

    def priced(self, situation: Situation) -> Situation:
        """The situation with this strategy's `keep`, and with what summaries cost at each cut."""
        keep = situation.keep if self.keep is None else min(self.keep, situation.budget)
        return replace(situation, keep=keep, per_cut=self.making(situation, leaving=0).fixed)

    def making(self, situation: Situation, *, leaving: int) -> SummaryCost:
        """How a summary of `leaving` tokens would be made now, and for how much."""
        warmth = situation.warmth
        return making(
            situation,
            by=self.by,
            limit=limit_of(self.tokens, situation.budget),
            leaving=leaving,
            warm=self.warm,
            read=warmth.tail_tokens if warmth.tail_until > situation.now else 0,
        )

    def room(self, situation: Situation) -> int:
        """Tokens by which the summary still to come may be larger than what stands in front now."""
        return max(0, limit_of(self.tokens, situation.budget) - situation.front)

    def _held(self, situation: Situation, free: int) -> Decision:
        """What the inner strategy does when all that no summary covers has to stay."""
        held = self.inner.decide(replace(situation, keep=max(situation.keep, situation.kept(free))))
        if held.first_exchange <= free or not situation.fits(free):
            return held
        stays = free == situation.first_exchange
        return replace(held, first_exchange=free, rule="stay" if stays else held.rule)

    def _forced(self, situation: Situation) -> Decision:
        """The budget forces out what no summary covers: with room for the summary that is still to come."""
        wish = self.inner.decide(replace(situation, budget=max(1, situation.budget - self.room(situation))))
        if wish.first_exchange <= max(situation.first_exchange or 0, situation.covered):
            return wish
        trouble = situation.trouble
        broken = trouble.failures >= BREAKER and trouble.retry_at > situation.now
        waits = self.wait and not broken
        why = "" if waits else f" (making one failed {trouble.failures} times)" if broken else " (wait=False)"
        reason = f"{wish.reason}; no summary covers what leaves{why}"
        return replace(wish, reason=reason, summarise=_last(situation, wish.first_exchange), waits=waits)


def summarising(asked: bool | str | Summarised | None, strategy: Strategy | None, usual: Strategy) -> Strategy:
    """The strategy meant by a conversation's `summarise=` and `strategy=`, where its memory says `usual`.

    `asked` may name the model; None: no more than the strategy itself says.
    """
    if strategy is not None:
        check_strategy(strategy)
    if asked is None:
        return strategy or usual
    if isinstance(asked, Summarised):
        return asked if strategy is None else replace(asked, inner=strategy)
    plain: Strategy = getattr(usual, "inner", usual)
    inner = strategy or plain
    if asked is False or (asked is True and traits(inner).summarises):
        return inner
    if asked is not True and not isinstance(asked, str):
        raise InvalidOption(
            f"summarise={asked!r}: True, False, a model's id, or Summarised(...)", option="summarise", value=asked
        )
    return Summarised(inner=inner) if asked is True else Summarised(inner=inner, by=asked)


def _last(situation: Situation, start: int) -> int:
    """seq of the newest turn that a view from exchange `start` on leaves out."""
    return situation.exchanges[start - 1].last


def _learned(wish: Decision, held: Decision) -> Any:
    """What was learned of the conversation itself, not of the window that could not be had."""
    if wish.learned is None or held.learned is None or "sent" not in held.learned:
        return held.learned
    return {**wish.learned, "sent": held.learned["sent"]}
