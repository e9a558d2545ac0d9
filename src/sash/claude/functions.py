"""Function tools as callers give them: the SDK's own objects, or plain typed functions made into such.

The definition of a plain function (name, docstring, JSON schema of its arguments) is the SDK's doing
(its classes behind `beta_tool`), and so is checking a call's input against it. A plain definition passes
through: Claude may call it, and the run ends there for the caller to answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from inspect import Parameter, iscoroutinefunction, isfunction, ismethod, signature
from typing import Any, TypeVar, overload

from sash.claude.loading import _load_tool_error
from sash.errors import InvalidOption
from sash.model.functions import Function, ToolFailed

GivenTool = TypeVar("GivenTool")
_CHEAP = "sash_cheap"
"""The attribute that carries the mark."""


def as_tools(tools: Sequence[Any]) -> list[Any]:
    """The tools with every plain function made into a function tool of the SDK. Raises InvalidOption for others."""
    if isinstance(tools, str | Mapping) or not isinstance(tools, Iterable):
        raise InvalidOption(
            f"tools is a list of functions or definitions, not {tools!r:.60}: put one into a list, tools=[...]",
            option="tools",
            value=tools,
        )
    return [_as_tool(tool) for tool in tools]


def _as_tool(tool: Any) -> Any:
    _reject_no_tool(tool)
    if not _is_plain_function(tool):
        return tool
    _reject_unnamed(tool)
    made = _load_function_tools()
    return made.AsyncFunctionTool(tool) if iscoroutinefunction(tool) else made.function_tool(tool)


def _is_plain_function(tool: Any) -> bool:
    return isfunction(tool) or ismethod(tool)


def _reject_no_tool(tool: Any) -> None:
    if isinstance(tool, Mapping) or hasattr(tool, "to_dict") or _is_plain_function(tool):
        return
    wrap = ": write a function (def ...) that calls it" if callable(tool) else ""
    raise InvalidOption(
        f"a tool is a function, a function tool of the SDK or a definition, not {tool!r:.60}{wrap}",
        option="tools",
        value=tool,
    )


def _reject_unnamed(function: Callable[..., Any]) -> None:
    """Claude gives arguments by name ("Define tools" docs), so that each must have one."""
    unnamed = (Parameter.POSITIONAL_ONLY, Parameter.VAR_POSITIONAL)
    for parameter in signature(function).parameters.values():
        if parameter.kind in unnamed:
            raise InvalidOption(
                f"tool {function.__name__!r} takes {str(parameter)!r} by position alone, but Claude gives arguments by "
                "name: declare them as ordinary parameters",
                option="tools",
                value=function.__name__,
            )


def _load_function_tools() -> Any:
    """Our function tools, whose bases are the SDK's."""
    from sash.claude import function_tools  # noqa: PLC0415

    return function_tools


class _MarkedDefinition(dict[str, Any]):
    """A definition with a mark, which is no part of what is sent."""


@overload
def tool(given: GivenTool, /, *, cheap: bool = ...) -> GivenTool: ...
@overload
def tool(*, cheap: bool = ...) -> Callable[[GivenTool], GivenTool]: ...
def tool(given: Any = None, /, *, cheap: bool = False) -> Any:
    """A tool with what Claude is not told of it: `@tool(cheap=True)` above a function, or `tool(given, cheap=True)`.

    `given`: a function or a function tool of the SDK, which is marked and returned, or a definition, of which a marked
    copy is returned. `cheap`: calling it again is cheap and does nothing else, so that its old results leave sooner
    (`Economic`). Raises InvalidOption for what is no tool, and for another `cheap` than True or False.
    """
    if not isinstance(cheap, bool):
        raise InvalidOption(f"tool(cheap={cheap!r:.60}) is True or False", option="cheap", value=cheap)
    if given is None:
        return partial(tool, cheap=cheap)
    _reject_no_tool(given)
    marked = _MarkedDefinition(given) if isinstance(given, Mapping) else given
    setattr(marked.__func__ if ismethod(marked) else marked, _CHEAP, cheap)
    return marked


def cheap_names(tools: Iterable[Any]) -> frozenset[str]:
    """Names of those among tools of `as_tools` that were said to be cheap to call again."""
    return frozenset(name_of(one) for one in tools if _is_cheap(one))


def _is_cheap(tool: Any) -> bool:
    """What its own mark says, else that of the function behind it."""
    return bool(getattr(tool, _CHEAP, getattr(getattr(tool, "func", None), _CHEAP, False)))


def name_of(tool: Any) -> str:
    """What a tool of `as_tools` is called."""
    return str(tool.get("name") if isinstance(tool, Mapping) else tool.name)


def functions(tools: Sequence[Any], *, waiting: bool) -> dict[str, Function]:
    """What can be called among `tools`, by name. Raises InvalidOption for coroutines where nothing can wait for them.

    `waiting`: whether the caller awaits.
    """
    found = {tool.name: _function(tool) for tool in tools if callable(getattr(tool, "call", None))}
    for function in found.values():
        if function.waits and not waiting:
            raise InvalidOption(
                f"tool {function.name!r} is asynchronous; use AsyncConversation, or give a plain function",
                option="tools",
                value=function.name,
            )
    return found


def _function(tool: Any) -> Function:
    waits = iscoroutinefunction(tool.call)
    return Function(name=tool.name, call=_waiting(tool.call) if waits else _calling(tool.call), waits=waits)


def _calling(call: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def called(given: Any) -> Any:
        try:
            return call(given)
        except _load_tool_error() as error:
            raise ToolFailed(error.content) from error

    return called


def _waiting(call: Callable[[Any], Any]) -> Callable[[Any], Any]:
    async def called(given: Any) -> Any:
        try:
            return await call(given)
        except _load_tool_error() as error:
            raise ToolFailed(error.content) from error

    return called
