"""Backlogs: conversations at rest summarised in batches, whatever happens between handing in and collecting."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

import sash
from sash import Conversation, Summarised
from sash.bulk.summaries import AsyncSummaries, Summaries
from sash.errors import InvalidOption, RemoteError, Unavailable
from sash.flows.bulk.batches import CLOCKS
from sash.flows.summaries.resting import Collected
from sash.model.turns import Turn
from sash.simulator import (
    BatchRules,
    HttpError,
    Overloaded,
    RateLimited,
    Refusal,
    ServerError,
    Simulator,
    Timeout,
)

BATCHES = "/v1/messages/batches"
ITEMS = f"{BATCHES}/items"
HOUR = 3_600.0
SMALL: dict[str, Any] = {"limit": 800, "keep": 400, "least": 300}


@pytest.fixture
def sim() -> Simulator:
    """A fresh simulator."""
    return Simulator()


def said(number: int) -> str:
    """A statement with a fact of its own."""
    return f"Parcel {number} weighs {number * 3 + 7} kilograms. " + "The tide came in and went out again. " * 10


def record(sim: Simulator, path: Path, *ids: str, times: int = 10, **settings: Any) -> None:
    """Conversations, and an hour and a half of silence."""
    if path.exists() or settings:
        tell(sim, path, ids, times, **settings)
    else:
        path.write_bytes(told(ids, times))
    sim.clock.advance(1.5 * HOUR)


def tell(sim: Simulator, path: Path, ids: Iterable[str], times: int, **settings: Any) -> None:
    """Say so many things in each of these conversations."""
    for id in ids:
        with open_chat(sim, path, id, **settings) as chat:
            for number in range(times):
                chat.send(said(number))


@cache
def told(ids: tuple[str, ...], times: int) -> bytes:
    """A new file of these conversations, made once."""
    with TemporaryDirectory() as folder:
        tell(Simulator(), path := Path(folder) / "a.db", ids, times)
        return path.read_bytes()


def open_chat(sim: Simulator, path: Path, id: str = "a", **settings: Any) -> Conversation:
    """A conversation of the file."""
    return Conversation(path, id=id, client=sim.client(), clock=sim.clock.now, count_online=False, **settings)


def summaries(sim: Simulator, path: Path, **settings: Any) -> Summaries:
    """The backlog of the file."""
    return Summaries(path, client=sim.client(max_retries=0), clock=sim.clock.now, **{**SMALL, **settings})


def covered(sim: Simulator, path: Path, id: str = "a") -> list[int]:
    """The seqs up to which ready summaries cover a conversation."""
    with open_chat(sim, path, id) as chat:
        return [summary.upto for summary in chat.summaries() if summary.state == "ready"]


def history(sim: Simulator, path: Path, id: str = "a") -> list[Turn]:
    """All its turns."""
    with open_chat(sim, path, id) as chat:
        return list(chat.history())


def test_there_and_back(sim: Simulator, tmp_path: Path) -> None:
    """What rests is handed in as one batch, collected when it has ended, kept with its sources, paid at half price."""
    path = tmp_path / "a.db"
    record(sim, path, "a", "b")
    before = sim.cost
    with summaries(sim, path) as backlog:
        made = backlog.submit()
        assert len(made.batches) == 1 and made.conversations == 2
        assert backlog.collect() == Collected(waiting=2)
        assert backlog.submit().batches == ()
        sim.clock.advance(60)
        found = backlog.collect()
    assert (found.ready, found.waiting, found.failed) == (2, 0, 0)
    assert found.dollars == pytest.approx(sim.cost - before) and found.dollars > 0
    with open_chat(sim, path) as chat:
        (summary,) = chat.summaries()
        assert "Parcel 1 weighs 10 kilograms" in summary.text and summary.report["batch"] == made.batches[0]
        assert len(summary.sources()) == summary.upto < len(chat.history())
        assert summary.cost == pytest.approx(found.dollars / 2, rel=0.2)


def test_it_is_used_at_the_next_cut(sim: Simulator, tmp_path: Path) -> None:
    """When the user comes back, what the batch summarised leaves the view without another request for a summary."""
    path = tmp_path / "a.db"
    own = Summarised(ahead=False)
    record(sim, path, "a", budget=3_000, keep=500, strategy=own)
    with summaries(sim, path) as backlog:
        backlog.submit()
        sim.clock.advance(60)
        assert backlog.collect().ready == 1
    with open_chat(sim, path, budget=3_000, keep=500, strategy=own) as chat:
        asked = len(sim.messages)
        reply = chat.send("What does parcel 1 weigh?")
        assert reply.plan.cut and reply.plan.epoch.summary is not None and len(sim.messages) == asked + 1
        assert "Parcel 1 weighs 10 kilograms" in reply.plan.epoch.summary.text


def test_a_restart_between_submit_and_collect(sim: Simulator, tmp_path: Path) -> None:
    """Another process, later, collects what this one handed in."""
    path = tmp_path / "a.db"
    record(sim, path, "a")
    with summaries(sim, path) as first:
        first.submit()
    sim.clock.advance(12 * HOUR)
    with summaries(sim, path) as second:
        assert second.collect().ready == 1
        assert second.collect() == Collected()
    assert len(covered(sim, path)) == 1


@pytest.mark.parametrize("fault", [Timeout(billed=True), Timeout(billed=False), ServerError()])
def test_sending_that_was_cut_off(sim: Simulator, tmp_path: Path, fault: Any) -> None:
    """Where nobody knows whether a batch was made it is looked for: found, it is used; else its items are free."""
    path = tmp_path / "a.db"
    record(sim, path, "a")
    with summaries(sim, path) as backlog:
        sim.fail_next(fault, path=BATCHES)
        with pytest.raises(Unavailable):
            backlog.submit()
        assert backlog.submit().conversations == 0
        sim.clock.advance(300)
        found = backlog.collect()
        if getattr(fault, "billed", False):
            assert found.ready == 1
        else:
            assert found.lost == 1 and backlog.submit().conversations == 1
            sim.clock.advance(60)
            assert backlog.collect().ready == 1
    assert len(covered(sim, path)) == 1
    assert len([attempt for attempt in sim.log if attempt.path == ITEMS]) == 1


def test_a_strangers_batch_is_not_ours(sim: Simulator, tmp_path: Path) -> None:
    """A batch of the same size that somebody else made meanwhile is not taken for the one that was cut off."""
    path, other = tmp_path / "a.db", tmp_path / "b.db"
    record(sim, path, "a")
    record(sim, other, "a")
    with summaries(sim, path) as backlog, summaries(sim, other) as stranger:
        sim.fail_next(Timeout(billed=False), path=BATCHES)
        with pytest.raises(Unavailable):
            backlog.submit()
        stranger.submit()
        assert backlog.collect() == Collected(waiting=1)
        sim.clock.advance(300)
        assert backlog.collect().lost == 1 and stranger.collect().ready == 1


@pytest.mark.parametrize("fault", [RateLimited(), Overloaded(), HttpError(status=401, message="No.")])
def test_sending_that_was_refused(sim: Simulator, tmp_path: Path, fault: Any) -> None:
    """A batch that surely was not made gives its conversations back at once."""
    path = tmp_path / "a.db"
    record(sim, path, "a")
    with summaries(sim, path) as backlog:
        sim.fail_next(fault, path=BATCHES)
        with pytest.raises(RemoteError):
            backlog.submit()
        sim.clock.advance(301)
        assert backlog.submit().conversations == 1


def test_errored_items(sim: Simulator, tmp_path: Path) -> None:
    """An item that errored changes nothing; one that may pass later is handed in again, the others are used."""
    path = tmp_path / "a.db"
    record(sim, path, "a", "b")
    sim.fail_next(Overloaded(), path=ITEMS)
    with summaries(sim, path) as backlog:
        backlog.submit()
        sim.clock.advance(60)
        found = backlog.collect()
        assert (found.ready, found.failed) == (1, 1)
        assert backlog.submit().conversations == 1
        sim.clock.advance(60)
        assert backlog.collect().ready == 1
    assert len(covered(sim, path)) == len(covered(sim, path, "b")) == 1


def test_an_item_that_can_never_pass_is_left_alone_for_a_while(sim: Simulator, tmp_path: Path) -> None:
    """After an invalid request a conversation waits, longer with each failure, before it is tried again."""
    path = tmp_path / "a.db"
    record(sim, path, "a")
    with summaries(sim, path) as backlog:
        sim.fail_next(HttpError(status=400, message="No."), path=ITEMS)
        backlog.submit()
        sim.clock.advance(60)
        assert backlog.collect().failed == 1
        assert backlog.submit().conversations == 0
        sim.clock.advance(2 * HOUR)
        assert backlog.submit().conversations == 1


def test_expired_and_cancelled_items(sim: Simulator, tmp_path: Path) -> None:
    """Items that expired or were cancelled are free again; those that were done are used."""
    path = tmp_path / "a.db"
    slow = Simulator(batch_rules=BatchRules(begins_after=60, seconds_per_request=30 * HOUR), clock=sim.clock)
    record(slow, path, "a", "b")
    with summaries(slow, path) as backlog:
        backlog.submit()
        slow.clock.advance(24 * HOUR)
        found = backlog.collect()
        assert (found.ready, found.failed) == (1, 1)
        (made,) = backlog.submit().batches
        slow.client().messages.batches.cancel(made)
        slow.clock.advance(10)
        assert backlog.collect().failed == 1
        assert backlog.submit().conversations == 1


def test_a_refusal_is_no_summary(sim: Simulator, tmp_path: Path) -> None:
    """What the guards reject is kept as rejected with its cost, and never sent."""
    path = tmp_path / "a.db"
    record(sim, path, "a")
    with summaries(sim, path) as backlog:
        sim.fail_next(Refusal(), path=ITEMS)
        backlog.submit()
        sim.clock.advance(60)
        found = backlog.collect()
    assert found.rejected == 1 and found.dollars > 0 and covered(sim, path) == []


def test_a_conversation_that_went_on(sim: Simulator, tmp_path: Path) -> None:
    """Turns said meanwhile stay verbatim behind the summary, which covers only what it was made of."""
    path = tmp_path / "a.db"
    record(sim, path, "a")
    with summaries(sim, path) as backlog:
        backlog.submit()
        with open_chat(sim, path) as chat:
            chat.send("One more thing.")
        sim.clock.advance(60)
        assert backlog.collect().ready == 1
    assert covered(sim, path)[0] < 20 and len(history(sim, path)) == 22


def test_a_conversation_that_was_edited(sim: Simulator, tmp_path: Path) -> None:
    """On a branch that left before the covered turns the summary is not seen; on the old branch it is."""
    path = tmp_path / "a.db"
    record(sim, path, "a")
    with summaries(sim, path) as backlog:
        backlog.submit()
        with open_chat(sim, path) as chat:
            chat.edit(chat.history()[2], "Something else entirely.")
        sim.clock.advance(60)
        backlog.collect()
    assert covered(sim, path) == []


def test_somebody_else_summarised_it_meanwhile(sim: Simulator, tmp_path: Path) -> None:
    """A summary made by the conversation itself while the batch ran wins; the batch's is kept as rejected, once."""
    path = tmp_path / "a.db"
    own = Summarised(ahead=False, tokens=400)
    record(sim, path, "a", budget=4_000, keep=300, strategy=own, times=14)
    with summaries(sim, path) as backlog:
        assert backlog.submit().conversations == 1
        sim.clock.advance(301)  # the lease is over, the batch is not needed to end first
        with open_chat(sim, path, budget=1_400, keep=300, strategy=own) as chat:
            chat.send(said(9))
            made = len(chat.summaries())
        found = backlog.collect()
    with open_chat(sim, path) as chat:
        states = [summary.state for summary in chat.summaries()]
    assert made == 1 and found.rejected == 1 and sorted(states) == ["ready", "rejected"]


def test_a_batch_that_is_gone(sim: Simulator, tmp_path: Path) -> None:
    """A batch that was deleted, or whose results are no longer kept, is lost; its conversations are free again."""
    path = tmp_path / "a.db"
    record(sim, path, "a")
    with summaries(sim, path) as backlog:
        (made,) = backlog.submit().batches
        sim.clock.advance(60)
        sim.client().messages.batches.delete(made)
        assert backlog.collect() == Collected(waiting=1)  # as if it were too new to be seen
        sim.clock.advance(CLOCKS)
        assert backlog.collect().lost == 1
        backlog.submit()
        sim.clock.advance(31 * 24 * HOUR)
        assert backlog.collect().lost == 1
        assert backlog.submit().conversations == 1


def test_a_long_backlog_goes_step_by_step(sim: Simulator, tmp_path: Path) -> None:
    """What is too long for one request (a price cliff) is covered piece by piece, each going on from the last."""
    path = tmp_path / "a.db"
    record(sim, path, "a", times=10)
    with open_chat(sim, path, budget=400_000) as chat:
        for number in range(10, 13):
            chat.send(said(number) + "The harbour was full of boats that day. " * 4_000)
    sim.clock.advance(1.5 * HOUR)
    uptos = []
    with summaries(sim, path) as backlog:
        for _ in range(3):
            if not backlog.submit().conversations:
                break
            sim.clock.advance(60)
            assert backlog.collect().ready == 1
            uptos.append(covered(sim, path)[-1])
            sim.clock.advance(60)
    assert len(uptos) >= 2 and uptos == sorted(set(uptos))
    assert all(attempt.usage and attempt.usage.prompt <= 100_000 for attempt in sim.log if attempt.path == ITEMS)


def test_one_turn_that_is_too_large(sim: Simulator, tmp_path: Path) -> None:
    """A conversation whose next turn fits no request is named, not cut."""
    path = tmp_path / "a.db"
    with open_chat(sim, path, budget=400_000) as chat:
        chat.send("The harbour was full of boats that day. " * 12_000)
        for number in range(6):
            chat.send(said(number))
    sim.clock.advance(1.5 * HOUR)
    with summaries(sim, path) as backlog:
        assert backlog.submit().skipped == ("a",)


def test_who_is_left_alone(sim: Simulator, tmp_path: Path) -> None:
    """Short conversations, lively ones, pending questions and other namespaces are not handed in."""
    path = tmp_path / "a.db"
    record(sim, path, "short", times=2)
    record(sim, path, "elsewhere", namespace="other")
    record(sim, path, "waiting", times=2)
    with open_chat(sim, path, "lively") as chat:
        for number in range(10):
            chat.send(said(number))
    with summaries(sim, path) as backlog:
        assert backlog.submit().conversations == 0
    with summaries(sim, path, namespace=None) as backlog:
        assert backlog.submit().conversations == 1


def test_at_once(sim: Simulator, tmp_path: Path) -> None:
    """Without batches the same summaries are made by single requests; a failure is told and leaves the job free."""
    path = tmp_path / "a.db"
    record(sim, path, "a")
    with summaries(sim, path) as backlog:
        sim.fail_next(Overloaded())
        with pytest.raises(Unavailable):
            backlog.now()
        sim.clock.advance(HOUR)
        found = backlog.now()
    assert found.ready == 1 and found.dollars == pytest.approx(sim.log[-1].cost) and len(covered(sim, path)) == 1


def test_what_is_broken_off_at_once_is_free_again(sim: Simulator, tmp_path: Path) -> None:
    """Who breaks off with Ctrl-C gives the job back: the next run need not wait until its lease has ended."""
    path = tmp_path / "a.db"
    record(sim, path, "a")

    def broken_off(_: Any) -> None:
        raise KeyboardInterrupt

    with summaries(sim, path) as backlog:
        sim.script(broken_off)
        with pytest.raises(KeyboardInterrupt):
            backlog.now()
        sim.script(lambda _: None)
        sim.clock.advance(60)
        assert backlog.now().ready == 1


def test_run_and_async(sim: Simulator, tmp_path: Path) -> None:
    """`run` hands in and waits until nothing waits any more; the asynchronous twin does the same."""
    quick = Simulator(batch_rules=BatchRules(begins_after=0), clock=sim.clock)
    path = tmp_path / "a.db"
    record(quick, path, "a")
    with summaries(quick, path) as backlog:
        assert backlog.run(every=0).ready == 1
    record(quick, path, "b")

    async def run() -> list[Collected]:
        client = quick.async_client()
        async with client, AsyncSummaries(path, client=client, clock=quick.clock.now, **SMALL) as backlog:
            first = await backlog.run(every=0)
            await backlog.submit()
            return [first, await backlog.collect(), await backlog.now()]

    first, *rest = asyncio.run(run())
    assert first.ready == 1 and rest == [Collected(), Collected()]


def test_settings() -> None:
    """Settings that make no sense are refused when they are given."""
    for wrong in ({"limit": 10}, {"keep": -1}, {"idle": -5}, {"by": "claude-haku-5-5"}):
        with pytest.raises((InvalidOption, sash.errors.UnknownModel)):
            Summaries(None, client="simulator", **wrong)  # type: ignore[arg-type]


def test_two_collectors(sim: Simulator, tmp_path: Path) -> None:
    """Two processes that collect the same batch use each result once."""
    path = tmp_path / "a.db"
    record(sim, path, "a")
    with summaries(sim, path) as one, summaries(sim, path) as two:
        one.submit()
        sim.clock.advance(60)
        store = one._store
        rows = store.batches.read()
        assert (one.collect().ready, two.collect().ready, len(rows)) == (1, 0, 1)
    assert len(covered(sim, path)) == 1


@pytest.mark.parametrize("which", ["a turn it was made of", "a turn its parent covers"])
def test_what_was_redacted_meanwhile_does_not_come_back(sim: Simulator, tmp_path: Path, which: str) -> None:
    """A result made of words that were redacted while the batch ran is not kept: only what it cost is."""
    path = tmp_path / "a.db"
    record(sim, path, "a")
    with summaries(sim, path) as backlog:
        if which == "a turn its parent covers":
            backlog.submit()
            sim.clock.advance(60)
            assert backlog.collect().ready == 1
            record(sim, path, "a")
        assert backlog.submit().conversations == 1
        with open_chat(sim, path) as chat:
            chat.redact(chat.history()[0])
        sim.clock.advance(60)
        found = backlog.collect()
    assert (found.ready, found.rejected) == (0, 1) and found.dollars > 0
    with open_chat(sim, path) as chat:
        assert all("Parcel 0 weighs" not in summary.text for summary in chat.summaries())
        assert any(summary.report.get("reason") for summary in chat.summaries())
