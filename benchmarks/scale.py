"""How many, how fast, how deep: both stores beside loops written by hand, on this machine.

    python -m benchmarks.scale [--store sqlite postgres] [--ways sash "by hand"] [--processes 8] [--conversations 25]
                               [--sends 20] [--away 0] [--depths 100 1000 10000 100000] [--json]

Rates: processes with conversations of their own send through sash; then as many do the same by hand-written SQL (read
the newest turns, record the question, ask, record the reply), with the same client and the same Claude, who answers at
once. "ms of CPU" is what a send takes of these processes' own, Claude's part included, however busy the machine is.
`--ways sash "by hand" agents` adds `SQLAlchemySession` of OpenAI's Agents SDK, on PostgreSQL (`pip install
openai-agents "sqlalchemy[asyncio]"`): it keeps what was said, and neither requests nor usage.
`--away 5`: the server is 5 milliseconds away, there and back.
Depth: what it takes to read the window of the next request behind so many turns, and the exponent of its growth.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rich.console import Console
from rich.table import Table

import sash
from benchmarks import far
from benchmarks.postgres import Server
from benchmarks.scale_client import MODEL, TABLES, WAYS, client, question, with_agents_session, work
from benchmarks.speed.measuring import exponent

CONTEXT = multiprocessing.get_context("forkserver")
READS = 40
"""Times that a window is read."""
AT_ONCE = 5_000
"""Turns that are recorded at once to make a conversation deep."""


def rates(
    store: str, ways: Sequence[str], away: float = 0.0, *, processes: int, conversations: int, sends: int
) -> list[dict[str, Any]]:
    """Sends a second in each way, and what is amiss with what was recorded through sash."""
    found = []
    for way in ways:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            where = _place(store, folder, stack, away)
            _prepare(way, where)
            seconds, cpu = _timed(way, where, folder, processes, conversations, sends)
            total = processes * conversations * sends
            row: dict[str, Any] = {"store": store, "way": way, "sends": total, "per second": round(total / seconds, 1)}
            row["ms of CPU"] = round(cpu / total * 1_000, 1)
            found.append(row | (_amiss(where, sends) if way == "sash" else {}))
    return found


def _place(store: str, folder: Path, stack: ExitStack, away: float = 0.0) -> str:
    if store == "sqlite":
        return str(folder / "record.db")
    server = Server()
    stack.callback(server.stop)
    if away:
        socket = stack.enter_context(far.away(server.folder, folder / "far", away))
        return server.url().replace(quote(str(server.folder), safe="/"), quote(socket, safe="/"))
    return server.url()


def _prepare(way: str, where: str) -> None:
    if way == "sash":
        sash.open(where).close()
    elif way == "agents":
        with_agents_session(where, ["tables"], 1)
    elif where.startswith("postgresql://"):
        import psycopg  # noqa: PLC0415

        with psycopg.connect(where, autocommit=True) as db:
            for statement in TABLES:
                db.execute(statement)
    else:
        import sqlite3  # noqa: PLC0415

        with closing(sqlite3.connect(where)) as file:
            file.execute("PRAGMA journal_mode = WAL")
            for statement in TABLES:
                file.execute(statement)


def _timed(way: str, where: str, folder: Path, processes: int, conversations: int, sends: int) -> tuple[float, float]:
    """Seconds from when all processes are ready until all are done, and of their own CPU."""
    go, started = folder / "go", []
    for at in range(processes):
        names = [f"p{at}-{number}" for number in range(conversations)]
        ready = folder / f"ready{at}"
        process = CONTEXT.Process(target=work, args=(way, where, names, sends, ready, go))
        process.start()
        started.append((process, ready))
    while not all(ready.exists() for _, ready in started):
        time.sleep(0.01)
    began = time.monotonic()
    go.touch()
    for process, _ in started:
        process.join()
        if process.exitcode:
            raise SystemExit(f"a process of {way!r} ended with {process.exitcode}")
    return time.monotonic() - began, sum(float(ready.read_text()) for _, ready in started)


def _amiss(where: str, sends: int) -> dict[str, int]:
    """Turns that are lost, doubled or out of order, over all conversations."""
    lost = doubled = disordered = 0
    with closing(sash.open(where)) as store:
        for info in store.conversations(limit=1_000_000):
            turns = store.turns.read(store.branches.open(namespace="", id=info.id).conversation)
            asked = [turn.text for turn in turns if turn.role == "user"]
            expected = [question(number) for number in range(sends)]
            lost += len(set(expected) - set(asked)) + (len(turns) != 2 * len(asked))
            doubled += len(asked) - len(set(asked))
            disordered += asked != expected
    return {"lost": lost, "doubled": doubled, "out of order": disordered}


def depths(store: str, turns: Sequence[int]) -> dict[str, Any]:
    """Milliseconds to read a window behind so many turns (the median, over new store objects), and the exponent."""
    found = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        where = _place(store, folder, stack)
        for depth in turns:
            _deepen(where, f"deep-{depth}", depth)
            found[depth] = _read(where, f"deep-{depth}")
    slope = exponent(list(found), list(found.values())) if len(found) > 1 else 0.0
    return {"store": store, "milliseconds": found, "exponent": round(slope, 3)}


def _deepen(where: str, id: str, depth: int) -> None:
    with client() as claude, sash.Conversation(
        where, id=id, model=MODEL, client=claude, budget=4_000, keep=1_000, memory="none"
    ) as chat:  # fmt: skip
        for first in range(0, depth, AT_ONCE):
            said = [
                {"role": "assistant" if at % 2 else "user", "content": question(at)}
                for at in range(first, min(depth, first + AT_ONCE))
            ]
            chat.extend(said)
        for number in range(3):
            chat.send(question(number))


def _read(where: str, id: str) -> float:
    times = []
    for _ in range(READS):
        with closing(sash.open(where)) as store:
            conversation = store.branches.open(namespace="", id=id).conversation
            began = time.perf_counter()
            store.windows.read(conversation, model=MODEL, preamble=None)
            times.append(time.perf_counter() - began)
    return round(statistics.median(times) * 1_000, 3)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", nargs="+", choices=("sqlite", "postgres"), default=["sqlite", "postgres"])
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=["sash", "by hand"])
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--conversations", type=int, default=25)
    parser.add_argument("--sends", type=int, default=20)
    parser.add_argument("--away", type=float, default=0.0, metavar="MS", help="to a PostgreSQL server and back")
    parser.add_argument("--depths", type=int, nargs="*", default=[100, 1_000, 10_000, 100_000])
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if asked.away and "sqlite" in asked.store:
        parser.error("--away: a file is here; --store postgres")
    if "agents" in asked.ways and ("sqlite" in asked.store or find_spec("agents") is None):
        parser.error("agents: --store postgres, and pip install openai-agents 'sqlalchemy[asyncio]'")
    CONTEXT.set_forkserver_preload(["benchmarks.scale_ready"])
    terms = {name: getattr(asked, name) for name in ("processes", "conversations", "sends")}
    rows = [row for store in asked.store for row in rates(store, asked.ways, asked.away, **terms)]
    deep = [depths(store, asked.depths) for store in asked.store if asked.depths]
    if asked.json:
        print(json.dumps({"rates": rows, "depths": deep}, indent=1))
        return
    _show(rows, deep)


def _show(rows: Sequence[dict[str, Any]], deep: Sequence[dict[str, Any]]) -> None:
    columns = ("store", "way", "sends", "per second", "ms of CPU", "lost", "doubled", "out of order")
    table = Table(*columns)
    for row in rows:
        table.add_row(*(str(row.get(name, "")) for name in columns))
    Console().print(table)
    for one in deep:
        told = ", ".join(f"{depth:,}: {taken:.2f} ms" for depth, taken in one["milliseconds"].items())
        Console().print(f"{one['store']}: a window read behind {told}; exponent {one['exponent']:+.3f}")


if __name__ == "__main__":
    main()
