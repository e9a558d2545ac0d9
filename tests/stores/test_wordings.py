"""What requests say in the same words is kept once, and is read as it was written, by sash and by people."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conftest import STORES
from recording import Recorder, text
from sash import Conversation, SqliteStore
from sash.model.blocks import dumps
from sash.model.requests import Paid
from sash.model.usage import Usage
from sash.planning.digest import body_hash
from sash.planning.view import body
from sash.simulator import Simulator
from sash.stores import wordings
from sash.stores.wordings import TEXTS

SIGNS = st.characters(exclude_categories=["Cs"])
WORDS = st.one_of(st.text(SIGNS, max_size=12), st.sampled_from(["$0.006543", "2,614 tokens", "5m", "a3f9", "x 1e-05."]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)
SENT = 60
WHYS = st.dictionaries(WORDS, JSON, max_size=4)


def why(number: int) -> dict[str, Any]:
    """A reason that differs from another one in its figures."""
    return {"rule": "stay", "cut": False, "reason": f"{number:,} tokens for ${number / 7:.6f}, {number} in all."}


@pytest.fixture(params=sorted(STORES))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """Each store in turn."""
    where = request.getfixturevalue("postgres_url") if request.param == "postgres" else tmp_path
    made = STORES[request.param](where)
    yield made
    made.close()


def known(store: Any) -> int:
    """How many wordings a store holds."""
    with store.database.reading() as db:
        return int(db.one("SELECT count(*) FROM wordings")[0])


@given(st.text(SIGNS) | JSON.map(dumps))
@example("")
@example("1")
@example("no figures")
@example('{"cut":true,"kept":4,808}')
def test_a_text_comes_back_from_its_parts(said: str) -> None:
    """Any text is its wording with its figures put in again, and figures hold no sign that a view would stumble on."""
    parts = wordings.parted("why", said)
    assert wordings.text(parts.wording, parts.figures) == said
    assert not set(parts.figures) & set('"\\') and parts.figures.isascii()


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_figures_are_no_part_of_a_wording(one: int, other: int) -> None:
    """Two reasons that differ in figures alone have one wording."""
    first, second = (wordings.parted("why", dumps(why(number))) for number in (one, other))
    assert first.hash == second.hash and (first.figures == second.figures) == (one == other)


@pytest.mark.parametrize("kind", [name for name in sorted(STORES) if name != "memory"])
def test_what_a_request_says_is_read_as_it_was_written(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """By sash, and by people in the view; whatever it says, and whether or not others have said it."""
    store = STORES[kind](request.getfixturevalue("postgres_url") if kind == "postgres" else tmp_path)
    names = map(str, count())

    @given(st.lists(WHYS, min_size=1, max_size=3), st.dictionaries(WORDS, st.integers(0, 10**6), max_size=3))
    def written(whys: list[dict[str, Any]], usage: dict[str, int]) -> None:
        name = next(names)
        recorder = Recorder(store, name)
        for said in [*whys, *whys]:
            recorder.say("Hello.", why=said)
            begun = recorder.begin(text("And?"), why=said)
            recorder.finish(begun, usage_json=usage)
            found, _, _ = store.requests.read(recorder.key, number=begun.number)
            assert dumps(found.why) == dumps(said)
            last = recorder.window().last
            assert last is not None and (dumps(last.why), last.wire) == (dumps(said), usage)
            assert last.sent.markers[0].seq == begun.turns[-1].seq
            with store.database.reading() as db:
                row = db.one(
                    "SELECT v.why, v.markers, v.usage FROM readable_requests v "
                    "WHERE v.conversation = ? AND v.number = ?",
                    (name, begun.number),
                )
            assert (row["why"], json.loads(row["usage"])) == (dumps(said), usage)
            assert json.loads(row["markers"])[0]["seq"] == begun.turns[-1].seq

    written()
    store.close()


def test_a_wording_is_kept_once(store: Any) -> None:
    """However many requests of however many conversations say the same, each wording is there a single time."""
    for id in "ab":
        recorder = Recorder(store, id)
        for number in range(5):
            recorder.say("Hello.", why=why(number))
            failed = recorder.begin(text("And?"), why=why(number))
            paid = Paid(usage=Usage(fresh=number), usage_json={"input_tokens": number}, cost=0.1)
            store.requests.fail(failed.request, error="Unavailable", request_id=None, at=recorder.now, paid=paid)
    assert known(store) == 3  # a reason, a marker, a bill
    assert store.cuts().cuts == 0


def test_cuts_are_counted_by_what_requests_say(store: Any) -> None:
    """Requests for which old turns left are counted in their namespace, with what that saved."""
    recorder = Recorder(store)
    for number in range(4):
        recorder.say("Hello.", why={"rule": "pays", "cut": number % 2 == 1, "saves": number / 4})
    Recorder(store, "b", namespace="other").say("Hello.", why={"rule": "pays", "cut": True, "saves": 1.0})
    found = store.cuts()
    assert (found.cuts, found.for_price, found.saved) == (2, 2, 1.0)


def test_a_deleted_conversation_leaves_no_wording_of_its_own(store: Any) -> None:
    """What it alone said goes with it; what others say too stays, and they read as before."""
    one, other = Recorder(store, "a"), Recorder(store, "b")
    one.say("Hello.", why={"reason": "for zebrawood alone"})
    one.say("Hello.", why=why(1))
    other.say("Hello.", why=why(2))
    before = known(store)
    store.delete("a")
    assert known(store) == before - 1
    found, _, _ = store.requests.read(other.key, number=1)
    assert found.why == why(2)


def test_a_row_without_wordings_is_read_whole(store: Any) -> None:
    """A request written by an older sash, as PostgreSQL keeps it, says what it said, and the conversation goes on."""
    recorder = Recorder(store)
    recorder.say("Hello.", why=why(1))
    with store.database.writing() as db:
        row = db.one(wordings.READ)
        said = wordings.whole(row)
        db.update("requests", row["id"], {name: said[name] for name in TEXTS} | {f"{name}_id": None for name in TEXTS})
    store.requests._cache.forget()
    found, _, _ = store.requests.read(recorder.key, number=1)
    last = recorder.window().last
    assert found.why == why(1) and last is not None and last.wire == {"input_tokens": 3}
    with store.database.reading() as db:
        assert json.loads(db.one("SELECT why FROM readable_requests")[0]) == why(1)
    recorder.say("And?", why={**why(2), "cut": True})
    assert store.cuts().cuts == 1


def test_an_older_file_says_the_same_in_less_space(tmp_path: Path) -> None:
    """Requests written whole are parted when the file is opened, and rebuild to the bytes that were sent."""
    path, sim = tmp_path / "a.db", Simulator()
    settings: dict[str, Any] = {"client": sim.client(), "clock": sim.clock.now, "budget": 2_000, "keep": 500}
    with Conversation(path, id="a", **settings) as chat:
        for number in range(SENT):
            chat.send(f"Message {number}: {'the quick brown fox jumps over the lazy dog ' * 3}")
    before = _told(path)
    _as_it_was(path)
    large = path.stat().st_size
    assert _told(path) == before
    assert large - path.stat().st_size > SENT * 400
    with Conversation(path, id="a", **settings) as chat:
        assert chat.send("And on it goes.").text


def _told(path: Path) -> list[Any]:
    """What a file says of its requests, each of which rebuilds to what was sent."""
    store = SqliteStore(path)
    found = [store.requests.read(1, number=number) for number in range(1, SENT + 1)]
    for request, epoch, turns in found:
        assert body_hash(body(epoch, turns, request.sent)) == request.body_hash
    cuts = store.cuts()
    assert cuts.cuts > 0
    store.close()
    return [*found, cuts]


def _as_it_was(path: Path) -> None:
    """Take the migration back."""
    store = SqliteStore(path)
    with store.database.writing() as db:
        for row in db.all(wordings.READ):
            said = wordings.whole(row)
            db.update("requests", row["id"], {name: said[name] for name in TEXTS})
    store.close()
    file = sqlite3.connect(path)
    for statement in (
        "DROP VIEW readable_requests", "DROP INDEX requests_why", "ALTER TABLE requests DROP COLUMN why_id",
        "ALTER TABLE requests DROP COLUMN markers_id", "ALTER TABLE requests DROP COLUMN usage_id",
        "DROP TABLE wordings", "DELETE FROM _sqlite_migrations WHERE name = 'm039_wordings'",
        "PRAGMA user_version = 38",
    ):  # fmt: skip
        file.execute(statement)
    file.commit()
    file.execute("VACUUM")
    file.close()
