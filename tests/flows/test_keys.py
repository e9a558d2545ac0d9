"""Several keys: a conversation sticks to its own, moves when that is out, and nobody ever sees a secret."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash import AsyncConversation, Conversation, ServerCompaction, Summarised
from sash.claude.adapter import Claude
from sash.claude.keys import Key, KeyPool
from sash.errors import AccessDenied, InvalidOption, Unavailable
from sash.flows.steps import OpenStream, Send
from sash.limits import Limits
from sash.model.answers import Wire
from sash.model.keys import KeyPoolView, KeyScope
from sash.simulator import HttpError, Overloaded, RateLimited, Simulator

Talk = Callable[..., Conversation]

LONG = "The harbour master keeps the books of every crate and vessel. " * 60
ONE, TWO, THREE = (Key(name, f"sk-ant-{name}-hush") for name in ("one", "two", "three"))
REVOKED = HttpError(status=401, message="invalid x-api-key")


def used(chat: Conversation) -> list[str]:
    """The key of each request, by the record."""
    requests = chat._store.branches.head(chat._chat().conversation).requests
    return [chat.request(number).request.sent.key for number in range(1, requests + 1)]


def test_a_conversation_sticks_to_its_key(talk: Talk, path: Path) -> None:
    """Across restarts, too, for its cache lives there."""
    with talk(keys=[ONE, TWO, THREE]) as chat:
        chat.send("Hello.")
        first = used(chat)[0]
    with talk(keys=[THREE, TWO, ONE]) as chat:
        chat.send("Hello again.")
        assert used(chat) == [first, first]
    assert path.read_bytes().find(b"sk-ant-") == -1


@pytest.mark.parametrize(
    "settings", [{"strategy": ServerCompaction()}, {"summarise": Summarised(ahead=False)}], ids=str
)
def test_all_that_a_conversation_asks_goes_with_its_key(
    talk: Talk, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sends, summaries and compactions alike, foreseen for its own accounts, and only a send may come from a memo."""
    left: list[Wire] = []
    perform = Claude.perform

    def noted(self: Claude, step: Any) -> Any:
        if isinstance(step, Send | OpenStream):
            left.append(step.wire)
        return perform(self, step)

    monkeypatch.setattr(Claude, "perform", noted)
    with talk(keys=[ONE, TWO, THREE], budget=4_000, keep=800, **settings) as chat:
        for number in range(30):
            chat.send(f"Crate {number} weighs {number * 7} stone. " + "Please write that down. " * 12)
        assert {wire.key for wire in left} == set(used(chat))
    assert len({wire.purpose for wire in left}) == 2
    assert {wire.forecast.conversation for wire in left} == {chat.id}
    assert all(wire.forecast.bypass_memo == (wire.purpose != "send") for wire in left)


def test_many_conversations_spread_over_the_keys(talk: Talk) -> None:
    """Each by its id."""
    firsts = set()
    for number in range(12):
        with talk(id=f"c{number}", keys=[ONE, TWO]) as chat:
            chat.send("Hello.")
            firsts.update(used(chat))
    assert firsts == {"one", "two"}


@pytest.mark.parametrize("fault", [REVOKED, RateLimited(), HttpError(status=403, message="no")], ids=str)
def test_a_key_that_is_out_is_left(talk: Talk, sim: Simulator, fault: Any) -> None:
    """The turn goes with the next key, is recorded once, and the conversation stays there."""
    chat = talk(keys=[ONE, TWO])
    chat.send("Hello.")
    first = used(chat)[0]
    other = {"one": "two", "two": "one"}[first]
    sim.faults.fail_next(fault)
    reply = chat.send("Are you there?")
    assert f"key {first!r} was" in reply.notes[0]
    assert f"sent with key {other!r}" in reply.notes[1]
    sim.clock.advance(10_000)
    chat.send("Still?")
    assert used(chat) == [first, first, other, other]
    assert [turn.state for turn in chat.history()] == ["answered"] * 6


def test_a_revoked_key_is_left_alone_by_everybody(talk: Talk, sim: Simulator) -> None:
    """Other conversations do not try it while it rests, and begin elsewhere."""
    chat = talk(keys=[ONE, TWO])
    sim.faults.fail_next(REVOKED)
    chat.send("Hello.")
    out = used(chat)[0]
    for number in range(6):
        with talk(id=f"c{number}", keys=[ONE, TWO]) as other:
            other.send("Hello.")
            assert used(other) != [out]


def test_what_no_key_mends_is_raised(talk: Talk, sim: Simulator) -> None:
    """An overloaded service is nobody's key's fault; and when all keys are out, the last error comes through."""
    chat = talk(keys=[ONE, TWO])
    sim.faults.fail_next(Overloaded())
    with pytest.raises(Unavailable):
        chat.send("Hello.")
    assert len(used(chat)) == 1
    sim.faults.fail_next(REVOKED, times=2)
    with pytest.raises(AccessDenied):
        chat.retry()
    assert [turn.state for turn in chat.history()] == ["pending"]
    assert chat.retry().text


def test_a_move_elsewhere_finds_a_cold_cache_and_knows_it(talk: Talk, sim: Simulator) -> None:
    """The plan foretells no reads from the cache of another workspace; one of its own workspace it does."""
    sim_bound = talk(keys=[ONE, TWO], system=LONG)
    sim_bound.send("Hello.")
    sim.faults.fail_next(RateLimited())
    assert sim_bound.send("Are you there?").plan.expected.read == 0
    near = talk(id="near", keys=[Key("x", "s1", workspace="w"), Key("y", "s2", workspace="w")], system=LONG)
    near.send("Hello.")
    sim.faults.fail_next(RateLimited())
    assert near.send("Are you there?").plan.expected.read > 0


def test_a_move_that_costs_too_much_is_not_made(talk: Talk, sim: Simulator) -> None:
    """A limited key is waited for instead; a refused one is left at any price."""
    chat = talk(keys=KeyPool([ONE, TWO], most=0.0), system=LONG)
    chat.send("Hello.")
    sim.faults.fail_next(RateLimited())
    with pytest.raises(Unavailable):
        chat.send("Are you there?")
    assert len(set(used(chat))) == 1
    sim.faults.fail_next(REVOKED)
    assert chat.retry().text
    assert len(set(used(chat))) == 2


def test_thinking_of_another_account_stays_behind(talk: Talk, sim: Simulator) -> None:
    """A key of another organization begins an epoch without the view's thinking."""
    chat = talk(keys=[Key("a", "s1", organization="o1"), Key("b", "s2", organization="o2")])
    chat.send("Hello.")
    sim.faults.fail_next(REVOKED)
    reply = chat.send("Are you there?")
    assert reply.plan.cut
    assert "another account" in reply.plan.explain()
    assert "thinking" not in str([m["content"] for m in sim.messages[-1].body["messages"]])
    assert all(chat.request(number).intact for number in (1, 2, 3))


def test_fallback_comes_after_the_keys(talk: Talk, sim: Simulator) -> None:
    """A limited model is tried with every key before another model is asked."""
    chat = talk(keys=[ONE, TWO], fallback=["claude-opus-5-5"])
    sim.faults.fail_next(RateLimited(), times=2)
    chat.send("Hello.")
    models = [attempt.body["model"] for attempt in sim.messages]
    assert models == ["claude-sonnet-5-5", "claude-sonnet-5-5", "claude-opus-5-5"]
    assert len(set(used(chat)[:2])) == 2


def test_each_key_keeps_its_own_limits(talk: Talk, sim: Simulator) -> None:
    """A key whose limit would keep a request too long is left for the next, before anything is refused."""
    tight = Limits(requests=1, input_tokens=10**6, output_tokens=10**6)
    keys = [Key("a", "s1", limits=tight), Key("b", "s2", limits=tight)]
    chat = talk(keys=keys, max_wait=0.0)
    chat.send("Hello.")
    chat.send("Hello again.")
    assert len(set(used(chat))) == 2
    assert [attempt.status for attempt in sim.messages] == [200, 200]


def test_secrets_are_never_shown(talk: Talk, sim: Simulator, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Not by repr, errors, logs, notes or the record."""
    pool = KeyPool([ONE, TWO])
    with caplog.at_level(logging.DEBUG, logger="sash"), talk(keys=pool) as chat:
        sim.faults.fail_next(REVOKED)
        reply = chat.send("Hello.")
        sim.faults.fail_next(REVOKED, times=2)
        with pytest.raises(AccessDenied) as caught:
            chat.send("Hello.")
    shown = f"{pool!r} {ONE!r} {chat!r} {reply.notes} {caught.value!r} {caught.value.facts} {caplog.text}"
    assert "hush" not in shown
    assert not any(b"hush" in file.read_bytes() for file in path.parent.iterdir())
    with pytest.raises(InvalidOption) as wrong:
        Key("sk-ant-x", "sk-ant-x")
    assert "sk-ant" not in str(wrong.value)


def test_async_conversations_move_too(path: Path, sim: Simulator) -> None:
    """With a client from the keys alone, and secrets on the wire where they belong."""
    seen: list[str] = []

    async def look(request: Any, call_next: Any) -> Any:
        response = await call_next(request)
        seen.append(response.http_request.headers["authorization"])
        return response

    async def main() -> tuple[str, ...]:
        async with (
            sim.async_client(max_retries=0, middleware=[look]) as client,
            AsyncConversation(
                path, client=client, model="claude-sonnet-5-5", keys=[ONE, TWO], clock=sim.clock.now
            ) as chat,
        ):
            sim.faults.fail_next(REVOKED)
            async with chat.stream("Hello.") as stream:
                return (await stream.until_done()).notes

    assert len(asyncio.run(main())) == 2
    assert sorted(seen) == ["Bearer sk-ant-one-hush", "Bearer sk-ant-two-hush"]


@pytest.mark.parametrize(
    "wrong",
    [[], "sk-ant-hush", ["sk-ant-hush"], [ONE, ONE], 5],
    ids=["none", "text", "texts", "twice", "number"],
)
def test_a_pool_is_a_list_of_named_keys(talk: Talk, wrong: Any) -> None:
    """Anything else is refused, without showing what was given."""
    with pytest.raises(InvalidOption) as caught:
        talk(keys=wrong)
    assert "hush" not in f"{caught.value} {caught.value.facts}"


@pytest.mark.parametrize("wrong", [("", "s"), ("a", ""), ("a", "  "), (None, "s"), ("a", None)], ids=str)
def test_a_key_has_a_name_and_a_secret(wrong: tuple[Any, Any]) -> None:
    """Both texts, neither empty."""
    with pytest.raises(InvalidOption):
        Key(*wrong)
    with pytest.raises(InvalidOption):
        KeyPool([ONE], rest=-1)


@given(
    st.lists(
        st.builds(KeyScope, name=st.uuids().map(str), workspace=st.sampled_from(["", "w", "v"])), min_size=1, max_size=6
    ),
    st.text(max_size=8),
    st.data(),
)
def test_every_key_is_tried_once_and_the_nearest_first(found: list[KeyScope], conversation: str, data: Any) -> None:
    """An order is a permutation: what is out last, then by whose cache is shared with the first choice."""
    places = KeyPoolView(scopes=tuple(found))
    names = [place.name for place in found]
    present = data.draw(st.sampled_from(["", *names]))
    out = data.draw(st.lists(st.sampled_from(names), unique=True))
    order = places.order(present, conversation, out)
    assert sorted(order) == sorted(names)
    assert [name in out for name in order] == sorted(name in out for name in order)
    if present and present not in out:
        assert order[0] == present
        near = [name in places.same_cache(present) for name in order if name not in out]
        assert near == sorted(near, reverse=True)
