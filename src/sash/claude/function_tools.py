"""The SDK's function tools, made so that nothing outlives them. Import through `loading`: this imports the SDK.

The SDK remembers a schema for each function tool it ever made, in a cache without a bound (`_CachedTypeAdapter`
in anthropic/_models.py), and from Python 3.13 on a schema holds the frames that asked for it: the conversation and
its store with them. A tool of ours keeps its schema itself.
"""

from __future__ import annotations

from functools import cached_property
from inspect import isgeneratorfunction
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from sash.claude.loading import _load_function_makers

if TYPE_CHECKING:
    from anthropic.lib.tools import BetaAsyncFunctionTool, BetaFunctionTool, beta_tool
else:
    _sdk = _load_function_makers()
    BetaAsyncFunctionTool, BetaFunctionTool = _sdk.BetaAsyncFunctionTool, _sdk.BetaFunctionTool
    beta_tool = _sdk.beta_tool


class _KeepsItsSchema:
    _func_with_validate: Any

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        return TypeAdapter(self._func_with_validate)


class FunctionTool(_KeepsItsSchema, BetaFunctionTool[Any]):
    """A plain function as the SDK's tool."""


class AsyncFunctionTool(_KeepsItsSchema, BetaAsyncFunctionTool[Any]):
    """A coroutine function as the SDK's tool."""


def function_tool(function: Any) -> Any:
    """The SDK's tool of a function; a context manager that yields one is entered by the SDK itself."""
    entered = isgeneratorfunction(getattr(function, "__wrapped__", None))
    return beta_tool(function) if entered else FunctionTool(function)
