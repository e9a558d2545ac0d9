"""Dollars for one request: the card's price times what was asked for. Knows usage, not where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sash.model.cards import ModelCard
from sash.model.usage import Usage

US_FACTOR = 1.1
"""`inference_geo: "us"` ("Pricing", data residency)."""
FAST_FACTOR = 2.0
"""`speed: "fast"` on the Opus models that take it; cache prices are multiplied too ("Pricing", fast mode)."""


def dollars(usage: Usage, card: ModelCard, body: Mapping[str, Any], *, batch: bool = False) -> float:
    """What a request costs; nothing where the card has no prices."""
    if not card.prices:
        return 0.0
    geography = US_FACTOR if body.get("inference_geo") == "us" else 1.0
    return card.cost(usage, batch=batch) * geography * (FAST_FACTOR if body.get("speed") == "fast" else 1.0)
