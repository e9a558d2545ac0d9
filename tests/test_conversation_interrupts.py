"""Ctrl-C, cancellation and killed processes: wherever they strike, the record stays legal and goes on."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from children import die_at, ended, started
from lines import callers
from sash import AsyncConversation, Conversation
from sash.errors import RemoteError
from sash.simulator import CutStream, Simulator
from striking import around_all

MODEL = "claude-sonnet-5-5"


class Strike:
    """Raises once, before or after the step or the call of the store number `at`."""

    def __init__(self, at: int, when: str, error: Callable[[], BaseException]) -> None:
        self.at, self.when, self.error = at, when, error
        self.step, self.fallen = 0, False

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        """Around each of them."""
        self.step += 1
        here = self.step == self.at
        self._strike(here and self.when == "before")
        yield
        self._strike(here and self.when == "after")

    def _strike(self, now: bool) -> None:
        if now:
            self.fallen = True
            raise self.error()


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A record in which something was said; each strike has a copy of it."""
    path, sim = tmp_path_factory.mktemp("begun") / "begun.db", Simulator()
    with sim.client() as client, Conversation(path, id="a", model=MODEL, client=client) as chat:
        chat.send("Hello.")
    return path


def assert_whole(path: Path, sim: Simulator) -> None:
    """Every request rebuilds, what went out was accepted, and no turn is missing or doubled."""
    with Conversation(path, id="a", model=MODEL, client=sim.client(max_retries=0)) as chat:
        assert chat.send("And now?").stop_reason == "end_turn"
        turns = chat.history()
        assert [turn.seq for turn in turns] == list(range(1, len(turns) + 1))
        numbers = range(1, len(sqlite_numbers(path)) + 1)
        assert all(chat.request(number).intact for number in numbers)
    assert callers(path) == []
    assert all(attempt.status == 200 or attempt.fault for attempt in sim.messages)


def sqlite_numbers(path: Path) -> list[int]:
    """The numbers of the recorded requests."""
    db = sqlite3.connect(path)
    found = [row[0] for row in db.execute("SELECT number FROM requests ORDER BY number")]
    db.close()
    assert found == list(range(1, len(found) + 1))
    return found


def send(chat: Conversation) -> None:
    """A send."""
    chat.send("Tell me of the harbour.")


def stream(chat: Conversation) -> None:
    """A stream read to its end."""
    with chat.stream("Tell me of the harbour.") as reply:
        reply.until_done()


def leave(chat: Conversation) -> None:
    """A stream left early."""
    with chat.stream("Tell me of the harbour.") as reply:
        next(iter(reply))


def edit(chat: Conversation) -> None:
    """An edit of the first question."""
    chat.edit(chat.history()[0], "Tell me of the sea.")


def retry(chat: Conversation) -> None:
    """A stream that breaks, then a retry."""
    with contextlib.suppress(RemoteError):
        stream(chat)
    chat.retry()


def run(chat: Conversation) -> None:
    """A run that calls two functions at once."""

    def look(word: str) -> str:
        """Look a word up."""
        return f"{word}: a harbour light"

    chat.run("Tell me of the lamps.", tools=[look])


def extend(chat: Conversation) -> None:
    """Something said elsewhere, then looked over and repaired."""
    chat.extend([{"role": "user", "content": "And the sea?"}, {"role": "assistant", "content": "It is calm."}])
    chat.check(repair=True)


def fork(chat: Conversation) -> None:
    """A pinned exchange, and a conversation of its own from there on."""
    chat.pin(chat.history()[0])
    chat.fork(id="b").close()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("what", [send, stream, leave, edit, retry, run, extend, fork])
def test_ctrl_c_at_any_step_leaves_a_legal_record(
    what: Callable[[Conversation], None], when: str, begun: Path, tmp_path: Path
) -> None:
    """KeyboardInterrupt reaches the caller, the object still works, and the next send is accepted."""
    for at in itertools.count(1):
        path, sim = Path(shutil.copy(begun, tmp_path / f"{at}.db")), Simulator()
        with Conversation(path, id="a", model=MODEL, client=sim.client(max_retries=0)) as chat:
            if what is retry:
                sim.fail_next(CutStream(events=5, how="lost"))
            if what is run:
                sim.script([[{"type": "tool_use", "name": "look", "input": {"word": "lamp"}}] * 2])
            strike = Strike(at, when, KeyboardInterrupt)
            with around_all(strike), contextlib.suppress(KeyboardInterrupt):
                what(chat)
            sim.calm()
            sim.script([])
            chat.send("Still there?")
        assert_whole(path, sim)
        if not strike.fallen:
            break


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("streamed", [False, True])
def test_cancellation_at_any_step_leaves_a_legal_record(streamed: bool, when: str, begun: Path, tmp_path: Path) -> None:
    """CancelledError reaches the caller, the object still works, and the next send is accepted."""

    async def talk(path: Path, sim: Simulator, strike: Strike) -> None:
        async with AsyncConversation(path, id="a", model=MODEL, client=sim.async_client(max_retries=0)) as chat:
            with around_all(strike), contextlib.suppress(asyncio.CancelledError):
                if streamed:
                    async with chat.stream("Tell me of the harbour.") as reply:
                        await reply.until_done()
                else:
                    await chat.send("Tell me of the harbour.")
            await chat.send("Still there?")

    for at in itertools.count(1):
        path, sim = Path(shutil.copy(begun, tmp_path / f"{at}.db")), Simulator()
        strike = Strike(at, when, asyncio.CancelledError)
        asyncio.run(talk(path, sim, strike))
        assert_whole(path, sim)
        if not strike.fallen:
            break


def test_a_cancelled_task_finishes_its_transaction(tmp_path: Path) -> None:
    """task.cancel() at any await: no transaction is abandoned half-way, and the next send is accepted."""

    async def talk(path: Path, sim: Simulator, after: int) -> None:
        async with AsyncConversation(path, id="a", model=MODEL, client=sim.async_client(max_retries=0)) as chat:
            await chat.send("Hello.")
            task = asyncio.ensure_future(chat.send("Tell me of the harbour."))
            for _ in range(after):
                await asyncio.sleep(0)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await chat.send("Still there?")

    for after in (0, 1, 2, 3, 5, 8, 20, 60):
        path, sim = tmp_path / f"{after}.db", Simulator()
        asyncio.run(talk(path, sim, after))
        assert_whole(path, sim)


@pytest.mark.parametrize(("streamed", "steps"), [(False, (3, 4, 6)), (True, (5, 8))])
def test_a_killed_process_leaves_a_conversation_that_goes_on(
    streamed: bool, steps: tuple[int, ...], tmp_path: Path, sim: Simulator
) -> None:
    """SIGKILL in the middle of a send over a socket: the file opens, and the next send is accepted."""
    path = tmp_path / "record.db"
    with sim.serve() as url:
        for at in steps:
            assert ended(started(die_at, path, url, at, streamed)) == [-signal.SIGKILL]
            assert_whole(path, sim)
