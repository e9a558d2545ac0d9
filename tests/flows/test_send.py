"""The order of events of one request, stepped by hand: which steps and calls of the store, whatever goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from sash import MemoryStore, SteppedWindow
from sash.counting.estimator import Estimator
from sash.errors import BudgetExceeded, RemoteError, ReplyInterrupted, RequestRejected, Unavailable
from sash.flows import steps
from sash.flows.context import Context
from sash.flows.request.prepare import prepare
from sash.flows.request.send import Call, send_once
from sash.model.answers import Answer, StreamEvent
from sash.model.cards import card
from sash.model.preamble import Preamble
from sash.model.turns import Draft
from sash.planning.inputs import Settings
from sash.stores.around import around

CARD = card("claude-sonnet-5-5")
HELLO = (Draft(role="user", content='[{"type":"text","text":"Hello."}]'),)
RECORDING = ["windows.read", "Now", "requests.begin"]


def answer(text: str = "Yes.", stop: str | None = "end_turn", prompt: int = 30) -> Answer:
    """A reply."""
    return Answer(
        id="msg_1",
        model=CARD.id,
        blocks=[{"type": "text", "text": text}] if text else [],
        stop_reason=stop,
        usage={"input_tokens": prompt, "output_tokens": 5},
    )


def remote(kind: type[RemoteError], status: int | None) -> RemoteError:
    """An error of the far side."""
    return kind("no", status=status, kind="x", request_id=None, retry_after=None)


class Hand:
    """Drives flows over a store in memory; every step is answered from `answers`, by its name."""

    def __init__(self, **answers: Any) -> None:
        self.store = MemoryStore()
        head = self.store.branches.open(namespace="", id="a")
        counter = Estimator.for_model(CARD, base="features")
        self.chat = Context(
            store=around(self.store, self.note), conversation=head.conversation, id="a", counter=counter
        )
        self.answers = answers
        self.taken: list[str] = []
        self.asked: list[Any] = []

    @contextmanager
    def note(self, name: str, _: Any) -> Iterator[None]:
        """Around each call of the store."""
        self.taken.append(name)
        yield

    def settings(self, **changes: Any) -> Settings:
        """Settings of a request."""
        usual: dict[str, Any] = {
            "card": CARD, "preamble": Preamble(), "strategy": SteppedWindow(), "budget": 8_000, "keep": 2_000,
            "max_tokens": 500,
        }  # fmt: skip
        return Settings(**{**usual, **changes})

    def drive(self, flow: Any) -> Any:
        """Run a flow to its end."""
        result, error = None, None
        while True:
            try:
                step = flow.throw(error) if error else flow.send(result)
            except StopIteration as stop:
                return stop.value
            self.taken.append(type(step).__name__)
            self.asked.append(step)
            result, error = None, None
            try:
                result = self.perform(step)
            except BaseException as raised:  # noqa: BLE001 - handed to the flow, as the drivers do
                error = raised

    def perform(self, step: Any) -> Any:
        """One step, as told."""
        if isinstance(step, steps.Now):
            return 1_000.0 + len(self.taken)
        told = self.answers.get(type(step).__name__)
        if isinstance(told, Iterator):
            told = next(told)
        if isinstance(told, BaseException):
            raise told
        return told

    def send(self, *, call: Call | None = None, drafts: tuple[Draft, ...] = HELLO, **changes: Any) -> Any:
        """One request."""
        self.taken.clear()
        return self.drive(send_once(self.chat, drafts, self.settings(**changes), call or Call()))

    def states(self) -> list[str]:
        """The states of the record's turns."""
        turns = self.store.turns.read(self.chat.conversation)
        return [turn.state for turn in turns]


def first(taken: list[str]) -> list[str]:
    """Steps and calls, without reading the window a second time (which only a first request does)."""
    return [step for i, step in enumerate(taken) if step != "windows.read" or taken[i - 1] != "windows.read"]


def test_a_send_records_before_and_after() -> None:
    """Plan, record the turn, send, record the reply: in this order, and nothing else."""
    hand = Hand(Send=answer())
    hand.send()
    assert first(hand.taken) == [*RECORDING, "Send", "Now", "requests.finish"]
    assert hand.states() == ["answered", "answered"]
    hand.send()
    assert hand.taken == [*RECORDING, "Send", "Now", "requests.finish"]


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (remote(Unavailable, 429), "pending"),
        (remote(Unavailable, None), "pending"),
        (remote(RequestRejected, 400), "withdrawn"),
        (KeyboardInterrupt(), "pending"),
        (ZeroDivisionError(), "pending"),
    ],
)
def test_a_failed_send_says_so_in_the_record(error: BaseException, state: str) -> None:
    """Whatever the failure, the request is closed and the error goes on its way."""
    hand = Hand(Send=error)
    with pytest.raises(type(error)):
        hand.send()
    assert first(hand.taken) == [*RECORDING, "Send", "Now", "requests.fail"]
    assert hand.states() == [state]


def event(text: str = "") -> StreamEvent:
    """An event of a stream."""
    return StreamEvent(None, text)


def test_a_stream_emits_then_records() -> None:
    """Each event goes to the caller before the next is asked for; at the end the stream is closed."""
    hand = Hand(OpenStream="handle", NextEvent=iter([event("Y"), event("es."), None]), Snapshot=answer())
    hand.send(call=Call(stream=True))
    flow = ["OpenStream", "Now", *["NextEvent", "Emit"] * 2, "NextEvent", "Snapshot", "CloseStream"]
    assert first(hand.taken) == [*RECORDING, *flow, "Now", "requests.finish"]


def test_a_long_reply_streams_without_emitting() -> None:
    """max_tokens above the SDK's limit: streamed inside; with a timeout of the caller's, not."""
    hand = Hand(OpenStream="handle", NextEvent=iter([event("Yes."), None]), Snapshot=answer(), Send=answer())
    hand.send(max_tokens=64_000)
    assert "OpenStream" in hand.taken
    assert "Emit" not in hand.taken
    hand.send(max_tokens=64_000, call=Call(timeout=60.0))
    assert "Send" in hand.taken


@pytest.mark.parametrize("failure", [None, remote(Unavailable, 200)])
def test_a_cut_stream_is_finished_as_interrupted(failure: Any) -> None:
    """What had come is recorded with its request; ReplyInterrupted goes to the caller."""
    hand = Hand(OpenStream="handle", NextEvent=iter([event("Y"), failure]), Snapshot=answer("Y", None))
    with pytest.raises(ReplyInterrupted):
        hand.send(call=Call(stream=True))
    assert hand.taken[-5:] == ["Snapshot", "CloseStream", "Now", "Now", "requests.finish"]
    assert hand.states() == ["answered", "interrupted"]


def test_a_stream_cut_before_anything_came_is_failed() -> None:
    """The turn is pending."""
    hand = Hand(OpenStream="handle", NextEvent=iter([None]), Snapshot=None)
    with pytest.raises(Unavailable):
        hand.send(call=Call(stream=True))
    assert hand.taken[-4:] == ["Snapshot", "CloseStream", "Now", "requests.fail"]
    assert hand.states() == ["pending"]


@pytest.mark.parametrize("hindered", [asyncio.CancelledError(), KeyboardInterrupt()])
def test_what_had_come_is_recorded_whatever_comes_in_the_way_of_reading_it(hindered: BaseException) -> None:
    """One who is cancelled while what had come is read gets their cancellation; the reply is booked all the same."""
    came = iter([hindered, answer("Y", None)])
    hand = Hand(OpenStream="handle", NextEvent=iter([event("Y"), None]), Snapshot=came, CloseStream=hindered)
    with pytest.raises(type(hindered)):
        hand.send(call=Call(stream=True))
    assert hand.taken[-6:] == ["Snapshot", "CloseStream", "CloseStream", "Now", "Now", "requests.finish"]


def test_an_abandoned_stream_is_closed_and_recorded() -> None:
    """The caller's leaving is no error of the far side: what had come stays, interrupted."""
    hand = Hand(OpenStream="handle", NextEvent=iter([event("Y")]), Emit=steps.Abandoned(), Snapshot=answer("Y", None))
    with suppress(steps.Abandoned):
        hand.send(call=Call(stream=True))
    assert hand.taken[-5:] == ["Snapshot", "CloseStream", "Now", "Now", "requests.finish"]
    assert hand.states() == ["answered", "interrupted"]


def test_a_stream_abandoned_behind_its_end_is_whole() -> None:
    """All of it had come, only the farewell was missing."""
    hand = Hand(OpenStream="handle", NextEvent=iter([event("Yes.")]), Emit=steps.Abandoned(), Snapshot=answer())
    hand.send(call=Call(stream=True))
    assert hand.states() == ["answered", "answered"]


def test_a_refusal_withdraws_question_and_answer() -> None:
    """It is a reply, recorded and out of the view."""
    hand = Hand(Send=answer("No.", "refusal"))
    assert hand.send().stop_reason == "refusal"
    assert hand.states() == ["withdrawn", "withdrawn"]


def test_an_empty_reply_is_recorded_without_a_turn() -> None:
    """Nothing that could be sent back: the question is answered, the request closed."""
    hand = Hand(Send=answer(""))
    assert hand.send().turn is None
    assert hand.states() == ["answered"]
    hand.answers["Send"] = answer()
    hand.send()


def doubtful(hand: Hand, question: tuple[Draft, ...]) -> int:
    """A budget that lies between the estimate of the next request and its bound."""
    prompt = hand.drive(prepare(hand.chat, question, hand.settings())).plan.prompt
    assert prompt.tokens < prompt.upper
    return int(prompt.tokens + prompt.upper) // 2


LONG = (Draft(role="user", content='[{"type":"text","text":"' + "A word or two of it. " * 60 + '"}]'),)


@pytest.mark.parametrize("count", [1_200, remote(Unavailable, 529)])
def test_in_doubt_the_endpoint_is_asked_once_about_staying(count: Any) -> None:
    """Its answer decides; where it does not answer, the view is cut to be on the safe side, and the send goes on."""
    hand = Hand(Send=iter([answer(prompt=size) for size in (420, 840, 1_260, 1_300)]), CountTokens=count)
    for _ in range(3):
        hand.send(drafts=LONG)
    budget = doubtful(hand, HELLO)
    reply = hand.send(budget=budget, keep=10)
    assert hand.taken.count("CountTokens") == 1
    assert reply.plan.cut is isinstance(count, RemoteError)
    assert hand.taken[-4:] == ["requests.begin", "Send", "Now", "requests.finish"]


def test_a_small_doubt_is_asked_about_once_in_an_epoch() -> None:
    """Where the next request is doubtful again by a small share of the budget, the bound decides: the view is cut."""
    sizes = (420, 840, 1_260, 1_300, 1_320)
    hand = Hand(Send=iter([answer(prompt=size) for size in sizes]), CountTokens=1_200)
    for _ in range(3):
        hand.send(drafts=LONG)
    first = hand.send(budget=doubtful(hand, HELLO), keep=10)
    assert (first.plan.cut, first.plan.prompt.source) == (False, "endpoint")
    second = hand.send(budget=doubtful(hand, HELLO), keep=10)
    assert second.plan.cut
    assert "CountTokens" not in hand.taken


@pytest.mark.parametrize("count", [10_000, remote(Unavailable, 529)])
def test_where_nothing_smaller_is_legal_the_bound_has_the_last_word(count: Any) -> None:
    """BudgetExceeded before anything is written, unless the endpoint says that it fits."""
    hand = Hand(Send=answer(), CountTokens=count)
    budget = doubtful(hand, LONG)
    with pytest.raises(BudgetExceeded):
        hand.send(drafts=LONG, budget=budget)
    assert "requests.begin" not in hand.taken
    hand.answers["CountTokens"] = budget - 1
    hand.chat.quiet_until[0] = 0.0
    hand.send(drafts=LONG, budget=budget)
    assert hand.states() == ["answered", "answered"]


def test_nobody_asks_the_endpoint_without_doubt() -> None:
    """Nor when it may not be asked."""
    hand = Hand(Send=answer())
    for _ in range(5):
        hand.send()
        assert "CountTokens" not in hand.taken
