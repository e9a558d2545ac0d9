"""How large a request will turn out, for whoever has no plan: from its bytes, and from what earlier ones used.

Rough on purpose: what is reserved is settled with the reply's usage. Learns tokens per character and the usual
length of replies, per pool, as moving averages. Pure but for remembering them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sash.limits.limiter.policy import Triple
from sash.model.forecast import Forecast
from sash.model.usage import Usage

IMAGE_CHARACTERS = 6_000
"""What a picture counts for, whatever its size: about 1,600 tokens ("Vision" docs)."""
DOCUMENT_SHARE = 0.05
"""Characters that a character of a document's base64 counts for."""
_NEW = 0.1
"""The weight of the newest request in an average."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeModel:
    """What requests of one pool usually use."""

    per_character: float = 0.4
    """countable input tokens"""
    output: float = 500.0
    spread: float = 500.0
    """how far replies are usually off that length"""

    def learned(self, characters: int, usage: Usage) -> SizeModel:
        """After a reply."""
        off = abs(usage.output - self.output)
        share = (usage.prompt - usage.read) / characters if characters else self.per_character
        return replace(
            self,
            per_character=self.per_character + _NEW * (share - self.per_character),
            output=self.output + _NEW * (usage.output - self.output),
            spread=self.spread + _NEW * (off - self.spread),
        )

    def need(self, body: Mapping[str, Any], forecast: Forecast | None, characters: int) -> Triple:
        """What to reserve: the planner's bound on input, else a guess; and the length replies usually have.

        `max_tokens` is no guess: limits count output as it comes ("Rate limits" docs), and few replies reach it.
        """
        most = body.get("max_tokens")
        output = min(self.output + self.spread, most if isinstance(most, int) and most > 0 else self.output)
        guess = self.per_character * 1.25 * characters
        return 1.0, float(forecast.countable) if forecast else guess, float(round(output))


def most_tokens(body: Mapping[str, Any]) -> int:
    """A bound on a prompt's tokens that needs no tokenizer: texts, a flat rate for pictures, and the API's own part.

    No text of any script was seen to weigh more than half a token per byte of UTF-8, but for rows of emoji.
    """
    said = {name: body.get(name) for name in ("system", "tools", "messages")}
    own = 1_000 if said["tools"] else 60
    return int(0.5 * _bytes_of(said)) + own + 10 * len(body.get("messages") or ())


def _bytes_of(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, Mapping):
        if value.get("type") == "base64":
            return 2 * characters_of(value)
        return sum(_bytes_of(name) + _bytes_of(part) for name, part in value.items())
    return sum(map(_bytes_of, value)) if isinstance(value, list | tuple) else 4


def characters_of(value: Any) -> int:
    """The characters in a body's texts; pictures and documents at a flat rate."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        if value.get("type") == "base64":
            size = len(value.get("data") or "")
            return IMAGE_CHARACTERS if str(value.get("media_type")).startswith("image/") else int(size * DOCUMENT_SHARE)
        return sum(map(characters_of, value.values()))
    if isinstance(value, list | tuple):
        return sum(map(characters_of, value))
    return 0
