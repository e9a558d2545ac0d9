"""Function tools and the blocks that answer tool calls: values only, nothing is called here.

A result is a string, content blocks, an exception, or any value (sent as its JSON text): see `contents`. Each call of a
reply is answered in one user turn, in the order of the calls ("Handle tool calls" docs). Which object of the
SDK stands behind a `Function` is known to `sash.claude.functions`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sash.errors import InvalidContent
from sash.model.blocks import Block
from sash.model.contents import content_of

MISSING = "[no result was given for this call]"
INTERRUPTED = "[interrupted: no result was recorded]"


class ToolFailed(Exception):
    """What a function said went wrong: `content` goes to Claude as an error result. Never leaves the library."""

    def __init__(self, content: Any) -> None:
        super().__init__("a tool failed")
        self.content = content


@dataclass(frozen=True, kw_only=True)
class Function:
    """A tool that can be called: its name, and `call(input)`, which returns a result or raises."""

    name: str
    call: Callable[[Any], Any] = field(repr=False)
    waits: bool = False
    """whether `call` gives an awaitable"""


def is_result(block: Any) -> bool:
    """Whether a block answers a tool call."""
    return isinstance(block, Mapping) and block.get("type") == "tool_result"


def answers(calls: Sequence[Block], given: Any, kept: Mapping[str, Block]) -> list[Block]:
    """One `tool_result` block for each call, in their order; calls without a result get an error result.

    `given`: `tool_result` blocks, or a mapping from call id to result; `kept`: results of calls that it does not
    name, by call id. Raises InvalidContent for ids that no call has, for two results of one call, and for what is
    no result.
    """
    results = _from_mapping(calls, given) if isinstance(given, Mapping) else _from_blocks(given)
    unknown = [call for call in results if call not in {str(call["id"]) for call in calls}]
    if unknown:
        raise InvalidContent(
            f"no open tool call has the id {unknown[0]!r}; open are {', '.join(str(c['id']) for c in calls) or 'none'}",
            problem="tool-orphan",
        )
    results = {**kept, **results}
    return [results.get(str(call["id"])) or error_result(call, MISSING) for call in calls]


def _from_mapping(calls: Sequence[Block], given: Mapping[Any, Any]) -> dict[str, Block]:
    if is_result(given):
        raise InvalidContent("results is a list of tool_result blocks; put this one in a list", problem="tool-result")
    by_id = {str(call["id"]): call for call in calls}
    return {
        str(key): result_block(by_id.get(str(key), {"id": key, "type": "tool_use"}), value)
        for key, value in given.items()
    }


def _from_blocks(given: Any) -> dict[str, Block]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise InvalidContent(
            f"results are tool_result blocks or a mapping from call id to result, not {given!r:.60}",
            problem="tool-result",
        )
    results: dict[str, Block] = {}
    for block in map(_as_mapping, given):
        if not is_result(block):
            raise InvalidContent(f"not a tool_result block: {block!r:.80}", problem="tool-result")
        key = str(block.get("tool_use_id"))
        if key in results:
            raise InvalidContent(f"two results for tool call {key!r}; keep one", problem="tool-result-twice")
        results[key] = made_sendable(block)
    return results


def _as_mapping(block: Any) -> Any:
    return block.to_dict() if hasattr(block, "to_dict") else block


def made_sendable(block: Mapping[str, Any]) -> Block:
    """A `tool_result` made by hand, with content that the API takes and the fields that it knows."""
    made = _block({"id": block.get("tool_use_id"), **block}, block.get("content"))
    failed = {"is_error": True} if block.get("is_error") else {}
    mark = {"cache_control": block["cache_control"]} if block.get("cache_control") else {}
    return {**made, **failed, **mark}


def result_block(call: Block, value: Any) -> Block:
    """The `tool_result` that answers `call` with what a function returned, or with the exception it raised."""
    if isinstance(value, ToolFailed):
        return error_result(call, value.content)
    return error_result(call, _said(value)) if isinstance(value, BaseException) else _block(call, value)


def _said(error: BaseException) -> str:
    """An exception in words, with what it came from: which argument was wrong is told there."""
    cause = f" ({error.__cause__})" if error.__cause__ is not None else ""
    return f"{type(error).__name__}: {error}{cause}"


def error_result(call: Block, content: Any) -> Block:
    """The `tool_result` that tells Claude what went wrong."""
    return {**_block(call, content), "is_error": True}


def _block(call: Block, value: Any) -> Block:
    content, failed = content_of(value)
    # Calls of a toolset are answered with its name ("Tool use" docs).
    echo = {"toolset_name": call["toolset_name"]} if call.get("toolset_name") else {}
    said = {"content": content} if content else {}
    error = {"is_error": True} if failed else {}
    return {"type": "tool_result", "tool_use_id": call["id"], **echo, **said, **error}
