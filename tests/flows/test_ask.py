"""Stop reasons and refusals that one more request can mend; those that it cannot leave a legal record."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from sash import AsyncConversation, Conversation, Everything, check_request
from sash.errors import InvalidOption, NothingToRetry, ReplyInterrupted, RequestRejected, Unavailable
from sash.flows.request.deliver import MOST_PAUSES
from sash.model.blocks import as_blocks, dumps
from sash.model.turns import Draft
from sash.planning.rules import has_thinking
from sash.simulator import CutStream, HttpError, RateLimited, Refusal, Reply, Simulator, Stopped

Talk = Callable[..., Conversation]

SEARCH = {"type": "web_search_20250305", "name": "web_search"}
LOOK = {
    "name": "look",
    "description": "Look a word up.",
    "input_schema": {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]},
}


def searched(id: str) -> list[dict[str, Any]]:
    """What a server that goes on says: the result of its search, and the answer."""
    return [
        {"type": "web_search_tool_result", "tool_use_id": id, "content": []},
        {"type": "text", "text": "Nothing found."},
    ]


def searching(id: str) -> list[dict[str, Any]]:
    """A paused turn: the search has begun."""
    search = {"type": "server_tool_use", "id": id, "name": "web_search", "input": {"query": "lamps"}}
    return [{"type": "text", "text": "Let me search. "}, search]


def pausing(*ids: str) -> list[Any]:
    """Replies that pause, one for each id."""
    return [Reply(content=searching(id), stop_reason="pause_turn") for id in ids]


def waiting(talk: Talk, sim: Simulator) -> Conversation:
    """A conversation whose reply was paused, and could not be gone on with; it could now."""
    sim.script([*pausing("s1"), searched("s1")])
    sim.fail_at(2, RateLimited())
    chat = talk(tools=[SEARCH])
    with pytest.raises(Unavailable):
        chat.send("Find lamps.")
    return chat


def legal(sim: Simulator) -> bool:
    """Whether our own rules pass every request that the simulator got."""
    return all(check_request(attempt.body, betas=attempt.betas) == [] for attempt in sim.messages)


# ---- pause_turn -----------------------------------------------------------------------------------


def test_a_paused_reply_goes_on(talk: Talk, sim: Simulator) -> None:
    """The paused content is sent back as it is; the pieces are one reply, each a request and a turn of its own."""
    sim.script([*pausing("s1"), searched("s1")])
    chat = talk(tools=[SEARCH])
    reply = chat.send("Find lamps.")
    assert reply.text == "Let me search. Nothing found."
    assert reply.stop_reason == "end_turn"
    assert [step.number for step in reply.steps] == [1, 2]
    assert reply.usage.prompt == sum(attempt.usage.prompt for attempt in sim.messages if attempt.usage)
    assert sim.messages[1].body["messages"][-1]["role"] == "assistant"
    assert [t.role for t in chat.history()] == ["user", "assistant", "assistant"]
    assert chat.send("Thanks.").stop_reason == "end_turn"
    assert legal(sim)
    assert all(chat.request(number).intact for number in (1, 2, 3))


def test_pauses_have_an_end(talk: Talk, sim: Simulator) -> None:
    """A turn that pauses for ever is given back to the caller; retry() goes on with it."""
    sim.script([*pausing(*(f"s{i}" for i in range(MOST_PAUSES + 1))), searched("s10")])
    chat = talk(tools=[SEARCH])
    assert chat.send("Find lamps.").stop_reason == "pause_turn"
    assert len(sim.messages) == MOST_PAUSES + 1
    assert chat.retry().stop_reason == "end_turn"


def test_a_paused_turn_that_fails_to_go_on_can_be_retried(talk: Talk, sim: Simulator) -> None:
    """429 in between: the first piece is recorded, retry() continues it."""
    chat = waiting(talk, sim)
    assert [t.state for t in chat.history()] == ["answered", "answered"]
    assert chat.retry().text == "Nothing found."
    with pytest.raises(NothingToRetry):
        chat.retry()


@pytest.mark.parametrize("fault", [RateLimited(), CutStream(events=1)])
def test_a_paused_turn_may_be_given_up(talk: Talk, sim: Simulator, fault: Any) -> None:
    """Saying something else makes it interrupted: the call is not replayed, and requests rebuild as they were."""
    sim.script([*pausing("s1"), "And now for lamps.", "Hello."])
    sim.fail_at(2, fault)
    chat = talk(tools=[SEARCH])
    with pytest.raises((Unavailable, ReplyInterrupted)), chat.stream("Find lamps.") as stream:
        stream.until_done()
    chat.send("Leave it. Say hello.")
    assert chat.history()[1].state == "interrupted"
    sent = sim.messages[-1].body["messages"]
    assert not any(b["type"] == "server_tool_use" for m in sent for b in m["content"])
    assert legal(sim)
    assert all(chat.request(number).intact for number in (1, 2, 3))


def test_a_fork_takes_the_whole_of_a_paused_reply(talk: Talk, sim: Simulator) -> None:
    """A fork in the middle of a reply begins behind its end, so that what it says next gives nothing up elsewhere."""
    sim.script([*pausing("s1"), searched("s1"), "Hello."])
    chat = talk(tools=[SEARCH])
    chat.send("Find lamps.")
    with chat.fork(chat.history()[1], id="aside") as forked:
        assert [t.seq for t in forked.history()] == [1, 2, 3]
        forked.send("Leave it. Say hello.")
    assert [t.state for t in chat.history()] == ["answered"] * 3
    assert all(chat.request(number).intact for number in (1, 2))


def test_a_reply_that_waits_is_not_shared(talk: Talk, sim: Simulator) -> None:
    """No fork at a reply that one conversation may finish and the other give up; nothing is made."""
    chat = waiting(talk, sim)
    with pytest.raises(InvalidOption, match=r"waits for the server.*retry\(\)"):
        chat.fork(id="aside")
    chat.retry()
    with chat.fork(id="aside") as forked:
        assert len(forked.history()) == 3


def test_what_a_cut_off_continuation_found_stays(talk: Talk, sim: Simulator) -> None:
    """The call of the piece before has its result, so that piece may stay as it was sent."""
    sim.script([*pausing("s1"), searched("s1"), "Hello."])
    sim.fail_at(2, CutStream(events=6))
    chat = talk(tools=[SEARCH])
    with pytest.raises(ReplyInterrupted), chat.stream("Find lamps.") as stream:
        stream.until_done()
    chat.send("Leave it. Say hello.")
    assert [turn.state for turn in chat.history()][1:3] == ["answered", "interrupted"]
    kinds = [block["type"] for message in sim.messages[-1].body["messages"] for block in message["content"]]
    assert "server_tool_use" in kinds
    assert "web_search_tool_result" in kinds
    assert legal(sim)


def test_a_paused_stream_goes_on_in_the_same_stream(talk: Talk, sim: Simulator) -> None:
    """Whoever listens hears both pieces."""
    sim.script([*pausing("s1"), searched("s1")])
    with talk(tools=[SEARCH]).stream("Find lamps.") as stream:
        assert "".join(stream) == "Let me search. Nothing found."
    assert stream.reply.stop_reason == "end_turn"


def test_async_pause(sim: Simulator) -> None:
    """The async twin continues as well."""

    async def main() -> str:
        sim.script([*pausing("s1"), searched("s1")])
        async with AsyncConversation(None, client=sim.async_client(max_retries=0), tools=[SEARCH]) as chat:
            return (await chat.send("Find lamps.")).text

    assert asyncio.run(main()) == "Let me search. Nothing found."


# ---- max_tokens, refusal, cut streams ---------------------------------------------------------------


def test_half_a_tool_call_is_not_replayed(talk: Talk, sim: Simulator) -> None:
    """max_tokens in a tool call: interrupted, nothing to answer, and the next request leaves the call out."""
    call = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"word": "a long word " * 40}}
    sim.script([[{"type": "text", "text": "Let me look."}, call]])
    chat = talk(tools=[LOOK], max_tokens=60)
    reply = chat.send("Look it up.", thinking={"type": "between_tools"})
    assert reply.stop_reason == "max_tokens"
    assert chat.history()[-1].state == "interrupted"
    chat.send("Well?", max_tokens=500)
    sent = sim.messages[-1].body["messages"]
    assert sent[1]["content"] == [{"type": "text", "text": "Let me look."}]
    assert legal(sim)


def test_a_refusal_is_seen_and_withdrawn(talk: Talk, sim: Simulator) -> None:
    """The caller sees it, the record has it, the next request is without it."""
    chat = talk()
    chat.send("Hello.")
    sim.fail_next(Refusal(partial="I will not"))
    reply = chat.send("Do something bad.")
    assert (reply.refused, reply.stop_reason, reply.text) == (True, "refusal", "I will not")
    assert [t.state for t in chat.history()] == ["answered", "answered", "withdrawn", "withdrawn"]
    assert not chat.send("Then tell me a joke.").refused
    assert len(sim.messages[-1].body["messages"]) == 3


def test_a_refusal_of_results_leaves_a_legal_record(talk: Talk, sim: Simulator) -> None:
    """Results that are refused go, and with them nothing else: their calls are answered by errors next time."""
    sim.script([[{"type": "tool_use", "id": "t1", "name": "look", "input": {"word": "x"}}]])
    chat = talk()
    chat.send("Look.", tools=[LOOK])
    sim.fail_next(Refusal())
    assert chat.submit({"t1": "something bad"}).refused
    assert chat.submit({"t1": "something good"}).stop_reason == "end_turn"
    assert legal(sim)


def test_a_stream_that_just_ends_is_interrupted(talk: Talk, sim: Simulator) -> None:
    """No stop reason: what had come is recorded, and the next request is legal."""
    sim.script(["One two three four five six."])
    sim.fail_next(CutStream(events=6))
    chat = talk()
    with pytest.raises(ReplyInterrupted) as caught, chat.stream("Count.") as stream:
        stream.until_done()
    assert chat.history()[-1].state == "interrupted"
    assert caught.value.partial == chat.history()[-1].text
    chat.send("Go on.")
    assert legal(sim)


# ---- the end of the model's window -------------------------------------------------------------------


def test_a_full_window_is_cut_once_and_asked_again(talk: Talk, sim: Simulator) -> None:
    """The first reply stays in the record; the question goes out again behind a cut, and the caller hears of it."""
    chat = talk(strategy=Everything())
    for word in ("one", "two", "three"):
        chat.send(f"Remember {word}. " * 20)
    sim.fail_next(Stopped(reason="model_context_window_exceeded", tokens=3))
    reply = chat.send("What did I say?")
    assert reply.stop_reason == "end_turn"
    assert len(reply.steps) == 2
    assert "window" in reply.notes[0]
    assert [len(attempt.body["messages"]) for attempt in sim.messages[-2:]] == [7, 5]
    assert [t.state for t in chat.history()][-3:] == ["answered", "withdrawn", "answered"]
    assert chat.send("Fine.").plan.cut is False
    assert legal(sim)
    assert all(chat.request(number).intact for number in range(1, 7))


def test_a_window_full_of_one_exchange_is_given_to_the_caller(talk: Talk, sim: Simulator) -> None:
    """Nothing can leave: the reply is what it is, and it is asked once only."""
    sim.fail_next(Stopped(reason="model_context_window_exceeded", tokens=3))
    chat = talk()
    assert chat.send("Tell me everything.").stop_reason == "model_context_window_exceeded"
    assert len(sim.messages) == 1
    assert chat.history()[-1].state == "answered"


def test_a_window_that_stays_full_is_asked_twice_at_most(talk: Talk, sim: Simulator) -> None:
    """One cut, one retry."""
    chat = talk()
    chat.send("Remember one.")
    sim.fail_next(Stopped(reason="model_context_window_exceeded", tokens=3), times=5)
    assert chat.send("What did I say?").stop_reason == "model_context_window_exceeded"
    assert len(sim.messages) == 3


# ---- thinking bound elsewhere --------------------------------------------------------------------------


def strangers_thought(talk: Talk) -> dict[str, Any]:
    """A reply whose thinking is bound to another conversation."""
    other = talk(id="other")
    turn = other.send("What do you think of lamps?").turn
    assert turn is not None
    assert has_thinking(turn.blocks)
    return {"role": "assistant", "content": turn.blocks}


def written_by_hand(chat: Conversation, *messages: dict[str, Any]) -> None:
    """What another program wrote into the record, without a word about thinking that is not ours."""
    key = chat._chat().conversation
    head = chat._store.branches.head(key)
    drafts = tuple(Draft(role=m["role"], content=dumps(as_blocks(m["content"]))) for m in messages)
    chat._store.turns.append(key, head=head.seq, turns=drafts, at=chat._clock())


@pytest.mark.parametrize("fork", [False, True])
def test_thinking_from_elsewhere_is_never_sent(talk: Talk, sim: Simulator, fork: bool) -> None:
    """Recorded by `extend`, it begins an epoch without thinking: nothing is refused, on later branches neither."""
    chat = talk()
    thought = strangers_thought(talk)
    chat.send("Hello.")
    heard = chat.extend([{"role": "user", "content": "Lamps?"}, thought])
    assert chat.send("Go on.").plan.cut
    if fork:
        chat.fork(heard[-1], id="forked").close()
        assert talk(id="forked").send("Go on here.").plan.cut
    chat.regenerate()
    assert not chat.send("And on.").plan.cut
    assert {attempt.status for attempt in sim.messages} == {200}


def test_what_stands_open_is_answered_before_what_was_said_elsewhere(talk: Talk, sim: Simulator) -> None:
    """Calls get error results of their own, so that the history that follows is legal."""
    sim.script([[{"type": "tool_use", "name": "look", "input": {}}]])
    chat = talk(tools=[{"name": "look", "input_schema": {"type": "object"}}])
    chat.send("Look.")
    heard = chat.extend([{"role": "user", "content": "Never mind."}, {"role": "assistant", "content": "Fine."}])
    assert [turn.text for turn in heard] == ["Never mind.", "Fine."]
    assert chat.history()[2].blocks[0]["is_error"]
    assert chat.check() == []
    assert chat.send("Well?").stop_reason == "end_turn"


def test_thinking_bound_elsewhere_is_stripped_once(talk: Talk, sim: Simulator) -> None:
    """The 400 is mended by a new epoch without thinking, reported, and does not come again."""
    thought = strangers_thought(talk)
    chat = talk()
    chat.send("Hello.")
    written_by_hand(chat, {"role": "user", "content": "Lamps?"}, thought)
    reply = chat.send("Go on.")
    assert "thinking" in reply.notes[0]
    assert reply.plan.cut
    assert [a.status for a in sim.messages[-2:]] == [400, 200]
    sent = sim.messages[-1].body["messages"]
    assert not any(has_thinking(m["content"]) for m in sent)
    assert chat.send("And on.").notes == ()
    assert sim.messages[-1].status == 200
    assert [t.state for t in chat.history()] == ["answered"] * 8
    assert all(chat.request(number).intact for number in (1, 2, 3, 4))


def test_thinking_refused_twice_is_the_callers_to_know(talk: Talk, sim: Simulator) -> None:
    """One retry, never more; then the turn is withdrawn like that of any refused request."""
    thought = strangers_thought(talk)
    chat = talk()
    chat.send("Hello.")
    written_by_hand(chat, {"role": "user", "content": "Lamps?"}, thought)
    sim.fail_next(HttpError(status=400, message="no"), when=lambda body: len(body["messages"]) == 5)
    before = len(sim.messages)
    with pytest.raises(RequestRejected) as caught:
        chat.send("Go on.")
    assert caught.value.state == "withdrawn"
    assert len(sim.messages) == before + 1


def test_a_400_for_another_reason_is_not_retried(talk: Talk, sim: Simulator) -> None:
    """Thinking in the view does not make every 400 a matter of thinking."""
    chat = talk()
    chat.send("Hello.")
    sim.fail_next(HttpError(status=400, message="metadata: no such user"))
    with pytest.raises(RequestRejected):
        chat.send("Go on.")
    assert chat.history()[-1].state == "withdrawn"


def test_another_model_gets_no_foreign_thinking(talk: Talk, sim: Simulator) -> None:
    """A switch of models begins a new epoch, whose view has no thinking of the old one."""
    chat = talk()
    chat.send("Hello.")
    reply = chat.send("And you?", model="claude-opus-4-8")
    assert reply.plan.cut
    assert not any(has_thinking(m["content"]) for m in sim.messages[-1].body["messages"])
    chat.send("Back.", model="claude-sonnet-5-5")
    assert [a.status for a in sim.messages] == [200, 200, 200]


def test_drop_block_passes_and_is_reported(talk: Talk, sim: Simulator) -> None:
    """With block_binding the API leaves mismatched thinking out; the reply says which."""
    thought = strangers_thought(talk)
    chat = talk(
        thinking={"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "drop_block"}},
        betas=["thinking-binding-controls-2026-08-01"],
    )
    chat.send("Hello.")
    written_by_hand(chat, {"role": "user", "content": "Lamps?"}, thought)
    reply = chat.send("Go on.")
    assert sim.messages[-1].status == 200
    assert "messages.3.content.0" in reply.notes[0]
    assert "prefix_binding_mismatch" in reply.notes[0]
