"""A record copied from a file to a server and back: nothing is lost, and whatever is amiss is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

import sash
import servers
from conftest import STORES
from recording import Recorder
from sash.errors import CopyDiffers, InvalidOption
from sash.model.counts import Count
from sash.stores import copying
from sash.stores.copying.tables import LEFT_OUT, NOBODYS, TABLES
from sash.stores.store import DatabaseStore
from summarising import Talker

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (400).to_bytes(4, "big") + (300).to_bytes(4, "big") + b"\x00" * 9_000
Make = Callable[[str], Any]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Make]:
    """Makes empty stores of a kind."""
    with ExitStack() as stack:

        def make(kind: str) -> Any:
            if kind == "postgres":
                return stack.enter_context(closing(STORES[kind](stack.enter_context(servers.fresh_database()))))
            folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            return stack.enter_context(closing(STORES[kind](folder)))

        yield make


def look_up(word: str) -> str:
    """Look a word up."""
    return f"{word}: a light"


def live_in(store: Any, namespace: str = "") -> None:
    """Something of all that a record may hold."""
    with sash.Conversation(
        store, id="order", namespace=namespace, client="simulator", user="ann", budget=3_000, keep=600,
        meter=True, recall=sash.Recall(tokens=300),
    ) as chat:  # fmt: skip
        chat.send(["I live in Haarlem \x00. Always answer briefly.", sash.File(PNG, "image/png")], token="first")
        for number in range(6):
            chat.send(f"Cake {number} is for table {number * 7}, 東京の天気. " + "Write that down. " * 20)
        chat.send("Which table was cake 1 for?")
        chat.run("Look the lamp up: look_up lamp", tools=[look_up], max_steps=2)
        chat.pin(chat.history()[2])
        chat.wait_for_background()
        with chat.fork(id="other") as other:
            other.send("Suppose I cancel?")
        chat.redact(chat.history()[4], reason="asked for it")
        chat.profile.set("We moved to Utrecht.")
    store.index.embed(store.branches.open(namespace=namespace, id="order").conversation, embedder=Halves())
    with sash.Conversation(store, id="gone", namespace=namespace, client="simulator") as chat:
        chat.send("Forget me.")
    store.delete("gone", namespace=namespace)
    with sash.Conversation(store, id="asked", namespace=namespace, client="simulator", memo=True) as chat:
        chat.send("Is that all?")
    store.memory_files.change(
        lambda folder: folder.write("/memories/a", "x\x00y"), user="ann", namespace=namespace, at=1.0
    )


class Halves:
    """An embedder of two numbers."""

    name = "halves"

    def embed(self, texts: list[str], /) -> list[list[float]]:
        """How long a text is, and that it is one."""
        return [[float(len(text)), 1.0] for text in texts]


def rows(store: DatabaseStore) -> dict[str, list[Any]]:
    """Everything that is copied."""
    with store.database.reading() as db:
        return {table.name: [dict(row) for page in table.rows(db, None) for row in page] for table in TABLES}


@pytest.mark.parametrize("kinds", [("sqlite", "postgres"), ("postgres", "sqlite")], ids="-".join)
def test_a_record_goes_there_and_back(made: Make, kinds: tuple[str, str]) -> None:
    """Every row is the same, every past request rebuilds to the same bytes, and the copy goes on where it was."""
    source, there, back = made(kinds[0]), made(kinds[1]), made(kinds[0])
    live_in(source)
    before = rows(source)
    filled = {name for name, found in before.items() if found}
    assert {"turns", "blobs", "vectors", "attachments", "memory_files", "forgotten", "deleted_spending"} <= filled
    assert {"profile_entries", "pins", "submissions", "attempts", "memos", "counts", "epochs"} <= filled
    for one, other in ((source, there), (there, back)):
        copying.copy(one, other)
        assert copying.check(one, other) >= 9
    assert rows(back) == before
    assert [hit.seq for hit in back.search("Cake 3")] == [hit.seq for hit in source.search("Cake 3")] != []
    assert back.search("京の天")
    with sash.Conversation(there, id="order", client="simulator") as chat:
        highest = max(row["id"] for row in before["turns"])
        reply = chat.send("And now?")
        assert reply.turn is not None and reply.turn.id > highest
        assert chat.request(reply.number).intact


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_ids_of_deleted_rows_are_not_given_again(made: Make, kind: str) -> None:
    """What other processes remember beyond a deletion means the same in a copy."""
    source, target = made("postgres" if kind == "sqlite" else "sqlite"), made(kind)
    for name in ("a", "b"):
        Recorder(source, name).say("hello")
    source.delete("b")
    copying.copy(source, target)
    assert Recorder(target, "c").key == 3


def test_a_copy_that_was_broken_off_goes_on(made: Make) -> None:
    """What is there already is not written again."""
    source, target = made("sqlite"), made("postgres")
    live_in(source)

    def break_off(what: str, _: int) -> None:
        if what == "requests":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copying.copy(source, target, progress=break_off)
    with pytest.raises(CopyDiffers):
        copying.check(source, target)
    done = copying.copy(source, target)
    assert done.known > 20 and done.rows > 0
    told: list[int] = []
    assert copying.copy(source, target, progress=lambda _, done: told.append(done)).rows == 0
    assert copying.check(source, target, progress=lambda _, done: told.append(done)) >= 9
    assert sum(told) == copying.size(source)


def test_one_tenant_is_copied_alone(made: Make) -> None:
    """With all that is theirs, and nothing that is another's; the next one may follow, and goes on meanwhile."""
    source, target = made("sqlite"), made("postgres")
    for namespace in ("acme", "other"):
        live_in(source, namespace)
    copying.copy(source, target, namespace="acme")
    learned = rows(source)["calibration"]
    with sash.Conversation(source, id="order", namespace="other", client="simulator") as chat:
        for question in ("What do all tenants learn of this?", "And of this?"):
            chat.send(question)
    assert rows(source)["calibration"] != learned
    assert copying.check(source, target, namespace="acme") >= 9
    assert target.conversations(namespace="other") == [] and len(target.conversations(namespace="acme")) == 3
    found = rows(target)
    assert {row["namespace"] for name in ("forgotten", "memory_files", "attempts") for row in found[name]} == {"acme"}
    copying.copy(source, target, namespace="other")
    assert copying.check(source, target, namespace="other") >= 9
    assert len(rows(target)["turns"]) == len(rows(source)["turns"])


def test_a_target_with_other_conversations_is_refused(made: Make) -> None:
    """Ids are kept, so nothing may stand in their place; nothing is written."""
    source, target = made("sqlite"), made("postgres")
    Recorder(source, "mine").say("hello")
    Recorder(target, "theirs").say("hello")
    before = rows(target)
    with pytest.raises(InvalidOption, match="holds the conversation 'theirs'"):
        copying.copy(source, target)
    assert rows(target) == before
    with pytest.raises(InvalidOption, match="copied from and to"):
        copying.copy(source, source)


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ("UPDATE turns SET content = '[]' WHERE id = 2", "turns"),
        ("DELETE FROM counts", "counts"),
        ("INSERT INTO alerts VALUES ('new', 0)", "alerts"),
    ],
)
def test_a_copy_that_differs_is_named(made: Make, statement: str, table: str) -> None:
    """The first row that is not the same, by table and key: in content, missing, or too many."""
    source, target = made("sqlite"), made("postgres")
    Recorder(source).say("hello", counts={1: Count(7, 7, "usage", "")})
    copying.copy(source, target)
    with target.database.writing() as db:
        db.execute(statement)
    with pytest.raises(CopyDiffers, match=table) as caught:
        copying.check(source, target)
    assert caught.value.table == table


def test_every_table_is_copied_or_left_out_for_a_reason(made: Make) -> None:
    """A new table does not slip through."""
    with made("sqlite").database.reading() as db:
        found = {row[0] for row in db.all("SELECT name FROM pragma_table_list WHERE type IN ('table', 'virtual')")}
    tables = {name for name in found if not name.startswith("sqlite_") and name != "turns_characters_terms"}
    copied = [table.name for table in TABLES]
    assert len(set(copied)) == len(copied)
    assert tables | {"migrations"} == set(copied) | LEFT_OUT.keys()


def test_what_is_said_of_the_tables_is_so(made: Make) -> None:
    """Keys tell rows apart; what is true or false, or filled by a database itself, is what both schemas say."""
    file, server = made("sqlite"), made("postgres")
    columns = (
        "SELECT column_name AS name, data_type = 'boolean' AS yes_or_no, "
        "is_generated = 'ALWAYS' OR identity_generation = 'ALWAYS' AS made FROM information_schema.columns "
        "WHERE table_schema = 'sash' AND table_name = ?"
    )
    unique = (
        "SELECT ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = i.indrelid "
        "AND a.attnum = ANY (i.indkey)) AS key FROM pg_index i "
        "WHERE i.indrelid = to_regclass(?) AND i.indisunique AND i.indpred IS NULL"
    )
    with file.database.reading() as mine, server.database.reading() as theirs:
        for table in TABLES:
            found = theirs.all(columns, (table.name,))
            filled = mine.all("SELECT name FROM pragma_table_xinfo(?) WHERE hidden IN (2, 3)", (table.name,))
            assert {row["name"] for row in found if row["yes_or_no"]} == set(table.booleans), table.name
            hand_written = {row["name"] for row in (*filled, *(row for row in found if row["made"]))} - {"text"}
            assert hand_written | ({"said"} if table.name == "turns" else set()) == set(table.made) - {"near"}, (
                table.name
            )
            assert set(table.key) in [set(row["key"]) for row in theirs.all(unique, (table.name,))], table.name


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_every_row_is_one_tenants(made: Make, kind: str) -> None:
    """What names a tenant or leads to one belongs to it and to no other, and all rows but nobody's are somebody's."""
    store = made(kind)
    for namespace in ("acme", "other"):
        live_in(store, namespace)
    with store.database.reading() as db:
        spaces = {row["id"]: row["namespace"] for row in db.all("SELECT id, namespace FROM conversations")}
        for table in TABLES:
            theirs = {name: [row for page in table.rows(db, name) for row in page] for name in ("acme", "other")}
            for name, found in theirs.items():
                told = [row.get("namespace", spaces.get(row.get("conversation_id") or 0, name)) for row in found]
                assert set(told) <= {name}, table.name
            if table.mine != NOBODYS:
                keys = {table.key_of(row) for found in theirs.values() for row in found}
                assert keys == {table.key_of(row) for page in table.rows(db, None) for row in page}, table.name


def test_a_summary_is_copied_with_its_sources(made: Make) -> None:
    """And a view that stands on it goes on in the copy."""
    source, target = made("sqlite"), made("postgres")
    talker = Talker(source)
    while not talker.chat.summaries():
        talker.say()
    talker.close()
    copying.copy(source, target)
    copying.check(source, target)
    assert rows(target)["summaries"] and rows(target)["summary_sources"]
    with sash.Conversation(target, id="a", client="simulator") as chat:
        assert [summary.text for summary in chat.summaries()]
