"""Replies as they come in, mended so that they can be sent back: none may block a conversation.

Ids of calls are made legal and unique, names legal, a call's input becomes an object, text is made whole, what has no
shape of a block is kept as text. Thinking that has lost its signature stays as it came: it is recorded, and left out
of requests. What was mended is said in notes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sash.model.blocks import Block, dumps, text_block
from sash.model.ids import free_id, legal_id, legal_name
from sash.model.values import sound

SERVER_CALLS = ("server_tool_use", "mcp_tool_use")
CALLS = ("tool_use", *SERVER_CALLS)
NOT_SAID = ("tool_result", "document", "image")
"""What the API refuses in assistant messages."""
THOUGHTS = {"thinking": "signature", "redacted_thinking": "data"}
"""Kinds of thinking, and what proves each."""
_ID = re.compile(r'"id":"([a-zA-Z0-9_-]+)"')
_MADE_BY_THE_API = re.compile(r"(srv|mcp)?toolu_[a-zA-Z0-9_-]+")


@dataclass(slots=True, kw_only=True)
class _Mender:
    taken: set[str]
    """ids of calls before, and of this reply so far"""
    open: dict[str, str]
    """calls of a server's tools that a result may answer: what became of their ids, by ids as they came"""
    notes: dict[str, None] = field(default_factory=dict)

    def blocks(self, content: Sequence[Any]) -> Iterator[Block]:
        for raw in content:
            block = self._shaped(raw)
            kind = block["type"]
            if kind in CALLS:
                yield self._call(block)
            elif kind.endswith("_tool_result"):
                yield from self._answer(block)
            elif kind != "text" or block.get("text"):
                yield block

    def _shaped(self, raw: Any) -> Block:
        """Whole text in the shape of a block."""
        block = sound(raw)
        if not isinstance(block, dict) or not isinstance(block.get("type"), str):
            self._say("something without a type is kept as text")
            return text_block(block if isinstance(block, str) else dumps(block))
        kind, text = block["type"], block.get("text")
        if kind in NOT_SAID:
            self._say(f"a {kind} block, which no reply can hold, is kept as text")
            return text_block(dumps(block))
        if kind == "text" and text is not None and not isinstance(text, str):
            self._say("a text that was none is kept as JSON")
            return {**block, "text": dumps(text)}
        if block != raw:
            self._say("text that UTF-8 cannot carry, or numbers that JSON cannot, were escaped")
            block = {name: value for name, value in block.items() if name != THOUGHTS.get(kind)}
        if kind in THOUGHTS and not proven(block):
            self._say("thinking without its signature is recorded, and left out of requests")
        return block

    def _call(self, block: Block) -> Block:
        given, called = block.get("id"), block.get("input")
        id = free_id(given if isinstance(given, str) else "", self.taken)
        self.taken.add(id)
        self.open.pop(str(given), None)
        if block["type"] in SERVER_CALLS:
            self.open[str(given)] = id
        if id != given:
            self._say(f"the call id {given!r:.80} cannot be sent back, or is used already; it is now {id!r}")
        if not isinstance(called, dict):
            self._say(f"the input of the call {id!r} is no object")
            called = _as_object(called)
        return {**block, "id": id, "name": self._name(id, block.get("name")), "input": called}

    def _name(self, id: str, given: Any) -> str:
        if not isinstance(given, str) or not given:
            self._say(f"the call {id!r} has no name")
            return "unnamed"
        if (name := legal_name(given)) != given:
            self._say(f"the tool name {given!r:.80} cannot be sent back; it is now {name!r:.80}")
        return name

    def _answer(self, block: Block) -> Iterator[Block]:
        """The result of a server's tool, under the id that its call has now."""
        given = str(block.get("tool_use_id"))
        if (id := self.open.get(given)) is not None:
            yield {**block, "tool_use_id": id}
        else:
            self._say(f"a {block['type']} for {given!r:.80}, which is no call of a server's tool, is left out")

    def _say(self, note: str) -> None:
        self.notes[f"the reply was mended: {note}"] = None


def mended(
    content: Sequence[Any], taken: Collection[str], unanswered: Collection[str] = ()
) -> tuple[list[Block], tuple[str, ...]]:
    """The blocks of a reply as they can be recorded and sent back, and what was mended, in sentences.

    `taken`: ids of the calls that stand before it; `unanswered`: of those of a server's tools that it may answer.
    """
    mender = _Mender(taken={*taken, *unanswered}, open=dict(zip(unanswered, unanswered, strict=True)))
    blocks = list(mender.blocks(content))
    return blocks, tuple(mender.notes)


def made_elsewhere(content: Sequence[Any]) -> set[str]:
    """The ids of a reply's calls, made legal, that the API did not make: only its own are unique by themselves."""
    calls = (block for block in content if isinstance(block, dict) and block.get("type") in CALLS)
    given = (call["id"] if isinstance(call.get("id"), str) else "" for call in calls)
    return {legal_id(id) for id in given if not _MADE_BY_THE_API.fullmatch(id)}


def call_ids(contents: Iterable[str]) -> set[str]:
    """The ids in recorded contents (JSON texts), read without parsing them: those of calls, and maybe others."""
    return {id for content in contents for id in _ID.findall(content)}


_SERVER = "_tool_use"
"""What the types of calls of a server's tools end in, and no other."""


def server_calls(contents: Iterable[str]) -> set[str]:
    """The ids of calls of a server's tools in recorded contents (JSON texts)."""
    telling = (json.loads(content) for content in contents if _SERVER in content)
    return {str(block.get("id")) for blocks in telling for block in blocks if block.get("type") in SERVER_CALLS}


def proven(block: Mapping[str, Any]) -> bool:
    """Whether a thinking block has what proves it, so that it may be sent back; other blocks need no proof."""
    proof = THOUGHTS.get(str(block.get("type")))
    value = block.get(proof) if proof else "none needed"
    return isinstance(value, str) and bool(value) and (proof != "signature" or isinstance(block.get("thinking"), str))


def _as_object(value: Any) -> Block:
    """A call's input as an object: JSON text of one is read, anything else stands under the name `input`."""
    if value is None or value == "":
        return {}
    try:
        read = json.loads(value) if isinstance(value, str) else None
    except ValueError:
        read = None
    return sound(read) if isinstance(read, dict) else {"input": value}
