"""Chat messages of the two common wire shapes, Anthropic's and OpenAI's, made into turns.

`anthropic_turn` takes a `{role, content}` message as it is. `openai_turns` converts `tool_calls` and
`tool` messages to tool_use and tool_result blocks; a run of tool messages becomes one user turn, as the
API wants all results of a turn together. A call id that a history uses twice is numbered (`id_2`, in
call and result alike) and kept in `meta`, since the API wants them unique. It knows no dataset.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from sash.formats.legality import Problem
from sash.formats.reading import Field
from sash.formats.values import ROLES, Block, ImportedTurn, Role, text_block


def role_of(message: Field, names: dict[str, Role] | None = None) -> Role:
    """The role of a message; `names` translates the source's words. Raises InvalidImport for an unknown one."""
    known = names or {name: name for name in ROLES}
    said = message["role"].text()
    if said not in known:
        raise message["role"].fail(f"unknown role {said!r}; expected one of {', '.join(known)}")
    return known[said]


def blocks_of(content: Field) -> list[Block]:
    """Message content as a list of blocks: text becomes one block, a list is kept verbatim."""
    if isinstance(content.value, str):
        return [text_block(content.value)]
    return [_block(member) for member in content.each()]


def _block(member: Field) -> Block:
    member["type"].text()
    return member.object()


def anthropic_turn(message: Field) -> ImportedTurn:
    """One `{role, content}` message."""
    return ImportedTurn(role=role_of(message), content=blocks_of(message["content"]))


@dataclass
class _CallIds:
    """Hands out one id per call: a name met again gets a number."""

    uses: dict[str, int] = field(default_factory=dict)

    def call(self, source: str) -> str:
        self.uses[source] = self.uses.get(source, 0) + 1
        return self.result(source)

    def result(self, source: str) -> str:
        count = self.uses.get(source, 1)
        return source if count == 1 else f"{source}_{count}"


@dataclass(frozen=True, slots=True)
class OpenAIHistory:
    """What `openai_turns` makes of a list of messages."""

    system: str | None
    turns: tuple[ImportedTurn, ...]
    notes: tuple[Problem, ...]


def openai_turns(messages: Iterable[Field]) -> OpenAIHistory:
    """Convert OpenAI-shape messages: leading system messages are joined, the rest become turns."""
    ids, notes = _CallIds(), list[Problem]()
    turns: list[ImportedTurn] = []
    system: list[str] = []
    for is_tool, group in groupby(messages, key=lambda message: message["role"].text() == "tool"):
        if is_tool:
            turns.append(_results(list(group), ids))
            continue
        for message in group:
            if message["role"].text() in ("system", "developer") and not turns:
                system.append(message["content"].text())
            else:
                turns.append(_turn(message, ids, notes, len(turns)))
    return OpenAIHistory("\n\n".join(system) or None, tuple(turns), tuple(notes))


def _turn(message: Field, ids: _CallIds, notes: list[Problem], index: int) -> ImportedTurn:
    said = blocks_of(message["content"]) if message.get("content") else []
    calls = message["tool_calls"].each() if message.has("tool_calls") else iter(())
    renamed: dict[str, str] = {}
    for call in calls:
        source = call["id"].text()
        name, given = call["function"]["name"].text(), _arguments(call["function"])
        if given is None:
            notes.append(Problem(text=f"the input of tool call {source} is no JSON object", turn=index, id=source))
            given = {"unparsed": call["function"]["arguments"].value}
        made = ids.call(source)
        if made != source:
            renamed[made] = source
        said.append({"type": "tool_use", "id": made, "name": name, "input": given})
    return ImportedTurn(role=role_of(message), content=said, meta={"call_ids": renamed} if renamed else {})


def _arguments(function: Field) -> dict[str, Any] | None:
    """The call's input, or None where it is no JSON object."""
    try:
        parsed = json.loads(function["arguments"].text() or "{}")
    except json.JSONDecodeError:
        return None
    return parsed if isinstance(parsed, dict) else None


def _results(messages: list[Field], ids: _CallIds) -> ImportedTurn:
    return ImportedTurn(role="user", content=[block for message in messages for block in _result(message, ids)])


def _result(message: Field, ids: _CallIds) -> Iterator[Block]:
    content = {"content": message["content"].value} if message.get("content") else {}
    for source in _answered(message):
        yield {"type": "tool_result", "tool_use_id": ids.result(source), **content}


def _answered(message: Field) -> list[str]:
    """The ids of the calls a tool message answers (SWE-agent lists several)."""
    if message.has("tool_call_ids"):
        return [member.text() for member in message["tool_call_ids"].each()]
    return [message["tool_call_id"].text()]
