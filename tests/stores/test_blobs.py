"""Big binary content is kept once, and comes back as it was."""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recording import Recorder, text
from sash import Conversation, MemoryStore, SqliteStore
from sash.errors import InvalidContent
from sash.model.blocks import dumps
from sash.model.turns import Draft
from sash.planning.strategies import Everything
from sash.simulator import Simulator

BIG = base64.b64encode(Random(1).randbytes(30_000)).decode()
OTHER = base64.b64encode(Random(2).randbytes(30_000)).decode()


def image(data: str) -> dict[str, Any]:
    """An image block."""
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}


def draft(*blocks: dict[str, Any]) -> Draft:
    """A user turn."""
    return Draft(role="user", content=dumps(list(blocks)))


def rows(path: Path, query: str) -> list[Any]:
    """What a query of the file says."""
    with closing(sqlite3.connect(path)) as db:
        return db.execute(query).fetchall()


def test_data_is_kept_once_for_all_turns_and_conversations(path: Path) -> None:
    """As bytes, and no turn's row holds it."""
    with closing(SqliteStore(path)) as store:
        for id in ("a", "b"):
            record = Recorder(store, id)
            record.finish(record.begin(draft(image(BIG), text("look").blocks[0])))
            record.finish(record.begin(draft(image(BIG), image(OTHER))))
            record.branch(2, "fork", as_id=f"{id}-fork")
            assert Recorder(store, f"{id}-fork").turns()[0].blocks[0] == image(BIG)
    assert sorted(size for (size,) in rows(path, "SELECT length(data) FROM blobs")) == [30_000, 30_000]
    assert max(size for (size,) in rows(path, "SELECT length(content) FROM turns")) < 1_000
    assert rows(path, "PRAGMA foreign_key_check") == []


def test_content_is_the_exact_text_again_everywhere(path: Path) -> None:
    """In pages, windows, single turns and rebuilt requests, warm and from disk."""
    said = draft({"type": "text", "text": 'é "data":"'}, image(BIG), image("iVBORw0KGgo="), image(OTHER), image(BIG))
    with closing(SqliteStore(path)) as store:
        Recorder(store).finish(Recorder(store).begin(said))
    with closing(SqliteStore(path)) as store:
        record = Recorder(store)
        for _ in range(2):
            assert record.turns()[0].content == said.content
            assert record.window().turns[0].content == said.content


def test_text_that_looks_like_a_reference_stays_text() -> None:
    """Only what was taken out is put back."""
    name = "sha256:" + "0" * 64
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {"data": name}}
    for blocks in ([call], [call, image(BIG), {**call, "input": {"data": BIG}}]):
        record = Recorder(MemoryStore())
        content = dumps(blocks)
        record.begin(Draft(role="assistant", content=content))
        assert record.turns()[0].content == content


alphabets = st.sampled_from(["A", "Ab9+/", "Ab9-_", "A=", "Aé", 'A"', "A\\"])
pieces = st.lists(st.tuples(alphabets, st.sampled_from([0, 1, 4_095, 4_096, 4_097, 9_001])), max_size=5)


@given(pieces, st.booleans())
def test_any_content_comes_back(found: list[tuple[str, int]], spaced: bool) -> None:
    """Whatever the data is, base64 or not, and however the JSON is written."""
    blocks = [image((alphabet * size)[:size]) for alphabet, size in found]
    content = dumps(blocks).replace('"data":', '"data": ' if spaced else '"data":')
    with closing(MemoryStore()) as store:
        record = Recorder(store)
        record.begin(Draft(role="user", content=content))
        assert record.turns()[0].content == content


def test_requests_with_images_rebuild(talk: Callable[..., Conversation], sim: Simulator) -> None:
    """Byte for byte from the record, by another object."""
    picture = image(base64.b64encode(png(64, 48) + Random(3).randbytes(9_000)).decode())
    chat = talk()
    chat.send([picture, {"type": "text", "text": "What is this?"}])
    chat.send("And now?")
    again = talk()
    assert all(again.request(number).intact for number in (1, 2))
    assert again.request(2).body["messages"][0]["content"][0] == picture
    assert sim.messages[-1].body["messages"][0]["content"][0] == picture


def png(width: int, height: int) -> bytes:
    """The head of a PNG of that size."""
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big")


def test_data_stays_until_the_last_turn_that_holds_it_is_redacted(
    talk: Callable[..., Conversation], path: Path
) -> None:
    """A fork shares it, a check reads it, a turn that says it again holds it on; then no byte of it is left."""
    chat = talk()
    chat.send([image(BIG), {"type": "text", "text": "look"}])
    forked = chat.fork(id="forked")
    forked.send([image(BIG), {"type": "text", "text": "look again"}])
    assert rows(path, "SELECT count(*) FROM blobs") == [(1,)]
    assert chat.check() == forked.check() == []
    first, again = (turn for turn in forked.history() if turn.role == "user")
    forked.redact(first)
    assert rows(path, "SELECT count(*) FROM blobs") == [(1,)]
    assert forked.history()[2].blocks[0] == image(BIG)
    assert forked.send("Well?").stop_reason == "end_turn"
    forked.redact(again)
    assert rows(path, "SELECT count(*) FROM blobs") == [(0,)]
    assert [one.send("And now?").stop_reason for one in (chat, forked)] == ["end_turn", "end_turn"]
    forked.close()


def test_limits_on_images_are_met_before_sending(talk: Callable[..., Conversation], sim: Simulator) -> None:
    """Of the whole request, not of the new turn alone; nothing is written then."""
    small = image(base64.b64encode(png(20, 20)).decode())
    chat = talk(strategy=Everything())
    for _ in range(6):
        chat.send([*[small] * 100, {"type": "text", "text": "these"}])
    before = len(sim.messages), len(chat.history())
    with pytest.raises(InvalidContent, match="601 images"):
        chat.send([small, {"type": "text", "text": "one more"}])
    assert (len(sim.messages), len(chat.history())) == before
    chat.send("Which was the first?")


def test_the_limit_on_bytes_is_met_before_sending(talk: Callable[..., Conversation], sim: Simulator) -> None:
    """32 MB of body."""
    chat = talk(strategy=Everything())
    large = image(base64.b64encode(png(20, 20) + bytes(6_500_000)).decode())
    for _ in range(3):
        chat.send([large, {"type": "text", "text": "this"}])
    with pytest.raises(InvalidContent, match="bytes; at most"):
        chat.send([large, {"type": "text", "text": "this"}])
    assert len(sim.messages) == 3
