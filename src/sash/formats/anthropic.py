"""Anthropic-style JSON, in and out: a list of messages, a request body, or one of either a line.

Taken are `[{role, content}, ...]`, `{system, tools, messages}`, a list of such bodies, or JSONL whose lines are
messages (one conversation) or whole bodies (one each). `dump` writes a body that the API takes as it stands; what the
API has no place for (times, ids, usage, questions) goes under the one extra key `sash`, so that it comes back equal.
Drop that key before sending the file to the API.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from sash.formats.legality import HistoryProblem
from sash.formats.messages import anthropic_turn, anthropic_turns
from sash.formats.reading import Field, members_of
from sash.formats.values import ImportedConversation, ImportedTurn, Question

_TURN_FACTS = ("at", "id", "speaker", "usage", "model", "meta")


def recognises(sample: Sequence[Field]) -> bool:
    """Whether the values are messages, or bodies of them."""
    return bool(sample) and (_are(sample) or _are(members_of(sample)))


def _are(values: Sequence[Field]) -> bool:
    return bool(values) and all(_is_messages(value) or _is_message(value) for value in values)


def apart(found: Sequence[Field]) -> bool:
    """Whether each value is a conversation by itself, not a message."""
    return not all(isinstance(value.value, dict) and "role" in value.value for value in found)


def conversation(messages: Sequence[Field]) -> ImportedConversation:
    """The one conversation whose messages these are. Raises InvalidImport."""
    return _listed(messages, "1")


def conversations(value: Field, number: int) -> Iterator[ImportedConversation]:
    """The conversation of a body, or of a list of messages. Raises InvalidImport."""
    yield conversation_of(value, str(number))


def conversation_of(body: Field, number: str) -> ImportedConversation:
    """The conversation of a body, or of a list of messages, called `number` where it has no id of its own."""
    if isinstance(body.value, list):
        return _listed(body.each(), number)
    extra = body["sash"] if body.has("sash") else Field({}, body.path, body.line, "sash")
    turns, empty = _turns(body, extra)
    return ImportedConversation(
        id=str(extra.get("id", number)),
        title=extra.get("title"),
        turns=turns,
        system=_system(body),
        tools=tuple(tool.object() for tool in body["tools"].each()) if body.has("tools") else (),
        questions=tuple(_question(item) for item in _list(extra, "questions")),
        notes=(*empty, *(_note(item) for item in _list(extra, "notes"))),
        meta=extra.get("meta", {}),
    )


def _listed(messages: Iterable[Field], number: str) -> ImportedConversation:
    turns, notes = anthropic_turns(messages)
    return ImportedConversation(id=number, turns=turns, notes=notes)


def _turns(body: Field, extra: Field) -> tuple[tuple[ImportedTurn, ...], tuple[HistoryProblem, ...]]:
    messages = list(body["messages"].each())
    facts = _list(extra, "turns")
    if not facts:
        return anthropic_turns(messages)
    if len(facts) != len(messages):
        raise extra["turns"].fail(f"{len(facts)} entries for {len(messages)} messages; drop the key 'sash'")
    return tuple(_turn(message, fact) for message, fact in zip(messages, facts, strict=True)), ()


def turn_of(message: Field) -> ImportedTurn:
    """A message that holds the facts of its turn itself."""
    return _turn(message, message)


def _turn(message: Field, fact: Field) -> ImportedTurn:
    bare = anthropic_turn(message)
    return ImportedTurn(
        role=bare.role,
        content=bare.content,
        at=fact["at"].time() if fact.has("at") else None,
        id=fact.get("id"),
        speaker=fact.get("speaker"),
        usage=fact.get("usage"),
        model=fact.get("model"),
        meta=fact.get("meta", {}),
    )


def _system(body: Field) -> str | list[dict[str, Any]] | None:
    if not body.has("system"):
        return None
    if isinstance(body.value["system"], str):
        return body["system"].text()
    return [block.object() for block in body["system"].each()]


def _list(extra: Field, key: str) -> list[Field]:
    return list(extra[key].each()) if extra.has(key) else []


def _question(item: Field) -> Question:
    return Question(
        text=item["text"].text(),
        answer=item.get("answer"),
        evidence=tuple(item.get("evidence", ())),
        category=item.get("category", ""),
        trap=item.get("trap"),
        rubric=tuple(item.get("rubric", ())),
    )


def _note(item: Field) -> HistoryProblem:
    return HistoryProblem(text=item["text"].text(), turn=item.get("turn"), id=item.get("id"))


def dump(conversation: ImportedConversation, *, indent: int | None = 1) -> str:
    """The conversation as a request body in JSON, read back without loss."""
    body: dict[str, Any] = {"system": conversation.system, "tools": list(conversation.tools)}
    body = {key: value for key, value in body.items() if value}
    body["messages"] = [{"role": turn.role, "content": turn.content} for turn in conversation.turns]
    body["sash"] = _said(
        id=conversation.id,
        title=conversation.title,
        meta=dict(conversation.meta),
        turns=[facts_of(turn) for turn in conversation.turns],
        questions=[asdict(question) for question in conversation.questions],
        notes=[asdict(note) for note in conversation.notes],
    )
    return _json(body, indent)


def facts_of(turn: ImportedTurn) -> dict[str, Any]:
    """What is known of a turn beside role and content."""
    return _said(**{key: getattr(turn, key) for key in _TURN_FACTS})


def _said(**facts: Any) -> dict[str, Any]:
    """Facts that say something."""
    return {key: value for key, value in facts.items() if value not in (None, (), [], {})}


def _json(body: dict[str, Any], indent: int | None) -> str:
    text = json.dumps(body, ensure_ascii=False, indent=indent)
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which only an escape can carry
        return json.dumps(body, indent=indent)
    return text


def _is_message(value: Field) -> bool:
    return value.has("role") and value.has("content") and value.get("role") in ("user", "assistant", "system")


def _is_messages(value: Field) -> bool:
    listed = value.get("messages") if isinstance(value.value, dict) else value.value
    first = listed[0] if isinstance(listed, list) and listed else None
    return _is_message(Field(first, value.path))
