"""Instructions between turns: where they stand, what becomes of them at a cut, and on models without them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sash import Conversation, check_request
from sash.errors import InvalidContent, NothingToRetry, ReplyInterrupted
from sash.planning.strategies import SlidingWindow
from sash.simulator import CutStream, RateLimited, Refusal, Simulator

Talk = Callable[..., Conversation]
PLAIN = "claude-sonnet-5"
"""A model that takes no system turns."""
CALL = {"type": "tool_use", "id": "toolu_1", "name": "lookup", "input": {"word": "lamp"}}
TOOL = {"name": "lookup", "description": "Look it up.", "input_schema": {"type": "object", "properties": {}}}


def said(body: Any) -> list[tuple[str, str]]:
    """Role and first text of each message."""
    return [(m["role"], str(m["content"][0].get("text") or m["content"][0]["type"])) for m in body["messages"]]


def sent(sim: Simulator) -> list[tuple[str, str]]:
    """The same of the newest request."""
    return said(sim.messages[-1].body)


def test_an_instruction_is_recorded_at_once_and_sent_behind_the_next_question(talk: Talk, sim: Simulator) -> None:
    """Never before the user has spoken, and between no two user turns ("Mid-conversation system messages")."""
    chat = talk()
    first = chat.instruct("Answer in French.")
    assert [(turn.role, turn.id) for turn in chat.history()] == [("system", first.id)]
    assert sim.messages == []
    chat.send("one")
    chat.instruct("Be brief.")
    chat.send("two")
    roles = [role for role, _ in sent(sim)]
    assert roles == ["user", "system", "assistant", "user", "system"]
    assert [text for role, text in sent(sim) if role == "system"] == ["Answer in French.", "Be brief."]
    assert all(attempt.status == 200 for attempt in sim.messages)


def test_an_instruction_does_not_touch_what_is_cached(talk: Talk) -> None:
    """The next request reads all that the last one wrote."""
    chat = talk(system="You keep the harbour books. " * 200)
    chat.send("one")
    chat.send("two")
    before = chat.send("three")
    chat.instruct("Be brief.")
    after = chat.send("four")
    assert not after.plan.cut
    assert after.usage.read == before.usage.prompt - before.usage.fresh
    assert after.surprise == ""


def test_requests_with_instructions_rebuild_byte_for_byte(talk: Talk) -> None:
    """From the record alone, cuts included."""
    chat = talk(strategy=SlidingWindow(turns=2))
    for number in range(6):
        chat.instruct(f"Rule {number}.")
        chat.send(f"question {number}")
    assert all(chat.request(number).intact for number in range(1, 7))


def test_a_cut_places_instructions_in_force_again(talk: Talk, sim: Simulator) -> None:
    """Behind the first kept user turn, each once, oldest first."""
    chat = talk(strategy=SlidingWindow(turns=2))
    chat.instruct("Rule 0.")
    chat.send("question 0")
    chat.instruct("Rule 1.")
    for number in range(1, 5):
        reply = chat.send(f"question {number}")
    assert reply.plan.cut
    assert [text for _, text in sent(sim)][:3] == ["question 3", "Rule 0.", "Rule 1."]
    assert [role for role, _ in sent(sim)] == ["user", "system", "system", "assistant", "user"]
    later = chat.request(reply.number)
    assert later.intact


def test_an_instruction_in_a_pinned_exchange_is_sent_once(talk: Talk, sim: Simulator) -> None:
    """It stands there already."""
    chat = talk(strategy=SlidingWindow(turns=1))
    kept = chat.send("keep this").turn
    assert kept is not None
    chat.instruct("Be brief.")
    chat.pin(kept)
    for number in range(4):
        chat.send(f"question {number}")
    assert [text for _, text in sent(sim)].count("Be brief.") == 1
    assert all(chat.request(number).intact for number in range(1, 6))


def test_models_without_system_turns_get_tagged_text(talk: Talk, sim: Simulator) -> None:
    """As the user's text, said so in the plan; counted as it is sent."""
    chat = talk(model=PLAIN)
    chat.instruct("Be brief.")
    reply = chat.send("one")
    assert [role for role, _ in sent(sim)] == ["user", "user"]
    assert sent(sim)[1][1] == "<system_instruction>\nBe brief.\n</system_instruction>"
    assert "sent as user messages: 1" in reply.plan.explain()
    assert chat.request(1).intact
    assert abs(reply.plan.prompt.tokens - reply.usage.prompt) <= 8


def test_another_model_gets_instructions_in_its_own_form(talk: Talk, sim: Simulator) -> None:
    """Going over begins an epoch, and the form follows the model."""
    chat = talk()
    chat.instruct("Be brief.")
    chat.send("one")
    chat.send("two", model=PLAIN)
    assert {role for role, _ in sent(sim)} == {"user", "assistant"}
    chat.send("three", model="claude-sonnet-5-5")
    assert [role for role, _ in sent(sim)].count("system") == 1
    assert all(chat.request(number).intact for number in (1, 2, 3))


def test_a_call_and_its_result_stay_together(talk: Talk, sim: Simulator) -> None:
    """An instruction given while a tool works is sent behind the results."""
    chat = talk()
    sim.script([[CALL]])
    chat.send("look it up", tools=[TOOL])
    chat.instruct("Be brief.")
    chat.send([{"type": "tool_result", "tool_use_id": "toolu_1", "content": "a lamp"}])
    assert [role for role, _ in sent(sim)] == ["user", "assistant", "user", "system"]


@pytest.mark.parametrize("model", ["claude-sonnet-5-5", PLAIN])
def test_open_calls_are_answered_behind_an_instruction_too(talk: Talk, sim: Simulator, model: str) -> None:
    """What is said next is legal."""
    chat = talk(model=model)
    sim.script([[CALL]])
    chat.send("look it up", tools=[TOOL])
    chat.instruct("Be brief.")
    chat.send("never mind")
    body = sim.messages[-1].body
    assert check_request(body) == []
    kinds = [block["type"] for message in body["messages"] for block in message["content"]]
    assert [kind for kind in kinds if kind != "thinking"] == ["text", "tool_use", "tool_result", "text", "text"]


def test_trouble_does_not_lose_an_instruction(talk: Talk, sim: Simulator) -> None:
    """A refused question, a rate limit, a retry: the instruction is in the view, legally."""
    chat = talk()
    chat.send("one")
    chat.instruct("Be brief.")
    sim.fail_next(Refusal())
    assert chat.send("two").stop_reason == "refusal"
    sim.fail_next(RateLimited())
    with pytest.raises(Exception, match="429"):
        chat.send("three")
    chat.retry()
    assert [role for role, _ in sent(sim)] == ["user", "assistant", "user", "system"]
    chat.instruct("In French.")
    chat.regenerate()
    assert [text for role, text in sent(sim) if role == "system"] == ["Be brief.", "In French."]
    assert all(attempt.fault or attempt.status == 200 for attempt in sim.messages)


def test_a_reply_cut_short_is_asked_for_again_behind_an_instruction(talk: Talk, sim: Simulator) -> None:
    """`retry` looks at what was said last, not at instructions."""
    chat = talk()
    sim.fail_next(CutStream(events=6))
    with pytest.raises(ReplyInterrupted), chat.stream("one") as stream:
        stream.until_done()
    chat.instruct("Be brief.")
    chat.retry()
    assert [role for role, _ in sent(sim)] == ["user", "system"]


def test_an_instruction_alone_is_nothing_to_send(talk: Talk) -> None:
    """`retry` says so."""
    chat = talk()
    chat.send("one")
    chat.instruct("Be brief.")
    with pytest.raises(NothingToRetry):
        chat.retry()


def test_instructions_are_text(talk: Talk) -> None:
    """Anything else is refused before it is written."""
    chat = talk()
    for content in ("", "  ", [{"type": "image", "source": {"type": "url", "url": "https://a.b/c.png"}}]):
        with pytest.raises(InvalidContent):
            chat.instruct(content)
    assert chat.history() == []


def test_forks_and_restarts_keep_instructions(talk: Talk, sim: Simulator) -> None:
    """They are part of the past that is shared."""
    chat = talk(strategy=SlidingWindow(turns=1))
    chat.instruct("Be brief.")
    reply = chat.send("one")
    chat.send("two")
    chat.fork(reply.turn, id="b").close()
    talk(id="b", strategy=SlidingWindow(turns=1)).send("three")
    assert ("system", "Be brief.") in sent(sim)


def test_instructions_said_elsewhere_can_be_recorded(talk: Talk, sim: Simulator) -> None:
    """`extend` takes messages of role system."""
    chat = talk()
    chat.extend([
        {"role": "user", "content": "one"},
        {"role": "system", "content": "Be brief."},
        {"role": "assistant", "content": "1"},
    ])  # fmt: skip
    chat.send("two")
    assert [role for role, _ in sent(sim)] == ["user", "system", "assistant", "user"]


def test_instructions_count_against_the_budget_wherever_they_stand(talk: Talk) -> None:
    """An upper bound holds with many of them out of the window."""
    chat = talk(strategy=SlidingWindow(turns=1), budget=4_000)
    for number in range(8):
        chat.instruct(f"Rule {number}: " + "count every crate of the harbour twice. " * 8)
        reply = chat.send(f"question {number}")
        assert reply.usage.prompt <= reply.plan.prompt.upper
        assert reply.plan.prompt.tokens >= 70 * (number + 1)
