"""Equal requests at once: one is sent, the others get its reply; whatever becomes of it, nobody waits in vain."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limits.conftest import ASK, Turned
from sash import AsyncConversation, Conversation
from sash.claude.middleware import Memo, PerAttempt, bypass_memo
from sash.limits.attempts import Attempt, Next, Signal, Wait, WallTiming
from sash.limits.memo.in_flight import READ_WITHIN
from sash.simulator import ConnectionLost, CutStream, Overloaded, Refusal, ServerError, Simulator, Stopped
from sash.stores import SqliteMemos

CROWD = 20
FAILED = (anthropic.APIError, httpx2.HTTPError)
HANGS = 120.0
"""Seconds after which a test that hangs is over."""


class Gate(PerAttempt):
    """Holds what is sent until it is opened, and does to the first one whatever is wanted."""

    def __init__(self, first: Callable[[], None] = lambda: None) -> None:
        self.came = threading.Event()
        self._first = first
        self._held: list[Signal] = []
        self._open = False

    def attempt(self, request: Any) -> Attempt:
        if not self._open:
            signal = Signal()
            self._held.append(signal)
            self.came.set()
            yield Wait(WallTiming(), signal, HANGS)
            self._first()
        return (yield Next(request))

    def open(self) -> None:
        self._open = True
        for signal in self._held:
            signal.set()


class Waits:
    """A clock that stands still: who waits is counted, and waits until called."""

    def __init__(self, most: int = 0, then: Callable[[], None] = lambda: None) -> None:
        self._lock, self._left, self._then = threading.Lock(), most, then
        self.all = threading.Event()

    def now(self) -> float:
        return 0.0

    def wait(self, signal: Signal, _: float | None) -> None:
        self._count()
        with _not_in_vain():
            signal.wait(HANGS)

    async def wait_async(self, signal: Signal, _: float | None) -> None:
        self._count()
        with _not_in_vain():
            await signal.wait_async(HANGS)

    def _count(self) -> None:
        with self._lock:
            self._left -= 1
            last = self._left == 0
        if last:
            self.all.set()
            self._then()


@contextmanager
def _not_in_vain() -> Iterator[None]:
    """Ends a test that would hang."""
    start = time.monotonic()
    yield
    assert time.monotonic() - start < HANGS, "nobody called"


class Crowd:
    """Asks the same so many times at once: in threads, in tasks of one event loop, or in tasks of several."""

    def __init__(self, kind: str, sim: Simulator, path: Path) -> None:
        self.kind, self.sim, self.path = kind, sim, path
        self.gate = Gate()
        self.size = CROWD

    @property
    def memo(self) -> Memo:
        """A memo of its own each time, over the one file."""
        return Memo(book=SqliteMemos(self.path), clock=self.sim.clock.now, timing=self._timing)

    def ask(self, *, stream: bool = False) -> list[Any]:
        """What each of them got: a reply's content, the events of a stream, or an error."""
        self._timing = Waits(self.size - 1, self.gate.open)  # one is sent and held; all others wait
        if self.kind == "threads":
            return _in_threads([lambda: self._once(stream)] * self.size)
        if self.kind == "tasks":
            return asyncio.run(self._several(self.size, stream))
        parts = [lambda: asyncio.run(self._several(self.size // 4, stream))] * 4
        return [got for part in _in_threads(parts) for got in part]

    def _once(self, stream: bool) -> Any:
        with self.sim.client(middleware=[self.memo, self.gate], max_retries=0) as client:
            try:
                if not stream:
                    return client.messages.create(**ASK).content
                with client.messages.stream(**ASK) as events:
                    return [event.type for event in events], events.get_final_message().content
            except FAILED as error:
                return error

    async def _several(self, count: int, stream: bool) -> list[Any]:
        async with self.sim.async_client(middleware=[self.memo, self.gate], max_retries=0) as client:
            return await asyncio.gather(*(self._once_async(client, stream) for _ in range(count)))

    async def _once_async(self, client: Any, stream: bool) -> Any:
        try:
            if not stream:
                return (await client.messages.create(**ASK)).content
            async with client.messages.stream(**ASK) as events:
                seen = [event.type async for event in events]
                return seen, (await events.get_final_message()).content
        except FAILED as error:
            return error


def _in_threads(calls: list[Callable[[], Any]]) -> list[Any]:
    with ThreadPoolExecutor(len(calls)) as pool:
        return [running.result(HANGS) for running in [pool.submit(call) for call in calls]]


@pytest.fixture(params=["threads", "tasks", "loops"])
def crowd(request: pytest.FixtureRequest, sim: Simulator, path: Path) -> Crowd:
    return Crowd(request.param, sim, path)


@pytest.fixture
def book(path: Path) -> Iterator[SqliteMemos]:
    with closing(SqliteMemos(path)) as made:
        yield made


def test_of_equal_questions_at_once_one_is_sent(crowd: Crowd) -> None:
    """All get its reply, whatever client, memo, thread or event loop they ask with; the others are hits."""
    replies = crowd.ask()
    assert len(crowd.sim.log) == 1
    assert len(replies) == CROWD and all(reply == replies[0] for reply in replies)
    used = crowd.memo.use()
    assert (used.asked, used.hits) == (CROWD, CROWD - 1)
    assert used.saved == pytest.approx(crowd.sim.cost * (CROWD - 1))


def test_streams_wait_for_the_first_and_are_replayed(crowd: Crowd) -> None:
    """One is streamed from the service, the others are the same events once it is whole."""
    streams = crowd.ask(stream=True)
    assert len(crowd.sim.log) == 1
    assert len(streams) == CROWD and all(stream == streams[0] for stream in streams)


@pytest.mark.parametrize(
    "fault", [Overloaded(), ServerError(), ConnectionLost()], ids=lambda fault: type(fault).__name__
)
def test_when_the_first_fails_one_more_is_sent(crowd: Crowd, fault: Any) -> None:
    """Whoever was sent gets the error; one of those who waited goes out, and the rest wait for that one."""
    crowd.sim.faults.fail_next(fault)
    replies = crowd.ask()
    failed = [reply for reply in replies if isinstance(reply, FAILED)]
    good = [reply for reply in replies if not isinstance(reply, FAILED)]
    assert len(failed) == 1
    assert len(good) == CROWD - 1 and all(reply == good[0] for reply in good)
    assert len(crowd.sim.log) == 2


@pytest.mark.parametrize("fault", [Stopped(reason="max_tokens"), Refusal()], ids=lambda fault: type(fault).__name__)
def test_a_reply_that_is_not_remembered_is_nobody_elses(crowd: Crowd, fault: Any) -> None:
    """It is its asker's; one more is sent for all others."""
    crowd.sim.faults.fail_next(fault)
    replies = crowd.ask()
    assert len(crowd.sim.log) == 2
    assert sorted(replies.count(reply) for reply in replies) == [1] + [CROWD - 1] * (CROWD - 1)


@pytest.mark.parametrize("how", ["silent", "error", "lost"])
def test_when_a_stream_is_cut_one_more_is_sent(crowd: Crowd, how: Any) -> None:
    """A part is no reply for the others."""
    crowd.sim.faults.fail_next(CutStream(events=4, how=how))
    streams = crowd.ask(stream=True)
    assert len(crowd.sim.log) == 2
    assert sorted(streams.count(stream) for stream in streams) == [1] + [CROWD - 1] * (CROWD - 1)


@given(
    st.lists(st.sampled_from([Overloaded(), ConnectionLost(), Refusal(), Stopped(reason="max_tokens")]), max_size=5),
    st.sampled_from(["threads", "tasks"]),
)
def test_as_many_are_sent_as_fail_and_one_more(tmp_path_factory: Any, faults: list[Any], kind: str) -> None:
    """Whatever befalls those in front, each is sent at most once, and nobody is left waiting."""
    sim = Simulator()
    crowd = Crowd(kind, sim, tmp_path_factory.mktemp("memo") / "memo.db")
    crowd.size = 4
    for fault in faults:
        sim.faults.fail_next(fault)
    replies = crowd.ask()
    assert len(replies) == crowd.size
    assert len(sim.log) == min(len(faults) + 1, crowd.size)


# ---- who leaves -----------------------------------------------------------------------------------


def test_a_cancelled_task_lets_the_next_one_go(sim: Simulator, book: SqliteMemos) -> None:
    """Cancelled before its request was answered, it leaves its place to one of those who wait."""

    async def main() -> list[Any]:
        waits, gate = Waits(3), Gate()
        async with sim.async_client(middleware=[Memo(book=book, timing=waits), gate]) as client:
            first = asyncio.create_task(client.messages.create(**ASK))
            await asyncio.to_thread(gate.came.wait, HANGS)
            others = [asyncio.create_task(client.messages.create(**ASK)) for _ in range(3)]
            await asyncio.to_thread(waits.all.wait, HANGS)
            first.cancel()
            await asyncio.wait([first])
            assert first.cancelled()
            gate.open()
            return [reply.content for reply in await asyncio.gather(*others)]

    replies = asyncio.run(main())
    assert len(sim.log) == 1
    assert replies[0] == replies[1] == replies[2]


def test_whoever_waits_may_leave(sim: Simulator, book: SqliteMemos) -> None:
    """A waiting task that is cancelled is gone at once; the others get the reply."""

    async def main() -> list[Any]:
        waits, gate = Waits(3), Gate()
        async with sim.async_client(middleware=[Memo(book=book, timing=waits), gate]) as client:
            tasks = [asyncio.create_task(client.messages.create(**ASK))]
            await asyncio.to_thread(gate.came.wait, HANGS)
            tasks += [asyncio.create_task(client.messages.create(**ASK)) for _ in range(3)]
            await asyncio.to_thread(waits.all.wait, HANGS)
            left = tasks.pop()
            left.cancel()
            await asyncio.wait([left])  # before anything was answered
            assert left.cancelled() and not sim.log
            gate.open()
            return [reply.content for reply in await asyncio.gather(*tasks)]

    replies = asyncio.run(main())
    assert len(sim.log) == 1
    assert len(replies) == 3 and replies[0] == replies[1] == replies[2]


def test_an_interrupt_lets_the_next_one_go(sim: Simulator, path: Path) -> None:
    """Ctrl-C in the thread that was sent is no error of the others."""

    def interrupted() -> None:
        if not crowd.gate.came.is_set():  # type: ignore[attr-defined]
            return
        crowd.gate.came.clear()  # type: ignore[attr-defined]
        raise KeyboardInterrupt

    crowd = Crowd("threads", sim, path)
    crowd.size = 4
    crowd.gate = Gate(interrupted)

    def once(stream: bool, ask: Any = crowd._once) -> Any:
        try:
            return ask(stream)
        except KeyboardInterrupt:
            return None

    crowd._once = once  # type: ignore[method-assign]
    replies = crowd.ask()
    assert len(sim.log) == 1
    assert replies.count(None) == 1
    assert len({str(reply) for reply in replies}) == 2


def test_a_stream_that_is_left_lets_the_next_one_go(sim: Simulator, book: SqliteMemos) -> None:
    """Its reader goes after one event; the next one is streamed whole, and remembered."""
    waits = Waits(1)
    with sim.client(middleware=[Memo(book=book, timing=waits)]) as client, ThreadPoolExecutor(1) as pool:
        with client.messages.stream(**ASK) as stream:
            next(iter(stream))
            waiting = pool.submit(lambda: _streamed(client))
            assert waits.all.wait(HANGS) and len(sim.log) == 1
        text = waiting.result(HANGS)
        assert len(sim.log) == 2
        assert _streamed(client) == text != ""
    assert len(sim.log) == 2


def test_an_abandoned_stream_lets_the_next_one_go(sim: Simulator, book: SqliteMemos) -> None:
    """One that nobody closes is over when it is collected."""
    waits = Waits(1)
    with sim.client(middleware=[Memo(book=book, timing=waits)]) as client, ThreadPoolExecutor(1) as pool:
        stream = client.messages.create(**ASK, stream=True)
        next(iter(stream))
        waiting = pool.submit(lambda: _streamed(client))
        assert waits.all.wait(HANGS)
        del stream
        gc.collect()
        assert waiting.result(HANGS)
    assert len(sim.log) == 2


def _streamed(client: Any) -> str:
    with client.messages.stream(**ASK) as stream:
        return str(stream.get_final_text())


# ---- who does not wait ----------------------------------------------------------------------------


class Never(Turned):
    """A clock on which nobody may wait."""

    def wait(self, _: Signal, seconds: float | None) -> None:
        raise AssertionError(f"waited for {seconds} s")


def test_a_stream_that_nobody_reads_is_waited_for_a_moment_only(sim: Simulator, book: SqliteMemos) -> None:
    """Its reader has some seconds for each step; then the next one is sent, and the reader loses nothing."""
    timing = Turned()
    memo = Memo(book=book, timing=timing)
    with sim.client(middleware=[memo]) as client, client.messages.stream(**ASK) as stream:
        next(iter(stream))
        with ThreadPoolExecutor(1) as pool:
            text = pool.submit(lambda: _streamed(client)).result(HANGS)
        assert timing.time == READ_WITHIN
        assert len(sim.log) == 2
        assert stream.get_final_text() == text


def test_nobody_waits_for_themselves(sim: Simulator, book: SqliteMemos) -> None:
    """Two equal streams side by side in one thread, or one task, are both sent."""
    memo = Memo(book=book, timing=Never())
    with (
        sim.client(middleware=[memo]) as client,
        client.messages.stream(**ASK) as one,
        client.messages.stream(**ASK) as two,
    ):
        assert one.get_final_text() == two.get_final_text()
    assert len(sim.log) == 2

    async def main() -> None:
        async with (
            sim.async_client(middleware=[memo]) as client,
            client.messages.stream(**ASK, system="Be brief.") as one,
            client.messages.stream(**ASK, system="Be brief.") as two,
        ):
            assert await one.get_final_text() == await two.get_final_text()

    asyncio.run(main())
    assert len(sim.log) == 4


def test_a_blocking_call_does_not_wait_for_a_task_of_its_thread(sim: Simulator, book: SqliteMemos) -> None:
    """The task could not go on while its event loop is blocked."""

    async def main() -> None:
        gate, memo = Gate(), Memo(book=book, timing=Never())
        async with sim.async_client(middleware=[memo, gate]) as client:
            task = asyncio.create_task(client.messages.create(**ASK))
            await asyncio.to_thread(gate.came.wait, HANGS)
            with sim.client(middleware=[memo]) as blocking:
                reply = blocking.messages.create(**ASK)
            gate.open()
            assert (await task).content == reply.content

    asyncio.run(main())
    assert len(sim.log) == 2


def test_a_fresh_reply_is_neither_waited_for_nor_waits(sim: Simulator, book: SqliteMemos) -> None:
    """Who wants one is sent, and others do not know of it."""
    memo, gate = Memo(book=book, timing=Never()), Gate()

    def anew() -> Any:
        with bypass_memo():
            return held.messages.create(**ASK).content

    with (
        sim.client(middleware=[memo, gate]) as held,
        sim.client(middleware=[memo]) as client,
        ThreadPoolExecutor(2) as pool,
    ):
        first = pool.submit(anew)
        assert gate.came.wait(HANGS)
        gate.came.clear()
        second = pool.submit(anew)
        assert gate.came.wait(HANGS)
        content = client.messages.create(**ASK).content
        assert len(sim.log) == 1
        gate.open()
        assert first.result(HANGS) == second.result(HANGS) == content
    assert len(sim.log) == 3


def test_a_waiter_whose_event_loop_is_gone_troubles_nobody() -> None:
    """Calling it wakes nobody, and is no error of the one who calls."""
    signal, loop = Signal(), asyncio.new_event_loop()
    waiting = loop.create_task(signal.wait_async(None))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    signal.set()
    waiting._log_destroy_pending = False  # type: ignore[attr-defined]


class Late(SqliteMemos):
    """A book in which something happens between the first look and its result."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.meanwhile: Callable[[], Any] | None = None

    def find(self, name: str, now: float, *, again: bool = False) -> Any:
        found = super().find(name, now, again=again)
        happens, self.meanwhile = self.meanwhile, None
        if happens is not None:
            happens()
        return found


def test_what_is_answered_between_look_and_departure_is_not_sent_again(sim: Simulator, path: Path) -> None:
    """The reply came just after this one had looked for it, and before it would have been sent."""
    with closing(Late(path)) as book, sim.client(middleware=[Memo(book=book, timing=Never())]) as client:
        first: list[Any] = []
        book.meanwhile = lambda: first.append(client.messages.create(**ASK))
        second = client.messages.create(**ASK)
        assert len(sim.log) == 1
        assert second.content == first[0].content
        assert client.messages.create(**ASK).content == second.content  # and nothing was left in flight
    assert len(sim.log) == 1


# ---- in conversations -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["threads", "tasks"])
def test_conversations_pay_for_equal_questions_at_once_once(sim: Simulator, path: Path, kind: str) -> None:
    """Twenty new visitors ask the same: the record and the meter hold the dollars of one request, which is the bill."""
    settings: dict[str, Any] = {"model": "claude-sonnet-5-5", "meter": True}
    waits, gate = Waits(CROWD - 1), Gate()
    waits._then = gate.open

    def ask(number: int) -> tuple[str, float]:
        memo = Memo(timing=waits)
        client = sim.client(middleware=[gate])
        with Conversation(path, id=f"guest-{number}", memo=memo, client=client, **settings) as chat:
            reply = chat.send("When do you open?")
            return reply.text, chat.usage().dollars

    async def ask_async(number: int) -> tuple[str, float]:
        memo = Memo(timing=waits)
        client = sim.async_client(middleware=[gate])
        async with AsyncConversation(path, id=f"guest-{number}", memo=memo, client=client, **settings) as chat:
            reply = await chat.send("When do you open?")
            return reply.text, (await chat.usage()).dollars

    async def all_async() -> list[tuple[str, float]]:
        return await asyncio.gather(*(ask_async(number) for number in range(CROWD)))

    if kind == "tasks":
        replies = asyncio.run(all_async())
    else:
        replies = _in_threads([lambda number=number: ask(number) for number in range(CROWD)])  # type: ignore[misc]
    assert len(sim.messages) == 1
    assert len({text for text, _ in replies}) == 1
    assert sum(dollars for _, dollars in replies) == pytest.approx(sim.cost)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT total(cost) FROM attempts").fetchone()[0] == pytest.approx(sim.cost)
        assert db.execute("SELECT count(*) FROM attempts WHERE held_by = 'memo'").fetchone()[0] == CROWD - 1
