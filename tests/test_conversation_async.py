"""`AsyncConversation`: the same as `Conversation`, with `await`, and the event loop left free."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from lines import lose_places
from sash import AsyncConversation, Conversation, SqliteStore
from sash.errors import (
    BudgetExceeded,
    Conflict,
    ConversationBusy,
    ConversationClosed,
    InvalidOption,
    ReplyInterrupted,
    RequestRejected,
    Unavailable,
)
from sash.simulator import CutStream, Overloaded, PromptTooLong, Simulator

MODEL = "claude-sonnet-5-5"


def run(path: Path | None, sim: Simulator, talk: Callable[[AsyncConversation], Awaitable[Any]], **settings: Any) -> Any:
    """Open a conversation, talk, close it."""

    async def main() -> Any:
        async with (
            sim.async_client(max_retries=0) as client,
            AsyncConversation(path, **{"id": "a", "model": MODEL, "client": client, **settings}) as chat,
        ):
            return await talk(chat)

    return asyncio.run(main())


def test_it_offers_what_the_sync_one_offers() -> None:
    """Same names, same arguments."""
    for name, method in inspect.getmembers(Conversation, inspect.isfunction):
        if name.startswith("_"):
            continue
        twin = getattr(AsyncConversation, name)
        assert list(inspect.signature(twin).parameters) == list(inspect.signature(method).parameters), name


def test_both_write_the_same_record(tmp_path: Path) -> None:
    """The same talk, sync and async, sends the same bodies."""
    bodies = []
    for kind in ("sync", "async"):
        sim = Simulator()
        if kind == "sync":
            with Conversation(tmp_path / "sync.db", id="a", model=MODEL, client=sim.client()) as chat:
                chat.send("My order is number 1138.")
                with chat.stream("Thank you.") as stream:
                    stream.until_done()
                chat.regenerate()
                chat.edit(chat.history()[0], "My order is number 7.")
        else:

            async def talk(chat: AsyncConversation) -> None:
                await chat.send("My order is number 1138.")
                async with chat.stream("Thank you.") as stream:
                    await stream.until_done()
                await chat.regenerate()
                await chat.edit((await chat.history())[0], "My order is number 7.")

            run(tmp_path / "async.db", sim, talk)
        bodies.append([attempt.body for attempt in sim.messages])
    assert bodies[0] == bodies[1]


def test_plan_history_usage_request_and_pin(path: Path, sim: Simulator) -> None:
    """Looking back and forward asks nothing."""

    async def talk(chat: AsyncConversation) -> None:
        reply = await chat.send("My order is number 1138.")
        await chat.pin(reply.turn)  # type: ignore[arg-type]
        plan = await chat.plan("What next?")
        assert plan.body["messages"][-1]["content"][0]["text"] == "What next?"
        assert len(await chat.history(limit=1)) == 1
        assert (await chat.usage()).requests == 1
        assert (await chat.request(1)).intact
        await chat.describe(title="Crates")
        await chat.extend([{"role": "user", "content": "aside"}, {"role": "assistant", "content": "noted"}])
        assert len(await chat.history()) == 4

    run(path, sim, talk)
    assert len(sim.log) == 1


def test_a_fork_and_its_origin(path: Path, sim: Simulator) -> None:
    """Both go on."""

    async def talk(chat: AsyncConversation) -> None:
        await chat.send("One.")
        async with await chat.fork() as other:
            await other.send("Two, there.")
            assert len(await other.history()) == 4
        await chat.send("Two, here.")

    run(path, sim, talk)


def test_failures_leave_the_same_states(path: Path, sim: Simulator) -> None:
    """429 and 5xx pending, 400 withdrawn; retry and withdraw act on what is pending."""

    async def talk(chat: AsyncConversation) -> None:
        sim.fail_next(Overloaded())
        with pytest.raises(Unavailable):
            await chat.send("One.")
        await chat.retry()
        sim.fail_next(PromptTooLong())
        with pytest.raises(RequestRejected):
            await chat.send("Two.")
        sim.fail_next(Overloaded())
        with pytest.raises(Unavailable):
            await chat.send("Three.")
        assert await chat.withdraw() == 1
        states = [turn.state for turn in await chat.history()]
        assert states == ["answered", "answered", "withdrawn", "withdrawn"]

    run(path, sim, talk)


def test_streams_whole_left_and_cut(path: Path, sim: Simulator) -> None:
    """Text comes as it comes; leaving records what had come; a cut raises and keeps it."""
    long = "One two three four five six seven eight nine ten. " * 3
    sim.script([long, long, long])

    async def talk(chat: AsyncConversation) -> None:
        async with chat.stream("Count.") as stream:
            with pytest.raises(InvalidOption):
                _ = stream.reply
            text = "".join([piece async for piece in stream])
        assert text == stream.reply.text == long
        async with chat.stream("Count.") as stream:
            async for _ in stream:
                break
        assert (await chat.history())[-1].state == "interrupted"
        sim.fail_next(CutStream(events=12, how="lost"))
        with pytest.raises(ReplyInterrupted):
            async with chat.stream("Count.") as stream:
                await stream.until_done()
        await chat.send("And now?")

    run(path, sim, talk)


def test_sends_wait_in_order(path: Path, sim: Simulator) -> None:
    """First come, first served."""

    async def talk(chat: AsyncConversation) -> None:
        await asyncio.gather(*(chat.send(f"Question {n}") for n in range(6)))
        questions = [turn.text for turn in await chat.history() if turn.role == "user"]
        assert questions == [f"Question {n}" for n in range(6)]

    run(path, sim, talk)


def test_a_task_does_not_wait_for_itself(path: Path, sim: Simulator) -> None:
    """A send inside one's own stream raises ConversationBusy; so does any other with busy="error"."""

    async def talk(chat: AsyncConversation) -> None:
        async with chat.stream("Hello.") as stream:
            with pytest.raises(ConversationBusy):
                await chat.send("In between.")
            await stream.until_done()

    async def refuse(chat: AsyncConversation) -> None:
        results = await asyncio.gather(chat.send("One."), chat.send("Two."), return_exceptions=True)
        assert [type(result) for result in results].count(ConversationBusy) == 1

    run(path, sim, talk)
    run(path, sim, refuse, busy="error")


def test_two_objects_of_which_one_lost_its_place_conflict(path: Path, sim: Simulator) -> None:
    """The late one gets the paid reply with its Conflict."""

    async def talk(chat: AsyncConversation) -> None:
        async with AsyncConversation(path, id="a", model=MODEL, client=sim.async_client()) as other:
            with pytest.raises(Conflict) as caught:
                async with chat.stream("Slowly.") as stream:
                    lose_places(chat._store)
                    await other.send("Quickly.")
                    await stream.until_done()
            assert caught.value.reply.text

    run(path, sim, talk)


def test_the_store_works_off_the_event_loop(path: Path, sim: Simulator) -> None:
    """No store method runs in the loop's own thread."""
    store = SqliteStore(path)
    threads: set[int] = set()
    begin, window = store.requests.begin, store.windows.read

    def spied(method: Any) -> Any:
        def call(*given: Any, **named: Any) -> Any:
            threads.add(threading.get_ident())
            return method(*given, **named)

        return call

    store.requests.begin = spied(begin)  # type: ignore[method-assign]
    store.windows.read = spied(window)  # type: ignore[method-assign]

    async def talk(chat: AsyncConversation) -> int:
        await chat.send("Hello.")
        return threading.get_ident()

    loop = asyncio.run(_with_store(store, sim, talk))
    assert threads
    assert loop not in threads
    store.close()


async def _with_store(store: SqliteStore, sim: Simulator, talk: Callable[[AsyncConversation], Awaitable[int]]) -> int:
    async with AsyncConversation(store, id="a", model=MODEL, client=sim.async_client()) as chat:
        return await talk(chat)


def test_nothing_is_opened_before_the_first_await(path: Path, sim: Simulator) -> None:
    """Making the object touches no file; a closed one says so."""
    chat = AsyncConversation(path, id="a", model=MODEL, client=sim.async_client())
    assert not path.exists()

    async def talk() -> None:
        assert await chat.history() == []
        await chat.close()
        await chat.close()
        with pytest.raises(ConversationClosed):
            await chat.send("Hello.")

    asyncio.run(talk())


def test_a_failed_edit_goes_back(path: Path, sim: Simulator) -> None:
    """Back on the branch where we were."""

    async def talk(chat: AsyncConversation) -> None:
        await chat.send("One.")
        before = await chat.history()
        with pytest.raises(BudgetExceeded):
            await chat.edit(before[0], "word " * 5_000)
        assert await chat.history() == before

    run(path, sim, talk, budget=1_500)


def test_clients_of_every_kind(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulator by name, one from the environment, and a synchronous one refused."""

    async def talk(chat: AsyncConversation) -> str:
        return (await chat.send("Hello.")).text

    assert run(None, sim, talk, client="simulator")
    with sim.serve() as url:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "any")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
        assert run(None, sim, talk, client=None)
    with sim.client() as client, pytest.raises(InvalidOption):
        run(None, sim, talk, client=client)
