"""The processes of `benchmarks.scale`: each talks in conversations of its own, through sash or in another way."""

from __future__ import annotations

import asyncio
import importlib
import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import psycopg

from sash import Conversation
from sash.simulator import Simulator

MODEL = "claude-sonnet-5-5"
SYSTEM = "You are a patient support agent."
VIEW = 40
"""Turns that the hand-written loop sends."""

TABLES = (
    "CREATE TABLE loop_turns (id TEXT, seq BIGINT, role TEXT, content TEXT, at REAL, PRIMARY KEY (id, seq))",
    "CREATE TABLE loop_requests (id TEXT, seq BIGINT, body TEXT, usage TEXT, PRIMARY KEY (id, seq))",
)
"""What one keeps who writes the loop by hand: turns, and what was sent and billed."""


def question(number: int) -> str:
    """What is said."""
    return f"Question {number}: what of order {1_000 + number}, which never came to Harbour Street?"


def client() -> Any:
    """A client whose Claude answers at once and in few words."""
    simulator = Simulator()
    simulator.script(lambda _: "It is on its way.")
    return simulator.client(max_retries=0)


def with_sash(where: str, names: list[str], sends: int) -> None:
    """So many sends in each conversation, in turn."""
    with client() as claude:
        chats = [
            Conversation(where, id=name, model=MODEL, client=claude, system=SYSTEM, max_tokens=300, memory="none")
            for name in names
        ]
        for number in range(sends):
            for chat in chats:
                chat.send(question(number))
        for chat in chats:
            chat.close()


def by_hand(where: str, names: list[str], sends: int) -> None:
    """The same with statements of one's own: read the newest turns, record, ask, record."""
    connected, sign = _connected(where)
    with client() as claude, connected as db:
        for number in range(sends):
            for name in names:
                _send(db, sign, claude, name, question(number))


def _connected(where: str) -> tuple[AbstractContextManager[Any], str]:
    if where.startswith("postgresql://"):
        return psycopg.connect(where, autocommit=True), "%s"
    db = sqlite3.connect(where, isolation_level=None, timeout=60)
    db.execute("PRAGMA synchronous = FULL")
    return closing(db), "?"


def _send(db: Any, sign: str, claude: Any, name: str, text: str) -> None:
    def run(statement: str, *values: Any) -> Any:
        return db.execute(statement.replace("?", sign), values)

    found = run(
        "SELECT seq, role, content FROM loop_turns WHERE id = ? ORDER BY seq DESC LIMIT ?", name, VIEW
    ).fetchall()[::-1]
    last = found[-1][0] if found else 0
    mine = [{"type": "text", "text": text}]
    before = [{"role": role, "content": json.loads(content)} for _, role, content in found]
    messages = [*before, {"role": "user", "content": mine}]
    body = {"model": MODEL, "max_tokens": 300, "system": SYSTEM, "messages": messages}
    turn = "INSERT INTO loop_turns VALUES (?, ?, ?, ?, ?)"
    run("BEGIN")
    run(turn, name, last + 1, "user", json.dumps(mine), time.time())
    run("INSERT INTO loop_requests VALUES (?, ?, ?, NULL)", name, last + 1, json.dumps(body))
    run("COMMIT")
    reply = claude.messages.create(**body)
    run("BEGIN")
    content = json.dumps([block.to_dict() for block in reply.content])
    run(turn, name, last + 2, "assistant", content, time.time())
    usage = json.dumps(reply.usage.to_dict())
    run("UPDATE loop_requests SET usage = ? WHERE id = ? AND seq = ?", usage, name, last + 1)
    run("COMMIT")


def with_agents_session(where: str, names: list[str], sends: int) -> None:
    """The same through the session of OpenAI's Agents SDK on SQLAlchemy, which keeps what was said and no requests."""
    asyncio.run(_through_sessions(where, names, sends))


async def _through_sessions(where: str, names: list[str], sends: int) -> None:
    make = _load_agents_session()
    engine = _load_sqlalchemy().create_async_engine(where.replace("postgresql://", "postgresql+psycopg://", 1))
    sessions = [make(name, engine=engine, create_tables=True) for name in names]
    with client() as claude:
        for number in range(sends):
            for session in sessions:
                mine = {"role": "user", "content": [{"type": "text", "text": question(number)}]}
                messages = [*(await session.get_items(limit=VIEW)), mine]
                await session.add_items([mine])
                reply = claude.messages.create(model=MODEL, max_tokens=300, system=SYSTEM, messages=messages)
                said = [block.to_dict() for block in reply.content]
                await session.add_items([{"role": "assistant", "content": said}])
    await engine.dispose()


def _load_agents_session() -> Any:
    return importlib.import_module("agents.extensions.memory.sqlalchemy_session").SQLAlchemySession


def _load_sqlalchemy() -> Any:
    return importlib.import_module("sqlalchemy.ext.asyncio")


WAYS: dict[str, Callable[[str, list[str], int], None]] = {
    "sash": with_sash,
    "by hand": by_hand,
    "agents": with_agents_session,
}


def work(way: str, where: str, names: list[str], sends: int, ready: Path, go: Path) -> None:
    """What a process does, once all are ready; in the end `ready` says how many seconds of CPU that took."""
    if way == "agents":
        _load_agents_session(), _load_sqlalchemy()
    ready.touch()
    while not go.exists():
        time.sleep(0.002)
    began = time.process_time()
    WAYS[way](where, names, sends)
    ready.write_text(str(time.process_time() - began))
