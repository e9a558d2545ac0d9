"""The store on PostgreSQL, beyond what every store must do: URLs, schemas, sessions, faults, texts it does not take."""

from __future__ import annotations

import contextlib
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

import sash
import servers
from children import MODEL, client_of, die_at, ended, started
from recording import Recorder, text
from sash.errors import ForeignDatabase, InvalidOption, NewerSchema, StoreUnavailable
from sash.simulator import Simulator
from sash.stores.migrations import migrations
from sash.stores.postgres import setup, transaction, trips
from sash.stores.postgres.migrations import STEPS
from sash.stores.postgres.placeholders import escaped, in_order, numbered, unescaped
from sash.stores.postgres.store import PostgresStore
from sash.stores.postgres.transaction import COMMIT
from sash.stores.urls import without_password

run = servers.run
SECRET = "s3cr3t/wo:rd@x"


@pytest.fixture
def empty() -> Iterator[str]:
    """The URL of a database with nothing in it."""
    with servers.fresh_database(made=False) as url:
        yield url


def name_of(url: str) -> str:
    """The name of a database."""
    return str(conninfo_to_dict(url)["dbname"])


# ---- URLs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://ann@host", "names no database"),
        ("postgresql://ann@host/", "names no database"),
        ("postgresql://ann@host/db?sslmode=require&colour=red", "is no URL"),
        ("postgresql://ann@host/db?schema=Bad-Name", "schema='Bad-Name'"),
        ("postgresql://ann@host/db?schema=pg_mine", "schema='pg_mine'"),
        ("postgresql://ann@host/db?connections=0", "connections='0'"),
        ("mysql://ann:pw@host/db", "mysql://"),
        ("postgresql://ann:p@w@host/db", "'postgresql://ann@host/db' is no URL.*written as %XX"),
        ("postgresql://ann:p?w@host/db", "'postgresql://ann@host/db' is no URL.*written as %XX"),
    ],
)
def test_a_url_that_cannot_be_meant_is_refused(url: str, said: str) -> None:
    """Before anything is sent: the value is named, and what to write instead."""
    with pytest.raises(InvalidOption, match=said):
        sash.open(url)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://ann:{SECRET}@host/db",
        f"postgresql://ann@host/db?password={SECRET}&schema=x",
        f"postgres://ann:{SECRET}@[::1]:5432/db?schema=x",
        f"postgresql://ann:wo:rd?{SECRET}@host/db",
        f"postgresql://ann:wo:rd@?{SECRET}@host/db?application_name=a@b",
        f"postgresql://ann@host/db?x&password={SECRET}",
    ],
)
def test_a_password_is_never_shown(url: str) -> None:
    """Neither in a store's path nor in an error, wherever in the URL it stands, and whatever signs it has."""
    assert "s3cr3t" not in without_password(url) and "wo:rd" not in without_password(url)
    assert without_password(url).startswith(("postgresql://ann@host/db", "postgres://ann@[::1]:5432/db?schema=x"))


@pytest.mark.parametrize(
    "where",
    [
        "postgresql:/ann:s3cr3t@host/db",
        "postgres:ann:s3cr3t@host",
        " postgresql://ann:s3cr3t@host/db",
        "jdbc:postgresql://host/db?user=ann&password=s3cr3t",
        "mysql:/ann:s3cr3t@host/db",
        "host=db.internal user=ann password=s3cr3t dbname=app",
        Path("postgresql://ann:s3cr3t@host/db"),
    ],
    ids=str,
)
def test_an_address_that_is_no_url_is_no_files_name(where: str | Path, tmp_path: Path, monkeypatch: Any) -> None:
    """It is refused with the remedy, nothing of it is shown, and no file is made of it."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidOption, match="postgresql://user@host/database") as caught:
        sash.open(where)
    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value)) + repr(caught.value.facts)
    with pytest.raises(InvalidOption, match="postgresql://user@host/database"):
        sash.Conversation(where, client="simulator")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a.db", "postgresql/a.db", "a@b.db", "C:\\a.db", "notes: mine.db", "x=y.db"])
def test_other_names_are_names_of_files(name: str, tmp_path: Path, monkeypatch: Any) -> None:
    """What only resembles an address is taken for what it is."""
    monkeypatch.chdir(tmp_path)
    Path(name).parent.mkdir(exist_ok=True)
    sash.open(name).close()
    assert Path(name).is_file()


def test_what_a_server_refuses_is_said_without_the_password(postgres_url: str) -> None:
    """A user, a database, a server that is not there: a typed error with the remedy, and no password in its trace."""
    del postgres_url
    host = servers.server().url().partition("host=")[2]
    for url, said in (
        (f"postgresql://nobody:s3cr3t@/postgres?host={host}", "nobody.*create it"),
        (f"postgresql://postgres:s3cr3t@/nowhere?host={host}", "nowhere.*create it"),
        ("postgresql://postgres:s3cr3t@/postgres?host=/nowhere", "is the server running"),
    ):
        with pytest.raises(StoreUnavailable, match=said) as caught:
            sash.open(url)
        assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))
        assert caught.value.path == without_password(url)


def test_a_wrong_password_says_so(postgres_url: str) -> None:
    """The server asks for one; the error names the remedy and not the password."""
    servers.admin("CREATE ROLE guarded LOGIN PASSWORD 'right'")
    servers.admin("ALTER SYSTEM SET listen_addresses TO DEFAULT")
    rule = Path(servers.admin("SHOW hba_file")[0][0])
    before = rule.read_text()
    rule.write_text(f"local all guarded scram-sha-256\n{before}")
    try:
        servers.admin("SELECT pg_reload_conf()")
        host, name = servers.server().url().partition("host=")[2], name_of(postgres_url)
        url = f"postgresql://guarded:wr0ng@/{name}?host={host}"
        with pytest.raises(StoreUnavailable, match=r"password authentication failed.*user or the password") as caught:
            for _ in range(50):  # until the server has read its rules again
                sash.open(url).close()
        assert "wr0ng" not in "".join(traceback.format_exception(caught.value))
    finally:
        rule.write_text(before)
        servers.admin("SELECT pg_reload_conf()")
        servers.admin("DROP ROLE guarded")


# ---- schemas --------------------------------------------------------------------------------------


def test_the_record_lives_beside_other_tables(empty: str) -> None:
    """In a schema of its own: what an application keeps in the same database is neither touched nor in the way."""
    run(empty, "CREATE TABLE turns (mine text)", "INSERT INTO turns VALUES ('kept')")
    with closing(PostgresStore(empty)) as store:
        Recorder(store).say("hello")
    assert run(empty, "SELECT * FROM turns") == [("kept",)]
    assert run(empty, "SELECT count(*) FROM sash.turns") == [(2,)]


def test_two_schemas_of_one_database_are_two_records(empty: str) -> None:
    """Each sees its own conversations alone, at the same time and over shared connections."""
    with closing(PostgresStore(f"{empty}&schema=one")) as one, closing(PostgresStore(f"{empty}&schema=two")) as two:
        Recorder(one).say("hello")
        assert not two.conversations() and len(one.conversations()) == 1


def test_a_send_asks_no_table_outside_its_schema(empty: str, sim: Simulator) -> None:
    """Where groups of tenants have schemas, each may be on a server of its own: no other's tables are waited for."""
    with closing(PostgresStore(f"{empty}&schema=two")), psycopg.connect(empty) as other:
        for (table,) in other.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'two'").fetchall():
            other.execute(f'LOCK TABLE two."{table}" IN ACCESS EXCLUSIVE MODE')
        url = f"{empty}&schema=one"
        with sim.client(max_retries=0) as client, sash.Conversation(url, id="a", client=client, user="ann") as chat:
            for said in ("I live in Haarlem.", "Where do I live?"):
                chat.send(said)
            assert [turn.state for turn in chat.history()] == ["answered"] * 4


@pytest.mark.parametrize("table", ["orders (id int)", "migrations (id int, migration text)", "migrations (name text)"])
def test_a_schema_of_somebody_else_is_left_alone(empty: str, table: str) -> None:
    """ForeignDatabase names the schema and the remedy; nothing is added to it."""
    run(empty, "CREATE SCHEMA theirs", f"CREATE TABLE theirs.{table}")
    with pytest.raises(ForeignDatabase, match=r"'theirs'.*schema=NAME"):
        PostgresStore(f"{empty}&schema=theirs")
    assert run(empty, "SELECT count(*) FROM pg_tables WHERE schemaname = 'theirs'") == [(1,)]


def test_a_newer_schema_is_refused(postgres_url: str) -> None:
    """Two versions of sash on one database: the older says that it is too old, and by what."""
    run(postgres_url, "INSERT INTO sash.migrations (name) VALUES ('m999_future')")
    with pytest.raises(NewerSchema, match="m999_future") as caught:
        PostgresStore(postgres_url)
    assert caught.value.found == ["m999_future"]


def test_an_older_schema_is_brought_up_to_date(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a later version adds is done once, in order, and remembered."""
    later = {"m998_one": ("CREATE TABLE one (id int)",), "m999_two": ("ALTER TABLE one ADD COLUMN two int",)}
    known = setup.names()
    monkeypatch.setattr(setup, "names", lambda: known | later.keys())
    monkeypatch.setattr("sash.stores.postgres.setup.STEPS", later)
    for _ in range(2):
        PostgresStore(postgres_url).close()
    assert run(postgres_url, "SELECT two FROM sash.one") == []
    assert run(postgres_url, "SELECT count(*) FROM sash.migrations WHERE name LIKE 'm99%'") == [(2,)]


def things(url: str) -> list[Any]:
    """The columns, indexes and views of the record."""
    return run(
        url,
        "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns "
        "WHERE table_schema = 'sash' "
        "UNION ALL SELECT tablename, indexname, indexdef, '', '' FROM pg_indexes WHERE schemaname = 'sash' "
        "UNION ALL SELECT viewname, definition, '', '', '' FROM pg_views WHERE schemaname = 'sash' ORDER BY 1, 2, 3",
    )


def test_a_schema_of_the_first_version_becomes_what_a_new_one_is(
    empty: str, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each migration says in PostgreSQL's words what it adds: the two have the same columns, indexes and views."""
    texts = {name: setup._text(name) for name in ("schema.sql", "search.sql")}
    old = {**texts, "schema.sql": Path(__file__).with_name("postgres_m031.sql").read_text()}
    with monkeypatch.context() as patch:
        patch.setattr(setup, "_text", old.__getitem__)
        setup.names.cache_clear()
        PostgresStore(empty).close()
    setup.names.cache_clear()
    assert things(empty) != things(postgres_url) or not STEPS
    with closing(PostgresStore(empty)) as store:
        Recorder(store).say("hello")
    assert things(empty) == things(postgres_url)


def test_the_migrations_are_those_of_sqlite() -> None:
    """By name: what has no statements for PostgreSQL yet fails here, and not on somebody's server."""
    known = {one.name for one in migrations._migrations}
    assert setup.names() == known, "run scripts/schema.py"
    later = {name for name in known if name > "m031_ended_by"}
    assert set(STEPS) == later, "say in stores/postgres/migrations.py what an older schema lacks"


def test_many_may_make_one_schema_at_once(empty: str) -> None:
    """One makes the tables, the others find them."""
    failed: list[BaseException] = []

    def open_one() -> None:
        try:
            PostgresStore(empty).close()
        except BaseException as error:  # noqa: BLE001 - told below
            failed.append(error)

    threads = [threading.Thread(target=open_one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_a_server_that_is_too_old_is_refused(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both versions are named: the one there, and the oldest that will do."""
    monkeypatch.setattr(setup, "OLDEST", 99)
    with pytest.raises(StoreUnavailable, match="PostgreSQL 18; sash needs 99 or newer"):
        PostgresStore(postgres_url)


def test_a_user_without_rights_is_told_so(empty: str) -> None:
    """The error names what is missing and who can give it."""
    servers.admin("CREATE ROLE guest LOGIN")
    try:
        guest = empty.replace("postgres:@", "guest@", 1)
        with pytest.raises(StoreUnavailable, match=r"permission denied.*rights"):
            PostgresStore(guest)
    finally:
        servers.admin("DROP ROLE guest")


# ---- languages ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "found"), [("english", ["harbours"]), ("simple", []), ("german", [])])
def test_a_language_tells_which_words_are_one(empty: str, language: str, found: list[str]) -> None:
    """English endings are cut by default, as in a SQLite file; `simple` cuts none."""
    with closing(PostgresStore(f"{empty}&language={language}")) as store:
        Recorder(store).say("Tell me of the harbours.")
        assert [hit.seq for hit in store.search("harboured")] == ([1] if found else [])
        assert [hit.seq for hit in store.search("Harbours")] == [1]
    with pytest.raises(InvalidOption, match=f"was made for '{language}'"):
        PostgresStore(f"{empty}&language=french")


def test_a_language_that_nobody_knows_is_refused(empty: str) -> None:
    """Those that the server knows are named, and no table is made."""
    with pytest.raises(InvalidOption, match=r"language='klingon'.*english"):
        PostgresStore(f"{empty}&language=klingon")
    assert run(empty, "SELECT count(*) FROM pg_tables WHERE schemaname = 'sash'") == [(0,)]


# ---- statements and texts -------------------------------------------------------------------------


def test_placeholders_are_turned() -> None:
    """In order, by number and by name; texts and casts in a statement are none."""
    assert numbered("SELECT ?, ?, ':no ?', x::text") == ("SELECT $1, $2, ':no ?', x::text", (0, 1))
    assert numbered("SELECT ?2, ?1, ?2") == ("SELECT $1, $2, $1", (1, 0))
    turned, order = numbered("SELECT :b, :a, :b")
    assert turned == "SELECT $1, $2, $1" and in_order({"a": 1, "b": 2}, order) == [2, 1]


@given(st.text(st.sampled_from("\x00\x10ab01é")))
def test_any_text_comes_back_as_it_was(said: str) -> None:
    """NUL, which PostgreSQL keeps in no text, and the sign that stands for it, too."""
    assert "\x00" not in escaped(said) and unescaped(escaped(said)) == said


def test_a_nul_is_kept_wherever_it_stands(postgres_url: str) -> None:
    """In what is said, in names and in files: read back as written, and found."""
    with closing(PostgresStore(postgres_url)) as store:
        record = Recorder(store, "a\x00b")
        record.say(r"one\u0000two \u0010 three", r"four\u0000five")  # as JSON says it
        assert [turn.text for turn in record.turns()] == ["one\x00two \x10 three", "four\x00five"]
        assert [info.id for info in store.conversations()] == ["a\x00b"]
        assert [hit.seq for hit in store.search("three")] == [1]
        store.memory_files.change(lambda folder: folder.write("/memories/a", "x\x00y"), user="ann", at=0.0)
        assert store.memory_files.files(user="ann")[0].text == "x\x00y"


def test_what_no_database_holds_is_named(postgres_url: str) -> None:
    """InvalidOption before anything is written: half a surrogate pair, a number beyond 64 bits."""
    with closing(PostgresStore(postgres_url)) as store:
        for value in ("\ud800", 2**63):
            with pytest.raises(InvalidOption, match="nothing that a database holds"):
                store.branches.open(namespace="", id=value)  # type: ignore[arg-type]
        assert not store.conversations()


def test_what_is_run_later_is_run_in_its_order(postgres_url: str) -> None:
    """Before what is asked next, and at the end; what is the matter with it undoes the step, and is named."""
    with closing(PostgresStore(postgres_url)) as store:
        Recorder(store).say("one")
        with store.database.writing() as db:
            for title in "abc":
                db.later("UPDATE conversations SET title = coalesce(title, '') || ?", (title,))
            assert db.one("SELECT title FROM conversations")["title"] == "abc"
            db.later("UPDATE conversations SET title = title || 'd'")
        assert store.conversations()[0].title == "abcd"
        for wrong, error in ((2**70, InvalidOption), ("\ud800", InvalidOption), (None, StoreUnavailable)):
            for asks in (True, False):
                with pytest.raises(error), store.database.writing() as db:
                    db.later("UPDATE conversations SET title = 'lost'")
                    db.later(
                        "UPDATE conversations SET requests = ?" if wrong else "SELECT 1 / 0", (wrong,) * bool(wrong)
                    )
                    if asks:
                        db.one("SELECT title FROM conversations")
        assert store.conversations()[0].title == "abcd"


def test_a_look_leaves_what_the_server_has_prepared(postgres_url: str) -> None:
    """Statements that come again and again are planned once for a session, whatever is read between them."""
    with closing(PostgresStore(f"{postgres_url}&connections=1")) as store:
        for _ in range(6):
            store.conversations()
            with store.database.writing() as db:
                db.one("SELECT 1 + ?", (1,))
        with store.database.reading() as db:
            prepared = [row["statement"] for row in db.all("SELECT statement FROM pg_prepared_statements")]
        assert "SELECT 1 + $1" in prepared and any("FROM conversations" in one for one in prepared)


def test_the_views_are_there_for_people(postgres_url: str) -> None:
    """Every view of a SQLite file answers here, by the same columns."""
    with closing(PostgresStore(postgres_url)) as store, closing(sash.MemoryStore()) as file:
        for one in (store, file):
            Recorder(one).say("hello")
        with file.database.reading() as db:
            views = [row[0] for row in db.all("SELECT name FROM sqlite_master WHERE type = 'view'")]
            views.remove("indexed_turns")  # what SQLite's own index is made of
        assert len(views) > 3
        for view in views:
            with file.database.reading() as mine, store.database.reading() as theirs:
                expected, found = (db.one(f"SELECT * FROM {view}") for db in (mine, theirs))
                assert (expected is None) == (found is None)
                if found is not None:
                    assert len(tuple(found)) == len(tuple(expected))


# ---- sessions -------------------------------------------------------------------------------------


def test_no_state_outlasts_a_transaction(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pooler may give each transaction another session: no settings, prepared statements or locks are left behind."""
    monkeypatch.setattr(psycopg.ConnectionInfo, "backend_pid", -1)  # what a pooler says is another number
    with closing(PostgresStore(postgres_url)) as store:
        record = Recorder(store)
        record.say("hello")
        store.search("hello")
        connection = store.database._connections.take()
        left = [
            *connection.execute("SELECT name FROM pg_prepared_statements"),
            *connection.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'"),
            *connection.execute("SELECT 1 FROM pg_class WHERE relpersistence = 't'"),
            *connection.execute("SELECT 1 WHERE current_setting('search_path') LIKE '%sash%'"),
        ]
        store.database._connections.give_back(connection)
        assert [tuple(row) for row in left] == []


def test_a_table_changed_by_a_newer_version_is_no_end(postgres_url: str) -> None:
    """What the server has prepared for a session does not outlive that by more than one step."""
    with closing(PostgresStore(postgres_url)) as store:
        record = Recorder(store)
        for number in range(6):
            record.say(f"number {number}")
        run(postgres_url, "ALTER TABLE sash.turns ADD COLUMN later text")
        for _ in range(3):
            with contextlib.suppress(StoreUnavailable):
                record.turns()
        assert len(record.turns()) == 12
        record.say("and on")


def test_stores_of_one_process_share_their_connections(postgres_url: str) -> None:
    """Twenty objects on one URL open as many connections as work at once, and the last one closes them."""
    with ExitStack() as stack:
        stores = [stack.enter_context(closing(PostgresStore(postgres_url))) for _ in range(20)]
        for number, store in enumerate(stores):
            Recorder(store, f"c{number}").say("hello")
        name = name_of(postgres_url)
        count = servers.admin(f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'")[0][0]
        assert 1 <= count <= 10
        assert len({id(store.database._connections) for store in stores}) == 1


def test_a_closed_store_says_so(postgres_url: str) -> None:
    """Calls after `close` raise ConversationClosed; another store on the same URL is not disturbed."""
    one, two = PostgresStore(postgres_url), PostgresStore(postgres_url)
    one.close()
    one.close()
    with pytest.raises(sash.errors.ConversationClosed):
        one.conversations()
    assert two.conversations() == []
    two.close()


# ---- faults ---------------------------------------------------------------------------------------


def cut(postgres_url: str) -> None:
    """Have the server end every session of this database."""
    name = name_of(postgres_url)
    servers.admin(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")


def test_connections_that_were_cut_are_opened_again(postgres_url: str) -> None:
    """Between two calls: nobody notices."""
    with closing(PostgresStore(postgres_url)) as store:
        record = Recorder(store)
        record.say("one")
        cut(postgres_url)
        record.say("two")
        assert len(record.turns()) == 4


def test_a_connection_cut_in_mid_send_loses_no_reply(postgres_url: str, sim: Simulator) -> None:
    """While Claude answers, the server goes away and comes back: the reply that was paid for is recorded."""
    with sim.client(max_retries=0) as client, sash.Conversation(postgres_url, id="a", client=client) as chat:
        with chat.stream("Tell me of the harbour.") as reply:
            cut(postgres_url)
            reply.until_done()
        assert [turn.state for turn in chat.history()] == ["answered", "answered"]


def test_a_server_that_crashed_in_mid_send_loses_nothing(postgres_url: str, sim: Simulator) -> None:
    """It was killed and started again while Claude answered: the reply is recorded, and the conversation goes on."""
    with sim.client(max_retries=0) as client, sash.Conversation(postgres_url, id="a", client=client) as chat:
        with chat.stream("Tell me of the harbour.") as reply:
            servers.server().crash()
            reply.until_done()
        chat.send("And of the ledger?")
        assert [turn.state for turn in chat.history()] == ["answered"] * 4
        assert all(chat.request(number).intact for number in (1, 2))


@pytest.mark.slow
def test_a_killed_process_leaves_a_conversation_that_goes_on(postgres_url: str, sim: Simulator) -> None:
    """SIGKILL in the middle of a send: nobody waits for the dead, nothing is there twice, and all rebuilds."""
    with sim.serve() as url:
        for at in (3, 4, 6):
            assert ended(started(die_at, postgres_url, url, at, False)) == [-signal.SIGKILL]
            with client_of(url) as client, sash.Conversation(postgres_url, id="a", model=MODEL, client=client) as chat:
                chat.send("Go on.")
                turns = chat.history()
                assert [turn.seq for turn in turns] == list(range(1, len(turns) + 1))
                assert turns[-1].role == "assistant" and {turn.state for turn in turns} == {"answered"}
                assert all(chat.request(number).intact for number in range(1, chat.usage().requests + 1))


def test_a_connection_cut_within_a_step_says_that_nothing_was_written(postgres_url: str) -> None:
    """The step is undone as a whole; the next call connects again by itself."""
    with closing(PostgresStore(postgres_url)) as store:
        record = Recorder(store)
        record.say("one")
        with pytest.raises(StoreUnavailable, match="Nothing of this step was written"), store.database.writing() as db:
            db.execute("UPDATE conversations SET title = 'lost'")
            cut(postgres_url)
            db.execute("UPDATE conversations SET title = 'lost, too'")
        assert store.conversations()[0].title is None


def at_commit(monkeypatch: pytest.MonkeyPatch, committed: bool, happens: Callable[[], None]) -> None:
    """Have that happen at the next COMMIT of any connection, once the server has carried it out, or before."""
    real = trips.in_one_trip

    def execute(connection: Any, asked: Any) -> Any:
        if asked[-1] == COMMIT:
            monkeypatch.undo()
            if committed:
                real(connection, asked)
            happens()
        return real(connection, asked)

    monkeypatch.setattr(transaction, "in_one_trip", execute)


@pytest.mark.usefixtures("no_renewals")
@pytest.mark.parametrize("committed", [True, False])
def test_a_commit_whose_answer_was_lost_is_looked_up(
    postgres_url: str, committed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What had been committed counts as written, and nothing is raised; what had not is said not to be."""
    with closing(PostgresStore(postgres_url)) as store:
        Recorder(store).say("one")
        at_commit(monkeypatch, committed, lambda: cut(postgres_url))
        if committed:
            store.describe("a", title="kept")
        else:
            with pytest.raises(StoreUnavailable, match="Nothing of this step was written"):
                store.describe("a", title="lost")
        assert store.conversations()[0].title == ("kept" if committed else None)


@pytest.mark.usefixtures("no_renewals")
@pytest.mark.parametrize("committed", [True, False])
def test_a_commit_that_a_crash_cut_off_is_never_taken_for_another(
    postgres_url: str, committed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that crashed may give a transaction's number again: what cannot be told is said to be unknown."""
    with closing(PostgresStore(postgres_url)) as store:
        Recorder(store).say("one")

        def crash() -> None:
            servers.server().crash()
            for number in range(20):  # others take the next numbers
                Recorder(store, f"c{number}").say("meanwhile")

        at_commit(monkeypatch, committed, crash)
        said = "is not known" if committed else "is not known|Nothing of this step was written"
        with pytest.raises(StoreUnavailable, match=said):
            store.describe("a", title="lost or kept")
        titles = {info.id: info.title for info in store.conversations()}
        assert titles["a"] == ("lost or kept" if committed else None)


def test_a_statement_that_takes_too_long_says_what_stopped_it(postgres_url: str) -> None:
    """The server's own limit: StoreUnavailable with its name; the step is undone."""
    with closing(PostgresStore(postgres_url)) as store:
        with pytest.raises(StoreUnavailable, match="statement_timeout"), store.database.writing() as db:
            db.execute("SET LOCAL statement_timeout TO 20")
            db.execute("SELECT pg_sleep(60)")
        assert store.conversations() == []


def test_a_pool_that_is_empty_says_how_to_allow_more(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All connections are in use by others of this process for too long."""
    monkeypatch.setattr("sash.stores.postgres.connections.PATIENCE", 0.2)
    with closing(PostgresStore(f"{postgres_url}&connections=1")) as store:
        busy, waiting = threading.Event(), threading.Event()

        def hold() -> None:
            with store.database.reading() as db:
                db.one("SELECT 1")
                busy.set()
                waiting.wait()

        holder = threading.Thread(target=hold)
        holder.start()
        busy.wait()
        try:
            with pytest.raises(StoreUnavailable, match=r"all 1 connections.*connections=NUMBER"):
                store.conversations()
        finally:
            waiting.set()
            holder.join()
        assert store.conversations() == []


def test_a_row_that_another_holds_for_too_long_says_so(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """StoreUnavailable after the patience is over; nothing is written, and later all goes on."""
    monkeypatch.setattr("sash.stores.postgres.database.PATIENCE", 0.2)
    with closing(PostgresStore(postgres_url)) as store:
        record = Recorder(store)
        record.say("one")
        with psycopg.connect(postgres_url) as other:
            other.execute("SELECT 1 FROM sash.conversations FOR UPDATE")
            with pytest.raises(StoreUnavailable, match="another writer held it for too long"):
                record.begin(text("two"))
        record.say("two")
        assert len(record.turns()) == 4


# ---- the door -------------------------------------------------------------------------------------


def test_a_conversation_opens_a_url(postgres_url: str, talk: Callable[..., sash.Conversation]) -> None:
    """What was said by one object is seen by the next, and every past request rebuilds to what was sent."""
    with talk(store=postgres_url) as chat:
        for number in range(3):
            chat.send(f"My order {number} never came.")
    again = talk(store=postgres_url)
    assert len(again.history()) == 6
    assert all(again.request(number).intact for number in (1, 2, 3))
