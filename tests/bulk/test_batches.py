"""A job handed in as batches: half the price, each result used once, nothing lost wherever it breaks off."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import pytest
from anthropic import APIConnectionError
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.test_replies import ODD, raw
from sash import Conversation, MemoryStore
from sash.bulk import Bulk, JobProgress
from sash.bulk.batches import HandedOver
from sash.claude.adapter import Claude
from sash.conversation.drivers import Performer, drive
from sash.errors import InvalidOption, RequestRejected, Unavailable
from sash.flows.bulk.batches import CLOCKS
from sash.flows.bulk.questions import collect_from
from sash.flows.steps import NextResult
from sash.model.cards import card
from sash.simulator import BatchRules, HttpError, OddBody, Overloaded, PromptTooLong, ServerError, Simulator
from sash.simulator.batches import BATCHES, ITEMS

LOOK = {"name": "look", "description": "Look a word up.", "input_schema": {"type": "object", "properties": {}}}
QUESTIONS = [f"Where is crate number {number}?" for number in range(6)]


@pytest.fixture
def sim() -> Simulator:
    """Its batches end as soon as somebody looks."""
    return Simulator(batch_rules=BatchRules(begins_after=0))


def job(sim: Simulator, items: Any = QUESTIONS, **more: Any) -> Bulk:
    """A job on the simulator."""
    usual: dict[str, Any] = {
        "id": "j", "model": "claude-sonnet-5-5", "max_tokens": 300, "clock": sim.clock.now,
        "client": sim.async_client(max_retries=0),
    }  # fmt: skip
    return Bulk(items, **{**usual, **more})


def test_a_batch_answers_at_half_the_price(sim: Simulator) -> None:
    """The replies are recorded as any others, requests rebuilt, and the quote held."""
    with job(sim) as bulk:
        told = bulk.quote()
        outcomes = bulk.run(batch=True, poll=0)
        assert all(outcome.reply for outcome in outcomes)
        spent = sum(outcome.reply.cost or 0 for outcome in outcomes if outcome.reply)
        assert spent == pytest.approx(sim.cost)
        assert told.batch is not None
        assert told.batch[0] <= spent <= told.batch[1]
        for outcome in outcomes:
            with Conversation(bulk.store, id=outcome.id, create=False) as chat:
                assert [turn.text for turn in chat.history()] == [QUESTIONS[outcome.position], outcome.text]
                assert chat.request(1).intact
    assert sum(attempt.path == BATCHES for attempt in sim.log) == 1


def test_two_who_collect_one_batch_at_once_use_each_result_once(sim: Simulator, path: Path) -> None:
    """Whoever comes second to an item writes nothing: no reply ends on a branch of its own, nothing is booked twice."""
    with job(sim, store=path) as bulk, sim.client() as client:
        bulk.run(batch=True, wait=False)
        performer, others = Performer(Claude(client), sim.clock.now), 0

        def collect(perform: Any) -> None:
            under_way = bulk.store.batches.read(kind="question")
            drive(collect_from(bulk.store, under_way, card), perform)

        def beside(step: Any) -> Any:
            nonlocal others
            if isinstance(step, NextResult) and not others:
                others = 1
                collect(performer)
            return performer(step)

        collect(beside)
        assert others == 1
        for position, question in enumerate(QUESTIONS):
            with Conversation(path, id=f"j/{position:06d}", create=False, client=client) as chat:
                assert [turn.state for turn in chat.history()] == ["answered", "answered"]
                assert chat.history()[0].text == question
                assert len(bulk.store.branches.read(chat._chat().conversation, limit=9)) == 1
        assert sum(row.dollars for row in bulk.store.usage(by=())) == pytest.approx(sim.cost)


def test_a_batch_may_be_left_to_itself(path: Path) -> None:
    """Nobody waits; a later run, of another object, collects, and sends nothing."""
    sim = Simulator(batch_rules=BatchRules(begins_after=60))
    with job(sim, store=path) as bulk:
        assert all(outcome.waiting for outcome in bulk.run(batch=True, wait=False))
        assert all(outcome.waiting for outcome in bulk.run())  # what is in a batch is not asked otherwise
    sim.clock.advance(61)
    with job(sim, store=path) as bulk:
        assert all(outcome.reply for outcome in bulk.run())
        assert bulk.store.batches.read(namespace="", job="j") == []
    assert sum(attempt.path == BATCHES for attempt in sim.log) == 1
    assert sim.messages == []


def test_half_in_a_batch_half_at_once(sim: Simulator, path: Path) -> None:
    """Either way finds what the other has answered."""
    with job(sim, QUESTIONS[:3], store=path) as bulk:
        bulk.run()
    with job(sim, store=path) as bulk:
        assert bulk.quote().answered == 3
        outcomes = bulk.run(batch=True, poll=0)
    assert all(outcome.reply for outcome in outcomes)
    assert sum(attempt.path == ITEMS for attempt in sim.log) == 3


def test_items_that_fail_say_so_and_are_asked_again(sim: Simulator) -> None:
    """A refused one takes its turn along; one that met a bad hour is pending, and the next run sends it."""
    sim.faults.fail_at(2, PromptTooLong(), path=ITEMS)
    sim.faults.fail_at(3, ServerError(), path=ITEMS)
    with job(sim) as bulk:
        outcomes = bulk.run(batch=True, poll=0)
        kinds = {type(outcome.error) for outcome in outcomes}
        assert kinds == {type(None), RequestRejected, Unavailable}
        again = bulk.run(batch=True, poll=0)
        assert all(outcome.reply for outcome in again)
        states = []
        for outcome in again:
            with Conversation(bulk.store, id=outcome.id, create=False) as chat:
                states.append([turn.state for turn in chat.history()])
    assert sorted(states) == sorted([["answered"] * 2] * 5 + [["withdrawn", "answered", "answered"]])


def test_an_item_without_a_reply_says_how_it_ended(path: Path) -> None:
    """An error by the API's type, one that was cancelled by that word; both are asked again."""
    sim = Simulator(batch_rules=BatchRules(begins_after=0, seconds_per_request=60))
    sim.faults.fail_next(ServerError(), path=ITEMS)
    with job(sim, QUESTIONS[:3], store=path) as bulk:
        bulk.run(batch=True, wait=False)
        sim.clock.advance(61)
        client = sim.client()
        (made,) = client.messages.batches.list()
        client.messages.batches.cancel(made.id)
        sim.clock.advance(3_600)
        client.messages.batches.retrieve(made.id)
        outcomes = asyncio.run(HandedOver(bulk._job, bulk._client, lambda _: None).collect())
        kinds = {getattr(outcome.error, "kind", None) for outcome in outcomes.values()}
        assert kinds == {"api_error", "canceled"}
        assert all(isinstance(outcome.error, Unavailable) for outcome in outcomes.values())


def test_a_batch_that_was_refused_leaves_all_pending(sim: Simulator) -> None:
    """Nothing was made; the next run hands it in."""
    sim.faults.fail_next(HttpError(status=403, message="no"), path=BATCHES)
    with job(sim) as bulk:
        with pytest.raises(Exception, match="no access"):
            bulk.run(batch=True, poll=0)
        assert all(outcome.reply for outcome in bulk.run(batch=True, poll=0))


@pytest.mark.parametrize("made", [True, False])
def test_a_batch_whose_id_was_never_heard_of(sim: Simulator, made: bool) -> None:
    """The answer got lost: it is found where it was made, and made where it was not; nothing is paid twice."""
    client = _losing(sim, made=made)
    with job(sim, client=client) as bulk:
        with pytest.raises(Unavailable):
            bulk.run(batch=True, poll=0)
        sim.clock.advance(5 if made else CLOCKS + 1)
        bulk._client = sim.async_client(max_retries=0)
        first = bulk.run(batch=True, poll=0)
        outcomes = first if all(outcome.reply for outcome in first) else bulk.run(batch=True, poll=0)
        assert all(outcome.reply for outcome in outcomes)
    assert sum(attempt.path == ITEMS for attempt in sim.log) == len(QUESTIONS)


def _losing(sim: Simulator, *, made: bool) -> Any:
    """A client whose connection breaks while a batch is handed in, before or after it was made."""

    async def lose(request: Any, call_next: Any) -> Any:
        if request.method.lower() == "post" and request.url.startswith(BATCHES):
            if made:
                await call_next(request)
            raise APIConnectionError(request=httpx2.Request("POST", "http://x.invalid"))
        return await call_next(request)

    return sim.async_client(max_retries=0, middleware=[lose])


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_batch_that_cannot_be_seen_yet_is_waited_for(sim: Simulator, times: int) -> None:
    """A 404 just after the creation is waited out, though the batch is listed and has ended: it is handed in once."""
    unseen = list(range(times))

    async def hide(request: Any, call_next: Any) -> Any:
        if request.method.lower() == "get" and f"{BATCHES}/" in request.url and unseen:
            unseen.pop()
            sim.fail_next(
                HttpError(status=404, message="Not found."), path=f"{BATCHES}/{request.url.rpartition('/')[2]}"
            )
        return await call_next(request)

    with job(sim, client=sim.async_client(max_retries=0, middleware=[hide])) as bulk:
        assert all(outcome.reply for outcome in bulk.run(batch=True, poll=0))
    assert not unseen
    assert sum(attempt.path == ITEMS for attempt in sim.log) == len(QUESTIONS)


def test_a_process_that_stopped_before_handing_in_holds_nobody_up(sim: Simulator) -> None:
    """Cancelled in between, every item is free again."""
    with job(sim) as bulk:

        async def main() -> None:
            task = asyncio.create_task(bulk.run_async(batch=True, poll=0))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(main())
        assert all(outcome.reply for outcome in bulk.run())


def test_waiting_is_told(sim: Simulator) -> None:
    """A callable hears how many are still under way."""
    steps: list[JobProgress] = []
    with job(sim) as bulk:
        bulk.run(batch=True, poll=0, progress=steps.append)
    assert steps[0].done == 0
    assert steps[-1].done == steps[-1].total == 6


def test_one_that_cannot_be_planned_stays_out(sim: Simulator) -> None:
    """The others are handed in."""
    with job(sim, ["One?", [{"type": "tool_result", "tool_use_id": "x", "content": "y"}], "Three?"]) as bulk:
        outcomes = bulk.run(batch=True, poll=0)
    assert [outcome.error is None for outcome in outcomes] == [True, False, True]


def test_options_that_do_not_go_with_batches_are_refused(sim: Simulator) -> None:
    """Item by item, with nothing handed in."""
    with job(sim, client=sim.async_client(), model="claude-opus-5-5", speed="fast") as bulk:
        outcomes = bulk.run(batch=True, poll=0)
    assert all(isinstance(outcome.error, InvalidOption) for outcome in outcomes)
    assert sim.log == []


@pytest.mark.parametrize("poll", [-1, float("nan"), float("inf"), True])
def test_poll_is_seconds(sim: Simulator, poll: Any) -> None:
    """Other values are refused."""
    with job(sim) as bulk, pytest.raises(InvalidOption):
        bulk.run(batch=True, poll=poll)


@settings(max_examples=25)
@given(
    st.lists(st.sampled_from(["ok", "late", "refused"]), min_size=1, max_size=5), st.lists(st.booleans(), max_size=3)
)
def test_each_item_is_answered_once_whichever_way(fates: list[str], ways: list[bool]) -> None:
    """Any run of batches and workers over items that fail now and then ends with one reply for each."""
    sim = Simulator(batch_rules=BatchRules(begins_after=0))
    store = MemoryStore()
    for number, fate in enumerate(fates):
        fault = {"late": Overloaded(), "refused": PromptTooLong()}.get(fate)
        if fault is not None:
            sim.faults.fail_next(fault, path=ITEMS, when=lambda body, n=number: f"number {n}?" in str(body))  # type: ignore[misc]
    for way in (*ways, True, True):
        with job(sim, QUESTIONS[: len(fates)], store=store) as bulk:
            outcomes = bulk.run(batch=way, poll=0)
    assert all(outcome.reply for outcome in outcomes)
    answered = [attempt for attempt in sim.log if attempt.path in (ITEMS, "/v1/messages") and attempt.status == 200]
    assert len(answered) == len(fates)
    store.close()


@pytest.mark.parametrize("content", [row[1] for row in ODD], ids=[row[0] for row in ODD])
def test_no_reply_of_a_batch_blocks_its_conversation(sim: Simulator, content: list[Any]) -> None:
    """A reply of any content is recorded as it can be sent back, and the conversation's next send is legal."""
    sim.script([raw(*content), "Done.", "Done."])
    with job(sim, QUESTIONS[:1]) as bulk:
        (outcome,) = bulk.run(batch=True, poll=0)
        assert outcome.error is None
        assert outcome.reply is not None
        noted = [note for note in outcome.reply.notes if note.startswith("the reply was mended")]
        assert noted or outcome.reply.blocks == [block for block in content if block.get("text") != ""]
        client = sim.client(max_retries=0)
        with Conversation(bulk.store, id=outcome.id, client=client, clock=sim.clock.now, tools=[LOOK]) as chat:
            calls = [block["id"] for block in chat.history()[-1].blocks if block["type"] == "tool_use"]
            assert len(calls) == len(set(calls)) == sum(block["type"] == "tool_use" for block in content)
            assert (chat.submit(dict.fromkeys(calls, "light")) if calls else chat.send("And now?")).text == "Done."
        client.close()
    assert {attempt.status for attempt in sim.messages} == {200}


@pytest.mark.parametrize("body", [{"type": "error", "error": {"type": "overloaded_error", "message": "no"}}, {"a": 1}])
def test_a_batch_item_that_holds_something_else_than_a_message(sim: Simulator, body: Any) -> None:
    """It is an error of its own item, whose question is pending; the others are answered, and the next run asks it."""
    sim.faults.fail_next(OddBody(body=body), path=ITEMS)
    with job(sim) as bulk:
        outcomes = bulk.run(batch=True, poll=0)
        (failed,) = (outcome for outcome in outcomes if outcome.error)
        assert isinstance(failed.error, Unavailable)
        assert failed.error.state == "pending"
        assert all(outcome.reply for outcome in bulk.run(batch=True, poll=0))
