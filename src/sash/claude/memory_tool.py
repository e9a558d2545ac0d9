"""Anthropic's memory tool (`memory_20250818`) over a store, as a tool of the SDK. Import through `memory`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sash.claude.loading import _load_function_makers, _load_tool_error
from sash.model.functions import ToolFailed

if TYPE_CHECKING:
    from anthropic.lib.tools import BetaAsyncBuiltinFunctionTool, BetaBuiltinFunctionTool
else:
    _sdk = _load_function_makers()
    BetaAsyncBuiltinFunctionTool, BetaBuiltinFunctionTool = (
        _sdk.BetaAsyncBuiltinFunctionTool,
        _sdk.BetaBuiltinFunctionTool,
    )


class _Defined:
    """What both share: what carries a call out, and the definition that goes with a request."""

    def __init__(self, run: Callable[[object], str]) -> None:
        super().__init__()
        self._run = run

    def to_dict(self) -> Any:
        """The definition."""
        return {"type": "memory_20250818", "name": "memory"}

    def _answer(self, given: object) -> str:
        try:
            return self._run(given)
        except ToolFailed as error:
            raise _load_tool_error()(error.content) from error


class MemoryTool(_Defined, BetaBuiltinFunctionTool):
    """For `Conversation.run`, and the SDK's own tool runner."""

    def call(self, input: object) -> str:
        """What Claude is told; raises the SDK's ToolError."""
        return self._answer(input)


class AsyncMemoryTool(_Defined, BetaAsyncBuiltinFunctionTool):
    """For `AsyncConversation.run`, and the SDK's own async tool runner: the store is asked in a thread."""

    async def call(self, input: object) -> str:
        """What Claude is told; raises the SDK's ToolError."""
        return await asyncio.to_thread(self._answer, input)
