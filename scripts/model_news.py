"""Compare the table of models (src/sash/model/cards.py) with the SDK and with genai-prices, and say what is new.

    python scripts/model_news.py        # exit code 1 where there is something to do

A new model is one row of the table: what is printed for it has its prices, and features at their most cautious.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import get_args

from anthropic.resources.messages.messages import DEPRECATED_MODELS
from anthropic.types import Model

from sash.model.cards import AS_OF, TABLE, ModelCard, base_name, card, priced_elsewhere

Table = Mapping[str, ModelCard]
SHOWN = ("window", "cache_minimum", "generation", "thinking_bound")
"""What a new row begins with, beside its id and prices: the documentation says the rest."""


def named_by_the_sdk() -> set[str]:
    """The models of the SDK's own list, without dates."""
    literal = next(part for part in get_args(Model) if get_args(part))
    return {base_name(name) for name in get_args(literal)}


def end_of_life() -> dict[str, date]:
    """When models end, as the SDK says it."""
    return {base_name(name): _date(told) for name, told in DEPRECATED_MODELS.items()}


def _date(told: str) -> date:
    """The day in "November 30th, 2026"."""
    month, day, year = told.replace(",", "").split()
    return datetime.strptime(f"{month} {day[:-2]} {year}", "%B %d %Y").date()


def news(table: Table = TABLE) -> Iterator[str]:
    """What the table lacks, and where it says otherwise than the SDK or genai-prices, a line each."""
    ends, today = end_of_life(), date.fromisoformat(AS_OF)
    served = {name for name in named_by_the_sdk() if ends.get(name, date.max) > today}
    yield from (f"{name}: new in the SDK; add a row: {row(name)}" for name in sorted(served - table.keys()))
    yield from (f"{name}: in the table, and no longer in the SDK" for name in sorted(table.keys() - served))
    for name, known in table.items():
        yield from _ending(known, ends.get(name))
        yield from _otherwise(known, priced_elsewhere(name))


def _ending(known: ModelCard, told: date | None) -> Iterator[str]:
    if told is not None and known.retires != told.isoformat():
        yield f"{known.id}: retires={known.retires!r}, the SDK says {told.isoformat()!r}"


def _otherwise(known: ModelCard, elsewhere: ModelCard | None) -> Iterator[str]:
    """Where a row says otherwise than genai-prices, which knows windows and prices, but not of long-lived writes."""
    if elsewhere is None:
        return
    if known.window != elsewhere.window:
        yield f"{known.id}: window={known.window}, genai-prices says {elsewhere.window}"
    if known.prices != elsewhere.prices:
        yield f"{known.id}: prices={known.prices}, genai-prices says {elsewhere.prices}"


def row(name: str) -> str:
    """The row of the table for a model, as far as it is known."""
    described = priced_elsewhere(name) or card(name)
    facts = [f"{field}={getattr(described, field)!r}" for field in SHOWN]
    return f"ModelCard(id={name!r}, prices={described.prices!r}, {', '.join(facts)}, max_output=...)"


def main() -> None:
    """Print what is new."""
    found = list(news())
    print("\n".join(found) or f"{len(TABLE)} models: nothing new since {AS_OF}")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
