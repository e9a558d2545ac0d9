"""One order for all who write to a conversation: objects, threads, tasks and processes wait for each other."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import sash
from children import ended, hold, started
from children import talk as talk_in_child
from conftest import STORES
from lines import another, callers, lose_places
from sash import AsyncConversation, Conversation, SqliteStore
from sash.errors import Conflict, ConversationBusy, ConversationClosed
from sash.model.replies import Reply
from sash.model.turns import Turn
from sash.simulator import Simulator
from striking import around_all
from summarising import Talker

MODEL = "claude-sonnet-5-5"
LOOK: Any = {"name": "look", "description": "Look a word up.", "input_schema": {"type": "object"}}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"word": "lamp"}}
Open = Callable[..., Conversation]


def assert_in_one_line(turns: Sequence[Turn], said: Sequence[str]) -> None:
    """Each question once, its reply behind it, and nothing beside."""
    assert [turn.role for turn in turns] == ["user", "assistant"] * len(said)
    assert [turn.seq for turn in turns] == list(range(1, len(turns) + 1))
    assert {turn.state for turn in turns} <= {"answered"}
    assert sorted(turn.text for turn in turns[::2]) == sorted(said)


def assert_one_branch(store: Any) -> None:
    """Nothing stands beside the conversation."""
    with store.database.reading() as db:
        assert [row["reason"] for row in db.execute("SELECT reason FROM branches")] == ["start"]


@pytest.fixture(params=["sqlite", "postgres"])
def where(request: pytest.FixtureRequest, path: Path) -> Any:
    """A file, and a PostgreSQL database."""
    return path if request.param == "sqlite" else request.getfixturevalue("postgres_url")


# ---- everybody is answered ------------------------------------------------------------------------


def test_twenty_tasks_with_an_object_each_are_answered_in_one_line(where: Any, sim: Simulator) -> None:
    """What a web server does: no conflict, no reply beside, each question followed by its own reply."""
    said = [f"Question {number}" for number in range(20)]

    async def ask(words: str) -> Reply:
        async with AsyncConversation(where, id="a", model=MODEL, client=sim.async_client(max_retries=0)) as chat:
            return await chat.send(words)

    async def main() -> list[Reply]:
        return await asyncio.gather(*map(ask, said))

    replies = asyncio.run(main())
    store: Any = sash.open(where)
    with Conversation(store, id="a", client=sim.client()) as chat:
        turns = chat.history()
        assert_in_one_line(turns, said)
        for words, reply in zip(said, replies, strict=True):
            assert reply.turn is not None
            assert turns[reply.turn.seq - 2].text == words
    assert_one_branch(store)
    with store.database.reading() as db:
        assert db.all("SELECT caller FROM leases") == []
    store.close()
    assert len(sim.messages) == 20


@pytest.mark.parametrize("made", sorted(STORES))
def test_threads_with_an_object_each_are_answered_in_one_line(
    made: str, tmp_path: Path, talk: Open, request: pytest.FixtureRequest
) -> None:
    """Over one store object, too."""
    store = STORES[made](request.getfixturevalue("postgres_url") if made == "postgres" else tmp_path)
    chats = [talk(store=store) for _ in range(8)]
    threads = [threading.Thread(target=chat.send, args=(f"Question {number}",)) for number, chat in enumerate(chats)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_in_one_line(chats[0].history(), [f"Question {number}" for number in range(8)])
    assert_one_branch(store)


@pytest.mark.slow
def test_processes_are_answered_in_one_line(where: Any, sim: Simulator) -> None:
    """Four of them on one database."""
    names = ("one", "two", "three", "four")
    with sim.serve() as url:
        assert ended(*(started(talk_in_child, where, url, name, 3) for name in names)) == [0] * 4
    store: Any = sash.open(where)
    with Conversation(store, id="a", client=sim.client()) as chat:
        assert_in_one_line(chat.history(), [f"{name} {number}" for name in names for number in range(3)])
    assert_one_branch(store)
    store.close()
    assert len(sim.messages) == 12


def test_who_waited_plans_on_what_was_said_before(talk: Open, sim: Simulator) -> None:
    """The second object sends the first one's question and reply in front of its own."""
    one, two = talk(), talk()
    first: list[Reply] = []
    with one.stream("My order is 1138.") as stream:
        thread = threading.Thread(target=lambda: first.append(two.send("Which order was it?")))
        thread.start()
        reply = stream.until_done()
    thread.join()
    sent = [message["content"] for message in sim.messages[-1].body["messages"]]
    assert "My order is 1138." in str(sent[0]) and reply.text in str(sent[1])
    assert "Which order was it?" in str(sent[2]) and len(sent) == 3
    assert first[0].turn is not None and first[0].turn.seq == 4


# ---- waiting, and not waiting ---------------------------------------------------------------------

WRITES: dict[str, Callable[[Conversation], Any]] = {
    "send": lambda chat: chat.send("Hello?"),
    "stream": lambda chat: chat.stream("Hello?").__enter__(),
    "run": lambda chat: chat.run("Hello?", tools=[looked_up]),
    "submit": lambda chat: chat.submit({"toolu_1": "a light"}),
    "retry": lambda chat: chat.retry(),
    "regenerate": lambda chat: chat.regenerate(),
    "edit": lambda chat: chat.edit(chat.history()[0], "Hello?"),
    "extend": lambda chat: chat.extend([{"role": "user", "content": "Hello?"}]),
    "instruct": lambda chat: chat.instruct("Be brief."),
    "withdraw": lambda chat: chat.withdraw(),
    "redact": lambda chat: chat.redact(chat.history()[0]),
    "repair": lambda chat: chat.check(repair=True),
}
READS: dict[str, Callable[[Conversation], Any]] = {
    "plan": lambda chat: chat.plan("Hello?"),
    "count": lambda chat: chat.count("Hello?"),
    "history": lambda chat: chat.history(),
    "recall": lambda chat: chat.recall("lamp"),
    "check": lambda chat: chat.check(),
    "fork": lambda chat: chat.fork(id="b").close(),
    "pin": lambda chat: chat.pin(chat.history()[0]),
    "usage": lambda chat: chat.usage(),
}


def looked_up(word: str) -> str:
    """Look a word up."""
    return f"{word}: a light"


@pytest.mark.parametrize("settings", [{"busy": "error"}, {"max_wait": 0}, {"max_wait": 0.05}], ids=str)
@pytest.mark.parametrize("what", WRITES)
def test_what_writes_waits_for_its_turn(what: str, settings: Any, path: Path, talk: Open, sim: Simulator) -> None:
    """With busy="error" at once, otherwise after max_wait: ConversationBusy, with nothing sent or written."""
    chat = talk(**settings)
    chat.send("My lamp is green.")
    before, asked = chat.history(), len(sim.messages)
    with another(chat._store), pytest.raises(ConversationBusy, match="Nothing was sent or written") as caught:
        WRITES[what](chat)
    assert caught.value.conversation == "a" and caught.value.ahead == 1
    assert chat.history() == before and len(sim.messages) == asked
    assert callers(path) == []
    assert chat.send("And now?").text


@pytest.mark.parametrize("what", READS)
def test_what_adds_no_turn_here_waits_for_nobody(what: str, talk: Open) -> None:
    """Looking, planning and branching off go on while somebody writes."""
    chat = talk(busy="error")
    chat.send("My lamp is green.")
    with another(chat._store):
        READS[what](chat)


def test_work_in_the_background_waits_for_nobody(path: Path) -> None:
    """A summary is made while somebody else writes: whoever writes may wait for it."""
    talker = Talker(path, busy="error")
    talker.until_cut()
    with another(talker.chat._store):
        assert talker.chat.resummarise().state == "ready"
    talker.close()


def test_a_caller_does_not_wait_for_itself(talk: Open) -> None:
    """Another object on the same conversation, in the same thread: ConversationBusy, and the stream goes on."""
    one, two = talk(), talk()
    with one.stream("Hello.") as stream:
        with pytest.raises(ConversationBusy, match="caller's own"):
            two.send("In between.")
        stream.until_done()
    assert two.send("Afterwards.").turn


def test_a_task_does_not_wait_for_itself_and_others_do(path: Path, sim: Simulator) -> None:
    """Inside a stream of the same task ConversationBusy; another task is answered once the stream has ended."""

    def opened() -> AsyncConversation:
        return AsyncConversation(path, id="a", model=MODEL, client=sim.async_client(max_retries=0))

    async def main() -> None:
        async with opened() as one, opened() as two:
            async with one.stream("Hello.") as stream:
                later = asyncio.create_task(two.send("Later."))
                with pytest.raises(ConversationBusy):
                    await two.send("In between.")
                await stream.until_done()
            assert (await later).turn is not None
            assert [turn.text for turn in await one.history()][::2] == ["Hello.", "Later."]

    asyncio.run(main())


def test_a_function_of_a_run_does_not_wait_for_the_run(path: Path, talk: Open, sim: Simulator) -> None:
    """Through an object of its own, in a thread of a task or a task of a thread: its result says so."""
    other = talk()

    def ask() -> str:
        """Ask about it."""
        return other.send("In between.").text

    async def run() -> Reply:
        async with AsyncConversation(path, id="a", model=MODEL, client=sim.async_client(max_retries=0)) as chat:
            return await chat.run("What is a lamp?", tools=[ask])

    async def send() -> str:
        async with AsyncConversation(path, id="a", model=MODEL, client=sim.async_client(max_retries=0)) as chat:
            return (await chat.send("In between.")).text

    def ask_a_task() -> str:
        """Ask about it."""
        return asyncio.run(send())

    ways: dict[str, Callable[[], Reply]] = {
        "ask": lambda: asyncio.run(run()),
        "ask_a_task": lambda: talk().run("And a light?", tools=[ask_a_task]),
    }
    for name, go in ways.items():
        sim.script([[{"type": "tool_use", "id": f"toolu_{name}", "name": name, "input": {}}]])
        assert go().stop_reason == "end_turn"
        assert "caller's own" in str(sim.messages[-1].body["messages"][-1])
    assert callers(path) == []


# ---- how long it is held --------------------------------------------------------------------------


def other_sends(chat: Conversation) -> Reply | ConversationBusy:
    """What comes of a send in another thread that does not wait."""
    found: list[Any] = []

    def ask() -> None:
        try:
            found.append(chat.send("Meanwhile."))
        except ConversationBusy as busy:
            found.append(busy)

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    (one,) = found
    return one  # type: ignore[no-any-return]


def test_a_run_holds_the_conversation_from_its_question_to_its_last_reply(talk: Open, sim: Simulator) -> None:
    """Between a call and its result nobody else comes in; afterwards, anybody may."""
    one, two = talk(), talk(busy="error")
    meanwhile: list[Any] = []

    def look(word: str) -> str:
        """Look a word up."""
        meanwhile.append(other_sends(two))
        return f"{word}: a light"

    sim.script([[CALL]])
    one.run("What is a lamp?", tools=[look])
    assert [type(found) for found in meanwhile] == [ConversationBusy]
    assert isinstance(other_sends(two), Reply)
    assert [turn.role for turn in one.history()] == ["user", "assistant"] * 3


@pytest.mark.parametrize("how", ["read", "close", "drop"])
def test_a_stream_holds_it_from_its_start_to_its_end(how: str, talk: Open) -> None:
    """Read to the end, closed, or dropped without either: nobody comes in before, anybody after."""
    one, two = talk(), talk(busy="error")
    stream = one.stream("Slowly.").__enter__()
    next(iter(stream))
    assert isinstance(other_sends(two), ConversationBusy)
    if how == "read":
        stream.until_done()
    elif how == "close":
        stream.close()
    else:
        del stream
        gc.collect()
    assert isinstance(other_sends(two), Reply)


def test_closing_a_store_gives_back_what_it_held(path: Path, talk: Open) -> None:
    """A stream that is still open then ends, and keeps nobody waiting."""
    store = SqliteStore(path)
    stream = talk(store=store).stream("Slowly.").__enter__()
    store.close()
    assert callers(path) == []
    assert talk(busy="error").send("Next.").turn
    with contextlib.suppress(ConversationClosed):
        stream.close()


def test_a_killed_holder_keeps_nobody_waiting(path: Path, sim: Simulator) -> None:
    """SIGKILL in mid-stream: the next send goes at once, and the record is legal."""
    with sim.serve() as url:
        process = started(hold, path, url, path.with_suffix(".held"))
        while not path.with_suffix(".held").exists():
            assert process.is_alive()
            process.join(0.01)
        assert len(callers(path)) == 1
        assert process.pid is not None
        process.kill()
        assert ended(process) == [-signal.SIGKILL]
        with Conversation(path, id="a", model=MODEL, client=sim.client(max_retries=0), max_wait=0) as chat:
            assert chat.send("And now?").stop_reason == "end_turn"
            assert [turn.seq for turn in chat.history()] == [1, 2, 3][: len(chat.history())]
            assert all(chat.request(number).intact for number in (1, 2))
    assert callers(path) == []
    assert all(attempt.status == 200 for attempt in sim.messages)


def test_a_lost_place_costs_no_reply(talk: Open) -> None:
    """Whose time ran out finds that another wrote meanwhile: Conflict, with the paid reply, on a branch of its own."""
    one, two = talk(), talk()
    stream = one.stream("Slowly.").__enter__()
    lose_places(one._store)
    two.send("Quickly.")
    with pytest.raises(Conflict) as caught:
        stream.until_done()
    assert caught.value.reply.text
    assert [turn.text for turn in two.history()][1:2] == ["Quickly."]


# ---- Ctrl-C and cancellation ----------------------------------------------------------------------


class Strike:
    """Raises once, before or after the step or the call of the store number `at`."""

    def __init__(self, at: int, when: str, error: type[BaseException]) -> None:
        self.at, self.when, self.error, self.step = at, when, error, 0

    @contextlib.contextmanager
    def __call__(self) -> Any:
        """Around each of them."""
        self.step += 1
        if self.step == self.at and self.when == "before":
            raise self.error
        yield
        if self.step == self.at and self.when == "after":
            raise self.error


@pytest.mark.parametrize("when", ["before", "after"])
def test_ctrl_c_while_waiting_leaves_no_place(when: str, path: Path, talk: Open) -> None:
    """At whatever step or call it strikes, only the one who is written for stays in line, and nothing is recorded."""
    chat = talk()
    for at in range(1, 9):
        with another(chat._store), around_all(Strike(at, when, KeyboardInterrupt)):
            with pytest.raises(KeyboardInterrupt):
                chat.send("Hello?")
            assert callers(path) == ["somebody else"]
    assert chat.history() == [] and callers(path) == []


def test_a_task_cancelled_while_waiting_leaves_no_place(path: Path, sim: Simulator) -> None:
    """The loop is free while it waits, and the next one is answered."""

    async def main() -> None:
        async with AsyncConversation(path, id="a", model=MODEL, client=sim.async_client(max_retries=0)) as chat:
            store = await chat._open()
            with another(store):
                task = asyncio.create_task(chat.send("Hello?"))
                while len(await asyncio.to_thread(callers, path)) < 2:
                    await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert callers(path) == ["somebody else"]
            assert (await chat.send("And now?")).number == 1

    asyncio.run(main())
    assert callers(path) == [] and len(sim.messages) == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_ctrl_c_while_holding_leaves_no_place(when: str, tmp_path: Path) -> None:
    """At whatever step or call of a send it strikes, the last included: nobody stands in line afterwards."""
    for at in itertools.count(1):
        path, sim = tmp_path / f"{at}.db", Simulator()
        with Conversation(path, id="a", model=MODEL, client=sim.client(max_retries=0)) as chat:
            strike = Strike(at, when, KeyboardInterrupt)
            with around_all(strike), contextlib.suppress(KeyboardInterrupt):
                chat.send("Hello.")
            assert callers(path) == []
        if strike.step < at:
            break


# ---- what it costs --------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_renewals")
def test_who_is_alone_asks_one_statement_to_come_and_one_to_go(path: Path, talk: Open) -> None:
    """Order costs a send no more than that where nobody else writes."""
    store, said = SqliteStore(path), list[str]()
    chat = talk(store=store)
    chat.send("Hello.")
    store.database._sqlite.set_trace_callback(said.append)
    chat.send("Once more.")
    store.database._sqlite.set_trace_callback(None)
    store.close()
    assert [statement.split()[0] for statement in said if "leases" in statement] == ["INSERT", "DELETE"]
