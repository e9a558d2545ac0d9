"""Chat messages of the two common wire shapes, Anthropic's and OpenAI's, made into turns.

`anthropic_turn` takes a `{role, content}` message as it is. `openai_turns` converts calls (`tool_calls`, custom ones,
the older `function_call`) and the messages that answer them to tool_use and tool_result blocks; a run of answers makes
one user turn, as the API wants all results of a turn together. Ids of calls are made legal and unique, results along
with them (`sash.planning.history.call_ids`). It knows no dataset.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from sash.formats.legality import HistoryProblem
from sash.formats.parts import blocks_of_parts
from sash.formats.reading import Field
from sash.formats.values import ROLES, Block, ImportedTurn, Role, text_block
from sash.planning.history.call_ids import with_legal_ids


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


def anthropic_turns(messages: Iterable[Field]) -> tuple[tuple[ImportedTurn, ...], tuple[HistoryProblem, ...]]:
    """`{role, content}` messages, those left out whose content is null, and a note for each of these."""
    turns: list[ImportedTurn] = []
    notes: list[HistoryProblem] = []
    for message in messages:
        if isinstance(message.value, dict) and message.value.get("content", "") is None:
            notes.append(left_out(message, len(turns)))
        else:
            turns.append(anthropic_turn(message))
    return tuple(turns), tuple(notes)


def left_out(message: Field, index: int) -> HistoryProblem:
    """The note on a message that says nothing."""
    return HistoryProblem(
        text=f"a message of role {role_of(message, _OPENAI_ROLES)} says nothing; left out", turn=index
    )


ANSWERS = ("tool", "function")
SETTINGS = ("system", "developer")
_OPENAI_ROLES: dict[str, Role] = {**{name: name for name in ROLES}, "developer": "system"}


@dataclass(frozen=True, slots=True)
class OpenAIHistory:
    """What `openai_turns` makes of a list of messages."""

    system: str | None
    turns: tuple[ImportedTurn, ...]
    notes: tuple[HistoryProblem, ...]


Facts = Callable[[Field], Mapping[str, Any]]
"""What a source says of a message beside its words: `at`, `id`, `usage`, `model`, `speaker`, `meta` of its turn."""


def _nothing(_: Field) -> Mapping[str, Any]:
    return {}


@dataclass
class _Reading:
    """What has been read of a history so far."""

    named: dict[str, str] = field(default_factory=dict)
    """Function name -> id of its newest call, for answers that have no id."""
    turns: list[ImportedTurn] = field(default_factory=list)
    system: list[str] = field(default_factory=list)
    notes: list[HistoryProblem] = field(default_factory=list)
    facts: Facts = _nothing

    def note(self, text: str, id: str | None = None) -> None:
        self.notes.append(HistoryProblem(text=text, turn=len(self.turns), id=id))


def openai_turns(messages: Iterable[Field], facts: Facts = _nothing) -> OpenAIHistory:
    """Convert OpenAI-shape messages: leading system and developer messages are joined, the rest become turns."""
    read = _Reading(facts=facts)
    for answers, group in groupby(messages, key=lambda message: message["role"].text() in ANSWERS):
        if answers:
            read.turns.append(_results(list(group), read))
            continue
        for message in group:
            _take(message, read)
    return OpenAIHistory("\n\n".join(read.system) or None, with_legal_calls(read.turns), tuple(read.notes))


def with_legal_calls(turns: Sequence[ImportedTurn]) -> tuple[ImportedTurn, ...]:
    """The turns with ids of calls that the API takes, each used once, results along with them."""
    legal = with_legal_ids((turn.role, turn.content) for turn in turns)
    return tuple(replace(turn, content=blocks) for turn, blocks in zip(turns, legal, strict=True))


def _take(message: Field, read: _Reading) -> None:
    role = role_of(message, _OPENAI_ROLES)
    said = blocks_of_parts(message.get("content"), message)
    if message.has("refusal"):
        said.append(text_block(message["refusal"].text()))
    if role == "system" and not read.turns:
        read.system += ["\n".join(block["text"] for block in said if block.get("type") == "text")] if said else []
        return
    said += _calls(message, read)
    if said:
        read.turns.append(ImportedTurn(role=role, content=said, **read.facts(message)))
    else:
        read.notes.append(left_out(message, len(read.turns)))


def _calls(message: Field, read: _Reading) -> Iterator[Block]:
    for call in message["tool_calls"].each() if message.has("tool_calls") else ():
        yield _call(call["id"].text(), call["custom"] if call.has("custom") else call["function"], read)
    if message.has("function_call"):
        function = message["function_call"]
        yield _call(f"call_{function['name'].text()}", function, read)


def _call(source: str, function: Field, read: _Reading) -> Block:
    name = function["name"].text()
    given = {"input": function["input"].value} if function.has("input") else _arguments(function)
    if given is None:
        read.note(f"the input of tool call {source} is no JSON object", source)
        given = {"unparsed": function["arguments"].value}
    read.named[name] = source
    return {"type": "tool_use", "id": source, "name": name, "input": given}


def _arguments(function: Field) -> dict[str, Any] | None:
    """The call's input, or None where it is no JSON object."""
    given = function.get("arguments", "{}")
    try:
        parsed = json.loads(given or "{}") if isinstance(given, str) else given
    except json.JSONDecodeError:
        return None
    return parsed if isinstance(parsed, dict) else None


def _results(messages: list[Field], read: _Reading) -> ImportedTurn:
    content = [block for message in messages for block in _result(message, read)]
    return ImportedTurn(role="user", content=content, **read.facts(messages[-1]))


def _result(message: Field, read: _Reading) -> Iterator[Block]:
    given = message.get("content")
    content = {"content": blocks_of_parts(given, message) if isinstance(given, list) else given} if given else {}
    for made in _answered(message, read):
        failed = {"is_error": True} if message.get("is_error") else {}
        yield {"type": "tool_result", "tool_use_id": made, **content, **failed}


def _answered(message: Field, read: _Reading) -> list[str]:
    """The ids of the calls that a message answers (SWE-agent lists several; the older kind has a name alone)."""
    if message.has("tool_call_ids"):
        return [member.text() for member in message["tool_call_ids"].each()]
    if message.has("tool_call_id"):
        return [message["tool_call_id"].text()]
    name = message["name"].text()
    return [read.named.get(name, f"call_{name}")]
