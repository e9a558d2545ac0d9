"""`llm`'s `logs.db`: prompts and replies of the command line tool, as conversations.

Since 0.36 a thread ends at a message, and messages name their parents (`threads`, `turns`, `messages`, `parts`); before
that a conversation has responses in order of time (`conversations`, `responses`). Both are read, a conversation that
stands in both once. Source: llm 0.36 and its migrations, which made the samples that this was tried on.
"""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

from sash.formats.chat import ChatMessage, conversation_of, known, usage_of
from sash.formats.legality import HistoryProblem
from sash.formats.reading import Field
from sash.formats.values import Block, ImportedConversation

TABLES = frozenset({"conversations", "responses"})

Row = sqlite3.Row
Read = Iterator[ImportedConversation | HistoryProblem]


def conversations(db: sqlite3.Connection, path: str) -> Read:
    """One for each thread, then one for each conversation that is none."""
    there = {row["name"] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    known_ids = set[str]()
    if {"threads", "turns", "messages", "parts"} <= there:
        threads = _Threads(db, path)
        for thread in db.execute("SELECT * FROM threads ORDER BY datetime_utc, id").fetchall():
            known_ids.add(thread["id"])
            yield from _said_or_remark(threads.conversation(thread))
    responses = _Responses(db, path, there)
    for row in db.execute("SELECT DISTINCT coalesce(conversation_id, id) AS id FROM responses ORDER BY id").fetchall():
        if row["id"] not in known_ids:
            yield from _said_or_remark(responses.conversation(row["id"]))


def _said_or_remark(found: ImportedConversation) -> Read:
    yield found if found.turns else HistoryProblem(text=f"the conversation {found.id!r} says nothing; left out")


# Threads: messages that name their parents.


class _Threads:
    """The newer tables."""

    def __init__(self, db: sqlite3.Connection, path: str) -> None:
        self.db, self.path = db, path
        turns = db.execute("SELECT * FROM turns").fetchall()
        self.replies = {row["tip_message_hash"]: row for row in turns}
        self.asked = {row["parent_message_hash"]: row for row in turns}

    def conversation(self, thread: Row) -> ImportedConversation:
        said = [one for row in reversed(list(self._chain(thread))) for one in self._messages(row)]
        tools = _thread_tools(self.db, thread["id"])
        return conversation_of(said, id=str(thread["id"]), path=self.path, title=thread["name"], tools=tools)

    def _chain(self, thread: Row) -> Iterator[Row]:
        """The messages of a thread, from its end back."""
        seen, at = set[str](), thread["tip_message_hash"]
        while at is not None and at not in seen:
            seen.add(at)
            row = self.db.execute("SELECT * FROM messages WHERE hash = ?", (at,)).fetchone()
            if row is None:
                return
            yield row
            at = row["parent_hash"]

    def _messages(self, row: Row) -> Iterator[ChatMessage]:
        return _message(self.db, row, self.replies.get(row["hash"]), self.asked.get(row["hash"]))


def _message(db: sqlite3.Connection, row: Row, reply: Row | None, asked: Row | None) -> Iterator[ChatMessage]:
    content: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    facts = _facts(reply) if reply else known(at=_at(asked) if asked else None)
    for part in db.execute("SELECT * FROM parts WHERE message_hash = ? ORDER BY position", (row["hash"],)).fetchall():
        payload = json.loads(part["payload"]) if part["payload"] else {}
        if part["type"] == "tool_call":
            calls.append({**payload, "id": payload.get("tool_call_id") or f"part-{part['id']}"})
        elif part["type"] == "tool_result":
            yield _result(payload, facts)
        elif part["type"] == "attachment":
            content.append(_attachment(db, payload.get("attachment", {}).get("id")))
        elif part["type"] == "text":
            content.append({"type": "text", "text": _text(db, part, payload)})
    if content or calls:
        yield ChatMessage(role=row["role"], content=content, calls=calls, facts=facts)


def _result(payload: Mapping[str, Any], facts: Mapping[str, Any]) -> ChatMessage:
    id = str(payload.get("tool_call_id") or payload.get("name"))
    output, failed = payload.get("output"), bool(payload.get("exception"))
    return ChatMessage(role="tool", content=str(output or ""), answers=id, failed=failed, facts=facts)


def _text(db: sqlite3.Connection, part: Row, payload: Mapping[str, Any]) -> str:
    """A text: kept whole, or told by literals and the fragments that it is made of."""
    if part["text"] is not None:
        return str(part["text"])
    pieces = payload.get("text_ref") or []
    return "".join(piece.get("literal") or _fragment(db, piece.get("fragment")) for piece in pieces)


def _fragment(db: sqlite3.Connection, id: Any) -> str:
    row = db.execute("SELECT content FROM fragments WHERE id = ?", (id,)).fetchone()
    return str(row["content"]) if row else ""


def _thread_tools(db: sqlite3.Connection, thread: str) -> list[Block]:
    rows = db.execute(
        "SELECT DISTINCT tools.* FROM turn_tools JOIN turns ON turns.id = turn_id JOIN tools ON tools.id = tool_id "
        "WHERE thread_id = ? ORDER BY tools.id",
        (thread,),
    )
    return [_tool(row) for row in rows.fetchall()]


# Responses: a prompt and its reply in one row.


class _Responses:
    """The older tables, as far as a file has them."""

    def __init__(self, db: sqlite3.Connection, path: str, there: set[str]) -> None:
        self.db, self.path, self.there = db, path, there

    def conversation(self, id: str) -> ImportedConversation:
        rows = self._rows("responses", "coalesce(conversation_id, id) = ?", id, order="datetime_utc, rowid")
        names = self._rows("conversations", "id = ?", id)
        said = [one for row in rows for one in self._response(row)]
        system = [self._system(row) for row in rows]
        tools = {tool["name"]: tool for row in rows for tool in self._tools(row["id"])}
        return conversation_of(
            said,
            id=id,
            path=self.path,
            title=names[0]["name"] if names else None,
            system=next(filter(None, reversed(system)), None),
            tools=list(tools.values()),
        )

    def _rows(self, table: str, where: str, value: Any, *, order: str = "rowid") -> list[Row]:
        if table not in self.there:
            return []
        return self.db.execute(f"SELECT * FROM {table} WHERE {where} ORDER BY {order}", (value,)).fetchall()

    def _response(self, row: Row) -> Iterator[ChatMessage]:
        asked = known(at=_at(row))
        for result in self._rows("tool_results", "response_id = ?", row["id"]):
            yield _result(dict(result), asked)
        content = [{"type": "text", "text": text} for text in (*self._fragments("prompt", row["id"]), row["prompt"])]
        content += [_attachment(self.db, one["attachment_id"]) for one in self._attachments(row["id"])]
        content = [part for part in content if part.get("text") != "" and part.get("text", "") is not None]
        if content:
            yield ChatMessage(role="user", content=content, facts=asked)
        calls = [
            {"id": call["tool_call_id"] or f"call-{call['id']}", "name": call["name"], "arguments": call["arguments"]}
            for call in self._rows("tool_calls", "response_id = ?", row["id"])
        ]
        if row["response"] or calls:
            yield ChatMessage(role="assistant", content=row["response"], calls=calls, facts=_facts(row))

    def _system(self, row: Row) -> str:
        return "\n".join(filter(None, (*self._fragments("system", row["id"]), row["system"])))

    def _fragments(self, kind: str, response: str) -> list[str]:
        linked = self._rows(f"{kind}_fragments", "response_id = ?", response, order='"order"')
        return [_fragment(self.db, link["fragment_id"]) for link in linked]

    def _attachments(self, response: str) -> list[Row]:
        return self._rows("prompt_attachments", "response_id = ?", response, order='"order"')

    def _tools(self, response: str) -> list[Block]:
        linked = self._rows("tool_responses", "response_id = ?", response)
        return [_tool(row) for link in linked for row in self._rows("tools", "id = ?", link["tool_id"])]


# What both have.


def _tool(row: Row) -> Block:
    described = {"description": row["description"]} if row["description"] else {}
    return {"name": row["name"], **described, "input_schema": json.loads(row["input_schema"] or '{"type": "object"}')}


def _attachment(db: sqlite3.Connection, id: Any) -> dict[str, Any]:
    """An attachment as OpenAI's part: its bytes, or where they are."""
    row = db.execute("SELECT * FROM attachments WHERE id = ?", (id,)).fetchone()
    kind = str(row["type"] or "") if row else ""
    if row is None or not (row["content"] or row["url"]):
        return {"type": "text", "text": f"[the file {(row['path'] if row else id)!r}, kept elsewhere, left out]"}
    url = row["url"] or f"data:{kind};base64,{base64.b64encode(row['content']).decode()}"
    if kind.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": url}}
    return {"type": "file", "file": {"file_data": url, "filename": str(row["path"] or row["id"][:12])}}


def _at(row: Row) -> float | None:
    told = row["datetime_utc"]
    return Field(str(told), "datetime_utc").time() if told else None


def _facts(row: Row) -> dict[str, Any]:
    """Time, model and usage of a reply; what was cached is told by each provider in its own words."""
    keys = row.keys()
    told = json.loads(row["token_details"]) if row["token_details"] else {}
    read, write = told.get("cache_read_input_tokens") or 0, told.get("cache_creation_input_tokens") or 0
    within = (told.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    prompt = (
        (row["input_tokens"] or 0) + read + write
    )  # Anthropic's input leaves out what was cached, OpenAI's does not
    usage = usage_of(prompt, row["output_tokens"], read=read or within, write=write)
    model = (row["resolved_model"] if "resolved_model" in keys else None) or row["model"]
    return known(at=_at(row), id=str(row["id"]), model=model, usage=usage)
