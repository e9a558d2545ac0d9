"""Places in line are renewed while their process lives, and outlive neither it nor their time."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from children import ended, enter, started
from lines import lose_places, ticket
from recording import Recorder
from sash import SqliteStore
from sash.errors import StoreUnavailable
from sash.model.leases import Place
from sash.stores import leases, processes


def until(store: Any) -> float:
    """When the first place runs out, in unix seconds."""
    with store.database.reading() as db:
        return float(db.one("SELECT until FROM leases ORDER BY id LIMIT 1")["until"])


def test_a_thread_renews_what_is_held_and_ends_with_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place whose time has run out is given time again while its holder lives; when none is left, no thread is."""
    renewals = leases._Renewals()
    monkeypatch.setattr(leases, "EVERY", 0.001)
    monkeypatch.setattr(leases, "_renewals", renewals)
    record = Recorder(SqliteStore(path))
    mine = ticket(record.key)
    record.store.leases.enter(mine)
    lose_places(record.store, renewed=True)
    while until(record.store) == 0:
        time.sleep(0.001)
    thread = renewals._thread
    record.store.leases.leave(mine)
    assert thread is not None
    thread.join()
    assert renewals._thread is None
    record.store.close()


@pytest.mark.parametrize("elsewhere", [False, True])
def test_who_has_died_is_out_of_line_if_that_can_be_told(
    elsewhere: bool, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where its process ran, at once; on another machine, when its time has run out."""
    record = Recorder(SqliteStore(path))
    assert ended(started(enter, path, record.key)) == [0]
    if elsewhere:
        monkeypatch.setattr(processes, "machine", lambda: "elsewhere")
    mine = ticket(record.key)
    assert record.store.leases.enter(mine) == Place(ahead=int(elsewhere))
    lose_places(record.store)
    assert record.store.leases.place(mine) == Place(ahead=0)
    record.store.close()


def test_a_place_that_could_not_be_given_back_is_void(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that was full at the end of a call keeps nobody of the process waiting, through whatever object."""
    record, other = Recorder(SqliteStore(path)), SqliteStore(path)
    record.store.leases.enter(mine := ticket(record.key))

    def full() -> Any:
        raise StoreUnavailable("database or disk is full", path=str(path))

    with monkeypatch.context() as patched, pytest.raises(StoreUnavailable):
        patched.setattr(record.store.database, "passing", full)
        record.store.leases.leave(mine)
    assert other.leases.enter(ticket(record.key)) == Place(ahead=0)
    record.store.close()
    other.close()


@pytest.mark.usefixtures("no_renewals")
def test_places_are_not_waited_for_by_the_disk(path: Path) -> None:
    """A place is written without waiting for the disk, and what is written next is waited for again."""
    record, said = Recorder(SqliteStore(path)), list[str]()
    sqlite = record.store.database._sqlite
    sqlite.set_trace_callback(said.append)
    record.store.leases.enter(mine := ticket(record.key))
    sqlite.set_trace_callback(None)
    assert said[0] == "PRAGMA synchronous = NORMAL"
    assert sqlite.execute("PRAGMA synchronous").fetchone()[0] == 2
    record.store.leases.leave(mine)
    record.store.close()
