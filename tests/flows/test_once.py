"""The same submission is sent once and answered once: by token, by text, across threads, processes and failures."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash import AsyncConversation, Conversation, MemoryStore
from sash.errors import (
    ConversationBusy,
    InvalidContent,
    InvalidOption,
    ReplyInterrupted,
    RequestRejected,
    StoreUnavailable,
    Unavailable,
)
from sash.flows.request import idempotency
from sash.flows.request.idempotency import LEASE
from sash.simulator import CutStream, Overloaded, PromptTooLong, Simulator, Stopped
from sash.stores import submissions

Talk = Callable[..., Conversation]

CHILD = """
import sys, anthropic, sash
path, url = sys.argv[1:]
client = anthropic.Anthropic(base_url=url, api_key="x", max_retries=0)
with sash.Conversation(path, id="a", model="claude-sonnet-5-5", client=client) as chat:
    print("ready", flush=True)
    print(chat.send("Book the boat.", token="order-1").text)
"""
CRASHED = """
import os, sys, sash
from sash.simulator import Simulator
sim = Simulator()
chat = sash.Conversation(sys.argv[1], id="a", model="claude-sonnet-5-5", client=sim.client(), clock=sim.clock.now)
chat._claude = type("Dying", (), {"perform": lambda self, step: os._exit(7)})()
chat.send("Book the boat.", token="order-1")
"""


def said(chat: Conversation) -> list[str]:
    """What the user said, as recorded."""
    return [turn.text for turn in chat.history() if turn.role == "user"]


def test_the_same_token_gets_the_first_reply(talk: Talk, sim: Simulator) -> None:
    """Nothing is sent or recorded a second time; what it cost then is what it says now."""
    chat = talk()
    first = chat.send("Book the boat.", token="order-1")
    again = chat.send("Book the boat.", token="order-1")
    assert (again.blocks, again.turn, again.number) == (first.blocks, first.turn, first.number)
    assert (again.usage, again.cost, again.stop_reason) == (first.usage, first.cost, first.stop_reason)
    assert "submitted before" in again.notes[0]
    assert len(sim.messages) == 1
    assert said(chat) == ["Book the boat."]


def test_a_repeated_reply_tells_what_the_first_one_took(talk: Talk) -> None:
    """Usage, cost, latency, stop reason and number are those of the request that was made."""
    chat = talk(clock=map(float, count(1_800_000_000)).__next__)  # a second passes between two looks
    first, again = chat.send("Book the boat.", token="order-1"), chat.send("Book the boat.", token="order-1")
    assert first.usage.prompt and first.usage.output and first.latency and first.cost
    for fact in ("usage", "cost", "latency", "stop_reason", "number"):
        assert getattr(again, fact) == getattr(first, fact), fact


def test_other_tokens_and_other_conversations_are_other_submissions(talk: Talk, sim: Simulator) -> None:
    """A token names a submission within its conversation."""
    chat = talk()
    chat.send("Yes.", token="1")
    chat.send("Yes.", token="2")
    talk(id="b").send("Yes.", token="1")
    assert len(sim.messages) == 3


def test_a_token_used_for_other_content_is_an_error(talk: Talk, sim: Simulator) -> None:
    """It cannot be the same submission, so nothing is sent."""
    chat = talk()
    chat.send("Yes.", token="1")
    with pytest.raises(InvalidOption, match="other content"):
        chat.send("No.", token="1")
    assert len(sim.messages) == 1


@pytest.mark.parametrize("token", ["", "x" * 256, 5, b"t"])
def test_a_token_is_a_short_text(talk: Talk, token: Any) -> None:
    """Anything else is refused before anything is written."""
    chat = talk()
    with pytest.raises(InvalidOption, match="token"):
        chat.send("Yes.", token=token)
    assert chat.history() == []


@pytest.mark.parametrize("seconds", [-1, "5", float("nan"), float("inf"), True])
def test_duplicates_are_told_in_seconds(talk: Talk, seconds: Any) -> None:
    """Other values are refused."""
    with pytest.raises(InvalidOption, match="dedupe_window"):
        talk(dedupe_window=seconds)


def test_the_same_text_counts_within_its_seconds_alone(talk: Talk, sim: Simulator) -> None:
    """Two clicks are one submission; the same words later, or with others in between, are said again."""
    chat = talk(dedupe_window=5)
    chat.send("Yes.")
    sim.clock.advance(4)
    assert "a moment ago" in chat.send("Yes.").notes[0]
    sim.clock.advance(2)
    assert chat.send("Yes.").notes == ()
    chat.send("No.")
    assert chat.send("Yes.").notes == ()
    assert said(chat) == ["Yes.", "Yes.", "No.", "Yes."]


def test_without_being_asked_nothing_is_a_duplicate(talk: Talk) -> None:
    """The same text twice is said twice."""
    chat = talk()
    chat.send("Yes.")
    chat.send("Yes.")
    assert said(chat) == ["Yes.", "Yes."]


def test_a_repeated_stream_tells_the_text_again(talk: Talk, sim: Simulator) -> None:
    """The recorded reply comes as one event, and is the stream's reply."""
    chat = talk()
    first = chat.send("Book the boat.", token="1")
    with chat.stream("Book the boat.", token="1") as stream:
        events = list(stream.events())
    assert [event.type for event in events] == ["text"]
    assert events[0].text == first.text == stream.reply.text
    assert len(sim.messages) == 1


def test_a_failed_submission_is_taken_up_where_it_stands(talk: Talk, sim: Simulator) -> None:
    """The turn that is pending is sent, not recorded a second time."""
    chat = talk()
    sim.faults.fail_next(Overloaded())
    with pytest.raises(Unavailable):
        chat.send("Book the boat.", token="1")
    assert chat.send("Book the boat.", token="1").notes == ()
    assert said(chat) == ["Book the boat."]
    assert [turn.state for turn in chat.history()] == ["answered", "answered"]


def test_a_failed_submission_that_a_later_send_carried_along_has_its_reply(talk: Talk, sim: Simulator) -> None:
    """The pending turn went with the next one; its reply answers both."""
    chat = talk()
    sim.faults.fail_next(Overloaded())
    with pytest.raises(Unavailable):
        chat.send("Book the boat.", token="1")
    later = chat.send("For two.", token="2")
    assert chat.send("Book the boat.", token="1").turn == later.turn
    assert len(sim.messages) == 2


def test_a_refused_submission_may_be_mended_and_sent_again(talk: Talk, sim: Simulator) -> None:
    """What was never written, or was withdrawn, leaves no claim behind: its token may come with other content."""
    chat = talk()
    with pytest.raises(InvalidContent):
        chat.send([{"type": "tool_result", "tool_use_id": "x", "content": "y"}], token="1")
    sim.faults.fail_next(PromptTooLong())
    with pytest.raises(RequestRejected):
        chat.send("Book all the boats.", token="1")
    assert chat.send("Book the boat.", token="1").notes == ()
    assert len(sim.messages) == 2


def test_what_came_of_a_reply_cut_short_is_what_the_token_gets(talk: Talk, sim: Simulator) -> None:
    """It is recorded as interrupted and not asked for again behind the user's back."""
    chat = talk()
    sim.faults.fail_next(CutStream(events=4))
    with pytest.raises(ReplyInterrupted), chat.stream("Tell me of boats.", token="1") as stream:
        stream.until_done()
    again = chat.send("Tell me of boats.", token="1")
    assert again.turn is not None
    assert again.turn.state == "interrupted"
    assert len(sim.messages) == 1


def test_a_reply_in_several_pieces_comes_back_whole(talk: Talk, sim: Simulator) -> None:
    """A reply that paused took more than one request; repeated, it sums them up as the first time."""
    chat = talk()
    sim.faults.fail_next(Stopped(reason="pause_turn"))
    first, again = (chat.send("Search the web for boats.", token="1") for _ in range(2))
    assert (again.text, again.usage, len(again.steps)) == (first.text, first.usage, len(first.steps))


class Gate:
    """A client's middleware that holds the first request until it is let go."""

    def __init__(self) -> None:
        self.reached, self.open = threading.Event(), threading.Event()

    def __call__(self, request: Any, call_next: Any) -> Any:
        self.reached.set()
        assert self.open.wait(600)
        return call_next(request)


@pytest.mark.parametrize("how", ["token", "text"])
def test_a_first_one_that_is_still_running_is_waited_for(talk: Talk, sim: Simulator, how: str) -> None:
    """The second asks from another object meanwhile; both get the one reply."""
    gate = Gate()
    more: dict[str, Any] = {"token": "1"} if how == "token" else {}
    chats = [talk(client=sim.client(max_retries=0, middleware=[gate]), dedupe_window=5) for _ in range(2)]
    replies: list[Any] = []
    threads = [threading.Thread(target=lambda c=c: replies.append(c.send("Book the boat.", **more))) for c in chats]
    threads[0].start()
    assert gate.reached.wait(600)
    threads[1].start()
    gate.open.set()
    for thread in threads:
        thread.join()
    assert replies[0].turn == replies[1].turn
    assert len(sim.messages) == 1


def test_one_who_will_not_wait_is_told_so(talk: Talk, sim: Simulator) -> None:
    """With `busy="error"` a duplicate of a running submission raises ConversationBusy."""
    gate = Gate()
    chat = talk(client=sim.client(max_retries=0, middleware=[gate]))
    thread = threading.Thread(target=lambda: chat.send("Book the boat.", token="1"))
    thread.start()
    assert gate.reached.wait(600)
    with pytest.raises(ConversationBusy, match="written to by another call"):
        talk(busy="error").send("Book the boat.", token="1")
    gate.open.set()
    thread.join()


def test_two_clicks_on_one_object_count_from_when_they_came(talk: Talk, sim: Simulator) -> None:
    """The second waits in line for longer than the seconds given, and is a duplicate all the same."""
    gate = Gate()
    chat = talk(client=sim.client(max_retries=0, middleware=[gate]), dedupe_window=5)
    replies: list[Any] = []
    threads = [threading.Thread(target=lambda: replies.append(chat.send("Yes."))) for _ in range(2)]
    threads[0].start()
    assert gate.reached.wait(600)
    asked = threading.Event()
    now, chat._clock = chat._clock, lambda: (asked.set(), now())[1]  # type: ignore[func-returns-value]
    threads[1].start()
    assert asked.wait(600)
    sim.clock.advance(60)
    gate.open.set()
    for thread in threads:
        thread.join()
    assert said(chat) == ["Yes."]


def test_async_sends_share_a_submission(path: Path, sim: Simulator) -> None:
    """Two tasks with one token get one reply."""

    async def both() -> tuple[Any, Any]:
        client = sim.async_client()
        settings: dict[str, Any] = {"id": "a", "model": "claude-sonnet-5-5", "client": client, "clock": sim.clock.now}
        async with client, AsyncConversation(path, **settings) as one, AsyncConversation(path, **settings) as two:
            return await asyncio.gather(one.send("Hello.", token="1"), two.send("Hello.", token="1"))

    first, second = asyncio.run(both())
    assert first.turn == second.turn
    assert len(sim.messages) == 1


@pytest.mark.slow
def test_two_processes_share_a_submission(path: Path, talk: Talk, sim: Simulator) -> None:
    """Whoever is second has the first one's reply."""
    with sim.serve() as url, talk(clock=time.time) as chat:
        command = [sys.executable, "-c", CHILD, str(path), url]
        other = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert other.stdout is not None and other.stdout.readline() == "ready\n"
        reply = chat.send("Book the boat.", token="order-1")
        printed, error = other.communicate()
    assert (printed, error) == (f"{reply.text}\n", "")
    assert len(sim.messages) == 1


@pytest.mark.slow
def test_a_process_that_died_has_lost_its_claim(path: Path, talk: Talk) -> None:
    """Its pending turn is sent by whoever comes with the token next, at once and not doubled."""
    died = subprocess.run([sys.executable, "-c", CRASHED, str(path)], check=False, capture_output=True)
    assert died.returncode == 7, died.stderr
    chat = talk(clock=time.time)
    assert chat.send("Book the boat.", token="order-1").text
    assert said(chat) == ["Book the boat."]


def test_a_store_that_fails_at_the_end_hides_neither_reply_nor_error(
    talk: Talk, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reply is recorded already; what the claim lacks, its turn tells once its owner is gone."""

    def broken(*_: Any) -> None:
        raise StoreUnavailable("disk full", path="x")

    chat = talk()
    with monkeypatch.context() as patched:
        patched.setattr(submissions.Submissions, "release", broken)
        reply = chat.send("Book the boat.", token="1")
        sim.faults.fail_next(Overloaded())
        with pytest.raises(Unavailable):
            chat.send("And the crew.", token="2")
    sim.clock.advance(LEASE + 1)
    assert chat.send("Book the boat.", token="1").turn == reply.turn
    assert chat.send("And the crew.", token="2").text
    assert said(chat) == ["Book the boat.", "And the crew."]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=8))
def test_every_token_is_answered_at_most_once(events: list[tuple[str, bool]]) -> None:
    """Whatever fails in between, each token has one turn of the user's, and one reply once it was answered."""
    sim = Simulator()
    with sim.client(max_retries=0) as client, Conversation(MemoryStore(), client=client, clock=sim.clock.now) as chat:
        replies: dict[str, Any] = {}
        for token, fails in events:
            if fails:
                sim.faults.fail_next(Overloaded())
            try:
                reply = chat.send(f"Say {token}.", token=token)
            except Unavailable:
                assert token not in replies
            else:
                assert replies.setdefault(token, reply).turn == reply.turn
            sim.faults.calm()
        assert sorted(said(chat)) == sorted({f"Say {token}." for token, _ in events})


# ---- runs -----------------------------------------------------------------------------------------------------------


class Boats:
    """A tool that notes how often it was called."""

    def __init__(self) -> None:
        self.booked: list[int] = []

    def book_boat(self, number: int) -> str:
        """Book a boat.

        Args:
            number: of the boat
        """
        self.booked.append(number)
        return f"Boat {number} is booked."


ASKED = "Please use book_boat for boat 7."


def test_a_run_of_the_same_token_is_run_once(talk: Talk, sim: Simulator) -> None:
    """The second one gets the reply of the whole run; nothing is sent, no function is called."""
    chat, boats = talk(), Boats()
    first, again = (chat.run(ASKED, tools=[boats.book_boat], token="1") for _ in range(2))
    assert boats.booked == [7] and len(sim.messages) == 2
    assert (again.text, again.usage, len(again.steps)) == (first.text, first.usage, len(first.steps)) and first.steps
    assert "submitted before" in again.notes[0]
    with pytest.raises(InvalidOption, match="token"):
        chat.run("Something else.", tools=[boats.book_boat], token="1")
    with pytest.raises(InvalidOption, match="content"):
        chat.run(tools=[boats.book_boat], token="1")


def test_runs_of_one_token_at_once_are_run_once(talk: Talk, sim: Simulator) -> None:
    """Whoever comes while the first one is still at work waits for its reply, on another connection, too."""
    boats, replies = Boats(), []

    def ask() -> None:
        replies.append(talk(id="a").run(ASKED, tools=[boats.book_boat], token="1").text)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert boats.booked == [7] and len(replies) == 4 and len(set(replies)) == 1
    assert len(sim.messages) == 2


@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize("told", [True, False], ids=["an error", "a process that died"])
def test_a_run_that_was_left_goes_on(
    talk: Talk, sim: Simulator, at: int, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a run broke off at its first or second request, the same token goes on there: no function is called again,
    nothing is said twice, and the reply is that of the whole."""
    chat, boats = talk(), Boats()
    sim.faults.fail_at(at, Overloaded())
    with monkeypatch.context() as patch:
        if not told:  # nobody says what became of it, and its owner is gone
            patch.setattr(idempotency, "_release", lambda *_: None)
        with pytest.raises(Unavailable):
            chat.run(ASKED, tools=[boats.book_boat], token="1")
    monkeypatch.setattr(submissions, "gone", lambda _: True)
    whole = chat.run(ASKED, tools=[boats.book_boat], token="1")
    assert boats.booked == [7] and "Boat 7 is booked." in whole.text and len(whole.steps) == 2
    assert [turn.plain for turn in chat.history() if turn.role == "user"] == [True, False]
    assert chat.run(ASKED, tools=[boats.book_boat], token="1").text == whole.text
    assert len(sim.messages) == 3


def test_what_was_asked_since_ends_a_run_that_was_left(talk: Talk, sim: Simulator) -> None:
    """Where the conversation went on, the token gets what came then, and moves nothing."""
    chat, boats = talk(), Boats()
    sim.faults.fail_at(2, Overloaded())
    with pytest.raises(Unavailable):
        chat.run(ASKED, tools=[boats.book_boat], token="1")
    later = chat.send("Never mind.")
    assert chat.run(ASKED, tools=[boats.book_boat], token="1").tool_calls
    assert chat.history()[-1].id == (later.turn.id if later.turn else 0) and boats.booked == [7]
