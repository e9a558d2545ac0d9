"""Dollars for what the API reports: the tokens at the answering model's price, and what is charged beside them.

`bill` reads usage as it came on the wire. Sources ("Pricing"): web searches cost $10 per 1,000, never halved; inference
kept in the US costs 1.1 times as much on 4.6 and later; fast mode has prices of its own, cache prices included; batches
cost half. Each iteration is a request of its own, with its own prompt size, and may name its own model. Without a
commitment the priority tier has no price of its own in public: it is billed as standard.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sash.errors import UnknownModel
from sash.model.cards import ModelCard, base_name, card
from sash.model.forecast import most_dollars
from sash.model.usage import Usage

SEARCH = 0.01
"""Dollars of one web search ("Pricing", web search tool)."""
ROUNDS = 10
"""Searches to expect at most where a request names no `max_uses`: the server's loop stops there ("Stop reasons")."""


def bill(
    usage: Mapping[str, Any],
    asked: ModelCard,
    *,
    model: str = "",
    options: Mapping[str, Any] | None = None,
    batch: bool = False,
) -> float | None:
    """Dollars for one reply; None where no price is known.

    `asked` is the card of the model in the request, `model` the one that the reply names: where they differ, that one's
    price holds. `options` are the request's, for replies that do not say how they were served.
    """
    answered = priced_by(asked, model)
    entries = usage.get("iterations") or [usage]
    parts = [(priced_by(answered, str(entry.get("model") or "")), Usage.from_wire(entry)) for entry in entries]
    if not all(known.prices for known, _ in parts):
        return None
    rates = {**(options or {}), **{name: value for name, value in usage.items() if value is not None}}
    tokens = sum(known.cost(used, batch=batch) * factor(known, rates) for known, used in parts)
    return tokens + SEARCH * searches(usage)


def priced_by(asked: ModelCard, model: str) -> ModelCard:
    """The card of the model that answered; the one asked where the reply names it, none, or one without a price."""
    if not model or base_name(model) == base_name(asked.id):
        return asked
    try:
        found = card(model)
    except UnknownModel:
        return asked
    return found if found.prices else asked


def factor(known: ModelCard, terms: Mapping[str, Any]) -> float:
    """What token prices are multiplied by: where the model runs, and how fast."""
    there = known.us if terms.get("inference_geo") == "us" else 1.0
    return there * (known.fast if terms.get("speed") == "fast" else 1.0)


def searches(usage: Mapping[str, Any]) -> int:
    """How many web searches a reply was charged for."""
    served = usage.get("server_tool_use")
    return int(served.get("web_search_requests") or 0) if isinstance(served, Mapping) else 0


def most(body: Mapping[str, Any], known: ModelCard, prompt: int, output: int) -> float:
    """The most dollars that a request of up to `prompt` and `output` tokens can cost. Raises UnknownModel."""
    return most_dollars(known, prompt, output) * factor(known, body) + SEARCH * most_searches(body)


def most_searches(body: Mapping[str, Any]) -> int:
    """How many web searches a request may make: `max_uses` of its search tools, else as many as the server's loop."""
    tools = [tool for tool in body.get("tools") or () if isinstance(tool, Mapping)]
    found = [tool.get("max_uses") for tool in tools if str(tool.get("type", "")).startswith("web_search_")]
    return sum(uses if isinstance(uses, int) and uses >= 0 else ROUNDS for uses in found)


def with_output(usage: Mapping[str, Any], tokens: int) -> dict[str, Any]:
    """Usage whose last request put out `tokens` at least: what a reply used that broke off before it was told."""
    raised = {**usage, "output_tokens": max(tokens, usage.get("output_tokens") or 0)}
    if entries := usage.get("iterations"):
        raised["iterations"] = [*entries[:-1], with_output(entries[-1], tokens)]
    return raised
