"""Dollars for one request: the card's price times what was asked for, and the searches. Knows usage, not its source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sash.model.cards import ModelCard, base_name
from sash.model.usage import Usage

US_FACTOR = 1.1
"""`inference_geo: "us"` ("Pricing", data residency)."""
FAST_FACTOR = 2.0
"""`speed: "fast"` on the Opus models that take it; cache prices are multiplied too ("Pricing", fast mode)."""


NOT_KEPT_IN_US = ("claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5")
"""Models before 4.6: `inference_geo` changes nothing of their price ("Pricing")."""
SEARCHES = 10 / 1_000
"""Dollars of one web search, at full price in batches too ("Pricing", web search tool)."""


def dollars(usage: Usage, card: ModelCard, body: Mapping[str, Any], *, batch: bool = False) -> float:
    """What a request costs; nothing where the card has no prices."""
    if not card.prices:
        return 0.0
    kept_in_us = body.get("inference_geo") == "us" and base_name(card.id) not in NOT_KEPT_IN_US
    geography = US_FACTOR if kept_in_us else 1.0
    return card.cost(usage, batch=batch) * geography * (FAST_FACTOR if body.get("speed") == "fast" else 1.0)
