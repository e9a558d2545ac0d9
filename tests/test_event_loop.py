"""The event loop goes on while a conversation computes, and a cancelled one loses nothing that has come."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest

from sash import AsyncConversation, Conversation, MemoryStore, SteppedWindow
from sash.conversation import async_driver, workers
from sash.conversation.async_driver import AsyncRun, attentive, drive_async
from sash.conversation.drivers import Performer
from sash.errors import InvalidOption
from sash.flows.steps import Abandoned, Flow, NextEvent, Now, Pause
from sash.planning.situation import Decision, Situation
from sash.simulator import Simulator

MODEL = "claude-sonnet-5-5"
DEADLOCK = 30.0
"""Seconds after which a test gives up: nothing here waits that long."""

said: ContextVar[str] = ContextVar("said", default="nothing")


class Watched:
    """A strategy that calls `during` whenever it is asked, in the thread it is asked in."""

    def __init__(self, during: Callable[[], Any]) -> None:
        self.during, self.inner = during, SteppedWindow()

    def decide(self, situation: Situation) -> Decision:
        """As a stepped window does."""
        self.during()
        return self.inner.decide(situation)


def talking(
    talk: Callable[[AsyncConversation], Awaitable[Any]], sim: Simulator, path: Path | None = None, **settings: Any
) -> Any:
    """What comes of a talk with an open conversation."""

    async def main() -> Any:
        client = sim.async_client(max_retries=0)
        async with AsyncConversation(path, id="a", model=MODEL, client=client, **settings) as chat:
            return await talk(chat)

    return asyncio.run(main())


def test_other_tasks_run_while_a_request_is_planned(sim: Simulator) -> None:
    """A plan that takes its time finds the loop at work: here it waits for what only the loop can do."""
    free = threading.Event()

    async def talk(chat: AsyncConversation) -> None:
        loop = asyncio.get_running_loop()
        chat.strategy = Watched(lambda: (loop.call_soon_threadsafe(free.set), reached.append(free.wait(DEADLOCK))))  # type: ignore[func-returns-value]
        await chat.plan("Hello")
        await chat.send("Hello")

    reached: list[bool] = []
    talking(talk, sim)
    assert len(reached) >= 2
    assert all(reached)


@pytest.mark.parametrize("what", ["send", "stream", "plan", "count", "run", "edit", "extend"])
def test_nothing_is_computed_in_the_thread_of_the_loop(what: str, sim: Simulator, path: Path) -> None:
    """Whatever is asked, what a user brings along is looked at in a worker, its content first of all."""
    threads: list[int] = []

    class Content(list[Any]):
        """Blocks that know who reads them."""

        def __iter__(self) -> Any:
            threads.append(threading.get_ident())
            return super().__iter__()

    def work(a: int) -> str:
        """Do it."""
        return str(a)

    async def talk(chat: AsyncConversation) -> int:
        first = await chat.send("Hello")
        content = Content([{"type": "text", "text": "And now?"}])
        if what == "stream":
            async with chat.stream(content) as stream:
                await stream.until_done()
        elif what == "edit":
            await chat.edit((await chat.history())[0], content)
        elif what == "extend":
            await chat.extend(Content([{"role": "user", "content": "A"}, {"role": "assistant", "content": "B"}]))
        else:
            await getattr(chat, what)(content, **({"tools": [work]} if what == "run" else {}))
        assert first
        return threading.get_ident()

    loop = talking(talk, sim, path)
    assert threads
    assert loop not in threads


def test_context_variables_go_both_ways(sim: Simulator) -> None:
    """What the caller set is known where a request is planned, and what is set there is known afterwards."""
    heard: list[str] = []

    def during() -> None:
        heard.append(said.get())
        said.set(said.get() + "!")

    async def talk(chat: AsyncConversation) -> str:
        said.set("hello")
        await chat.plan("One")
        return said.get()

    assert talking(talk, sim, strategy=Watched(during)) == "hello!"
    assert heard == ["hello"]


def test_what_one_object_remembers_is_used_by_one_plan_at_a_time(sim: Simulator) -> None:
    """Plans and sends at once on one object compute one after the other."""
    inside, most = 0, 0

    def during() -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        threading.Event().wait(0.002)
        inside -= 1

    async def talk(chat: AsyncConversation) -> None:
        await asyncio.gather(*(chat.plan(f"Question {n}") for n in range(8)), chat.send("Hello"), chat.send("There"))

    talking(talk, sim, strategy=Watched(during))
    assert most == 1


def test_errors_come_as_they_are(sim: Simulator) -> None:
    """What a strategy raises reaches the caller, and the conversation goes on."""

    async def talk(chat: AsyncConversation) -> None:
        def fail() -> None:
            raise InvalidOption("no", option="x", value=None)

        chat.strategy = Watched(fail)
        with pytest.raises(InvalidOption):
            await chat.send("Hello")
        chat.strategy = SteppedWindow()
        await chat.send("Hello")

    talking(talk, sim)


# ---- cancelled while it computes ------------------------------------------------------------------


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_cancellation_waits_for_the_plan_then_nothing_is_sent(times: int, path: Path, sim: Simulator) -> None:
    """Cancelled (once or more) while a request is planned: the plan ends, nothing leaves, the next send is answered."""
    begun, go_on = threading.Event(), threading.Event()
    overlapping: list[int] = []

    def during() -> None:
        overlapping.append(1)
        begun.set()
        go_on.wait(DEADLOCK)

    async def talk(chat: AsyncConversation) -> None:
        chat.strategy = Watched(during)
        task = asyncio.ensure_future(chat.send("Hello"))
        await asyncio.to_thread(begun.wait, DEADLOCK)
        for _ in range(times):
            task.cancel()
            await asyncio.sleep(0)
            assert not task.done()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert overlapping == [1] and not sim.messages
        chat.strategy = SteppedWindow()
        await chat.send("Still there?")
        assert [turn.state for turn in await chat.history()] == ["answered", "answered"]

    talking(talk, sim, path)


def test_a_reply_that_has_come_is_recorded_whatever_is_cancelled(sim: Simulator) -> None:
    """A cancellation between a reply's arrival and its record costs nobody the reply."""
    store = MemoryStore()
    coming, go_on = threading.Event(), threading.Event()

    def slow() -> float:
        """A clock that stands still between the reply and its record."""
        if sim.messages and not coming.is_set():
            coming.set()
            go_on.wait(DEADLOCK)
        return sim.clock.now()

    async def main() -> None:
        client = sim.async_client(max_retries=0)
        async with AsyncConversation(store, id="a", model=MODEL, client=client, clock=slow) as chat:
            task = asyncio.ensure_future(chat.send("Hello"))
            await asyncio.to_thread(coming.wait, DEADLOCK)
            task.cancel()
            await asyncio.sleep(0)
            go_on.set()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert [(turn.role, turn.state) for turn in await chat.history()] == [
                ("user", "answered"), ("assistant", "answered"),
            ]  # fmt: skip

    asyncio.run(main())


def test_a_stream_closed_by_another_task_while_it_computes(path: Path, sim: Simulator) -> None:
    """Closing waits for the computing, records what had come, and the reader's loop ends."""
    begun, go_on = threading.Event(), threading.Event()

    def during() -> None:
        begun.set()
        go_on.wait(DEADLOCK)

    async def talk(chat: AsyncConversation) -> None:
        chat.strategy = Watched(during)
        stream = chat.stream("Hello")
        reading = asyncio.ensure_future(stream.__aenter__())
        await asyncio.to_thread(begun.wait, DEADLOCK)
        closing = asyncio.ensure_future(stream.close())
        await asyncio.sleep(0)
        go_on.set()
        await closing
        await reading
        chat.strategy = SteppedWindow()
        await chat.send("Still there?")

    talking(talk, sim, path)
    with Conversation(path, id="a", model=MODEL, client=sim.client()) as chat:
        assert chat.history()[-1].state == "answered"
        assert all(chat.request(number).intact for number in range(1, chat.usage().requests + 1))


def test_the_loop_may_end_while_something_computes(path: Path, sim: Simulator) -> None:
    """asyncio.run that ends with a plan under way waits for it, and says nothing of lost tasks."""
    begun, go_on = threading.Event(), threading.Event()

    def during() -> None:
        begun.set()
        go_on.wait(DEADLOCK)

    async def main() -> asyncio.Task[Any]:
        chat = AsyncConversation(path, id="a", model=MODEL, client=sim.async_client(), strategy=Watched(during))
        task = asyncio.ensure_future(chat.send("Hello"))
        await asyncio.to_thread(begun.wait, DEADLOCK)
        threading.Timer(0.01, go_on.set).start()
        return task

    task = asyncio.run(main())
    assert task.cancelled() and not sim.messages


# ---- the driver itself ----------------------------------------------------------------------------


class Outside:
    """What a flow asks of the world, here in the tests."""

    def __init__(self) -> None:
        self.pending: asyncio.Future[Any] | None = None

    async def perform(self, _: Any) -> Any:
        """Waits for somebody to answer."""
        self.pending = asyncio.get_running_loop().create_future()
        return await self.pending


def test_steps_of_store_and_clock_take_one_hop_with_what_lies_between(monkeypatch: pytest.MonkeyPatch) -> None:
    """From one step of the loop to the next a flow stays in one worker."""
    threads: list[int] = []
    hops: list[int] = []
    monkeypatch.setattr(async_driver, "worker", lambda call: (hops.append(1), workers.worker(call))[1])  # type: ignore[func-returns-value]
    store = MemoryStore()

    def flow() -> Flow[None]:
        for _ in range(5):
            threads.append(threading.get_ident())
            yield from Now()
            threads.append(threading.get_ident())
            store.submissions.answered(namespace="", prefix="x")

    asyncio.run(drive_async(flow(), Performer(None)))
    assert (len(hops), len(set(threads))) == (1, 1)


def test_what_a_worker_is_asked_comes_back_to_its_loop() -> None:
    """A result, whatever is raised, and nothing for a caller who left: what was not begun by then is not done."""
    done: list[str] = []
    begun, go = threading.Event(), threading.Event()

    def busy() -> None:
        begun.set()
        assert go.wait(DEADLOCK)

    async def main() -> None:
        assert await workers.worker(lambda: "a result") == "a result"
        with pytest.raises(KeyError, match="lost"):
            await workers.worker(lambda: dict[str, int]()["lost"])
        all_busy = [workers.worker(busy) for _ in range(workers.WORKERS)]
        left = workers.worker(lambda: done.append("left"))
        assert await workers_begin()
        left.cancel()
        all_busy[0].cancel()
        go.set()
        await asyncio.wait(all_busy)
        assert await workers.worker(lambda: "still there") == "still there"
        assert [one.cancelled() for one in (left, *all_busy)] == [True, True, *[False] * (workers.WORKERS - 1)]

    async def workers_begin() -> bool:
        return await asyncio.to_thread(begun.wait, DEADLOCK)

    asyncio.run(main())
    assert done == []


def test_a_worker_outlives_the_loop_that_asked_it() -> None:
    """A loop that is closed while a call of its own is computed is told nothing, and the next one is served."""
    begun, go = threading.Event(), threading.Event()

    def busy() -> None:
        begun.set()
        assert go.wait(DEADLOCK)

    async def asks() -> None:
        workers.worker(busy)

    asyncio.run(asks())
    assert begun.wait(DEADLOCK)
    go.set()

    async def asks_again() -> list[int]:
        return await asyncio.gather(*(workers.worker(lambda: 1) for _ in range(2 * workers.WORKERS)))

    assert sum(asyncio.run(asks_again())) == 2 * workers.WORKERS


@pytest.mark.parametrize("came", [False, True])
def test_a_cancelled_flow_stops_at_a_call_of_the_store_unless_something_has_come(came: bool) -> None:
    """Before the call where nothing has come from outside, behind all calls where it has; tidying up is not cut off."""
    calls: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    class Store:
        def write(self, what: str) -> None:
            calls.append(what)

    store = attentive(Store())

    class Claude:
        async def perform(self, _: Any) -> str:
            return "reply"

    def flow() -> Flow[None]:
        if came:
            yield from NextEvent(handle=None)
            yield from Pause(seconds=0.0)  # what was passed on is passed on without a hop
        begun.set()
        go_on.wait(DEADLOCK)
        try:
            store.write("first")
        finally:
            store.write("last")
        yield from Pause(seconds=0.0)

    async def main() -> None:
        task = asyncio.ensure_future(drive_async(flow(), Performer(Claude())))
        await asyncio.to_thread(begun.wait, DEADLOCK)
        task.cancel()
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert calls == (["first", "last"] if came else ["last"])


def test_events_of_a_stream_are_passed_on_without_a_hop() -> None:
    """Between two events a flow computes nothing, and stays where it is; its end is computed in a worker."""
    where: list[bool] = []
    events = iter([1, 2, 3, None])

    class Claude:
        async def perform(self, _: Any) -> Any:
            return next(events)

    def flow() -> Flow[None]:
        while (yield from NextEvent(handle=None)) is not None:
            where.append(threading.current_thread() is threading.main_thread())
        where.append(threading.current_thread() is threading.main_thread())

    asyncio.run(drive_async(flow(), Performer(Claude())))
    assert where == [True, True, True, False]


def test_a_flow_left_while_a_step_is_out_is_not_given_what_comes_late() -> None:
    """What another task left takes no late results, and both tasks end."""
    seen: list[Any] = []
    claude = Outside()

    def flow() -> Flow[str]:
        try:
            seen.append((yield from NextEvent(handle=None)))
        except Abandoned:
            yield from Pause(seconds=0.0)
            seen.append("recorded")
        return "end"

    async def main() -> None:
        run = AsyncRun(flow(), Performer(claude))
        reading = asyncio.ensure_future(run.advance())
        while claude.pending is None:
            await asyncio.sleep(0.001)
        await asyncio.gather(run.abandon(), run.abandon())
        claude.pending.set_result("late")
        assert await reading is None
        assert run.finished and run.result == "end"

    asyncio.run(main())
    assert seen == ["recorded"]


def test_a_reader_that_is_cancelled_after_the_flow_was_left_is_told() -> None:
    """A cancellation is never swallowed."""
    claude = Outside()

    def flow() -> Flow[None]:
        with contextlib.suppress(Abandoned):
            yield from NextEvent(handle=None)

    async def main() -> None:
        run = AsyncRun(flow(), Performer(claude))
        reading = asyncio.ensure_future(run.advance())
        while claude.pending is None:
            await asyncio.sleep(0.001)
        await run.abandon()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading

    asyncio.run(main())


def test_conversations_do_not_wait_for_other_work_in_threads(sim: Simulator, tmp_path: Path) -> None:
    """A program that keeps all of asyncio's own threads busy keeps no conversation waiting."""
    done = threading.Event()

    async def talk(chat: AsyncConversation) -> str:
        await chat.send("Hello.")  # the SDK looks at its platform in one of those threads, once
        loop = asyncio.get_running_loop()
        busy = [loop.run_in_executor(None, done.wait, DEADLOCK) for _ in range(64)]
        try:
            return (await asyncio.wait_for(chat.send("Hello."), DEADLOCK / 2)).text
        finally:
            done.set()
            await asyncio.gather(*busy)

    assert talking(talk, sim, tmp_path / "a.db")


LATE = """
import asyncio, atexit, sys
from sash import AsyncConversation

async def told(say):
    async with AsyncConversation(sys.argv[1], id="a", client="simulator") as chat:
        if say:
            await chat.send("hello")
        return len(await chat.history())

atexit.register(lambda: print(asyncio.run(told(False))))
asyncio.run(told(True))
"""


def test_what_a_program_asks_at_its_exit_is_done_when_the_workers_have_ended(path: Path) -> None:
    """What was registered before the workers is run when they have ended: it gets its answer, and does not wait."""
    done = subprocess.run(
        [sys.executable, "-c", LATE, str(path)], capture_output=True, text=True, check=True, timeout=DEADLOCK
    )
    assert done.stdout == "2\n"
