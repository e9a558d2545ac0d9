"""Threads that wait for one another to write share a commit, and nothing else: each is told what became of its own."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from children import ended, started
from sash.errors import StoreUnavailable
from sash.stores import SqliteStore, database
from sash.stores.transaction import Transaction

PATIENCE = 30.0
"""Seconds after which a test gives up: nothing here waits that long."""
ADD = "INSERT INTO alerts VALUES (?, 0)"


class Threads:
    """Writers in threads of their own, and what each was told: None, or its error."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self._threads: list[threading.Thread] = []
        self.told: dict[str, BaseException | None] = {}

    def write(self, name: str, work: Callable[[Transaction], Any] = lambda _: None, how: str = "writing") -> None:
        """Have a thread write a row of this name, and do more work within the same transaction."""
        thread = threading.Thread(target=self._write, args=(name, work, how), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _write(self, name: str, work: Callable[[Transaction], Any], how: str) -> None:
        try:
            with getattr(self._store.database, how)() as db:
                db.execute(ADD, (name,))
                work(db)
            self.told[name] = None
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - it is what was told
            self.told[name] = error

    def wait_until_waiting(self, number: int) -> None:
        """Until so many threads wait to write."""
        until(lambda: self._store.database._waiting.number == number)

    def join(self) -> dict[str, BaseException | None]:
        """What all were told, once they are through."""
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
        return self.told


def until(true: Callable[[], bool]) -> None:
    """Wait for it."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def rows(store: SqliteStore) -> set[str]:
    """What stands in the file, as another program sees it."""
    with closing(sqlite3.connect(store.path)) as other:
        return {name for (name,) in other.execute("SELECT name FROM alerts")}


@contextmanager
def commits(store: SqliteStore) -> Iterator[list[str]]:
    """The commits that a store makes meanwhile."""
    seen: list[str] = []
    connection = store.database._sqlite
    connection.set_trace_callback(lambda statement: seen.append(statement) if statement == "COMMIT" else None)
    yield seen
    connection.set_trace_callback(None)


def fail(_: Transaction) -> None:
    """What goes wrong in the middle of a transaction."""
    raise ValueError("not this one")


def together(store: SqliteStore, *later: tuple[str, Callable[[Transaction], Any], str]) -> Threads:
    """A first writer, and others that wait for it; it ends once all of them do."""
    threads = Threads(store)
    threads.write("first", lambda _: threads.wait_until_waiting(len(later)))
    until(lambda: store.database._group is not None)
    for one in later:
        threads.write(*one)
    return threads


def test_writers_that_wait_for_one_another_share_a_commit(store: SqliteStore) -> None:
    """Those that wait while one writes are made durable by a single commit, whether that must outlast a power cut or
    not."""
    with commits(store) as seen:
        told = together(store, ("a", id, "writing"), ("b", id, "passing"), ("c", id, "writing")).join()
    assert told == dict.fromkeys(("first", "a", "b", "c"))
    assert rows(store) == {"first", "a", "b", "c"}
    assert seen == ["COMMIT"]


def test_nobody_is_told_before_the_commit(store: SqliteStore) -> None:
    """A writer whose commit is left to another one waits until that has been made."""
    go = threading.Event()
    threads = together(store, ("last", lambda _: go.wait(PATIENCE), "writing"))
    until(lambda: store.database._waiting.number == 0)
    time.sleep(0.05)
    assert threads.told == {}
    assert rows(store) == set()
    go.set()
    assert threads.join() == {"first": None, "last": None}
    assert rows(store) == {"first", "last"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_one_that_fails_takes_back_its_own_alone(store: SqliteStore, error: type[BaseException]) -> None:
    """Of transactions that share a commit, one that raises leaves nothing behind, and the others stand."""

    def strike(_: Transaction) -> None:
        raise error

    told = together(store, ("a", id, "writing"), ("bad", strike, "writing"), ("b", id, "writing")).join()
    assert {name: type(one) for name, one in told.items() if one} == {"bad": error}
    assert rows(store) == {"first", "a", "b"}


def test_a_first_one_that_fails_leaves_the_others_alone(store: SqliteStore) -> None:
    """Whoever waited for a transaction that raised begins anew."""
    threads = Threads(store)

    def wait_and_fail(db: Transaction) -> None:
        threads.wait_until_waiting(2)
        fail(db)

    threads.write("first", wait_and_fail)
    until(lambda: store.database._group is not None)
    threads.write("a")
    threads.write("b")
    told = threads.join()
    assert {name: type(one) for name, one in told.items() if one} == {"first": ValueError}
    assert rows(store) == {"a", "b"}


def dangle(db: Transaction) -> None:
    """Write what is only found wrong by the commit."""
    db.execute("PRAGMA defer_foreign_keys = ON")
    db.execute("INSERT INTO pins VALUES (1, 1, 0)")


TOGETHER = r"together with others, and none of them was: (.*); try again; .*\. Nothing of this step was written$"
"""What each is told whose commit was shared and failed, and why."""


def reasons(told: dict[str, BaseException | None]) -> dict[str, str]:
    """Why the commit that they shared failed, for each that was told so."""
    found = {name: re.search(TOGETHER, str(error)) for name, error in told.items()}
    return {name: one[1] for name, one in found.items() if one}


def test_a_commit_that_fails_is_told_to_all(store: SqliteStore) -> None:
    """Where the commit itself fails, each of those that share it is told so, nothing is written, and what was
    remembered meanwhile is forgotten."""
    forgotten: list[int] = []
    store.database.when_undone(lambda: forgotten.append(1))
    told = together(store, ("a", id, "writing"), ("bad", dangle, "writing"), ("b", id, "writing")).join()
    assert {type(one) for one in told.values()} == {StoreUnavailable}
    assert len(set(map(id, told.values()))) == 4, "an error is raised once"
    assert reasons(told) == dict.fromkeys(told, "FOREIGN KEY constraint failed")
    assert rows(store) == set()
    assert forgotten
    with store.database.writing() as db:
        db.execute(ADD, ("later",))
    assert rows(store) == {"later"}


def test_a_commit_of_its_own_that_fails_is_told_as_such(store: SqliteStore) -> None:
    """Nobody else is spoken of where a transaction is committed alone."""
    told = together(store, ("bad", dangle, "erasing")).join()
    assert told["first"] is None
    assert str(told["bad"]).startswith(f"{store.path!r}: FOREIGN KEY constraint failed; check ")


@pytest.mark.parametrize("then", [id, fail])
def test_what_sqlite_took_back_is_told_to_all(store: SqliteStore, then: Callable[[Any], Any]) -> None:
    """Where SQLite rolls back the whole transaction, nobody who shared it is told to have written."""

    def lose(db: Transaction) -> None:
        db.execute("ROLLBACK")  # as SQLite does by itself when a disk fails
        then(db)

    told = together(store, ("bad", lose, "writing")).join()
    assert type(told["first"]) is StoreUnavailable
    assert type(told["bad"]) is (ValueError if then is fail else StoreUnavailable)
    assert reasons(told)["first"] == "a transaction was interrupted before its commit", "not what another one raised"
    assert rows(store) == set()


def test_what_was_struck_down_half_way_is_never_committed(store: SqliteStore) -> None:
    """A transaction that is interrupted where it should be taken back is not committed with those that share it; who
    was interrupted hears of that."""

    def strike() -> bool:
        raise KeyboardInterrupt

    def fail_for_good(_: Transaction) -> None:
        group = store.database._group
        assert group is not None
        group.undo = strike  # type: ignore[method-assign]
        raise ValueError("half of it stays")

    told = together(store, ("half", fail_for_good, "writing")).join()
    assert {name: type(one) for name, one in told.items()} == {"first": StoreUnavailable, "half": KeyboardInterrupt}
    assert rows(store) == set()


def test_one_who_is_left_alone_commits_by_itself(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that left its commit to another, who was struck down while waiting, makes it itself."""
    monkeypatch.setattr(database, "LONGEST", 0.01)
    store.database._crowded = True
    with store.database._waiting:
        with store.database.writing() as db:
            db.execute(ADD, ("alone",))
        assert rows(store) == {"alone"}


def test_whoever_wants_the_database_alone_finds_nothing_uncommitted(store: SqliteStore) -> None:
    """What is erased, and what is written while nothing is checked, is a transaction of its own."""
    with commits(store) as seen:
        assert together(store, ("a", id, "erasing")).join() == {"first": None, "a": None}
    assert seen == ["COMMIT", "COMMIT"]
    assert rows(store) == {"first", "a"}


def test_closing_commits_what_waits_for_it(tmp_path: Path) -> None:
    """A store that is closed while a commit is left to somebody makes it first."""
    store = SqliteStore(tmp_path / "a.db")
    store.database._crowded = True
    threads = Threads(store)
    with store.database._waiting:
        threads.write("one")
        until(lambda: store.database._group is not None)
        store.close()
    assert threads.join() == {"one": None}
    assert rows(store) == {"one"}


@pytest.mark.parametrize("how", ["writing", "passing", "erasing", "unchecked"])
def test_a_transaction_within_another_is_refused(store: SqliteStore, how: str) -> None:
    """What a signal handler writes while its thread writes is refused, and leaves that transaction whole."""
    with store.database.writing() as db:
        db.execute(ADD, ("before",))
        with pytest.raises(StoreUnavailable, match="within a transaction"), getattr(store.database, how)():
            pass
        assert rows(store) == set()
        db.execute(ADD, ("behind",))
    assert rows(store) == {"before", "behind"}


class Late:
    """A lock whose next one to try it does so only after something else has happened."""

    def __init__(self, lock: Any, first: Callable[[], None]) -> None:
        self._lock, self._first = lock, [first]
        self.release = lock.release

    def acquire(self, blocking: bool = True) -> bool:
        """Take it."""
        if self._first:
            self._first.pop()()
        return bool(self._lock.acquire(blocking))

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_who_thought_itself_alone_does_not_read_what_is_left_to_be_committed(store: SqliteStore) -> None:
    """A reader that finds no other thread at work, while two begin to write, reads what is committed."""
    threads = Threads(store)

    def crowd() -> None:
        store.database._crowded = True
        threads.write("left")
        until(lambda: store.database._group is not None and store.database._group._left is not None)

    store.database._lock = Late(store.database._lock, crowd)  # type: ignore[assignment]
    with store.database._waiting, store.database.reading() as db:
        assert db.one("SELECT count(*) FROM alerts")[0] == 0
    assert threads.join() == {"left": None}


def write_for_ever(path: Path, told: Path) -> None:
    """Write in several threads, and note each row that was acknowledged."""
    store, notes = SqliteStore(path), os.open(told, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(at: int) -> None:
        for number in count():
            with getattr(store.database, ("writing", "passing")[number % 2])() as db:
                db.execute(ADD, (f"{at} {number}",))
            os.write(notes, f"{at} {number}\n".encode())

    for at in range(5):
        threading.Thread(target=write, args=(at,)).start()


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    """Of a process that is killed while its threads share commits, each row that one was told of is in the file."""
    path, told = tmp_path / "a.db", tmp_path / "told"
    writer = started(write_for_ever, path, told)
    until(lambda: told.exists() and told.stat().st_size > 1_000)
    writer.kill()
    assert ended(writer) == [-signal.SIGKILL]
    with closing(SqliteStore(path)) as store, store.database.reading() as db:
        assert db.one("PRAGMA integrity_check")[0] == "ok"
        assert set(told.read_text(encoding="ascii").splitlines()) <= rows(store)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.lists(st.tuples(st.sampled_from(("writing", "passing")), st.booleans()), max_size=6), max_size=6))
def test_each_is_told_what_became_of_its_own(plans: list[list[tuple[str, bool]]]) -> None:
    """Whatever several threads write and whichever of it fails: what stands in the file is what was told to stand."""
    kept: set[str] = set()

    def walk(store: SqliteStore, at: int) -> None:
        for number, (how, fails) in enumerate(plans[at]):
            with suppress(ValueError):
                with getattr(store.database, how)() as db:
                    db.execute(ADD, (f"{at} {number}",))
                    if fails:
                        fail(db)
                if f"{at} {number}" in rows(store):
                    kept.add(f"{at} {number}")

    with tempfile.TemporaryDirectory() as folder, closing(SqliteStore(Path(folder) / "a.db")) as store:
        walkers = [threading.Thread(target=walk, args=(store, at)) for at in range(len(plans))]
        for walker in walkers:
            walker.start()
        for walker in walkers:
            walker.join(PATIENCE)
        meant = {f"{at} {number}" for at, plan in enumerate(plans) for number, (_, bad) in enumerate(plan) if not bad}
        assert rows(store) == kept == meant
