"""A bill that differs from its prediction is explained and stored."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from sash import Conversation, MemoryStore
from sash.simulator import Simulator

LONG = "You are the help desk of a bakery. " * 120


def test_a_bill_as_expected_is_no_surprise() -> None:
    """While the cache does what was expected, no request is remarked on, cold ones included."""
    sim = Simulator()
    with Conversation(client=sim.client(), clock=sim.clock.now, system=LONG) as chat:
        for gap in (10, 10, 400, 10, 4_000, 10):
            sim.clock.advance(gap)
            assert chat.send("Tell me about the walnut cake of today, please.").surprise == ""


def test_a_lost_entry_is_named_and_stored(tmp_path: Path) -> None:
    """When the cache forgets early, the reply says by how much and why, and the file's view lists the request."""
    first, second = Simulator(), Simulator()
    with Conversation(tmp_path / "a.db", id="me", client=first.client(), system=LONG) as chat:
        chat.send("One.")
        chat.send("Two.")
    with Conversation(tmp_path / "a.db", id="me", client=second.client()) as chat:
        reply = chat.send("Three.")
    assert "less read" in reply.surprise and "gone" in reply.surprise
    with closing(sqlite3.connect(tmp_path / "a.db")) as db:
        assert db.execute("SELECT number, surprise FROM cache_misses").fetchall() == [(3, reply.surprise)]


def test_a_warmer_cache_than_known_is_named() -> None:
    """A prefix that another record's conversation wrote is read although we knew nothing of it."""
    sim = Simulator()
    with Conversation(MemoryStore(), client=sim.client(), system=LONG) as one:
        one.send("One.")
    with Conversation(MemoryStore(), client=sim.client(), system=LONG) as other:
        assert "another conversation" in other.send("Something else.").surprise
