"""Deleting whole conversations: what goes, what forks keep, and what nobody may be given again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sash
from recording import Recorder, text
from sash import Conversation, MemoryStore, Recall, SqliteStore, SteppedWindow
from sash.errors import NotFound
from sash.model.turns import Draft
from sash.simulator import Simulator

SECRET = "zebrawood"
LATER = "ocelot"
FILLER = "Now tell me something quite different about the weather in the mountains, please, number {}. "


@pytest.fixture
def sim() -> Simulator:
    """A simulator with a clock of its own."""
    return Simulator()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the record is."""
    return tmp_path / "chats.db"


def talk(path: Path, sim: Simulator, id: str, **more: Any) -> Conversation:
    """A conversation of which everything is made that can be made of one."""
    return Conversation(
        path, id=id, client=sim.client(), clock=sim.clock.now, budget=2_000, keep=300, max_tokens=300, memo=True,
        meter=True, strategy=SteppedWindow(), recall=Recall(tokens=400), summarise=True, dedupe_window=5.0, **more,
    )  # fmt: skip


@pytest.fixture
def chat(path: Path, sim: Simulator) -> Iterator[Conversation]:
    """One that was told a secret, and summarised and recalled it."""
    with talk(path, sim, "a", system=f"You guard the {SECRET}.") as found:
        found.send(f"The password of the cellar is {SECRET} 4471.")
        for number in range(8):
            found.send(FILLER.format(number) * 6)
        found.wait_for_background()
        found.send("What is the password of the cellar?")
        found.pin(found.history()[0])
        found.describe(title=f"About {SECRET}")
        found.wait_for_background()
        yield found


def bytes_of(path: Path) -> bytes:
    """All that stands in the file and beside it, in small letters."""
    return b"".join(one.read_bytes() for one in path.parent.iterdir()).lower()


def tables(path: Path) -> dict[str, int]:
    """How many rows each table of the record has."""
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        names = db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'turns_%'").fetchall()
        found = {name: db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for (name,) in names}
    db.close()
    return {name: rows for name, rows in found.items() if rows}


def test_nothing_of_it_is_left_but_what_it_cost_and_the_audit(chat: Conversation, path: Path) -> None:
    """No word in tables, indexes, memos, free pages or the log; no row; its sums and the audit stay."""
    with closing(sash.open(path)) as store:
        before, attempts = store.usage(), store.attempts.sums()  # type: ignore[attr-defined]
        turns = len(chat.history())
        done = store.delete("a", reason="asked for")
        assert (done.turns, done.heirs) == (turns, ())
        assert list(store.conversations()) == []
        after = store.usage()
        assert [row.dollars for row in after] == pytest.approx([row.dollars for row in before])
        assert [row.requests for row in after] == [row.requests for row in before]
        assert [row.group for row in store.usage(by=("conversation",))] == [("(deleted)",)]
        assert store.attempts.sums() == attempts  # type: ignore[attr-defined]
        assert store.attempts.sums(conversation="a").attempts == 0  # type: ignore[attr-defined]
    chat.close()
    assert SECRET.encode() not in bytes_of(path)
    cost = {"attempts", "deleted_spending", "usage_days"}
    left = {"_sqlite_migrations", *cost, "calibration", "forgotten", "gaps", "last_ids"}
    assert set(tables(path)) - {"memo_use"} == left
    with sqlite3.connect(path) as db:
        row = db.execute("SELECT conversation, what, turns, number, reason FROM forgotten").fetchone()
        assert row == ("a", "conversation", "[]", turns, "asked for")
        assert db.execute("SELECT conversation_id FROM gaps").fetchall() == [(0,)]
    db.close()


def test_nothing_is_left_of_an_import(path: Path, sim: Simulator) -> None:
    """The settings that came along, and what says which parts of the source are recorded, go with the conversation."""
    draft = Draft(role="user", content='[{"type":"text","text":"hello"}]', source=("part-1",))
    with talk(path, sim, "a", system=f"You guard the {SECRET}.") as chat, closing(sash.open(path)) as store:
        chat.extend([draft])
        key = store.branches.open(namespace="", id="a").conversation
        assert store.turns.imported(key) == {"part-1"}
        store.delete("a")
    assert SECRET.encode() not in bytes_of(path)
    assert not {"imported", "preambles"} & set(tables(path))


def test_a_fork_keeps_the_past_it_shares_and_nothing_else(chat: Conversation, path: Path) -> None:
    """History, summaries, past requests and the view of a fork are as before; what came later is gone."""
    with chat.fork(id="b") as fork, closing(sash.open(path)) as store:
        fork.send("And the password?")
        for number in range(3):
            chat.send(f"Now about the {LATER}. " + FILLER.format(number) * 6)
        chat.wait_for_background()
        assert fork.summaries()
        seen = fork.history(), fork.summaries(), fork.request(1).body, fork.plan("Go on?").body
        done = store.delete("a")
        assert done.heirs == ("b",)
        assert (fork.history(), fork.summaries(), fork.request(1).body, fork.plan("Go on?").body) == seen
        assert fork.request(1).intact
        assert fork.send("What is it?").stop_reason == "end_turn"
        assert [hit.conversation for hit in store.search(SECRET, limit=1)] == ["b"]
        fork.wait_for_background()
        assert LATER.encode() not in bytes_of(path)
        with fork.fork(fork.history()[1], id="c") as other:
            assert other.history() == fork.history()[:2]
            store.delete("b")
            assert SECRET in other.history()[0].text
        store.delete("c")
    chat.close()
    assert SECRET.encode() not in bytes_of(path)
    assert "turns" not in tables(path)


def test_going_on_with_what_was_deleted_is_refused(chat: Conversation, path: Path) -> None:
    """An object that is still open cannot write into another conversation; opened again, its id begins a new one."""
    with closing(sash.open(path)) as store:
        store.delete("a")
        with pytest.raises(NotFound):
            store.delete("a")
        for call in (lambda: chat.send("Hello?"), lambda: chat.plan("Hello?"), chat.history, chat.summaries):
            with pytest.raises(NotFound):
                call()
        with Conversation(path, id="a", client="simulator") as new:
            new.send("Hello!")
            with pytest.raises(NotFound):
                chat.send("Hello?")
            assert next(turn.text for turn in new.history()) == "Hello!"


def test_a_reply_under_way_finds_nothing_to_be_written_to(path: Path) -> None:
    """What began before the deletion ends with NotFound, and touches no conversation that came after."""
    with closing(SqliteStore(path)) as store:
        record = Recorder(store)
        begun = record.begin(text("Hello"))
        store.delete("a")
        new = Recorder(store, "a")
        other = new.begin(text("Hi"))
        assert other.request != begun.request and other.turns[0].id != begun.turns[0].id and new.key != record.key
        with pytest.raises(NotFound):
            record.finish(begun)
        record.fail(begun)
        assert new.states() == ["pending"]


def test_a_tool_may_delete_the_conversation_it_runs_in(path: Path, sim: Simulator) -> None:
    """The run ends with NotFound, not with something about the store, and writes nothing more."""
    with closing(sash.open(path)) as store, talk(path, sim, "a") as chat:

        def vanish() -> str:
            """Delete this conversation."""
            store.delete("a")
            return "done"

        sim.script([[{"type": "tool_use", "name": "vanish", "input": {}}]])
        with pytest.raises(NotFound):
            chat.run("Delete yourself.", tools=[vanish])
        assert list(store.conversations()) == []


MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.integers(0, 5)),
        st.tuples(st.just("edit"), st.integers(0, 5), st.integers(0, 9)),
        st.tuples(st.just("fork"), st.integers(0, 5), st.integers(0, 9)),
        st.tuples(st.just("pin"), st.integers(0, 5), st.integers(0, 9)),
        st.tuples(st.just("delete"), st.integers(0, 5)),
    ),
    max_size=25,
)


@settings(max_examples=25)
@given(moves=MOVES)
def test_whatever_is_deleted_the_others_stay_as_they_were(moves: list[Any]) -> None:
    """Whatever was forked and edited: no reference dangles, every survivor's turns and requests and the sums stay."""
    with closing(MemoryStore()) as store:
        alive = [Recorder(store, "0")]
        ids: set[int] = set()
        for number, (what, who, *more) in enumerate(moves, 1):
            record = alive[who % len(alive)] if alive else Recorder(store, f"new {number}")
            if not alive:
                alive.append(record)
            seq = min(*more, record.head.seq) if more else 0
            if what == "say":
                record.say(f"word{number}", cut=number % 5 == 0)
            elif what == "edit":
                record.branch(seq)
            elif what == "fork":
                record.branch(seq, "fork", str(number))
                alive.append(Recorder(store, str(number)))
            elif what == "pin" and seq and record.turns()[seq - 1].plain:
                record.pin(record.turns()[seq - 1].id)
            elif what == "delete":
                alive.remove(record)
                _delete(store, record, alive)
            known = {turn.id for one in alive for turn in one.turns()}
            ids |= known
        if alive:
            assert alive[0].say("the end").id > max(ids, default=0)


def _delete(store: MemoryStore, record: Recorder, alive: list[Recorder]) -> None:
    """Delete one of several, and look at all others."""
    name = next(info.id for info in store.conversations() if _key(store, info.id) == record.key)
    seen, spent = [_all_of(one) for one in alive], store.usage(by=())
    store.delete(name)
    with store.database.reading() as db:
        assert db.all("PRAGMA foreign_key_check") == []
        held = {row[0] for row in db.execute("SELECT id FROM turns WHERE conversation_id = ?", (record.key,))}
        assert not held
        lines = {
            row["id"]
            for one in alive
            for branch in db.all("SELECT id FROM branches WHERE conversation_id = ?", (one.key,))
            for row in store.branches._lines.rows(db, branch["id"], 1, 1_000)
        }
        assert {row[0] for row in db.execute("SELECT id FROM turns")} == lines
    assert [_all_of(one) for one in alive] == seen
    assert [(row.requests, row.output) for row in store.usage(by=())] == [(row.requests, row.output) for row in spent]


def _key(store: MemoryStore, id: str) -> int:
    return store.branches.open(namespace="", id=id, create=False).conversation


def _all_of(record: Recorder) -> Any:
    """Turns and requests of a conversation, and where its view stands: all but how far the file's audit has come."""
    head = replace(record.head, forgotten=0)
    window = record.window()
    asked = [record.store.requests.read(record.key, number=number + 1) for number in range(head.requests)]
    counts = {turn.id: window.counts.get(turn.id) for turn in window.turns}
    return record.turns(), asked, head, window.turns, window.pinned_turns, window.pinned_seqs, counts
