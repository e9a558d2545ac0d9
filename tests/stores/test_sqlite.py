"""The SQLite file: opened safely, written whole or not at all, shared by several writers, read in O(view)."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import threading
from collections.abc import Callable
from contextlib import closing
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

import sash
from children import ended, open_file, started
from recording import Recorder, text
from sash import SqliteStore, formats
from sash.errors import Conflict, ForeignDatabase, InvalidImport, NewerSchema, StoreUnavailable
from sash.flows.bulk.questions import WaitingQuestion
from sash.flows.summaries.resting import Backlog
from sash.stores import database
from sash.stores.database import APPLICATION_ID, SCHEMA
from sash.stores.migrations import migrations


def raw(path: Path) -> sqlite3.Connection:
    """A connection of somebody else's."""
    return sqlite3.connect(path, isolation_level=None)


def rows(path: Path, table: str) -> int:
    """How many rows a table holds."""
    db = raw(path)
    found = db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    db.close()
    return int(found)


# ---- opening --------------------------------------------------------------------------------------


def test_the_file_is_its_owners_alone(path: Path) -> None:
    """Mode 0600, the files beside it included."""
    store = SqliteStore(path)
    Recorder(store).say("secret")
    modes = {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    store.close()
    assert modes == {0o600}


def test_a_new_file_behind_a_link_is_the_owners_alone(tmp_path: Path) -> None:
    """The file that the link leads to is made, as privately as any."""
    (tmp_path / "link.db").symlink_to(tmp_path / "real.db")
    SqliteStore(tmp_path / "link.db").close()
    assert (tmp_path / "real.db").stat().st_mode & 0o777 == 0o600


def test_an_existing_file_keeps_its_mode(path: Path) -> None:
    """Opening a shared file does not take it from those it is shared with."""
    SqliteStore(path).close()
    path.chmod(0o640)
    SqliteStore(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to be one " * 50, b"short"])
def test_a_file_that_is_no_database_is_left_alone(path: Path, content: bytes) -> None:
    """ForeignDatabase, and not a byte changed."""
    path.write_bytes(content)
    with pytest.raises(ForeignDatabase):
        SqliteStore(path)
    assert path.read_bytes() == content


def test_somebody_elses_database_is_left_alone(path: Path) -> None:
    """ForeignDatabase, and not a byte changed."""
    db = raw(path)
    db.execute("CREATE TABLE theirs (x)")
    db.close()
    before = path.read_bytes()
    with pytest.raises(ForeignDatabase):
        SqliteStore(path)
    assert path.read_bytes() == before


def test_a_database_of_a_newer_sash_is_left_alone(path: Path) -> None:
    """NewerSchema names what is not known here."""
    SqliteStore(path).close()
    db = raw(path)
    db.execute("INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('sash', 'm999_future', '')")
    db.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    db.close()
    with pytest.raises(NewerSchema) as caught:
        SqliteStore(path)
    assert caught.value.found == ["m999_future"]


def held(db: sqlite3.Connection) -> dict[str, object]:
    """All that a file holds but when its migrations were applied, and its marks."""
    found: dict[str, object] = {
        mark: db.execute(f"PRAGMA {mark}").fetchone()[0] for mark in ("user_version", "application_id")
    }
    found["schema"] = db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name").fetchall()
    tables = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name != 'sqlite_schema'"
    for (name,) in db.execute(tables).fetchall():
        columns = [row[1] for row in db.execute(f"PRAGMA table_info({name})") if row[1] != "applied_at"]
        found[name] = db.execute(f"SELECT {', '.join(columns)} FROM {name}").fetchall()
    return found


def test_a_new_file_holds_what_all_migrations_make_of_an_empty_one(tmp_path: Path) -> None:
    """The same tables, indexes, views, triggers and rows, by the same statements; else run scripts/schema.py."""
    SqliteStore(tmp_path / "new.db").close()
    with closing(raw(tmp_path / "empty.db")) as db:
        migrations.apply(Database(db), stop_before="m002_views")
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    SqliteStore(tmp_path / "empty.db").close()
    with closing(raw(tmp_path / "new.db")) as new, closing(raw(tmp_path / "empty.db")) as migrated:
        assert held(new) == held(migrated)


def test_an_old_file_is_brought_up_to_date(path: Path) -> None:
    """Each past schema becomes the present one, with what it held."""
    names, old = [migration.name for migration in migrations._migrations], Database(memory=True)
    for last, following in pairwise(names):
        path.unlink(missing_ok=True)
        migrations.apply(old, stop_before=following)
        db = Database(path)
        old.conn.backup(db.conn)
        db.conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.conn.execute(
            "INSERT INTO conversations (id, namespace, name, created_at, updated_at, branch_id) "
            "VALUES (1, '', 'a', 0, 0, 1)"
        )
        db.conn.execute("INSERT INTO branches (id, conversation_id, reason, created_at) VALUES (1, 1, 'start', 0)")
        said = "text" if names.index(last) < names.index("m036_said_once") else "said"
        db.conn.execute(
            f"INSERT INTO turns (id, conversation_id, branch_id, seq, role, plain, state, at, {said}, content) "
            "VALUES (1, 1, 1, 1, 'user', 1, 'answered', 0, 'old', '[]')"
        )
        if names.index(last) < names.index("m005_pins_of_turns"):
            db.conn.execute("INSERT INTO pins VALUES (1, 1, 0)")
        db.conn.commit()
        db.conn.close()
        store = SqliteStore(path)
        record = Recorder(store)
        assert [turn.id for turn in record.turns()] == [1]
        assert record.window().pinned_seqs <= {1}
        record.say("new")
        store.close()
    old.close()


def test_settings_of_older_imports_come_into_force(path: Path) -> None:
    """Imports kept system prompt and tools among the metadata; an unsent one goes on with them."""
    db = Database(path)
    migrations.apply(db, stop_before="m023_imports")
    db.conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    for key, metadata in enumerate(({"format": "anthropic", "system": "Be kind."}, {"format": "A4", "system": 7}), 1):
        db.conn.execute(
            "INSERT INTO conversations (id, namespace, name, created_at, updated_at, branch_id, metadata) "
            "VALUES (?1, '', 'c' || ?1, 0, 0, ?1, ?2)", (key, json.dumps(metadata)),
        )  # fmt: skip
        db.conn.execute(
            "INSERT INTO branches (id, conversation_id, reason, created_at) VALUES (?1, ?1, 'start', 0)", (key,)
        )
    db.conn.commit()
    db.conn.close()
    with closing(SqliteStore(path)) as store:
        heads = [store.branches.open(namespace="", id=name) for name in ("c1", "c2")]
        assert [head.brought.system for head in heads] == ['[{"type":"text","text":"Be kind."}]', ""]


def test_batches_under_way_in_an_older_file_are_collected(path: Path) -> None:
    """Summaries and questions used to have tables of their own; what waited there waits in the one pair of tables."""
    db = Database(path)
    migrations.apply(db, stop_before="m026_one_kind_of_batch")
    db.conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    for statement in (
        """INSERT INTO conversations (id, namespace, name, created_at, updated_at, branch_id)
        VALUES (1, '', 'a', 0, 0, 1)""",
        "INSERT INTO branches (id, conversation_id, reason, created_at) VALUES (1, 1, 'start', 0)",
        """INSERT INTO turns (id, conversation_id, branch_id, seq, role, plain, state, at, text, content)
        VALUES (7, 1, 1, 1, 'user', 1, 'answered', 0, 'old', '[]')""",
        "INSERT INTO preambles (id, hash, system, tools) VALUES (1, 'h', '', '')",
        "INSERT INTO batches VALUES (1, 'api-1', 'done', 'claude-haiku-5-5', 300, 1, 4, 10.0, '')",
        "INSERT INTO batches VALUES (2, NULL, 'submitting', 'claude-haiku-5-5', 500, 0, 1, 20.0, '')",
        """INSERT INTO batch_items
        VALUES ('s-1', 2, 1, 'claude-sonnet-5-5', 1, 1, NULL, '{"ids":[7],"digest":"d1"}')""",
        "INSERT INTO bulk_batches VALUES (1, 'n', 'j', 'api-2', 'submitted', 3, 30.0)",
        "INSERT INTO bulk_batches VALUES (2, 'n', 'j', 'api-1', 'done', 4, 35.0)",
    ):
        db.conn.execute(statement)
    db.conn.execute("PRAGMA foreign_keys = OFF")
    for position in (1, 0):
        db.conn.execute(
            "INSERT INTO bulk_items VALUES (?, 1, 1, ?, 9, 4, 5, '[7]', 'claude-sonnet-5-5')",
            (f"q-{position}", position),
        )
    db.conn.commit()
    db.conn.close()
    with closing(SqliteStore(path)) as store:
        summaries = store.batches.read(kind="summary")
        questions = store.batches.read(kind="question", namespace="n", job="j")
        assert [(one.batch, one.phase, one.size, one.at) for one in summaries] == [("", "submitting", 1, 20.0)]
        assert Backlog(**summaries[0].terms) == Backlog(by="claude-haiku-5-5", limit=500, must_keep=False)
        assert [(one.batch, one.phase, one.size, one.at) for one in questions] == [("api-2", "submitted", 3, 30.0)]
        task = store.summaries.task("s-1")
        assert task is not None
        assert (task.conversation, task.model, task.task.upto, task.task.branch) == (1, "claude-sonnet-5-5", 1, 1)
        assert [turn.id for turn in task.task.turns] == [7] and not task.intact  # the digest is none of theirs
        assert [WaitingQuestion.of(item) for item in store.batches.items(questions[0].id)] == [
            WaitingQuestion(position=n, request=9, number=4, submission=5, turns=(7,)) for n in (0, 1)
        ]
        known = store.batches.read(phases=("submitted", "done", "lost"))
        assert [(one.batch, one.kind) for one in known] == [
            ("api-1", "summary"),
            ("api-2", "question"),
            ("", "question"),
        ]


def test_two_processes_may_open_a_new_file_at_once(path: Path) -> None:
    """One makes the tables, the other finds them."""
    assert ended(*[started(open_file, path) for _ in range(3)]) == [0, 0, 0]


@pytest.mark.parametrize("number", range(9))
def test_another_process_may_make_the_new_file_at_any_moment(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Before whichever statement of ours the tables appear, they are found, and taken for ours."""
    moments = iter([*[False] * number, True])

    class Interrupted(sqlite3.Connection):
        def execute(self, *asked: Any) -> sqlite3.Cursor:
            if not self.in_transaction and next(moments, False):
                SqliteStore(path).close()
            return super().execute(*asked)

    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Interrupted))
    with closing(SqliteStore(path)) as store:
        Recorder(store).say("How?", "So.")
    assert next(moments, None) is None
    assert rows(path, "turns") == 2


def _open_again(path: Path) -> None:
    open_file(path)


def _import_by_mistake(path: Path) -> None:
    with pytest.raises(InvalidImport, match="a database of sash itself"):
        formats.read(path)


@pytest.mark.parametrize("look", [_open_again, _import_by_mistake])
def test_what_else_a_process_does_with_its_file_leaves_its_locks_alone(
    path: Path, look: Callable[[Path], None]
) -> None:
    """Another process that comes and goes takes no open log away, and all see what is written later."""
    with closing(SqliteStore(path)) as store:
        one = Recorder(store)
        one.say("before")
        look(path)
        assert ended(started(open_file, path)) == [0]
        assert path.with_name(f"{path.name}-wal").exists()
        one.say("after")
        assert ended(started(open_file, path)) == [0]
        with closing(SqliteStore(path)) as other:
            assert [info.turns for info in other.conversations()] == [4]
    with closing(sqlite3.connect(path)) as alone:
        assert alone.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_folder_that_is_not_there_or_not_ours_says_so(tmp_path: Path) -> None:
    """StoreUnavailable, with the path."""
    with pytest.raises(StoreUnavailable) as caught:
        SqliteStore(tmp_path / "nowhere" / "record.db")
    assert "nowhere" in caught.value.path
    with pytest.raises(StoreUnavailable):
        SqliteStore(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_says_so(tmp_path: Path) -> None:
    """StoreUnavailable before anything is made."""
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StoreUnavailable):
            SqliteStore(tmp_path / "record.db")
    finally:
        tmp_path.chmod(0o700)


def test_what_another_program_takes_away_while_a_conversation_is_open_is_not_sent(path: Path) -> None:
    """A turn that is deleted by hand between opening and the first question is missed in neither head nor window."""
    Recorder(SqliteStore(path)).say("secret")
    record = Recorder(SqliteStore(path))
    with closing(raw(path)) as db:
        db.execute("DELETE FROM turns WHERE seq = 2")
    window = record.window()
    assert [turn.seq for turn in window.turns] == [1]
    assert window.head == record.head and window.head.seq == 1


# ---- whole or not at all --------------------------------------------------------------------------


def break_on(path: Path, event: str) -> None:
    """Make a statement fail from now on."""
    db = raw(path)
    db.execute(f"CREATE TRIGGER broken {event} BEGIN SELECT raise(ABORT, 'no more'); END")
    db.close()


@pytest.mark.parametrize("event", ["AFTER INSERT ON requests", "AFTER INSERT ON counts", "BEFORE INSERT ON epochs"])
def test_a_request_that_cannot_be_recorded_leaves_no_trace(path: Path, event: str) -> None:
    """A statement that fails in the middle takes the turn before it along; afterwards all goes on."""
    store = SqliteStore(path)
    record = Recorder(store)
    reply = record.say("one")
    break_on(path, event)
    with pytest.raises(StoreUnavailable):
        record.begin(text("two"), cut=True, counts={3: record.window().counts[reply.id]})
    assert (rows(path, "turns"), rows(path, "requests"), rows(path, "epochs")) == (2, 1, 1)
    db = raw(path)
    db.execute("DROP TRIGGER broken")
    db.close()
    record.say("two", cut=True)
    assert len(record.window().turns) == 2
    store.close()


def test_a_reply_is_recorded_with_its_usage_or_not_at_all(path: Path) -> None:
    """When the request's row cannot be written, neither is the reply, and the turn stays pending."""
    store = SqliteStore(path)
    record = Recorder(store)
    begun = record.begin(text("one"))
    break_on(path, "BEFORE UPDATE OF usage ON requests")
    with pytest.raises(StoreUnavailable):
        record.finish(begun)
    assert record.states() == ["pending"]
    store.close()


def test_a_full_disk_loses_nothing_that_was_recorded(path: Path) -> None:
    """StoreUnavailable; the record before it is whole, and goes on when there is room again."""
    store = SqliteStore(path)
    record = Recorder(store)
    record.say("one")
    pages = store.database._sqlite.execute("PRAGMA page_count").fetchone()[0]
    store.database._sqlite.execute(f"PRAGMA max_page_count = {pages + 4}")
    with pytest.raises(StoreUnavailable):
        for number in range(1_000):
            record.say(f"{number} " + "filling " * 200)
    whole = record.turns()
    assert [turn.seq for turn in whole] == list(range(1, len(whole) + 1))
    store.database._sqlite.execute("PRAGMA max_page_count = 1000000")
    store.turns.withdraw(record.key)
    record.say("room again")
    store.close()
    db = raw(path)
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()


# ---- several writers ------------------------------------------------------------------------------


def test_the_second_writer_gets_a_conflict_that_names_the_newer_turn(path: Path) -> None:
    """Two stores on one file plan from the same head: one wins, the other writes nothing."""
    one, two = SqliteStore(path), SqliteStore(path)
    first, second = Recorder(one), Recorder(two)
    first.say("shared")
    seen = second.head
    won = first.begin(text("I was first"))
    with pytest.raises(Conflict) as caught:
        second.begin(text("I was late"), head=seen)
    assert caught.value.newest == won.turns[0].id
    assert second.window().turns[-1].text == "I was first"
    assert rows(path, "turns") == 3
    one.close()
    two.close()


def test_a_reply_that_lost_the_race_is_kept_beside(path: Path) -> None:
    """It was paid for: it stands on a branch of its own, and comes with the Conflict."""
    one, two = SqliteStore(path), SqliteStore(path)
    first, second = Recorder(one), Recorder(two)
    mine = first.begin(text("slow question"))
    second.say("quick question")
    with pytest.raises(Conflict) as caught:
        first.finish(mine, "late answer")
    assert caught.value.reply.text == "late answer"
    assert [turn.text for turn in second.turns()] == ["slow question", "quick question", "Yes."]
    request, _, sent = one.requests.read(first.key, number=mine.number)
    assert (request.reply, request.state) == (caught.value.reply.id, "answered")
    assert [turn.text for turn in sent] == ["slow question"]
    one.close()
    two.close()


def test_what_another_writer_wrote_is_seen(path: Path) -> None:
    """A window kept from an earlier reading does not outlive another store's writing."""
    one, two = SqliteStore(path), SqliteStore(path)
    first, second = Recorder(one), Recorder(two)
    for number in range(12):
        first.say(f"question {number}")
    assert len(second.window().turns) == 24
    one.turns.withdraw(first.key)
    first.say("one more")
    first.begin(text("and one that waits"))
    assert second.window().turns == first.window().turns
    one.close()
    two.close()


def test_many_threads_on_one_store_write_in_turn(path: Path) -> None:
    """Each conversation's record is whole whatever the others do."""
    store = SqliteStore(path)

    def talk(id: str) -> None:
        record = Recorder(store, id)
        for number in range(8):
            record.say(f"{id} {number}")

    threads = [threading.Thread(target=talk, args=(f"c{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n in range(4):
        turns = Recorder(store, f"c{n}").turns()
        assert [turn.text for turn in turns if turn.role == "user"] == [f"c{n} {number}" for number in range(8)]
    store.close()


def test_a_database_locked_for_too_long_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """StoreUnavailable after the patience is over; nothing is written, and later all goes on."""
    monkeypatch.setattr(database, "PATIENCE", 0.0)
    store = SqliteStore(path)
    record = Recorder(store)
    store.database._sqlite.execute("PRAGMA busy_timeout = 0")
    holder = raw(path)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="another program holds it"):
        record.begin(text("one"))
    holder.execute("ROLLBACK")
    holder.close()
    record.say("one")
    assert record.states() == ["answered", "answered"]
    store.close()


# ---- what reading costs ---------------------------------------------------------------------------


def steps_of_reading(path: Path) -> int:
    """Virtual machine steps (in hundreds) that SQLite takes to read the window in a fresh store."""
    store = SqliteStore(path)
    record = Recorder(store)
    ticks = 0

    def tick() -> int:
        nonlocal ticks
        ticks += 1
        return 0

    store.database._sqlite.set_progress_handler(tick, 100)
    record.window()
    record.window(reach=300)
    store.database._sqlite.set_progress_handler(None, 0)
    store.close()
    return ticks


def test_reading_the_window_costs_the_view_and_not_the_history(path: Path) -> None:
    """A record five times as long is read with as many steps, when the view is the same."""
    store = SqliteStore(path)
    record = Recorder(store)
    costs = []
    for length in (80, 400):
        while record.head.seq < 2 * length:
            record.say("a question of the usual length")
        for number in range(5):
            record.say("in the view", cut=number == 0)
        costs.append(steps_of_reading(path))
    store.close()
    assert costs[1] <= costs[0] + 2


@pytest.mark.parametrize("how", ["deleted", "replaced", "moved"])
def test_a_file_lost_while_it_is_open_is_noticed_before_the_next_write(path: Path, how: str) -> None:
    """A typed error names the path and the remedy; nothing goes into a file that is gone, what was said can be read."""
    with sash.Conversation(path, id="a", client="simulator") as chat:
        chat.send("Hello.")
        kept = path.with_suffix(".kept")
        path.rename(kept)
        if how == "replaced":
            SqliteStore(path).close()
        elif how == "deleted":
            kept.unlink()
        with pytest.raises(StoreUnavailable, match="deleted, moved or replaced while it was open") as raised:
            chat.send("Are you there?")
        assert raised.value.path == str(path)
        if how != "replaced":
            assert chat.history()[0].text == "Hello."
        if how == "moved":
            kept.rename(path)
            assert chat.send("And now?").number == 2
    if how == "moved":
        with sash.Conversation(path, id="a") as again:
            assert len(again.history()) == 4


def test_a_relative_path_outlives_another_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the process works later does not matter to an open file."""
    monkeypatch.chdir(tmp_path)
    with sash.Conversation("a.db", id="a", client="simulator") as chat:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert chat.send("Hello.").text


def test_profiles_of_an_older_file_know_who_ended_whom(tmp_path: Path) -> None:
    """The entry of the same topic that was said next took an older one's place."""
    with closing(sqlite3.connect(tmp_path / "old.db")) as file:
        db = Database(file)
        migrations.apply(db, stop_before="m031_ended_by")
        said = [("Rome", 1.0, "superseded"), ("Oslo", 2.0, "superseded"), ("Bonn", 3.0, "")]
        for words, at, why in said:
            db.execute(
                "INSERT INTO profile_entries (namespace, owner, kind, topic, text, made_by, at, ended) "
                "VALUES ('', 'ann', 'fact', 'home', ?, 'rules', ?, ?)",
                (words, at, why),
            )
        migrations.apply(db)
        found = db.execute("SELECT text, ended_by FROM profile_entries ORDER BY id").fetchall()
    assert found == [("Rome", 2), ("Oslo", 3), ("Bonn", None)]
