"""What is known of each model: the table of `sash.model.cards`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from sash.model.cards import AS_OF, TABLE, ModelCard, Price

COLUMNS = (
    *("model", "window", "longest reply", "prompts above", "input", "output", "cache read"),
    *("written for 5 min", "for 1 h", "cached from", "retires"),
)
PRICES = ("fresh", "output", "read", "write_5m", "write_1h")


def pages() -> dict[str, str]:
    """One page."""
    return {"reference/models.md": "\n".join(_lines())}


def listed() -> list[dict[str, str]]:
    """Its entry in the navigation."""
    return [{"Models": "reference/models.md"}]


def _lines() -> Iterator[str]:
    yield "# Models\n"
    yield f"The table as of {AS_OF}; `sash.card(name)` answers from it. Prices are dollars per million tokens, sizes"
    yield "tokens. A model that is neither here nor in `genai-prices` is taken for one of the newest, without prices.\n"
    yield f"| {' | '.join(COLUMNS)} |"
    yield "|---|" + "---:|" * (len(COLUMNS) - 1)
    for card in TABLE.values():
        for price in card.prices:
            yield _row(card, price)
    yield "\n## Features\n"
    flags = [field.name for field in fields(ModelCard) if field.type == "bool" and field.name != "supposed"]
    yield f"| model | tokenizer | {' | '.join(f'`{name}`' for name in flags)} |"
    yield "|---|---|" + "---|" * len(flags)
    for card in TABLE.values():
        cells = [card.id, card.generation, *("yes" if getattr(card, name) else "" for name in flags)]
        yield f"| {' | '.join(cells)} |"
    yield "\nWhat each feature means: [`ModelCard`](sash.model.cards.md).\n"


def _row(card: ModelCard, price: Price) -> str:
    first = not price.above
    sizes = [f"{card.window:,}", f"{card.max_output:,}"] if first else ["", ""]
    cells = [card.id if first else "", *sizes, f"{price.above:,}" if price.above else ""]
    cells += [f"{getattr(price, name):g}" for name in PRICES]
    cells += [f"{card.cache_minimum:,}", card.retires or ""] if first else ["", ""]
    return f"| {' | '.join(cells)} |"
