"""What may be answered from memory, and by which name it is found there: pure.

Two requests are the same when all that shapes the reply is: model, prompt, options, betas. Cache markers, metadata
and diagnostics shape none. A reply is remembered where nothing acts on the world: no tools are offered, no server works
on the request's behalf; and where it came to its natural end. Looked at and left: GPTCache answers what is only
similar; HTTP caches (hishel) do not remember POST requests.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sash.errors import InvalidOption
from sash.model.blocks import dumps
from sash.model.settings import settings

WITHOUT_EFFECT = ("cache_control", "metadata", "diagnostics", "service_tier", "billing_policy", "stream")
"""Fields of a request that leave the reply as it is."""
ACTING = ("mcp_servers", "container", "compaction", "thread", "fallbacks", "context_management")
"""Fields that have the server work on more than the prompt."""
KEPT = ("end_turn", "stop_sequence")
"""Stop reasons of replies that came to their natural end."""


@settings
@dataclass(frozen=True, slots=True, kw_only=True)
class MemoPolicy:
    """`ttl`: seconds a reply is good for; `most`: bytes kept in all, the longest unused go first; `tags`: of what is
    remembered, to forget it by. Raises InvalidOption."""

    ttl: float = 3_600.0
    most: int = 64_000_000
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.ttl > 0:
            raise InvalidOption(f"ttl={self.ttl!r}: give seconds above 0", option="ttl", value=self.ttl)
        if isinstance(self.most, bool) or not self.most > 0:
            raise InvalidOption(f"most={self.most!r}: give bytes above 0", option="most", value=self.most)
        if isinstance(self.tags, str) or not all(isinstance(tag, str) and tag for tag in self.tags):
            raise InvalidOption(f"tags={self.tags!r}: give a list of texts", option="tags", value=self.tags)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoUse:
    """What a memo did so far."""

    entries: int
    size: int
    """bytes"""
    asked: int
    """requests that could have been answered from it"""
    hits: int
    saved: float
    """dollars that the hits would have cost"""

    @property
    def rate(self) -> float:
        """The share of hits, 0 to 1."""
        return self.hits / self.asked if self.asked else 0.0


def may_serve(body: Mapping[str, Any]) -> bool:
    """Whether a request asks for words alone: nothing may act on its behalf, nothing is to be made anew."""
    choice = body.get("tool_choice")
    silent = isinstance(choice, Mapping) and choice.get("type") == "none"
    return (
        isinstance(body.get("messages"), Sequence)
        and not (body.get("tools") and not silent)
        and not any(body.get(name) for name in ACTING)
        and body.get("max_tokens") != 0
    )


def may_keep(message: Mapping[str, Any]) -> bool:
    """Whether a reply is worth remembering."""
    return message.get("stop_reason") in KEPT and bool(message.get("content"))


def name_of(body: Mapping[str, Any], *, namespace: str, betas: str, version: str, stream: bool) -> str:
    """The name under which a reply is found: 64 hex digits."""
    said = {name: value for name, value in body.items() if name not in WITHOUT_EFFECT}
    parts = (namespace, ",".join(sorted(filter(None, betas.split(",")))), version, str(stream), dumps(_bare(said)))
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _bare(value: Any) -> Any:
    """Without cache markers, and with keys in order: what is left decides."""
    if isinstance(value, Mapping):
        return {key: _bare(value[key]) for key in sorted(value, key=str) if key != "cache_control"}
    if isinstance(value, list | tuple):
        return [_bare(item) for item in value]
    return value
