"""What one API call used, in tokens, as the API reports it.

`Usage` is frozen and holds plain integers; absent or null fields count as 0. The prompt's size is the
sum of three fields, never `input_tokens` alone (facts: docs "Prompt caching", usage arithmetic).
It knows nothing of prices: see `sash.model.cards`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, isfinite
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one request, each beside the field of the API's `usage` that says so."""

    fresh: int = 0
    """neither read from the cache nor written to it, at the full price: `input_tokens`"""
    read: int = 0
    """`cache_read_input_tokens`"""
    write_5m: int = 0
    """`cache_creation.ephemeral_5m_input_tokens`, or all of `cache_creation_input_tokens`"""
    write_1h: int = 0
    """`cache_creation.ephemeral_1h_input_tokens`"""
    output: int = 0
    """`output_tokens`"""
    thinking: int = 0
    """the part of `output` that was thinking, billed and often not visible: `output_tokens_details.thinking_tokens`"""

    @property
    def write(self) -> int:
        """Tokens written to the cache, both lifetimes."""
        return self.write_5m + self.write_1h

    @property
    def prompt(self) -> int:
        """The exact size of the prompt: fresh + read + written."""
        return self.fresh + self.read + self.write_5m + self.write_1h

    @property
    def cached_share(self) -> float:
        """The share of the prompt that was read from the cache, 0 to 1."""
        return self.read / self.prompt if self.prompt else 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            fresh=self.fresh + other.fresh,
            read=self.read + other.read,
            write_5m=self.write_5m + other.write_5m,
            write_1h=self.write_1h + other.write_1h,
            output=self.output + other.output,
            thinking=self.thinking + other.thinking,
        )

    @classmethod
    def from_wire(cls, usage: Mapping[str, Any]) -> Usage:
        """Read one entry of the API's usage (the top level, or one of `iterations`).

        Writes without the 5 min / 1 h split (older replies, stream deltas) count as 5 min. Fractions, which some
        proxies report, are rounded up; what is no number of tokens counts as 0.
        """
        written = _tokens(usage.get("cache_creation_input_tokens"))
        split = usage.get("cache_creation") or {}
        write_1h = _tokens(split.get("ephemeral_1h_input_tokens"))
        write_5m = _tokens(split.get("ephemeral_5m_input_tokens")) if split else written
        details = usage.get("output_tokens_details") or {}
        return cls(
            fresh=_tokens(usage.get("input_tokens")),
            read=_tokens(usage.get("cache_read_input_tokens")),
            write_5m=max(write_5m, written - write_1h),
            write_1h=write_1h,
            output=_tokens(usage.get("output_tokens")),
            thinking=_tokens(details.get("thinking_tokens")),
        )

    @classmethod
    def billed(cls, usage: Mapping[str, Any]) -> Usage:
        """What is paid for: the sum over `iterations` where present (the top level leaves compaction out)."""
        iterations = usage.get("iterations") or []
        return sum((cls.from_wire(entry) for entry in iterations), cls()) if iterations else cls.from_wire(usage)

    @classmethod
    def of_prompt(cls, usage: Mapping[str, Any]) -> Usage:
        """What the conversation's own request used: the last `message` iteration where present."""
        messages = [entry for entry in usage.get("iterations") or [] if entry.get("type") == "message"]
        return cls.from_wire(messages[-1]) if messages else cls.from_wire(usage)


def _tokens(value: Any) -> int:
    """A number of tokens as it came."""
    if type(value) is int:  # as nearly all are
        return max(0, value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return 0
    return max(0, ceil(value))
