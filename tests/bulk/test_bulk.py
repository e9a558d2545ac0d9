"""A job of many questions: priced, ordered, resumed, led by one, stopped by what would stop all."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sash import Conversation, MemoryStore, SqliteStore
from sash.bulk import Bulk, Item, JobProgress
from sash.bulk.quote import quote
from sash.errors import AccessDenied, ConversationClosed, InvalidOption, StoreError, Unavailable
from sash.model.cards import card
from sash.model.counts import Count
from sash.simulator import HttpError, Overloaded, Simulator

LONG = "You keep the harbour books and answer for every crate. " * 80
QUESTIONS = [f"Where is crate number {number}?" for number in range(12)]


def job(sim: Simulator, items: Any = QUESTIONS, store: Any = None, **more: Any) -> Bulk:
    """A job on the simulator."""
    usual: dict[str, Any] = {
        "id": "j", "model": "claude-sonnet-5-5", "max_tokens": 300, "clock": sim.clock.now, "workers": 4,
        "client": sim.async_client(max_retries=0),
    }  # fmt: skip
    return Bulk(items, store=store, **{**usual, **more})


def test_outcomes_come_in_the_order_of_the_items(sim: Simulator) -> None:
    """Whatever worker was first; each reply is recorded in a conversation of its own."""
    with job(sim) as bulk:
        outcomes = bulk.run()
        assert [outcome.position for outcome in outcomes] == list(range(12))
        for outcome in outcomes:
            with Conversation(bulk.store, id=outcome.id, create=False) as chat:
                assert [turn.text for turn in chat.history()] == [QUESTIONS[outcome.position], outcome.text]
        assert len(sim.messages) == 12
        assert len(bulk.store.conversations()) == 12


def test_a_quote_comes_first_and_holds(sim: Simulator) -> None:
    """It sends and writes nothing, and the bill lies within it."""
    with job(sim, system=LONG) as bulk:
        told = bulk.quote()
        assert sim.log == []
        assert bulk.store.conversations() == []
        assert told.asked == 12
        assert told.shared > 0
        assert told.now is not None
        assert told.batch is not None
        assert told.batch[1] == pytest.approx(told.now[1] / 2)
        outcomes = bulk.run()
        spent = sum(outcome.reply.cost or 0 for outcome in outcomes if outcome.reply)
        assert told.now[0] <= spent <= told.now[1]
        assert spent == pytest.approx(sim.cost)
        assert "12 requests" in str(told)
        assert bulk.quote().asked == 0


def test_a_job_goes_on_where_it_was(sim: Simulator, path: Path) -> None:
    """Run again, by another object, it asks what failed; and a third time nothing at all."""
    sim.faults.fail_next(Overloaded(), times=5)
    with job(sim, store=path) as first:
        outcomes = first.run()
    assert sum(isinstance(outcome.error, Unavailable) for outcome in outcomes) == 5
    with job(sim, store=path) as second:
        assert second.quote().answered == 7
        again = second.run()
    assert all(outcome.reply for outcome in again)
    assert len(sim.messages) == 12 + 5
    with job(sim, store=path) as third:
        texts = [outcome.text for outcome in third.run()]
    assert texts == [outcome.text for outcome in again]
    assert len(sim.messages) == 17
    with closing(SqliteStore(path)) as store:
        assert all(info.turns == 2 for info in store.conversations())


def test_one_goes_ahead_where_a_preamble_is_shared(sim: Simulator) -> None:
    """The preamble is written once and read by all others; without that, every cold worker would write it."""
    with job(sim, system=LONG, workers=8) as bulk:
        bulk.run()
    reads = [attempt.usage.read for attempt in sim.messages if attempt.usage]
    assert reads.count(0) == 1
    assert sum(attempt.body.get("stream") is True for attempt in sim.messages) == 1


def test_when_the_first_one_fails_the_next_one_leads(sim: Simulator) -> None:
    """Nobody waits for ever."""
    sim.faults.fail_next(Overloaded(), times=2)
    with job(sim, system=LONG, workers=3) as bulk:
        outcomes = bulk.run()
    assert sum(outcome.error is not None for outcome in outcomes) == 2
    reads = [attempt.usage.read for attempt in sim.messages if attempt.usage and attempt.status == 200]
    assert reads.count(0) == 1


def test_what_would_stop_all_stops_the_job(sim: Simulator) -> None:
    """A refused key is not tried once for each item; running again goes on."""
    sim.faults.fail_at(4, HttpError(status=401, message="invalid x-api-key"))
    with job(sim, workers=1) as bulk:
        outcomes = bulk.run()
        assert [bool(outcome.reply) for outcome in outcomes] == [True] * 3 + [False] * 9
        assert all(isinstance(outcome.error, AccessDenied) for outcome in outcomes[3:])
        assert len(sim.messages) == 4
        assert all(outcome.reply for outcome in bulk.run())


def test_one_bad_item_is_its_own_affair(sim: Simulator) -> None:
    """The others have their replies."""
    with job(sim, ["One?", [{"type": "tool_result", "tool_use_id": "x", "content": "y"}], "Three?"]) as bulk:
        outcomes = bulk.run()
    assert [outcome.error is None for outcome in outcomes] == [True, False, True]


def test_items_may_be_asked_in_conversations_that_go_on(sim: Simulator, path: Path) -> None:
    """The question sees what was said there, and the quote counts it."""
    with sim.client() as client, Conversation(path, id="c", client=client, model="claude-sonnet-5-5") as chat:
        chat.send("My order is number 1138. " * 20)
    with job(sim, [Item(content="What is the number of my order?", id="c"), "Hello?"], store=path) as bulk:
        told = bulk.quote()
        outcomes = bulk.run()
    assert "1138" in outcomes[0].text
    assert outcomes[0].reply is not None
    assert told.prompt == pytest.approx(sum(o.reply.usage.prompt for o in outcomes if o.reply), rel=0.05)


def test_progress_is_told_step_by_step(sim: Simulator, capsys: pytest.CaptureFixture[str]) -> None:
    """To a callable, or as a bar under the quote."""
    steps: list[JobProgress] = []
    with job(sim, QUESTIONS[:3]) as bulk:
        bulk.run(progress=steps.append)
    assert [step.done for step in steps] == [0, 1, 2, 3]
    assert steps[-1].dollars == pytest.approx(sim.cost)
    with job(sim, QUESTIONS[:3], id="other") as bulk:
        bulk.run(progress=True)
    assert "3 requests" in capsys.readouterr().out


def test_it_runs_in_a_running_loop_too(sim: Simulator) -> None:
    """With `await`, or from a notebook's cell without."""

    async def main() -> tuple[int, int]:
        with job(sim, QUESTIONS[:3]) as one, job(sim, QUESTIONS[:3], id="k") as two:
            return len(await one.run_async()), len(two.run())

    assert asyncio.run(main()) == (3, 3)


def test_a_store_that_is_gone_ends_the_job(sim: Simulator, path: Path) -> None:
    """Nobody is asked for replies that cannot be recorded."""
    store = SqliteStore(path)
    bulk = job(sim, store=store)
    store.close()
    with pytest.raises((StoreError, ConversationClosed)):
        bulk.run()
    assert sim.messages == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"items": "one text"},
        {"items": [Item(content="x", id="a"), Item(content="y", id="a")]},
        {"id": ""},
        {"workers": 0},
        {"workers": True},
        {"tools": [{"name": "x", "input_schema": {"type": "object"}}]},
        {"budgett": 3},
    ],
    ids=str,
)
def test_wrong_arguments_are_refused_at_once(sim: Simulator, wrong: dict[str, Any]) -> None:
    """Before anything is sent or written."""
    with pytest.raises(InvalidOption):
        job(sim, **wrong)


def test_a_job_without_items_is_done(sim: Simulator) -> None:
    """Nothing to ask, nothing to pay."""
    with job(sim, []) as bulk:
        assert bulk.run() == []
        assert bulk.quote().now == (0, 0)


def test_the_same_job_with_other_items_says_so(sim: Simulator, path: Path) -> None:
    """Another question under an old name is not given the old answer."""
    with job(sim, ["One?"], store=path) as bulk:
        bulk.run()
    with job(sim, ["Two?"], store=path) as bulk:
        outcome = bulk.run()[0]
    assert isinstance(outcome.error, InvalidOption)


@given(
    st.integers(0, 5_000), st.lists(st.integers(1, 50_000), max_size=6), st.integers(1, 5_000), st.booleans(),
    st.sampled_from(["claude-sonnet-5-5", "claude-haiku-5-5", "claude-opus-5-5"]),
)  # fmt: skip
def test_a_quote_is_a_range(preamble: int, items: list[int], output: int, cached: bool, model: str) -> None:
    """The least is at most the most, and a batch is never dearer than asking at once at the most."""
    sizes = [Count(preamble + tokens, preamble + tokens + 10, "estimate") for tokens in items]
    told = quote(card(model), Count(preamble, preamble + 5, "estimate"), sizes, total=len(sizes) + 2,
                 max_tokens=output, cached=cached)  # fmt: skip
    assert told.now is not None
    assert told.batch is not None
    assert 0 <= told.now[0] <= told.now[1]
    assert 0 <= told.batch[0] <= told.batch[1] <= told.now[1]
    assert told.asked == len(items)


@settings(max_examples=25)
@given(st.lists(st.booleans(), min_size=1, max_size=6), st.integers(1, 4))
def test_however_often_it_breaks_off_each_item_is_answered_once(failing: list[bool], workers: int) -> None:
    """Run until done: one reply for each item, and no question recorded twice."""
    sim = Simulator()
    store = MemoryStore()
    for round_ in range(4):  # twice some fail, then none does, then nothing is left to ask
        if round_ < 2:
            for number, fails in enumerate(failing):
                if fails:
                    sim.faults.fail_next(Overloaded(), when=lambda body, n=number: f"number {n}?" in str(body))  # type: ignore[misc]
        else:
            sim.faults.calm()
        with job(sim, QUESTIONS[: len(failing)], store=store, workers=workers) as bulk:
            outcomes = bulk.run()
    assert all(outcome.reply for outcome in outcomes)
    assert all(info.turns == 2 for info in store.conversations())
    assert sum(attempt.status == 200 for attempt in sim.messages) == len(failing)
    store.close()
