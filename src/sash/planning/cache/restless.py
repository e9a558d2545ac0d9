"""A preamble that changes from request to request (a clock in the system prompt): what is written of it is never read.

`watch` compares the preamble of the last request with the next one's and keeps count; from `MISSES` changes on,
everything behind the last stable block goes unmarked, for a write that nobody reads costs more than no cache. A request
that does not change it counts back, and is marked again. The count stands with each request in the record. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sash.model.blocks import Block, dumps
from sash.model.epochs import Place
from sash.model.preamble import Preamble

MISSES = 2
"""Changes that were paid for before the rest goes unmarked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restless:
    """What changes in front of the messages, if anything does."""

    misses: int = 0
    where: str = ""
    """the first block that changed lately, in words"""
    stable: tuple[Place, int] | None = None
    """the last block before it that a marker may stand on"""
    share: float = 0.0
    """of the preamble's characters, up to and with that block"""
    known: int = 0
    """tokens up to that block, where usage told; 0: by `share`"""
    until: float = 0.0
    """when the cache's entry for that block ends, in unix seconds; 0: there is none"""

    @property
    def unmarked(self) -> bool:
        """Whether what lies behind the stable part is written for nothing."""
        return self.misses >= MISSES

    @property
    def said(self) -> str:
        """What plan and reply say of it; "" where everything is marked as usual."""
        if not self.unmarked:
            return ""
        kept = "what stands before it is cached" if self.stable else "nothing is cached"
        return (
            f"{self.where.capitalize()} changed with each of the last requests, so that what was written to the cache "
            f"was never read: {kept}, and what follows is not, until it stays the same."
        )

    def as_json(self) -> dict[str, Any]:
        """What the record keeps of it with a request."""
        return {"misses": self.misses, "where": self.where} if self.misses else {}


def watch(before: Preamble | None, now: Preamble, kept: Mapping[str, Any]) -> Restless:
    """Compare with the last request's preamble (None: there was none); `kept`: what that request's `as_json` was."""
    misses = int(kept.get("misses", 0))
    if before is None:
        return Restless()
    if before == now:
        return Restless(misses=max(0, misses - 1), where=str(kept.get("where", "")) if misses > 1 else "")
    old, new = _in_order(before), _in_order(now)
    at = next((i for i, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]), min(len(old), len(new)))
    stable = [i for i in range(at) if new[i][0] == old[i][0] and not new[i][2].get("defer_loading")]
    sizes = [len(dumps(block)) for _, _, block in new]
    return Restless(
        misses=min(MISSES, misses + 1),
        where=_named(new if at < len(new) else old, at),
        stable=(new[stable[-1]][0], new[stable[-1]][1]) if stable else None,
        share=sum(sizes[: stable[-1] + 1]) / sum(sizes) if stable else 0.0,
    )


def _in_order(preamble: Preamble) -> list[tuple[Place, int, Block]]:
    """Its blocks as the model reads them: tools, then system."""
    tools: list[tuple[Place, int, Block]] = [("tools", i, tool) for i, tool in enumerate(preamble.tool_list)]
    return [*tools, *(("system", i, block) for i, block in enumerate(preamble.system_blocks))]


def _named(blocks: Sequence[tuple[Place, int, Block]], at: int) -> str:
    place, index, block = blocks[at]
    return f"tool {block.get('name')!r}" if place == "tools" else f"system block {index + 1}"
