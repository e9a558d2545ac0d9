"""How many sends a second one process serves, beside a loop written by hand; how long the event loop is held."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anthropic

import sash
from benchmarks.speed.measuring import FULL, MODEL, WORDS_ALONE, Answering, Cpu, Row, async_client, said
from sash import AsyncConversation

BEFORE = 10
"""Exchanges that each conversation has before it is measured."""
EACH = 3
"""Sends of each conversation that are measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What a number of sends took."""

    sends: int
    seconds: float
    cpu: float
    """milliseconds in all"""


def served(sizes: list[int]) -> Iterator[Row]:
    """For each number of concurrent conversations: sends a second and CPU for each send, ours and by hand."""
    for number in sizes:
        with tempfile.TemporaryDirectory() as folder:
            held: list[float] = []
            ours = asyncio.run(_ours(Path(folder) / "ours.db", number, held))
            raw = asyncio.run(_by_hand(Path(folder) / "raw.db", number))
        size = f"{number} conversations"
        yield Row(
            what="sends a second", size=size, ours=ours.sends / ours.seconds, unit="1/s",
            beside="raw loop", theirs=raw.sends / raw.seconds, goal=">= 0.65",
        )  # fmt: skip
        yield Row(
            what="CPU of a send", size=size, ours=ours.cpu / ours.sends, unit="ms",
            beside="raw loop", theirs=raw.cpu / raw.sends, goal="1.54",
        )  # fmt: skip
        p99 = statistics.quantiles(held, n=100)[-1] * 1_000
        yield Row(what="event loop held, p99", size=size, ours=p99, unit="ms", goal="5")


async def _ours(path: Path, number: int, held: list[float]) -> Served:
    store, claude = sash.open(path), async_client(Answering())
    chats = [
        AsyncConversation(store, id=f"c{i}", model=MODEL, recall=WORDS_ALONE, client=claude) for i in range(number)
    ]
    first = chats[0]
    for at, chat in enumerate(chats):
        await chat.extend(_exchanges(at))
    for at, chat in enumerate(chats):
        await chat.send(_asked(at, 0))

    async def talk(at: int) -> None:
        for turn in range(EACH):
            await chats[at].send(_asked(at, turn))

    with _watching(held):
        done = await _timed(number, talk)
    await asyncio.gather(*(chat.close() for chat in chats[1:]))
    await first.close()
    store.close()
    return done


def _exchanges(at: int) -> list[Any]:
    """What was said in a conversation before; no other begins with it, so that none finds it in the cache."""
    return [{"role": ("user", "assistant")[i % 2], "content": _asked(at, i)} for i in range(2 * BEFORE)]


def _asked(at: int, turn: int) -> str:
    return said(1_000 * at + turn)


async def _timed(number: int, talk: Callable[[int], Awaitable[None]]) -> Served:
    cpu, began = Cpu(), time.perf_counter()
    await asyncio.gather(*(talk(at) for at in range(number)))
    return Served(sends=number * EACH, seconds=time.perf_counter() - began, cpu=cpu.milliseconds())


class _watching:  # noqa: N801 - used as a function
    """Notes how long each callback of the event loop holds it, in seconds."""

    def __init__(self, held: list[float]) -> None:
        self._held, self._run = held, asyncio.Handle._run

    def __enter__(self) -> None:
        run, held = self._run, self._held

        def timed(self: asyncio.Handle) -> None:
            began = time.thread_time()
            run(self)
            held.append(time.thread_time() - began)

        asyncio.Handle._run = timed  # type: ignore[method-assign]

    def __exit__(self, *_: object) -> None:
        asyncio.Handle._run = self._run  # type: ignore[method-assign]


class Raw:
    """The loop by hand: one read, the SDK's call, two committed inserts with a full-text index by trigger."""

    def __init__(self, path: Path, claude: anthropic.AsyncAnthropic) -> None:
        self._claude, self._lock = claude, threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        for statement in _SCHEMA:
            self._db.execute(statement)

    def write(self, conversation: int, role: str, content: str) -> None:
        """Insert one turn, for good."""
        with self._lock:
            self._db.execute("INSERT INTO turns (c, role, content) VALUES (?, ?, ?)", (conversation, role, content))

    def read(self, conversation: int) -> list[Any]:
        """What was said in a conversation."""
        with self._lock:
            rows = self._db.execute("SELECT role, content FROM turns WHERE c = ? ORDER BY id", (conversation,))
            return [{"role": role, "content": json.loads(content)} for role, content in rows]

    async def send(self, conversation: int, text: str) -> None:
        """Say something and record the reply."""
        asked = json.dumps([{"type": "text", "text": text}])
        await asyncio.to_thread(self.write, conversation, "user", asked)
        messages = await asyncio.to_thread(self.read, conversation)
        reply = await self._claude.messages.create(model=MODEL, max_tokens=8_192, messages=messages)
        answer = json.dumps([block.to_dict() for block in reply.content])
        await asyncio.to_thread(self.write, conversation, "assistant", answer)


_SCHEMA = (
    "PRAGMA journal_mode = WAL",
    f"PRAGMA synchronous = {FULL}",
    "CREATE TABLE turns (id INTEGER PRIMARY KEY, c INTEGER NOT NULL, role TEXT NOT NULL, content TEXT NOT NULL)",
    "CREATE INDEX turns_c ON turns (c, id)",
    "CREATE VIRTUAL TABLE turns_fts USING fts5 (content, content='turns', content_rowid='id')",
    """CREATE TRIGGER written AFTER INSERT ON turns BEGIN
        INSERT INTO turns_fts (rowid, content) VALUES (new.id, new.content); END""",
)


async def _by_hand(path: Path, number: int) -> Served:
    raw = Raw(path, async_client(Answering()))
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(8))
    for at in range(number):
        for message in _exchanges(at):
            raw.write(at, message["role"], json.dumps([{"type": "text", "text": message["content"]}]))
        await raw.send(at, _asked(at, 0))

    async def talk(at: int) -> None:
        for turn in range(EACH):
            await raw.send(at, _asked(at, turn))

    with _watching([]):  # its clock takes time, too: both pay for it
        return await _timed(number, talk)
