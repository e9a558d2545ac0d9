"""What making a summary costs, and who makes it for less: a cheaper model that reads the turns that leave, or the
chat's own model, which reads its own prefix from the cache.

Pure arithmetic, in tokens and dollars. It knows neither prompts nor guards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sash.model.cards import ModelCard
from sash.model.cards import card as card_of
from sash.model.summaries import Method
from sash.planning.situation import Situation

ASKING = 900
"""Tokens of the prompt that asks for a summary, beside what it is made from."""
FILL = 0.75
"""The share of its limit that a summary takes as a rule."""
MOST_TOKENS = 4_000
SHARE = 8
"""A summary's limit is the budget by this, and no more than MOST_TOKENS, where none is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryCost:
    """How a summary would be made."""

    method: Method
    fixed: float
    """dollars whatever leaves: what it says, and reading the one before"""
    dollars: float
    """in all"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryRequest:
    """A summary that should be made."""

    upto: int
    """seq of the newest turn it is to cover"""
    method: Method = "model"
    anew: bool = False
    """from the first turn on, whatever summaries there are"""


def limit_of(tokens: int | None, budget: int) -> int:
    """The most tokens that a summary may have in the conversation's prompts."""
    return tokens if tokens is not None else max(64, min(MOST_TOKENS, budget // SHARE))


def making(
    situation: Situation, *, by: str, limit: int, leaving: int, warm: bool | Literal["auto"] = "auto", read: int = 0
) -> SummaryCost:
    """The cheaper way, for `leaving` tokens of turns; `warm` True or False: that way. `read`: prefix still cached."""
    model = _by_model(card_of(by), limit=limit, leaving=leaving)
    own = _by_itself(situation, limit=limit, read=read)
    if own is None or warm is False:
        return model
    return own if warm is True or own.dollars < model.dollars else model


def _by_model(card: ModelCard, *, limit: int, leaving: int) -> SummaryCost:
    if not card.prices:
        return SummaryCost(method="model", fixed=0.0, dollars=0.0)
    price = card.price(0)  # a backlog beyond a price cliff is read in pieces
    fixed = ((ASKING + limit) * price.fresh + FILL * limit * price.output) / 1e6
    return SummaryCost(method="model", fixed=fixed, dollars=fixed + leaving * price.fresh / 1e6)


def _by_itself(situation: Situation, *, limit: int, read: int) -> SummaryCost | None:
    """None where nothing is sent yet whose prefix could be read, or no prices tell what it costs."""
    if situation.first_exchange is None or not situation.card.prices:
        return None
    prompt = situation.prompt(situation.first_exchange).tokens
    price = situation.card.price(prompt)
    cached = min(read, prompt)
    fixed = (ASKING * price.fresh + FILL * limit * price.output) / 1e6
    prefix = (cached * price.read + (prompt - cached) * price.fresh) / 1e6
    return SummaryCost(method="warm", fixed=fixed + prefix, dollars=fixed + prefix)
