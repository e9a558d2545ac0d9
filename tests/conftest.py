"""What all tests share: stores, a simulator and conversations on it, and which tests wait to be asked for."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy  # noqa: F401, ICN001 - `pytest.approx` peeks at it, half imported beside a conversation or not
import pytest

import servers
from sash import Conversation, MemoryStore, SqliteStore
from sash.simulator import Simulator
from sash.stores.database import SqliteDatabase
from sash.stores.leases import Leases
from sash.stores.postgres.store import PostgresStore

pytest_plugins = ("searching",)

MEMORY = Path("/dev/shm")
ROOM = 2 * 1024**3
"""Bytes that must be free there."""


def pytest_configure() -> None:
    """Files of tests live in memory where there is room: what a disk does after a power cut is no law of theirs."""
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK) or shutil.disk_usage(MEMORY).free < ROOM:
        return
    vocabularies = Path(tempfile.gettempdir()) / "data-gym-cache"
    if vocabularies.is_dir():
        os.environ.setdefault("TIKTOKEN_CACHE_DIR", str(vocabularies))
    os.environ["TMPDIR"], tempfile.tempdir = str(MEMORY), None


@pytest.fixture(scope="session")
def empty_record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A record in which nothing was said yet."""
    path = tmp_path_factory.mktemp("empty") / "record.db"
    SqliteStore(path).close()
    return path


@pytest.fixture(autouse=True)
def new_records_are_copies(empty_record: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new record is a copy of an empty one: tables take longer than most tests. Tests of stores make theirs."""
    create_private, create = SqliteDatabase._create_private, SqliteDatabase._create

    def linked(self: SqliteDatabase) -> None:
        copy = empty_record.with_name(f"{os.getpid()}-{threading.get_ident()}")
        if not Path(self.path).exists():
            shutil.copy(empty_record, copy)
            with contextlib.suppress(OSError):  # made meanwhile, or not to be made: the database says so itself
                os.link(copy, Path(self.path).resolve())
            copy.unlink()
        create_private(self)

    def filled(self: SqliteDatabase) -> None:
        if self.path != ":memory:":
            create(self)
            return
        with contextlib.closing(sqlite3.connect(empty_record)) as empty:
            empty.backup(self._sqlite)

    monkeypatch.setattr(SqliteDatabase, "_create_private", linked)
    monkeypatch.setattr(SqliteDatabase, "_create", filled)


STORES: dict[str, Callable[[Any], Any]] = {
    "sqlite": lambda folder: SqliteStore(folder / "record.db"),
    "memory": lambda _: MemoryStore(),
    "postgres": PostgresStore,
}
"""Every store, by name: what makes one in a folder of its own, or in a database."""


def pytest_unconfigure() -> None:
    """Whatever server was started is stopped."""
    servers.stop()


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """The URL of an empty record in PostgreSQL."""
    with servers.fresh_database() as url:
        yield url


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests marked nightly or real run only when `-m` asks for them, slow ones first.

    A test is named the same in every process.
    """
    named_anew = [item.nodeid for item in items if " at 0x" in item.nodeid]
    if named_anew:
        raise pytest.UsageError(f"a name holds an address in memory, so workers disagree: give ids: {named_anew[0]}")
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)  # at the end, nobody waits for the longest
    if config.getoption("-m"):
        return
    waiting = [item for item in items if {"nightly", "real"} & {mark.name for mark in item.iter_markers()}]
    config.hook.pytest_deselected(items=waiting)
    items[:] = [item for item in items if item not in waiting]


def pytest_collection_finish() -> None:
    """What was imported for all tests is looked through for garbage once; the rest, ten times less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*(10 * each for each in gc.get_threshold()))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a record can live."""
    return tmp_path / "record.db"


@pytest.fixture
def sim() -> Simulator:
    """A fresh simulator with a turned clock."""
    return Simulator()


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    """Closes at the end whatever is entered."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def talk(path: Path, sim: Simulator, closing: ExitStack) -> Callable[..., Conversation]:
    """Opens conversations in the file at `path` over `sim`, without the SDK's own retries."""

    def open_one(**settings: Any) -> Conversation:
        where = settings.pop("store", path)
        client = settings.pop("client", None) or closing.enter_context(sim.client(max_retries=0))
        defaults = {"id": "a", "model": "claude-sonnet-5-5", "max_tokens": 1_000, "clock": sim.clock.now}
        return closing.enter_context(Conversation(where, client=client, **{**defaults, **settings}))

    return open_one


@pytest.fixture
def no_renewals() -> Iterator[None]:
    """For tests of what a store is told: none of it is a thread's that renews places every few seconds."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Leases, "renew", lambda self: bool(self._held))
        yield
