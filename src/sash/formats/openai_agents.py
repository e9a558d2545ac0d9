"""OpenAI Agents' SQLite sessions (`SQLiteSession`): tables `agent_sessions` and `agent_messages`, items as JSON.

Every session is a conversation; its items are those of the Responses API. Source: openai-agents 0.24, whose own class
made the samples that this was tried on. A row that holds no JSON is left out and named.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

from sash.formats.legality import HistoryProblem
from sash.formats.openai import turns_of_items
from sash.formats.reading import Field
from sash.formats.values import ImportedConversation

TABLES = frozenset({"agent_sessions", "agent_messages"})


def conversations(db: sqlite3.Connection, path: str) -> Iterator[ImportedConversation | HistoryProblem]:
    """One for each session, in order of their beginning."""
    for row in db.execute("SELECT session_id FROM agent_sessions ORDER BY created_at, session_id").fetchall():
        yield from _session(db, str(row["session_id"]), path)


def _session(db: sqlite3.Connection, id: str, path: str) -> Iterator[ImportedConversation | HistoryProblem]:
    rows = db.execute("SELECT * FROM agent_messages WHERE session_id = ? ORDER BY id", (id,)).fetchall()
    items: list[Field] = []
    times: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        name = f"agent_messages.{row['id']}"
        try:
            value = json.loads(row["message_data"])
        except ValueError as error:
            yield HistoryProblem(text=f"{name}, of the session {id!r}, is no JSON ({error}); left out")
            continue
        items.append(Field(value, path, name=name))
        times[name] = {"at": Field(str(row["created_at"]), path, name=f"{name}.created_at").time()}
    history = turns_of_items(items, lambda item: times[item.name])
    if not history.turns:
        yield HistoryProblem(text=f"the session {id!r} holds no message; left out")
        return
    yield ImportedConversation(id=id, system=history.system, turns=history.turns, notes=history.notes)
