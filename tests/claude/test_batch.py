"""Message Batches through the SDK, sync and async: in, how it stands, out, and what goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash.claude.batch import AsyncBatchClient, BatchClient
from sash.errors import AccessDenied, InvalidOption, NotSupported, RequestRejected, Unavailable
from sash.model.batches import BatchItem, BatchResult, Portion
from sash.simulator import BatchRules, OddBody, Overloaded, Simulator, Timeout

PATH = "/v1/messages/batches"
ITEMS = f"{PATH}/items"


def item(name: str, **fields: Any) -> BatchItem:
    """A short request under its own id."""
    message = {"role": "user", "content": [{"type": "text", "text": f"Hello from {name}."}]}
    body = {"model": "claude-sonnet-5-5", "max_tokens": 100, "messages": [message], **fields}
    return BatchItem(custom_id=name, body=body)


def text(result: BatchResult) -> str:
    """What the reply says."""
    assert result.answer is not None
    return str(result.answer.blocks[-1]["text"])


def test_there_and_back() -> None:
    """Items go in, the batch is polled to its end, and each result carries its id and a whole answer."""
    sim = Simulator()
    batches = BatchClient(sim.client())
    made = batches.submit([item("a"), item("b")])
    assert not made.ended and made.items == 2 and made.expires_at - made.created_at == 24 * 3_600
    sim.clock.advance(60)
    assert (state := batches.poll(made.id)).ended and state.counts["succeeded"] == 2 and state.kept
    assert {result.custom_id: text(result) for result in batches.results(made.id)} == {
        name: f"Understood. You said: Hello from {name}." for name in "ab"
    }
    assert [found.id for found in batches.recent(since=made.created_at)] == [made.id]
    assert batches.recent(since=made.created_at + 1) == []


def test_async() -> None:
    """The asynchronous adapter gives the same values."""
    sim = Simulator()

    async def run() -> list[str]:
        async with sim.async_client() as client:
            batches = AsyncBatchClient(client)
            made = await batches.submit([item("a")], betas=["output-300k-2026-03-24"])
            sim.clock.advance(60)
            assert (await batches.poll(made.id)).ended
            assert [found.id for found in await batches.recent(since=made.created_at)] == [made.id]
            return [text(result) async for result in batches.results(made.id)]

    assert asyncio.run(run()) == ["Understood. You said: Hello from a."]


def test_endings() -> None:
    """Errored, expired and cancelled items say so, and whether another try makes sense."""
    sim = Simulator(batch_rules=BatchRules(seconds_per_request=13 * 3_600))
    batches = BatchClient(sim.client())
    sim.fail_next(Overloaded(), path=ITEMS)
    made = batches.submit([item("a"), item("b"), item("c")])
    sim.clock.advance(24 * 3_600)
    found = {result.custom_id: result for result in batches.results(made.id)}
    assert (found["a"].ending, found["a"].error, found["a"].may_pass_later) == ("errored", "overloaded_error", True)
    assert found["b"].ending == "succeeded" and (found["c"].ending, found["c"].may_pass_later) == ("expired", True)
    bad = batches.submit([item("x", temperature=1.0), item("y")])
    assert batches.cancel(bad.id).status == "canceling"
    sim.clock.advance(60)
    assert [result.ending for result in batches.results(bad.id)] == ["canceled", "canceled"]
    wrong = batches.submit([item("x", temperature=1.0)])
    sim.clock.advance(60)
    (result,) = batches.results(wrong.id)
    assert (result.error, result.may_pass_later) == ("invalid_request_error", False)


def test_failures_are_our_errors() -> None:
    """What the API refuses or fails to do is a RemoteError; handing in is tried once, so that nothing is made twice."""
    sim = Simulator()
    batches = BatchClient(sim.client(max_retries=2))
    sim.fail_next(Timeout(billed=True), path=PATH)
    with pytest.raises(Unavailable) as lost:
        batches.submit([item("a")])
    assert lost.value.status is None and len(batches.recent(since=0)) == 1
    with pytest.raises(RequestRejected):
        batches.submit([])
    with pytest.raises(AccessDenied):
        batches.poll("msgbatch_none")
    with pytest.raises(AccessDenied):
        list(batches.results(batches.submit([item("b")]).id))


@pytest.mark.parametrize(
    "body",
    [{}, [], "a page", {"type": "message_batch", "id": "b", "created_at": "soon", "request_counts": {}}],
    ids=repr,
)
def test_an_answer_that_tells_of_no_batch_is_our_error(body: Any) -> None:
    """Of a batch that was handed in so, nobody knows whether it was made: the error bears no status."""
    sim = Simulator()
    batches = BatchClient(sim.client(max_retries=0))
    made = batches.submit([item("a")])
    one = f"{PATH}/{made.id}"
    asked: list[tuple[str, Callable[[], object]]] = [
        (PATH, lambda: batches.submit([item("b")])),
        (one, lambda: batches.poll(made.id)),
        (f"{one}/cancel", lambda: batches.cancel(made.id)),
    ]
    for path, ask in asked:
        sim.fail_next(OddBody(body=body), path=path)
        with pytest.raises(Unavailable) as odd:
            ask()
        assert (odd.value.status, odd.value.kind) == (None, "no_batch")
    assert batches.poll(made.id).items == 1


def test_clients_without_batches() -> None:
    """A platform's client that has no batches is told so before anything is sent."""

    class Bare:
        messages = object()

    with pytest.raises(NotSupported, match="Batches"):
        BatchClient(Bare()).submit([item("a")])


@pytest.mark.parametrize("name", ["", "a b", "ä", "x" * 65, "a.b"])
def test_ids(name: str) -> None:
    """An id that the API would refuse is refused when it is made."""
    with pytest.raises(InvalidOption, match="custom_id"):
        item(name)


@pytest.mark.parametrize("fields", [{"stream": True}, {"speed": "fast"}, {"thread": {"type": "create"}}])
def test_what_no_item_may_ask_for(fields: dict[str, Any]) -> None:
    """Streaming, fast mode and threads do not go with batches."""
    with pytest.raises(InvalidOption, match="batches"):
        item("a", **fields)


@given(sizes=st.lists(st.integers(0, 400), max_size=30), most=st.integers(1, 8), room=st.integers(700, 2_000))
def test_portions(sizes: list[int], most: int, room: int) -> None:
    """Portions keep the order, lose nothing, and none is too long or too heavy."""
    items = [item(f"i{at}", system="x" * size) for at, size in enumerate(sizes)]
    portion: Portion[BatchItem] = Portion(most_items=most, most_bytes=room)
    made = []
    for one in items:
        if not portion.takes(one):
            made.append(portion.emptied())
            assert not portion and portion.takes(one)
        portion.add(one, one)
    if portion:
        made.append(portion.emptied())
    assert [one for portion in made for one in portion] == items
    assert all(0 < len(portion) <= most and sum(one.bytes for one in portion) <= room for portion in made)


def test_one_item_too_heavy() -> None:
    """A request that fits no batch is named."""
    with pytest.raises(InvalidOption, match="'a'"):
        Portion(most_bytes=500).takes(item("a", system="x" * 1_000))
