"""What is known of a request before it is sent: what limits and ceilings are reserved by.

A flow makes it from its plan; it travels with the `Wire`, and reaches the middleware of the SDK's client, which
sees nothing but bodies and headers, through one context variable (`sash.limits.context`). Tokens, dollars, seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sash.model.cards import ModelCard, Price
from sash.model.usage import Usage

Priority = Literal["interactive", "background"]
Purpose = Literal["send", "summary", "compaction", "profile"]
"""What a request is for: what somebody said, a summary of what was said before, the same made by the API itself, or
what a user's words tell of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """A request before it is sent. Without a conversation only the tokens are known, and they are rough."""

    countable: int
    """input tokens that rate limits count: all but cache reads, at their upper bound"""
    prompt: int
    """all input tokens, at their upper bound"""
    output: int
    """the most output tokens: `max_tokens`"""
    purpose: Purpose = "send"
    card: ModelCard | None = None
    """the model's, with its prices; None: the table's"""
    conversation: str = ""
    namespace: str = ""
    user: str = ""
    """the request's `metadata.user_id`"""
    request: int | None = None
    """the row of the request log"""
    priority: Priority = "interactive"
    max_wait: float | None = None
    """seconds that it may wait for its turn; None: as long as it takes"""
    bypass_memo: bool = False
    """it is to be answered anew, not from a memo"""
    key: str = ""
    """which of several keys it is sent with"""


def most_dollars(card: ModelCard, prompt: int, output: int) -> float:
    """The most dollars that a request of up to `prompt` and `output` tokens can cost. Raises UnknownModel.

    Nothing may be read from the cache and all of it written for an hour: no marker placed costs more.
    """
    card.price(prompt)
    return max(_dearest(price, prompt, output) for price in card.prices if price.above == 0 or prompt > price.above)


def _dearest(price: Price, prompt: int, output: int) -> float:
    return max(
        price.of(Usage(fresh=prompt, output=output)),
        price.of(Usage(write_1h=prompt, output=output)),
        price.of(Usage(write_5m=prompt, output=output)),
    )


def user_of(body: Mapping[str, Any]) -> str:
    """The `metadata.user_id` of a request, "" where it has none."""
    metadata = body.get("metadata")
    return str(metadata.get("user_id") or "") if isinstance(metadata, Mapping) else ""
