"""What a turn says is kept once in a file, and reads as before; a tenant's search knows its tenant alone."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recording import Recorder
from sash import MemoryStore
from sash.model.blocks import dumps, readable
from sash.model.turns import Draft
from sash.stores import SqliteStore

ODD = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
BLOCKS = st.one_of(
    ODD.map(lambda text: [{"type": "text", "text": text}]),
    ODD.map(lambda text: [{"text": text, "type": "text"}]),
    ODD.map(lambda text: [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}]),
    st.tuples(ODD, ODD).map(lambda pair: [{"type": "text", "text": text} for text in pair]),
    ODD.map(lambda text: [{"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"word": text}}]),
)


@given(st.lists(BLOCKS, min_size=1, max_size=4))
def test_the_column_says_what_the_turn_says(said: list[list[dict[str, Any]]]) -> None:
    """Whatever a turn consists of, the column `text` is what a person reads of it, kept beside or found in it; where
    signs stand that hide from a database what is behind them, it has spaces."""
    store = MemoryStore()
    recorder = Recorder(store)
    drafts = [Draft(role="assistant", content=dumps(blocks)) for blocks in said]
    store.turns.append(recorder.key, head=0, turns=drafts, at=1.0)
    with store.database.reading() as db:
        read = [readable(blocks).replace("\x00", " ").replace("\x10", " ") for blocks in said]
        assert [row[0] for row in db.all("SELECT text FROM turns ORDER BY seq")] == read
    store.close()


def test_plain_text_stands_once_in_the_file(tmp_path: Path) -> None:
    """The words of a plain message stand in the file a single time, its index apart."""
    path = tmp_path / "a.db"
    store = SqliteStore(path)
    Recorder(store).say("Zebrawood and xylophone, said once and for all.")
    store.close()
    assert path.read_bytes().count(b"Zebrawood and xylophone, said once") == 1


def test_search_finds_in_its_tenant_alone(tmp_path: Path) -> None:
    """Words are found where they were said and nowhere else, whatever tenants are called."""
    store = SqliteStore(tmp_path / "a.db")
    tenants = ["", "a", "ab", "A", "näme", 'q"uote) OR (', "x" * 200, "nz", "said"]
    for tenant in tenants:
        Recorder(store, namespace=tenant).say(f"The tenant said hello {len(tenant)}.")
    for tenant in tenants:
        (hit,) = store.search("tenant hello", namespace=tenant)
        assert f"hello] {len(tenant)}" in hit.snippet.replace(".", "")
        assert store.search("nz n61z tenants", namespace=tenant) == []
    assert store.search("hello", namespace="nobody") == []
    store.close()


@pytest.mark.parametrize(
    ("text", "held"), [("plain", 0), ("na\u00efve", 0), ("in \u6771\u4eac", 1), ("far on: " * 99 + "\u6771", 1)]
)
def test_the_index_of_characters_holds_what_has_such_characters(text: str, held: int) -> None:
    """A text has an entry there just when it holds a character of a script without spaces, wherever that stands."""
    store = MemoryStore()
    recorder = Recorder(store)
    draft = Draft(role="user", content=dumps([{"type": "text", "text": text}]))
    (turn,) = store.turns.append(recorder.key, head=0, turns=[draft], at=1.0)
    asked = "SELECT count(*) FROM turns_characters_docsize"
    with store.database.reading() as db:
        assert db.one(asked)[0] == held
    store.forgetting.redact(recorder.key, turn=turn.id, reason="", at=2.0)
    with store.database.reading() as db:
        assert db.one(asked)[0] == 0
    store.close()


@pytest.mark.parametrize(("index", "query"), [("turns_fts", '"weather"'), ("turns_characters", '"京の天"')])
def test_the_index_itself_passes_over_other_tenants(tmp_path: Path, index: str, query: str) -> None:
    """Of words and of characters alike, it finds a tenant's own turns and none of the others'."""
    store = SqliteStore(tmp_path / "a.db")
    tenants = ["", "a", "ab", "A", "näme", 'q"uote) OR (', "x" * 200, "nn", "61"]
    for tenant in tenants:
        Recorder(store, namespace=tenant).say("The weather in 東京の天気 today.", "東京の天気: fair weather.")
    with store.database.reading() as db:
        found = f"SELECT count(*) FROM {index} WHERE {db.sql.matches_of(index, '?1', '?2')}"
        assert [db.one(found, (query, tenant))[0] for tenant in tenants] == [2] * len(tenants)
        assert db.one(found, (query, "nobody"))[0] == 0
        assert db.one(f"SELECT count(*) FROM {index} WHERE {db.sql.matches(index, '?')}", (query,))[0] == 18
    assert len(store.search("天気", namespace="ab")) == len(store.search("weather 東京の", namespace="ab")) == 2
    assert store.search("61", namespace="a") == store.search("nn", namespace="a") == []
    store.close()


def test_an_older_index_of_characters_learns_whose_they_are(tmp_path: Path) -> None:
    """What was found by its characters is found again, in its tenant, and goes when its turn goes."""
    path = tmp_path / "a.db"
    store = SqliteStore(path)
    Recorder(store, namespace="a").say("明日の東京の天気は？", "晴れです。")
    store.close()
    file = sqlite3.connect(path)
    for statement in (
        "DROP TABLE turns_characters_terms", "DROP TABLE turns_characters",
        "CREATE VIRTUAL TABLE turns_characters USING fts5 (text, content='', tokenize='trigram')",
        "INSERT INTO turns_characters (rowid, text) SELECT place, text || char(10, 10) FROM turns",
        "CREATE VIRTUAL TABLE turns_characters_terms USING fts5vocab (turns_characters, 'row')",
        "DELETE FROM _sqlite_migrations WHERE name = 'm041_tenants_of_characters'", "PRAGMA user_version = 40",
    ):  # fmt: skip
        file.execute(statement)
    file.commit()
    file.close()
    store = SqliteStore(path)
    assert [hit.seq for hit in store.search("東京の", namespace="a")] == [1]
    assert store.search("東京の") == []
    Recorder(store, "b", namespace="a").say("東京の夜")
    assert len(store.search("東京の", namespace="a")) == 2
    store.delete("a", namespace="a")
    with store.database.reading() as db:
        assert db.one("SELECT count(*) FROM turns_characters WHERE turns_characters MATCH '東京の'")[0] == 1
    store.close()


def test_the_best_come_first(tmp_path: Path) -> None:
    """A turn that says the words more often, and little else, comes before one that mentions them."""
    store = SqliteStore(tmp_path / "a.db")
    recorder = Recorder(store)
    recorder.say("The lamp stands in the hall. " + "Something quite different follows here. " * 20, "No.")
    recorder.say("Lamp, lamp, lamp.", "No.")
    recorder.say("A lamp with other words around it, as they come in a talk.", "No.")
    assert [hit.seq for hit in store.search("lamp")] == [3, 5, 1]
    store.close()


def test_an_older_file_becomes_smaller_and_says_the_same(tmp_path: Path) -> None:
    """A file that kept every text twice is brought up to date: the same words, the same finds, fewer bytes."""
    path = tmp_path / "a.db"
    store = SqliteStore(path)
    recorder = Recorder(store)
    for number in range(200):
        recorder.say(f"Message {number}: {'the quick brown fox jumps over the lazy dog ' * 5}", "Yes, it does. " * 20)
    before = [(turn.text, turn.content) for turn in recorder.turns()]
    store.close()
    _as_it_was(path)
    large = path.stat().st_size
    store = SqliteStore(path)
    recorder = Recorder(store)
    assert [(turn.text, turn.content) for turn in recorder.turns()] == before
    assert [hit.seq for hit in store.search("message 123")] == [247]
    recorder.say("And it goes on: zebrawood.")
    assert len(store.search("zebrawood")) == 1
    store.close()
    assert large - path.stat().st_size > 0.9 * sum(len(text) for text, _ in before)


def _as_it_was(path: Path) -> None:
    """Take the migration back: texts beside contents, an index without tenants."""
    db = sqlite3.connect(path)
    for statement in (
        "DROP TRIGGER turns_written", "DROP TRIGGER turns_gone", "DROP TRIGGER turns_rewritten",
        "DROP VIEW indexed_turns", "DROP VIEW readable_turns", "DROP TABLE turns_fts",
        "UPDATE turns SET said = text", "ALTER TABLE turns DROP COLUMN text",
        "ALTER TABLE turns RENAME COLUMN said TO text",
        """CREATE VIRTUAL TABLE turns_fts USING fts5
            (text, content='turns', content_rowid='place', tokenize='porter unicode61 remove_diacritics 2')""",
        "INSERT INTO turns_fts (turns_fts) VALUES ('rebuild')",
        "CREATE TRIGGER turns_written AFTER INSERT ON turns BEGIN SELECT 1; END",
        "CREATE TRIGGER turns_gone AFTER DELETE ON turns BEGIN SELECT 1; END",
        "CREATE TRIGGER turns_rewritten AFTER UPDATE OF text ON turns BEGIN SELECT 1; END",
        "CREATE VIEW readable_turns AS SELECT text FROM turns",
        "DELETE FROM _sqlite_migrations WHERE name = 'm036_said_once'",
        "PRAGMA user_version = 35",
    ):  # fmt: skip
        db.execute(statement)
    db.commit()
    db.execute("VACUUM")
    db.close()


@pytest.mark.parametrize(("escaped", "says"), [("a\\u0062", "ab"), ("a\\u0000", "a ")])
def test_escaped_signs_are_no_matter(escaped: str, says: str) -> None:
    """A content with escaped signs, as another program may write it, says what it says."""
    content = f'[{{"type":"text","text":"{escaped}"}}]'
    store = MemoryStore()
    recorder = Recorder(store)
    store.turns.append(recorder.key, head=0, turns=[Draft(role="assistant", content=content)], at=1.0)
    with store.database.reading() as db:
        assert db.one("SELECT text FROM turns")[0] == says
    store.close()
