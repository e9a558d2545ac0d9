"""Cold starts, sizes on disk, and lists over many conversations."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import sash
from benchmarks.speed.measuring import (
    MODEL,
    WORDS,
    WORDS_ALONE,
    Answering,
    Row,
    alternately,
    client,
    exponent,
    record,
    said,
    settled,
)
from benchmarks.speed.requests import talk
from sash import Conversation, Recall
from sash.recall import make_query

BUDGET = 10_000
PAGE = 50
"""Conversations on a page: how lists grow is told of files that fill one."""


def cold(turns: int, rounds: int) -> Iterator[Row]:
    """Opening a file of so many turns and planning, which asks no client, beside a raw read of the same rows."""
    with tempfile.TemporaryDirectory() as folder:
        path, answering = Path(folder) / "speed.db", Answering()
        record(path, turns)
        with talk(path, answering, BUDGET) as chat:
            settled(chat, answering)
            messages = len(chat.plan(said(1)).turns)

        def start() -> None:
            with Conversation(path, id="speed", model=MODEL, budget=BUDGET, keep=BUDGET, recall=WORDS_ALONE) as chat:
                chat.plan(said(1))

        taken = alternately(rounds, cold=start, raw=lambda: _raw(path, messages))
    yield Row(
        what="open and plan, cold", size=f"{turns:,} turns", ours=taken["cold"], unit="ms",
        beside="raw read", theirs=taken["raw"], goal="3.0",
    )  # fmt: skip


def _raw(path: Path, turns: int) -> None:
    connection = sqlite3.connect(path)
    connection.execute("SELECT * FROM turns WHERE branch_id = 1 ORDER BY seq DESC LIMIT ?", (turns,)).fetchall()
    connection.close()


def size(exchanges: int) -> Iterator[Row]:
    """What exchanges that were sent take on disk beside their text: alone, and with vectors of their meaning."""
    text = sum(len(said(number)) + len(f"Yes. {WORDS}") for number in range(exchanges))
    for what, semantic in (("bytes on disk", False), ("bytes, with vectors", True)):
        yield Row(
            what=what, size=f"{exchanges} exchanges", ours=_grown(exchanges, semantic) / exchanges, unit="bytes",
            beside="text", theirs=text / exchanges, goal="" if semantic else "4.0",
        )  # fmt: skip


def _grown(exchanges: int, semantic: bool) -> int:
    """By how many bytes a file grows."""
    with tempfile.TemporaryDirectory() as folder:
        path, answering, recall = Path(folder) / "speed.db", Answering(), Recall(semantic=semantic)
        with Conversation(path, id="speed", budget=BUDGET, recall=recall, client=client(answering)) as chat:
            settled(chat, answering)
        empty = path.stat().st_size
        with Conversation(path, id="speed", budget=BUDGET, recall=recall, client=client(answering)) as chat:
            for number in range(exchanges):
                chat.send(said(number))
            chat.wait_for_background()
        return path.stat().st_size - empty


def lists(sizes: list[int], rounds: int) -> Iterator[Row]:
    """A page of conversations, a search in one tenant, a question to the other conversations of a user and his usage,
    in files of many conversations."""
    taken: dict[str, list[float]] = {}
    for number in sizes:
        with tempfile.TemporaryDirectory() as folder:
            _tenants(Path(folder) / "speed.db", number)
            found = _asked(Path(folder) / "speed.db", rounds)
        for what, time in found.items():
            taken.setdefault(what, []).append(time)
            yield Row(what=f"list: {what}", size=f"{number:,} conversations", ours=time, unit="ms")
    full = [number for number in sizes if number >= PAGE]
    for what, times in taken.items():
        if len(full) > 1:
            flat = exponent(full, times[-len(full) :])
            yield Row(what=f"list: {what}: growth", size="conversations", ours=flat, unit="exponent", goal="0.05")


def _asked(path: Path, rounds: int) -> dict[str, float]:
    store = sash.open(path)
    found = alternately(
        rounds,
        page=lambda: store.conversations(namespace="many"),
        search=lambda: store.search("quick lazy", namespace="one"),
        others=lambda: store.index.elsewhere(0, user="user 0", namespace="one", terms=_ASKED, most=4),
        usage=lambda: store.usage(by=("day", "model"), namespace="many", user="user 1"),
        days=lambda: store.usage(by=("user", "day"), namespace="one"),
    )
    store.close()
    return found


_ASKED = make_query("Which quick fox jumps over the lazy dog?").terms


def _tenants(path: Path, number: int) -> None:
    """A file of one conversation of the tenant "one", and so many copies of another one of the tenant "many"."""
    answering = Answering()
    for namespace in ("one", "many"):
        with Conversation(path, id="c0", namespace=namespace, user="user 0", client=client(answering)) as chat:
            chat.send(said(0))
            chat.send(said(1))
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(f"INSERT INTO turns_fts (turns_fts, rank) VALUES ('hashsize', {FEW_TURNS})")
        for table in ("conversations", "branches", "epochs", "turns", "requests", "counts"):
            _copy(connection, table, number - 1)
        for statement in _AGAIN:
            connection.execute(statement)
        connection.execute("DELETE FROM turns_fts_config WHERE k = 'hashsize'")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


FEW_TURNS = 4_096
"""Bytes of the index written at once: as in use, where turn comes after turn, it grows by many small pieces."""
_AGAIN = (
    "DELETE FROM usage_days",
    """INSERT INTO usage_days SELECT c.namespace, c.owner, date(s.at, 'unixepoch'), s.model, 0, count(*),
        sum(fresh), sum(read), sum(write_5m + write_1h), sum(output), sum(cost), 0
        FROM spending s JOIN conversations c ON c.id = s.conversation_id GROUP BY 1, 2, 3, 4""",
)
"""What is kept of all requests, once they are copied."""
KEYS = {"id", "branch_id", "conversation_id", "epoch_id", "turn_id", "reply_id"}
APART = 10
"""Between the ids of two copies."""


def _copy(connection: sqlite3.Connection, table: str, copies: int) -> None:
    """Copy the rows of the second conversation so many times, each under ids, a name, a user and a time of its own."""
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    theirs = {"conversations": "id = 2", "counts": "turn_id IN (SELECT id FROM turns WHERE conversation_id = 2)"}
    values = [_copied(column) for column in columns]
    connection.execute(
        f"WITH RECURSIVE copy (k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM copy WHERE k < ?) "
        f"INSERT INTO {table} ({', '.join(columns)}) "
        f"SELECT {', '.join(values)} FROM copy, {table} WHERE {theirs.get(table, 'conversation_id = 2')} AND k <= ?",
        (copies, copies),
    )


def _copied(column: str) -> str:
    if column in KEYS:
        return f"{column} + k * {APART}"
    return {"name": "'c' || k", "owner": "'user ' || (k % 50000)", "updated_at": "updated_at - k"}.get(column, column)
