"""`make models`: the table of models against the SDK and genai-prices."""

from __future__ import annotations

from dataclasses import replace

from model_news import news, row
from sash.model.cards import TABLE, ModelCard, Price, card, flat

NEWEST = "claude-sonnet-5-5"


def test_the_table_says_what_the_sdk_and_genai_prices_say() -> None:
    """Every model that the SDK serves has a row, and its window, prices and end are those told elsewhere."""
    assert list(news()) == []


def test_a_model_that_the_sdk_serves_and_the_table_lacks_is_new() -> None:
    """Without its row a model is named, with a row to be added that has its prices."""
    table = {name: known for name, known in TABLE.items() if name != NEWEST}
    (told,) = news(table)
    assert told.startswith(f"{NEWEST}: new in the SDK")
    suggested = eval(row(NEWEST).replace("...", "1"), {"ModelCard": ModelCard, "Price": Price})
    assert suggested.prices == card(NEWEST).prices


def test_a_row_that_says_otherwise_is_told() -> None:
    """Another window, price or end than that told elsewhere, and a model that nobody serves, are named."""
    wrong = replace(card(NEWEST), window=1, prices=(flat(1, 2),), retires="2030-01-01")
    gone = replace(card(NEWEST), id="claude-gone-1")
    told = list(news({**TABLE, NEWEST: wrong, "claude-gone-1": gone}))
    assert len(told) == 3 and all(part in " ".join(told) for part in ("claude-gone-1", "window=1,", "prices="))
    other = {**TABLE, "claude-sonnet-4-5": replace(card("claude-sonnet-4-5"), retires=None)}
    assert [line for line in news(other) if "the SDK says '2026-11-30'" in line]
