"""The preamble: tools and system, the prefix of every request and the part that conversations share.

Frozen; identified by a hash of its exact JSON text, since any byte that differs loses the whole cache.
System text is always held as a list of blocks.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sash.errors import InvalidOption
from sash.model.blocks import Block, dumps, plain, text_block


@dataclass(frozen=True, kw_only=True)
class Preamble:
    """`system` and `tools` as JSON text, empty when absent."""

    system: str = ""
    tools: str = ""

    @cached_property
    def hash(self) -> str:
        """32 hex digits that change with any byte."""
        return hashlib.sha256(f"{len(self.tools)}:{self.tools}{self.system}".encode()).hexdigest()[:32]

    @cached_property
    def system_blocks(self) -> list[Block]:
        """Parsed; read-only."""
        blocks: list[Block] = json.loads(self.system) if self.system else []
        return blocks

    @cached_property
    def tool_list(self) -> list[Block]:
        """Parsed; read-only."""
        tools: list[Block] = json.loads(self.tools) if self.tools else []
        return tools

    @cached_property
    def tool_names(self) -> tuple[str, ...]:
        """What its tools are called, in their order."""
        return tuple(str(tool.get("name")) for tool in self.tool_list)

    @cached_property
    def markers(self) -> int:
        """Cache markers that the caller put into it by hand."""
        return sum("cache_control" in block for block in (*self.system_blocks, *self.tool_list))


def preamble(system: str | Sequence[Any] | None, tools: Sequence[Any] | None) -> Preamble:
    """Build one from what the SDK takes. Raises InvalidOption for what it would not."""
    return Preamble(system=_system_text(system), tools=_tools_text(tools))


def _system_text(system: str | Sequence[Any] | None) -> str:
    if system is None or system in ("", [], ()):
        return ""
    if not isinstance(system, str | list | tuple):
        raise InvalidOption(
            f"system is a string or a list of text blocks, not {system!r:.80}", option="system", value=system
        )
    blocks = [text_block(plain(system))] if isinstance(system, str) else plain(system)
    good = isinstance(blocks, list) and all(isinstance(block, dict) and block.get("type") == "text" for block in blocks)
    if not good:
        raise InvalidOption(
            f"system is a string or a list of text blocks, not {system!r:.80}", option="system", value=system
        )
    if any(not str(block.get("text") or "").strip() for block in blocks):
        raise InvalidOption("system holds an empty text block; leave it out", option="system", value=system)
    return dumps(blocks)


def _tools_text(tools: Sequence[Any] | None) -> str:
    if not tools:
        return ""
    plain_tools = plain(tools)
    if not isinstance(plain_tools, list) or not all(isinstance(tool, dict) and "name" in tool for tool in plain_tools):
        raise InvalidOption(
            f"tools is a list of tool definitions as the SDK takes them, not {tools!r:.80}", option="tools", value=tools
        )
    return dumps(plain_tools)
