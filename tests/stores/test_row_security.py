"""Row-level security: what the server itself shows and takes, to users who are not the owner of the tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from typing import Any

import psycopg
import pytest

import sash
import servers
from recording import Recorder
from sash.errors import InvalidOption, StoreUnavailable
from sash.stores import copying
from sash.stores.copying.tables import LEFT_OUT, TABLES
from sash.stores.postgres import row_security
from sash.stores.postgres.store import PostgresStore
from stores.test_copying import live_in


@pytest.fixture
def held(postgres_url: str) -> str:
    """The URL of an empty record with row-level security, as its owner gives it."""
    servers.keep_tenants_apart(postgres_url)
    return postgres_url


def asked(url: str, statement: str, tenant: str | None = None, values: Sequence[Any] = ()) -> list[Any]:
    """What a person's statement finds, as whom the URL names, in a transaction that names a tenant or none."""
    with psycopg.connect(url, options="-c search_path=sash") as connection:
        if tenant is not None:
            connection.execute("SELECT set_config('sash.tenant', %s, true)", (f"n{tenant}",))
        found = connection.execute(statement, values)
        return found.fetchall() if found.description else [found.rowcount]


def sizes(url: str, tenant: str | None = None) -> dict[str, int]:
    """How many rows of each table and view are seen."""
    named = tables(url)
    counts = " UNION ALL ".join(f'SELECT {at}, (SELECT count(*) FROM "{name}")' for at, name in enumerate(named))
    return {named[at]: count for at, count in asked(url, counts, tenant)}


def tables(url: str) -> list[str]:
    """All tables and views of the schema."""
    return [row[0] for row in asked(url, "SELECT relname FROM pg_class WHERE relkind IN ('r', 'v', 'm', 'p') "
                                         "AND relnamespace = 'sash'::regnamespace")]  # fmt: skip


def test_every_table_is_some_tenants_or_says_why_not() -> None:
    """A new table does not slip through, and none is named that is not there."""
    known = ({table.name for table in TABLES} | LEFT_OUT.keys()) - {"_sqlite_migrations"}
    assert known == row_security.OWN.keys() | row_security.OF_ALL.keys()
    assert not row_security.OWN.keys() & row_security.OF_ALL.keys()


def test_whatever_is_asked_by_hand_another_namespace_is_not_seen(held: str) -> None:
    """Every table and view of a record that holds something of all: empty for another tenant, and for none named."""
    with closing(PostgresStore(held)) as owner:
        live_in(owner, "acme")
    bot = servers.as_application(held)
    everything, mine = (sizes(url, tenant) for url, tenant in ((held, None), (bot, "acme")))
    owned = everything.keys() - row_security.OF_ALL.keys()
    assert {table: mine[table] for table in owned} == {table: everything[table] for table in owned}
    assert sum(everything[table] > 0 for table in owned) > 30
    for other in ("other", "acm", "", None):
        seen = sizes(bot, other)
        assert {table for table in owned if seen[table]} == set(), other


def test_nothing_is_written_or_deleted_in_another_namespace(held: str) -> None:
    """By hand: no row changes or goes, none is added, and none is moved from one's own to the other."""
    with closing(PostgresStore(held)) as owner:
        live_in(owner, "acme")
    bot = servers.as_application(held)
    for table in row_security.held():
        if table not in row_security.READ_ONLY:
            assert asked(bot, f"DELETE FROM {table}", "other") == [0], table
    for table in ("turns", "requests", "memory_files", "usage_days"):
        column = asked(
            held, "SELECT column_name FROM information_schema.columns WHERE table_name = %s LIMIT 1", None, [table]
        )
        assert asked(bot, f"UPDATE {table} SET {column[0][0]} = {column[0][0]}", "other") == [0], table
    (key,) = asked(held, "SELECT id FROM conversations LIMIT 1")[0]
    for tenant, statement in (
        ("other", f"INSERT INTO pins VALUES ({key}, 1, 0)"),
        ("other", "INSERT INTO retention VALUES ('acme', 1)"),
        ("acme", f"UPDATE conversations SET namespace = 'other' WHERE id = {key}"),
        (None, "INSERT INTO retention VALUES ('', 1)"),
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            asked(bot, statement, tenant)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        asked(bot, "ALTER TABLE turns DISABLE ROW LEVEL SECURITY", "acme")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        asked(bot, "UPDATE wordings SET text = '[]'", "acme")


def test_a_conversation_names_its_namespace_by_itself(held: str, talk: Callable[..., sash.Conversation]) -> None:
    """On a URL and on a store that many share: each does all it can, and finds nothing of the others."""
    bot = servers.as_application(held)
    with closing(PostgresStore(bot)) as shared:
        for namespace in ("acme", "other"):
            with talk(store=bot, namespace=namespace) as one, talk(store=shared, namespace=namespace, id="b") as two:
                one.send("My order number is 1138.")
                two.send("It never came.")
        assert len(shared.within("acme").conversations(namespace="acme")) == 2
        assert shared.within("acme").conversations(namespace="other") == []
        assert shared.within("other").search("1138", namespace="acme") == []
        assert len(shared.within("other").search("1138", namespace="other")) == 2
        with pytest.raises(InvalidOption, match=r"one namespace at a time.*within\(NAME\)"):
            shared.conversations(namespace="acme")
        with pytest.raises(StoreUnavailable, match="writes to no other: open it for that one"):
            shared.within("acme").branches.open(namespace="other", id="c")
        with pytest.raises(InvalidOption, match="shows the namespace 'acme' alone"):
            shared.within("acme").within("other")


def test_all_that_a_record_does_works_for_an_application(held: str) -> None:
    """Files, tools, recall, redaction, deletion, profiles, memos; two tenants with the same words and pictures."""
    bot = servers.as_application(held)
    with ExitStack() as stack:
        shared = stack.enter_context(closing(PostgresStore(bot)))
        for namespace in ("acme", "other"):
            live_in(shared.within(namespace), namespace)
        mine = shared.within("acme")
        intact = intact_in(shared, "other")
        before = asked(held, "SELECT hash FROM blobs UNION ALL SELECT hash FROM preambles")
        mine.delete("order", namespace="acme")
        mine.delete("other", namespace="acme")
        assert asked(held, "SELECT hash FROM blobs UNION ALL SELECT hash FROM preambles") == before != []
        assert intact_in(shared, "other") == intact and any(intact)
        with sash.Conversation(shared, id="order", namespace="other", client="simulator") as chat:
            chat.send("And now?")
        theirs = shared.within("other")
        for name in ("order", "other"):
            theirs.delete(name, namespace="other")
        assert asked(held, "SELECT count(*) FROM blobs") == [(0,)]
        assert {row[0] for row in asked(held, "SELECT id FROM wordings")} == words_of_all(held)


def words_of_all(url: str) -> set[int]:
    """The wordings that requests use."""
    columns = ("why_id", "markers_id", "usage_id")
    return {key for one in columns for (key,) in asked(url, f"SELECT {one} FROM requests WHERE {one} IS NOT NULL")}


def intact_in(store: PostgresStore, namespace: str) -> list[bool]:
    """Whether each past request rebuilds: not those that sent what was redacted."""
    with sash.Conversation(store, id="order", namespace=namespace, client="simulator") as chat:
        return [chat.request(number).intact for number in range(1, chat.usage().requests + 1)]


def test_the_owner_sees_all_and_copies_all(held: str) -> None:
    """Who migrates, prunes and copies is not held; a copy of one tenant may be made by an application."""
    with ExitStack() as stack:
        owner, bot = (stack.enter_context(closing(PostgresStore(url))) for url in (held, servers.as_application(held)))
        for namespace in ("acme", "other"):
            Recorder(bot.within(namespace), "a", namespace).say("hello")
        assert owner.within("acme") is owner
        assert [len(owner.conversations(namespace=name)) for name in ("acme", "other")] == [1, 1]
        for source, tenant, count in ((owner, None, 2), (bot.within("acme"), "acme", 1)):
            target = stack.enter_context(closing(sash.MemoryStore()))
            assert copying.copy(source, target, namespace=tenant).conversations == count
            assert copying.check(source, target, namespace=tenant) == count
        assert owner.prune("acme", days=1, now=1e12).conversations == 1


def test_an_application_copies_one_tenant_after_the_other(held: str) -> None:
    """What tenants of one source share is there already, unseen; rows of another source in their place are refused."""
    bot = servers.as_application(held)
    with ExitStack() as stack:
        source, strange = (stack.enter_context(closing(sash.MemoryStore())) for _ in range(2))
        shared = stack.enter_context(closing(PostgresStore(bot)))
        for namespace in ("acme", "other"):
            live_in(source, namespace)
        for namespace in ("acme", "other"):
            target = shared.within(namespace)
            assert copying.copy(source, target, namespace=namespace).conversations == 3
            assert copying.check(source, target, namespace=namespace) >= 9
        before = asked(held, "SELECT * FROM preambles ORDER BY id")
        live_in(strange, "third")
        with pytest.raises(InvalidOption, match="another tenant's"):
            copying.copy(strange, shared.within("third"), namespace="third")
        assert asked(held, "SELECT * FROM preambles ORDER BY id") == before
        assert shared.within("third").conversations(namespace="third") == []


def test_it_is_turned_on_by_the_owner_alone_and_off_again(held: str) -> None:
    """Twice is once; what is off holds nobody; nobody else turns it off."""
    bot = servers.as_application(held)
    with closing(PostgresStore(held)) as owner, closing(PostgresStore(bot, namespace="acme")) as application:
        Recorder(application, "a", "acme").say("hello")
        with pytest.raises(StoreUnavailable, match="owner"):
            application.keep_tenants_apart(on=False)
        owner.keep_tenants_apart()
        assert asked(bot, "SELECT count(*) FROM turns") == [(0,)]
        owner.keep_tenants_apart(on=False)
        assert not owner.database.tenants_apart()
        assert asked(bot, "SELECT count(*) FROM turns") == [(2,)]


def test_a_migration_is_held_too(held: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that a later version adds has its policy, and those who were let in have their rights."""
    from sash.stores.postgres import setup  # noqa: PLC0415

    later = {"m999_one": ("CREATE TABLE later (namespace TEXT)",)}
    known = setup.names() | later.keys()
    monkeypatch.setattr(setup, "names", lambda: known)
    monkeypatch.setattr(setup, "STEPS", later)
    monkeypatch.setitem(row_security.OWN, "later", row_security.OWN["conversations"])
    PostgresStore(held).close()
    assert asked(servers.as_application(held), "INSERT INTO later VALUES ('acme')", "acme") == [1]
    assert asked(servers.as_application(held), "SELECT count(*) FROM later", "other") == [(0,)]
