"""Readers and writers of one store: nobody who reads waits for whoever writes, and nothing half-written is seen."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recording import Recorder
from sash.errors import ConversationClosed
from sash.stores import SqliteStore

DEADLOCK = 30.0
"""Seconds after which a test gives up: nothing here waits that long."""


def beside(work: Callable[[], Any]) -> list[Any]:
    """What work in another thread came to, once it is done."""
    came: list[Any] = []
    thread = threading.Thread(target=lambda: came.append(work()), daemon=True)
    thread.start()
    thread.join(DEADLOCK)
    return came


def test_a_reader_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    """While one thread is in the middle of a write, another reads what stood there before it."""
    store = SqliteStore(tmp_path / "a.db")
    recorder = Recorder(store)
    recorder.say("One.")
    with store.database.writing() as db:
        db.execute("UPDATE turns SET said = 'half of it'")
        assert beside(lambda: [turn.text for turn in recorder.turns()]) == [["One.", "Yes."]]
        assert beside(lambda: len(store.conversations())) == [1]
    recorder.say("Two.")
    assert beside(lambda: [turn.text for turn in recorder.turns()]) == [["One.", "Yes.", "Two.", "Yes."]]
    store.close()


def test_a_writer_does_not_wait_for_a_reader(tmp_path: Path) -> None:
    """Once several threads are at work, a reader in the middle of its snapshot keeps nobody from writing."""
    store = SqliteStore(tmp_path / "a.db")
    recorder = Recorder(store)
    recorder.say("One.")
    with store.database.writing():
        beside(recorder.turns)
    with store.database.reading() as db:
        assert db.one("SELECT count(*) FROM turns")[0] == 2
        assert beside(lambda: recorder.say("Two.").text) == ["Yes."]
        assert db.one("SELECT count(*) FROM turns")[0] == 2, "the snapshot stands"
    assert len(recorder.turns()) == 4
    store.close()


def test_a_closed_store_leaves_no_reader(tmp_path: Path) -> None:
    """A store that was closed while readers had connections of their own is closed for them, too."""
    store = SqliteStore(tmp_path / "a.db")
    recorder = Recorder(store)
    with store.database.writing():
        beside(recorder.turns)
    store.close()
    with pytest.raises(ConversationClosed):
        recorder.turns()
    assert not (tmp_path / "a.db-wal").exists(), "the last connection takes the log along"


def test_redaction_waits_for_readers(tmp_path: Path) -> None:
    """What was redacted while somebody read a snapshot is gone from the log, too, once the reader has left."""
    store = SqliteStore(tmp_path / "a.db")
    recorder = Recorder(store)
    reply = recorder.say("The secret is xylophone.")
    with store.database.writing():
        beside(recorder.turns)
    read, done = threading.Event(), threading.Event()

    def snapshot() -> None:
        with store.database.reading() as db:
            db.one("SELECT count(*) FROM turns")
            read.set()
            done.wait(0.3)

    reader = threading.Thread(target=snapshot, daemon=True)
    reader.start()
    assert read.wait(DEADLOCK)
    store.forgetting.redact(recorder.key, turn=reply.id - 1, reason="", at=5_000.0)
    reader.join(DEADLOCK)
    files = [path.read_bytes() for path in tmp_path.iterdir()]
    assert not any(b"xylophone" in content for content in files)
    store.close()
