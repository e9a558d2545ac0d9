"""What a strategy says of itself beside what it decides, and how to find one inside another.

A strategy of yours need not inherit anything: what neither it nor its `inner` says is False. This is the one place
where that is looked up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from typing import TypeVar

from sash.errors import InvalidOption
from sash.planning.situation import Decision, Situation, Strategy

P = TypeVar("P")


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What holds for a strategy: it, or one inside it, says so by an attribute of that name."""

    clears: bool = False
    """it clears tool results, and wants to see their sizes (`Situation.results`)"""
    ignores_budget: bool = False
    """all may be sent that fits the model's window"""
    summarises: bool = False
    """something stands in front for what left the view"""
    server: bool = False
    """... made by the API itself"""
    keeps_view: bool = False
    """the view stays as it is, too large or not: it is only to be counted, or read once more"""


_NAMES = [trait.name for trait in fields(Traits)]


def check_strategy(strategy: object, option: str = "strategy") -> None:
    """Raise InvalidOption for what decides nothing: a name, a class, any other object."""
    if isinstance(strategy, type):
        what = f"{strategy.__name__} is a class: give an object, {strategy.__name__}(...)"
    elif not callable(getattr(strategy, "decide", None)):
        what = f"{strategy!r:.60} is no strategy: give an object, as SlidingWindow(turns=10) or Economic()"
    else:
        return
    raise InvalidOption(f"{option}: {what}", option=option, value=strategy)


def decide(strategy: Strategy, situation: Situation) -> Decision:
    """What a strategy answers. Raises InvalidOption for what is no decision, or names no exchange of the situation."""
    decision: object = strategy.decide(situation)
    if not isinstance(decision, Decision):
        what = f"answered {decision!r:.60}; decide(situation) must return a Decision (sash.planning.situation)"
    elif not isinstance(decision.first_exchange, int) or not 0 <= decision.first_exchange <= situation.newest:
        what = (
            f"chose exchange {decision.first_exchange!r:.60} of {situation.newest + 1}; "
            "it must return the index of an exchange, the newest at the latest"
        )
    else:
        return decision
    raise InvalidOption(f"strategy {strategy!r} {what}", option="strategy", value=strategy)


def traits(strategy: object) -> Traits:
    """The traits of a strategy and of those inside it; the same object as long as they are the same."""
    return _traits_of(frozenset([name for one in parts(strategy) for name in _NAMES if getattr(one, name, False)]))


@cache
def _traits_of(names: frozenset[str]) -> Traits:
    return Traits(**dict.fromkeys(names, True))


def parts(strategy: object) -> Iterator[object]:
    """The strategy and those inside it, from the outside in."""
    while strategy is not None:
        yield strategy
        strategy = getattr(strategy, "inner", None)


def part(strategy: object, kind: type[P]) -> P | None:
    """The outermost part of a strategy that is of a kind; None where there is none."""
    return next((found for found in parts(strategy) if isinstance(found, kind)), None)
