"""Function tools and the blocks that answer tool calls: values only, nothing is called here.

A result is a string, content blocks, an exception, or any JSON value (sent as its JSON text). Each call of a
reply is answered in one user turn, in the order of the calls ("Handle tool calls" docs). Which object of the
SDK stands behind a `Function` is known to `sash.claude.functions`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sash.errors import InvalidContent
from sash.model.blocks import Block, dumps, plain, without_empty_text

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


def answers(calls: Sequence[Block], given: Any, missing: str = MISSING) -> list[Block]:
    """One `tool_result` block for each call, in their order; calls without a result get an error result.

    `given`: `tool_result` blocks, or a mapping from call id to result. Raises InvalidContent for ids that no
    call has, for two results of one call, and for what is no result.
    """
    results = _from_mapping(calls, given) if isinstance(given, Mapping) else _from_blocks(given)
    unknown = [call for call in results if call not in {str(call["id"]) for call in calls}]
    if unknown:
        raise InvalidContent(
            f"no open tool call has the id {unknown[0]!r}; open are {', '.join(str(c['id']) for c in calls) or 'none'}",
            problem="tool-orphan",
        )
    return [results.get(str(call["id"])) or error_result(call, missing) for call in calls]


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
    for block in map(plain, given):
        if not is_result(block):
            raise InvalidContent(f"not a tool_result block: {block!r:.80}", problem="tool-result")
        key = str(block.get("tool_use_id"))
        if key in results:
            raise InvalidContent(f"two results for tool call {key!r}; keep one", problem="tool-result-twice")
        results[key] = block
    return results


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
    content = result_content(value)
    # Calls of a toolset are answered with its name ("Tool use" docs).
    echo = {"toolset_name": call["toolset_name"]} if call.get("toolset_name") else {}
    said = {"content": content} if content else {}
    return {"type": "tool_result", "tool_use_id": call["id"], **echo, **said}


def result_content(value: Any) -> str | list[Block]:
    """What a function returned, as a result's content: text and blocks as they are, other values as JSON text."""
    if value is None:
        return ""
    if isinstance(value, str):
        text: str = plain(value)
        return text
    if hasattr(value, "model_dump_json"):  # a pydantic model: its own JSON
        return str(value.model_dump_json())
    found = plain(value)
    if isinstance(found, list) and found and all(isinstance(item, dict) and "type" in item for item in found):
        return without_empty_text(found)
    return dumps(found)
