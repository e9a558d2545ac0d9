"""A storm of kills: clients killed in the middle of whatever they do, the server crashed, and everything looked for.

    python -m benchmarks.kills [--store sqlite postgres] [--kills 1000] [--crashes 20] [--clients 4] [--json]

Clients send, stream, run tools, fork, extend and recall on shared conversations, and note each call that returned.
Each is killed (SIGKILL) at a random moment and replaced; the PostgreSQL server is crashed and started again meanwhile.
Afterwards every turn that was acknowledged must stand in the record once, with its reply; no turn may stand there
twice; every request must rebuild to the bytes that were sent; and every conversation must go on.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

from rich.console import Console
from rich.table import Table

import sash
from benchmarks.kills_client import MODEL, live
from benchmarks.postgres import Server
from sash.planning.digest import body_hash
from sash.planning.view import body
from sash.simulator import Simulator

CONTEXT = multiprocessing.get_context("forkserver")
LONGEST = 0.8
"""Seconds that a client lives at most, once it is at work."""
MARK = re.compile(r"mark[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one storm left."""

    store: str
    kills: int
    crashes: int
    seconds: float
    acknowledged: int
    """turns that a client was told were recorded"""
    lost: int
    doubled: int
    unanswered: int
    """acknowledged turns without their reply behind them"""
    requests: int
    broken: int
    """requests that do not rebuild to what was sent"""
    beside: int
    """replies on a branch of their own"""
    stuck: int
    """conversations that do not go on"""
    errors: dict[str, int]
    """typed errors that clients met, by name"""
    examples: dict[str, str]
    """the first error of each name, in its own words"""
    untyped: list[str]


class Storm:
    """Clients at work on a record, and whoever kills them."""

    def __init__(self, where: str, url: str, folder: Path, *, clients: int, conversations: int, seed: int) -> None:
        self._where, self._url, self._folder, self._conversations = where, url, folder, conversations
        self._chance = Random(seed)
        self._lives = 0
        self._clients = [self._born() for _ in range(clients)]

    def _born(self) -> tuple[Any, Path]:
        self._lives += 1
        notes = self._folder / f"{self._lives}.notes"
        process = CONTEXT.Process(target=live, args=(self._where, self._url, notes, self._conversations), daemon=True)
        process.start()
        return process, notes

    def kill(self) -> None:
        """Kill one client some moment after it began to work; another takes its place."""
        at = self._chance.randrange(len(self._clients))
        process, notes = self._clients[at]
        while not notes.exists() and process.is_alive():
            time.sleep(0.005)
        time.sleep(self._chance.uniform(0, LONGEST / len(self._clients)))
        process.kill()
        process.join()
        self._clients[at] = self._born()

    def end(self) -> None:
        """Kill them all."""
        for process, _ in self._clients:
            process.kill()
            process.join()


def storm(store: str, *, kills: int, crashes: int, clients: int, conversations: int, seed: int) -> Outcome:
    """One storm, and what it left."""
    began = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        where, server = _place(store, folder, stack)
        url = stack.enter_context(Simulator().serve())
        sash.open(where).close()
        raging = Storm(where, url, folder, clients=clients, conversations=conversations, seed=seed)
        due = [(number + 1) * kills // (crashes + 1) for number in range(crashes)] if server else []
        for number in range(kills):
            raging.kill()
            if server is not None and number in due:
                server.crash()
        raging.end()
        return _looked_for(where, url, folder, store, kills, len(due), began)


def _place(store: str, folder: Path, stack: ExitStack) -> tuple[str, Server | None]:
    if store == "sqlite":
        return str(folder / "record.db"), None
    server = Server()
    stack.callback(server.stop)
    return server.url(), server


def _looked_for(where: str, url: str, folder: Path, store: str, kills: int, crashes: int, began: float) -> Outcome:
    notes = [json.loads(line) for path in folder.glob("*.notes") for line in path.read_text().splitlines()]
    acknowledged = {note["mark"]: note["how"] for note in notes if "mark" in note}
    with closing(sash.open(where)) as opened:
        found, answered = _marks(opened)
        requests, broken = _rebuilt(opened)
        with _rows(opened, "SELECT count(*) FROM branches WHERE reason = 'conflict'") as rows:
            beside = rows[0][0]
        stuck = _stuck(opened, url)
    return Outcome(
        store=store,
        kills=kills,
        crashes=crashes,
        seconds=round(time.monotonic() - began, 1),
        acknowledged=len(acknowledged),
        lost=sum(mark not in found for mark in acknowledged),
        doubled=sum(times > 1 for times in found.values()),
        unanswered=sum(mark not in answered for mark in acknowledged),
        requests=requests,
        broken=broken,
        beside=beside,
        stuck=stuck,
        errors=dict(Counter(note["error"] for note in notes if "error" in note)),
        examples={note["error"]: note["said"] for note in reversed(notes) if "error" in note},
        untyped=[note["untyped"] for note in notes if "untyped" in note],
    )


@contextmanager
def _rows(store: Any, query: str) -> Iterator[list[Any]]:
    with store.database.reading() as db:
        yield db.all(query)


def _marks(store: Any) -> tuple[Counter[str], set[str]]:
    """How often each marked question stands in the record, and which have a turn of Claude's behind them."""
    with _rows(store, "SELECT branch_id, seq, role, plain, text FROM turns ORDER BY branch_id, seq") as rows:
        turns = [tuple(row) for row in rows]
    replies = {(branch, seq) for branch, seq, role, *_ in turns if role == "assistant"}
    asked = [(mark, branch, seq) for branch, seq, _, plain, text in turns if plain for mark in MARK.findall(text)]
    return Counter(mark for mark, _, _ in asked), {mark for mark, at, seq in asked if (at, seq + 1) in replies}


def _rebuilt(store: Any) -> tuple[int, int]:
    """How many requests there are, and how many of them do not rebuild."""
    with _rows(store, "SELECT conversation_id, number FROM requests") as rows:
        sent = [tuple(row) for row in rows]
    broken = 0
    for conversation, number in sent:
        request, epoch, turns = store.requests.read(conversation, number=number)
        broken += body_hash(body(epoch, turns, request.sent)) != request.body_hash
    return len(sent), broken


def _stuck(store: Any, url: str) -> int:
    """How many conversations do not answer one more question."""
    import anthropic  # noqa: PLC0415

    client = anthropic.Anthropic(base_url=url, api_key="x", max_retries=0)
    stuck = 0
    for info in store.conversations(limit=1_000_000):
        with sash.Conversation(store, id=info.id, model=MODEL, client=client, max_tokens=300, max_wait=120) as chat:
            reply = chat.send("Are you still there?")
            stuck += not reply.text
    return stuck


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", nargs="+", choices=("sqlite", "postgres"), default=["sqlite", "postgres"])
    parser.add_argument("--kills", type=int, default=1_000)
    parser.add_argument("--crashes", type=int, default=20)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--conversations", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)  # it tells of every crash
    CONTEXT.set_forkserver_preload(["benchmarks.kills_ready"])
    terms = {name: getattr(asked, name) for name in ("kills", "crashes", "clients", "conversations", "seed")}
    found = [asdict(storm(store, **terms)) for store in asked.store]
    if asked.json:
        print(json.dumps(found, indent=1))
        return
    table = Table("", *(one["store"] for one in found))
    for name in (name for name in list(found[0])[1:] if name != "examples"):
        table.add_row(name, *(str(one[name]) for one in found))
    Console().print(table)


if __name__ == "__main__":
    main()
