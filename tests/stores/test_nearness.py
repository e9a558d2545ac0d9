"""Search by meaning in long conversations where PostgreSQL has pgvector: the same answers, and not all is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import numpy as np
import psycopg
import pytest

import servers
from recording import Recorder, text
from sash.errors import StoreUnavailable
from sash.stores import nearness
from sash.stores.postgres import pgvector
from sash.stores.postgres.store import PostgresStore
from sash.stores.vectors import Blocks

GAINS = (0.5, 0.25)


class Directions:
    """An embedder that gives every text a direction of its own."""

    name = "directions o'clock"

    def embed(self, texts: Sequence[str], /) -> Any:
        """Eight numbers for each text, always the same; none for a text without words."""
        return [
            np.random.default_rng(sum(map(ord, said))).normal(size=8) if said.strip(".") else np.zeros(8)
            for said in texts
        ]


def say(store: PostgresStore, turns: int = 60) -> int:
    """A conversation of so many turns, some of them in a fork's past."""
    record = Recorder(store, "a")
    said = [text(f"Thing {number} is {number * number}." if number % 9 else "...") for number in range(1, turns + 1)]
    store.turns.append(record.key, head=0, turns=said, at=1.0)
    head = store.branches.new(record.key, seq=turns - 10, reason="fork", as_id="b")
    store.turns.append(
        head.conversation, head=turns - 10, turns=[text(f"Else {number}.") for number in range(9)], at=2.0
    )
    return head.conversation


def near(store: PostgresStore, key: int, gains: Sequence[float] = GAINS) -> dict[int, float]:
    """What is near to some words, and how near."""
    found = store.index.near(key, text="Thing 7 is what?", embedder=Directions(), gains=gains, most=12)
    return dict(found)


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lines are long, and none of them is read whole."""
    monkeypatch.setattr(nearness, "EXACT", 10)
    yield


def forbid(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: Any) -> Any:
        raise AssertionError("all vectors of the line were read")

    monkeypatch.setattr(Blocks, "closeness", read)


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize("installed", ["before", "later"])
def test_the_answers_are_those_of_memory(postgres_url: str, installed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the extension was there from the beginning or came later; turns without a vector yet are found, too."""
    if installed == "before":
        servers.run(postgres_url, "CREATE EXTENSION vector")
    with closing(PostgresStore(postgres_url)) as store:
        key = say(store)
        store.index.embed(key, embedder=Directions())
        with monkeypatch.context() as patch:
            patch.setattr(nearness, "EXACT", 10**9)
            expected = near(store, key)
    if installed == "later":
        servers.run(postgres_url, "CREATE EXTENSION vector")
    with closing(PostgresStore(postgres_url)) as store:
        store.index.embed(key, embedder=Directions())
        forbid(monkeypatch)
        assert near(store, key) == pytest.approx(expected, abs=0.003)  # the server compares in 16 bits
        assert len(expected) == 12
        ((index,),) = servers.run(
            postgres_url, "SELECT indexdef FROM pg_indexes WHERE indexname LIKE 'vectors_near_8_%'"
        )
        assert "hnsw" in index and "o''clock" in index
        assert "pgvector searches long conversations" in [remark.text for remark in store.remarks()]


@pytest.mark.usefixtures("unread")
def test_a_line_of_which_the_database_lacks_some_is_read(postgres_url: str) -> None:
    """So nothing is overlooked between the day it is installed and the next embedding."""
    with closing(PostgresStore(postgres_url)) as store:
        key = say(store)
        store.index.embed(key, embedder=Directions())
        expected = near(store, key)
    servers.run(postgres_url, "CREATE EXTENSION vector")
    with closing(PostgresStore(postgres_url)) as store:
        assert near(store, key) == expected
        with store.database.reading() as db:
            assert not nearness.asks_database(db, [(1, 1, 50)])
        store.index.embed(key, embedder=Directions(), most=0)
        with store.database.reading() as db:
            assert nearness.asks_database(db, [(1, 1, 50)])


@pytest.mark.usefixtures("unread")
def test_turns_that_have_no_vector_yet_are_found(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest, which a search embeds for itself."""
    servers.run(postgres_url, "CREATE EXTENSION vector")
    with closing(PostgresStore(postgres_url)) as store:
        key = say(store)
        store.index.embed(key, embedder=Directions())
        store.turns.append(key, head=59, turns=[text("Thing 7 is what?")], at=3.0)
        forbid(monkeypatch)
        assert near(store, key, gains=())[60] > 0.999


def test_a_large_table_is_indexed_when_its_owner_says_so(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The statement is told, and runs as it stands."""
    monkeypatch.setattr(pgvector, "SMALL", 5)
    servers.run(postgres_url, "CREATE EXTENSION vector")
    with closing(PostgresStore(postgres_url)) as store:
        store.index.embed(say(store), embedder=Directions())
    with closing(PostgresStore(postgres_url)) as store:
        (remark,) = store.remarks()
        assert not remark.good
        with psycopg.connect(postgres_url, autocommit=True) as owner:
            owner.execute(remark.text.partition("make it: ")[2])
        (remark,) = store.remarks()
        assert remark.good


def test_without_the_extension_it_is_said_what_is_lost(postgres_url: str) -> None:
    """And what to do."""
    with closing(PostgresStore(postgres_url)) as store:
        (remark,) = store.remarks()
        assert not remark.good and "CREATE EXTENSION vector" in remark.text


def test_what_the_server_refuses_while_it_is_asked_is_an_error_of_ours(postgres_url: str) -> None:
    """A remark that cannot be made raises StoreUnavailable with what the server said, and the connection goes back."""
    servers.run(postgres_url, "CREATE EXTENSION vector")
    with closing(PostgresStore(f"{postgres_url}&connections=1")) as store:
        servers.run(postgres_url, "ALTER TABLE sash.vectors RENAME TO elsewhere")
        with pytest.raises(StoreUnavailable, match="vectors"):
            store.remarks()
        servers.run(postgres_url, "ALTER TABLE sash.elsewhere RENAME TO vectors")
        assert store.remarks()


def test_an_application_uses_what_the_owner_made(postgres_url: str) -> None:
    """It may not change tables: it does without until the owner has opened the record, and fills the column then."""
    servers.run(postgres_url, "CREATE EXTENSION vector")
    with closing(PostgresStore(postgres_url)):
        pass
    servers.keep_tenants_apart(postgres_url)
    with closing(PostgresStore(servers.as_application(postgres_url), namespace="")) as store:
        key = say(store)
        store.index.embed(key, embedder=Directions())
        assert servers.run(
            postgres_url, "SELECT count(*) FROM sash.vectors WHERE near IS NULL AND length(vector) > 0"
        ) == [(0,)]
