"""What a job will cost, before anything is sent: pure.

Between the least and the most: replies may be anything up to max_tokens, sizes are estimates with a bound. At once, the
first request writes the shared preamble and the others read it; a batch promises no reads, and costs half.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sash.model.cards import BATCH_FACTOR, ModelCard
from sash.model.counts import Count
from sash.model.usage import Usage
from sash.model.values import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """Tokens and dollars of what is left of a job. Dollars are None where the model's prices are unknown."""

    total: int
    """items"""
    answered: int
    """items that have their reply already"""
    prompt: int
    """tokens of all prompts together"""
    upper: int
    """... which they will not pass"""
    output: int
    """tokens of all replies at most"""
    shared: int
    """tokens of the preamble that the requests have in common, where it can be cached; else 0"""
    now: tuple[float, float] | None
    """dollars at least and at most, asked at once"""
    batch: tuple[float, float] | None
    """... and as a batch"""

    @property
    def asked(self) -> int:
        """Requests to be made."""
        return self.total - self.answered

    def __str__(self) -> str:
        ready = f" ({self.answered:,} of {self.total:,} are answered already)" if self.answered else ""
        return (
            f"{counted(self.asked, 'request')}{ready}, {self.prompt:,} prompt tokens (at most {self.upper:,}), "
            f"at most {self.output:,} of replies. At once: {_range(self.now)}. As a batch: {_range(self.batch)}."
        )


def _range(dollars: tuple[float, float] | None) -> str:
    if dollars is None:
        return "price unknown"
    digits = 2 if dollars[1] >= 1 else 6
    return f"${dollars[0]:,.{digits}f} to ${dollars[1]:,.{digits}f}"


def quote(
    card: ModelCard, preamble: Count, prompts: Sequence[Count], *, total: int, max_tokens: int, cached: bool
) -> Quote:
    """The price of `prompts`, each with its share of the preamble in it."""
    shared = preamble.tokens if cached and preamble.tokens >= card.cache_minimum and len(prompts) > 1 else 0
    outputs = max_tokens * len(prompts)
    now = batch = None
    if card.prices:
        least = sum(_once(card, size.tokens, shared, first=i == 0) for i, size in enumerate(prompts))
        most = sum(_worst(card, size.upper, max_tokens) for size in prompts)
        plain = sum(card.cost(Usage(fresh=size.tokens), batch=True) for size in prompts)
        now, batch = (min(least, most), most), (min(plain, most * BATCH_FACTOR), most * BATCH_FACTOR)
    return Quote(
        total=total,
        answered=total - len(prompts),
        prompt=sum(size.tokens for size in prompts),
        upper=sum(size.upper for size in prompts),
        output=outputs,
        shared=shared,
        now=now,
        batch=batch,
    )


def _once(card: ModelCard, tokens: int, shared: int, *, first: bool) -> float:
    """Dollars of one prompt asked at once, its reply apart."""
    known = min(shared, tokens)
    usage = Usage(write_5m=known, fresh=tokens - known) if first else Usage(read=known, fresh=tokens - known)
    return card.cost(usage)


def _worst(card: ModelCard, upper: int, output: int) -> float:
    """Dollars of one request at most: all of it written to the cache, the reply as long as it may be."""
    return max(card.cost(Usage(fresh=upper, output=output)), card.cost(Usage(write_5m=upper, output=output)))
