"""The memo: what was answered before is answered from memory, and nothing that it must not answer."""

from __future__ import annotations

import asyncio
import gzip
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest
from anthropic import Anthropic
from hypothesis import given
from hypothesis import strategies as st

from sash import AsyncConversation, Conversation
from sash.claude.middleware import Memo, MemoPolicy, bypass_memo
from sash.errors import InvalidOption
from sash.limits import Ceiling, Limits
from sash.limits.memo.policy import may_keep, may_serve, name_of
from sash.simulator import CutStream, Refusal, Simulator, Stopped
from sash.stores import SqliteMemos

Talk = Callable[..., Conversation]

ASK: dict[str, Any] = {
    "model": "claude-sonnet-5-5",
    "max_tokens": 500,
    "messages": [{"role": "user", "content": "When do you open?"}],
}
TOOL: Any = {"name": "lookup", "description": "Look a word up.", "input_schema": {"type": "object"}}


@pytest.fixture
def memo(path: Path, sim: Simulator) -> Iterator[Memo]:
    """A memo in a file of its own."""
    book = SqliteMemos(path)
    yield Memo(MemoPolicy(ttl=100, tags=("faq",)), book=book, clock=sim.clock.now)
    book.close()


@pytest.fixture
def client(sim: Simulator, memo: Memo) -> Iterator[Anthropic]:
    """A plain client of the SDK with the memo."""
    with sim.client(middleware=[memo]) as made:
        yield made


def test_the_same_question_is_answered_from_memory(client: Anthropic, sim: Simulator, memo: Memo) -> None:
    """The reply is the first one's, marked as such; the second request is never sent."""
    first, again = client.messages.create(**ASK), client.messages.create(**ASK)
    assert len(sim.messages) == 1
    assert again.content == first.content
    assert (again.id, again.usage, again._request_id) == (first.id, first.usage, first._request_id)
    assert "sash_memo" not in first.to_dict()
    assert again.to_dict()["sash_memo"]["saved"] > 0
    used = memo.use()
    assert (used.entries, used.asked, used.hits, used.rate) == (1, 2, 1, 0.5)
    assert used.saved == pytest.approx(sim.cost)


def test_a_stream_is_replayed_as_a_stream(client: Anthropic, sim: Simulator) -> None:
    """The same events in the same order, and the same final message."""
    seen = []
    for _ in range(2):
        with client.messages.stream(**ASK) as stream:
            seen.append(([event.type for event in stream], stream.get_final_message().content))
    assert seen[0] == seen[1]
    assert len(sim.messages) == 1


def test_a_stream_that_was_left_or_broke_is_not_remembered(client: Anthropic, sim: Simulator, memo: Memo) -> None:
    """Only a whole reply is worth keeping."""
    with client.messages.stream(**ASK) as stream:
        next(iter(stream))
    sim.faults.fail_next(CutStream(events=4))
    with client.messages.stream(**ASK) as stream:
        stream.until_done()
    assert memo.use().entries == 0
    assert len(sim.messages) == 2


def test_asynchronous_clients_share_it(sim: Simulator, memo: Memo) -> None:
    """Whole and streamed, from the same book."""

    async def main() -> list[Any]:
        async with sim.async_client(middleware=[memo]) as made:
            whole = [(await made.messages.create(**ASK)).content for _ in range(2)]
            streamed = []
            for _ in range(2):
                async with made.messages.stream(**ASK) as stream:
                    streamed.append([event.type async for event in stream])
            assert streamed[0] == streamed[1]
            return whole

    first, second = asyncio.run(main())
    assert first == second
    assert len(sim.messages) == 2  # one whole, one streamed
    with sim.client(middleware=[memo]) as made:
        assert made.messages.create(**ASK).content == first
    assert len(sim.messages) == 2


def test_raw_responses_say_where_they_come_from(client: Anthropic) -> None:
    """With the SDK's raw responses, a header tells."""
    raw = [client.messages.with_raw_response.create(**ASK) for _ in range(2)]
    assert [response.headers.get("x-sash-memo") for response in raw] == [None, "hit"]
    assert raw[0].parse().content == raw[1].parse().content


def test_what_is_old_is_forgotten(client: Anthropic, sim: Simulator) -> None:
    """After its time a reply is asked for again."""
    client.messages.create(**ASK)
    sim.clock.advance(99)
    client.messages.create(**ASK)
    assert len(sim.messages) == 1
    sim.clock.advance(2)
    client.messages.create(**ASK)
    assert len(sim.messages) == 2


def test_whoever_asks_for_a_fresh_reply_gets_one(client: Anthropic, sim: Simulator) -> None:
    """And it takes the place of the old one."""
    client.messages.create(**ASK)
    with bypass_memo():
        second = client.messages.create(**ASK)
    assert len(sim.messages) == 2
    assert client.messages.create(**ASK).id == second.id


@pytest.mark.parametrize(
    ("more", "served"),
    [
        ({"tools": [TOOL]}, False),
        ({"tools": [TOOL], "tool_choice": {"type": "none"}}, True),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, False),
        ({"container": "c"}, False),
        ({"mcp_servers": [{"name": "x"}]}, False),
        ({"max_tokens": 0}, False),
        ({"system": "Be brief."}, True),
    ],
)
def test_nothing_that_may_act_is_answered_from_memory(more: dict[str, Any], served: bool) -> None:
    """Tools on offer, the server's too, make a request one that may act."""
    assert may_serve({**ASK, **more}) is served


def test_a_request_with_tools_is_always_sent(client: Anthropic, sim: Simulator, memo: Memo) -> None:
    """And leaves nothing behind."""
    for _ in range(2):
        client.messages.create(**ASK, tools=[TOOL])
    assert len(sim.messages) == 2
    assert memo.use().entries == 0


@pytest.mark.parametrize("fault", [Refusal(), Stopped(reason="max_tokens")], ids=lambda fault: type(fault).__name__)
def test_replies_without_a_natural_end_are_not_remembered(client: Anthropic, sim: Simulator, fault: Any) -> None:
    """A refusal or a reply cut short is not what the next one should get."""
    sim.faults.fail_next(fault)
    client.messages.create(**ASK)
    assert client.messages.create(**ASK).stop_reason == "end_turn"
    assert len(sim.messages) == 2


def test_by_tag_and_altogether_it_forgets(client: Anthropic, sim: Simulator, memo: Memo) -> None:
    """A tag of the policy, or where it came from, names what is to go."""
    client.messages.create(**ASK)
    assert memo.forget("other") == 0
    assert memo.forget("faq") == 1
    client.messages.create(**ASK)
    assert memo.forget("model:claude-sonnet-5-5") == 1
    client.messages.create(**ASK)
    assert memo.forget() == 1
    assert len(sim.messages) == 3


def test_the_longest_unused_makes_room(sim: Simulator, path: Path) -> None:
    """The bytes kept never pass the bound; what was used lately stays."""
    book = SqliteMemos(path)
    memo = Memo(MemoPolicy(most=2_500), book=book, clock=sim.clock.now)
    with sim.client(middleware=[memo]) as client:
        for number in range(8):
            client.messages.create(**ASK)  # used all the time
            client.messages.create(**{**ASK, "messages": [{"role": "user", "content": f"Question {number}?"}]})
            sim.clock.advance(1)
            assert memo.use().size <= 2_500
        sent = len(sim.messages)
        client.messages.create(**ASK)
        assert len(sim.messages) == sent
    book.close()


def test_a_book_that_fails_costs_nobody_their_reply(
    client: Anthropic, memo: Memo, caplog: pytest.LogCaptureFixture
) -> None:
    """The request is sent as if there were no memo, and the log says so."""
    assert isinstance(memo.book, SqliteMemos)
    with memo.book._database.writing() as db:
        db.execute("DROP TABLE memos")
    with caplog.at_level(logging.WARNING, logger="sash.claude"):
        assert client.messages.create(**ASK).content
    assert "the memo cannot be read" in caplog.text


def test_compressed_streams_are_remembered() -> None:
    """What came compressed is kept plain, and replayed."""
    sim = Simulator()
    with sim.client() as plain, plain.messages.with_streaming_response.create(**ASK, stream=True) as response:
        text = response.read()
    sent = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        headers = {"content-type": "text/event-stream", "content-encoding": "gzip"}
        return httpx2.Response(200, headers=headers, stream=httpx2.ByteStream(gzip.compress(text)))

    book = SqliteMemos(":memory:")
    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    with Anthropic(api_key="x", http_client=http, middleware=[Memo(book=book)]) as client:
        for _ in range(2):
            with client.messages.stream(**ASK) as stream:
                assert stream.get_final_text()
    assert len(sent) == 1
    book.close()


def test_a_memo_without_a_book_says_what_to_do(sim: Simulator) -> None:
    """A plain client has no store of its own."""
    with sim.client(middleware=[Memo()]) as client, pytest.raises(InvalidOption, match="book"):
        client.messages.create(**ASK)


@pytest.mark.parametrize("wrong", [{"ttl": 0}, {"most": 0}, {"most": -1}, {"tags": "faq"}, {"tags": (3,)}], ids=str)
def test_a_policy_has_sensible_values(wrong: dict[str, Any]) -> None:
    """Seconds and bytes above zero, tags as a list of texts."""
    with pytest.raises(InvalidOption):
        MemoPolicy(**wrong)


_values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=6), _values, max_size=4), st.text(max_size=3))
def test_a_name_hangs_on_nothing_that_leaves_the_reply_as_it_is(body: dict[str, Any], namespace: str) -> None:
    """Markers, metadata and the order of keys do not tell requests apart; anything else does."""
    more: dict[str, Any] = {"namespace": namespace, "betas": "b,a", "version": "", "stream": False}
    name = name_of(body, **more)
    marked = dict(reversed(list(body.items()))) | {"cache_control": {"type": "ephemeral"}, "metadata": {"user_id": "u"}}
    assert name_of(marked, **{**more, "betas": "a,b"}) == name
    assert name_of({**body, "new": "field"}, **more) != name
    assert name_of(body, **{**more, "namespace": namespace + "x"}) != name
    assert name_of(body, **{**more, "stream": True}) != name


def test_only_what_ended_by_itself_is_kept() -> None:
    """Of all stop reasons, two."""
    reasons = ["end_turn", "stop_sequence", "max_tokens", "refusal", "tool_use", "pause_turn", None]
    content = [{"type": "text", "text": "x"}]
    kept = [reason for reason in reasons if may_keep({"stop_reason": reason, "content": content})]
    assert kept == ["end_turn", "stop_sequence"]
    assert not may_keep({"stop_reason": "end_turn", "content": []})


# ---- in a conversation ----------------------------------------------------------------------------


def test_a_conversation_switches_it_on_by_one_argument(talk: Talk, sim: Simulator) -> None:
    """The reply costs nothing, says so, and is recorded as any other; tenants do not share."""
    memo = Memo(clock=sim.clock.now)
    first = talk(memo=memo).send("When do you open?")
    again = talk(id="b", memo=memo).send("When do you open?")
    assert again.text == first.text
    assert (again.cost, again.usage.prompt, again.usage.output) == (0.0, 0, 0)
    assert "answered from memory" in again.notes[0]
    assert len(sim.messages) == 1
    talk(id="c", memo=memo, namespace="other").send("When do you open?")
    assert len(sim.messages) == 2
    assert talk(id="b").usage().dollars == 0.0


def test_a_conversation_goes_on_from_a_remembered_reply(talk: Talk, sim: Simulator) -> None:
    """The next plan knows that no cache was touched, and its request is legal and rebuilt."""
    long = "You keep the harbour books and answer for every crate. " * 80
    memo = Memo(MemoPolicy(ttl=10_000), clock=sim.clock.now)
    talk(memo=memo, system=long).send("When do you open?")
    sim.clock.advance(4_000)  # the cache of the first one is gone, the memo is not
    chat = talk(id="b", memo=memo, system=long)
    chat.send("When do you open?")
    reply = chat.send("And on Sundays?")
    assert reply.plan.expected.read == reply.usage.read == 0
    assert reply.surprise == ""
    assert all(chat.request(number).intact for number in (1, 2))
    assert chat.send("And on Mondays?").usage.read > 0


def test_regenerating_asks_anew(talk: Talk, sim: Simulator) -> None:
    """So does a send that wants a fresh reply."""
    chat = talk(memo=Memo(clock=sim.clock.now))
    chat.send("When do you open?")
    chat.regenerate()
    assert len(sim.messages) == 2
    talk(id="b", memo=Memo(clock=sim.clock.now)).send("When do you open?", bypass_memo=True)
    assert len(sim.messages) == 3


def test_streams_of_conversations_are_replayed(path: Path, sim: Simulator) -> None:
    """The asynchronous one, too."""

    async def main() -> list[str]:
        texts = []
        async with sim.async_client() as client:
            for name in "ab":
                settings: dict[str, Any] = {"id": name, "model": "claude-sonnet-5-5", "client": client}
                async with AsyncConversation(path, memo=True, **settings) as chat, chat.stream("Hello!") as stream:
                    texts.append("".join([text async for text in stream]))
        return texts

    texts = asyncio.run(main())
    assert texts[0] == texts[1] != ""
    assert len(sim.messages) == 1


def test_what_is_remembered_draws_on_no_limit_and_no_ceiling(talk: Talk, sim: Simulator, path: Path) -> None:
    """It never reaches them; the meter writes down what held the attempt."""
    memo, tight = Memo(clock=sim.clock.now), Limits(requests=1, input_tokens=10**6, output_tokens=10**6)
    more: dict[str, Any] = {"memo": memo, "limits": tight, "max_wait": 0.0, "meter": True}
    for name in "abc":
        with talk(id=name, ceilings=Ceiling(dollars=0.0105), **more) as chat:
            chat.send("When do you open?")
    assert len(sim.messages) == 1
    with closing(sqlite3.connect(path)) as db:
        assert sorted(row[0] for row in db.execute("SELECT held_by FROM attempts")) == ["", "memo", "memo"]


def test_wrong_arguments_are_refused(talk: Talk) -> None:
    """Before anything is opened."""
    with pytest.raises(InvalidOption, match="memo"):
        talk(memo="yes")
