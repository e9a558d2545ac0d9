"""Behind a pooler that gives each transaction another session, everything goes as without one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

import sash
from pooling import PORT, Pooler, pooler
from sash.stores import copying
from sash.stores.postgres.store import PostgresStore
from stores.test_copying import live_in


@pytest.fixture
def pooled(postgres_url: str) -> Iterator[tuple[str, Pooler]]:
    """The URL of an empty record behind a pooler."""
    place, _, folder = postgres_url.partition("?host=")
    with pooler(folder) as (mine, behind):
        yield f"{place}?host={mine}&port={PORT}", behind


def test_sessions_change_from_transaction_to_transaction(pooled: tuple[str, Pooler]) -> None:
    """The pooler does what it is for: else the other test says nothing."""
    with closing(PostgresStore(pooled[0])) as store:
        seen = set()
        for _ in range(4):
            with store.database.reading() as db:
                seen.add(db.one("SELECT pg_backend_pid()")[0])
    assert len(seen) >= 3


def test_everything_goes_behind_a_pooler(pooled: tuple[str, Pooler]) -> None:
    """Sends, tools, recall, forks, redaction, deletion, a copy: nothing that belongs to a session is used."""
    url, behind = pooled
    with closing(PostgresStore(url)) as store, closing(sash.MemoryStore()) as target:
        live_in(store)
        with sash.Conversation(url, id="order", client="simulator") as chat:
            chat.send("And now?")
            assert chat.request(chat.usage().requests).intact
        assert store.search("Cake 3") and store.search("京の天")
        copying.copy(store, target)
        assert copying.check(store, target) >= 10
    assert behind.transactions > 100
