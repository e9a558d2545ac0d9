"""Thinking blocks: when they are made, what they are bound to, what happens when the conversation was edited."""

from __future__ import annotations

from typing import Any

import pytest

from sash.simulator import Clock, Reply, Simulator
from sash.simulator.checks import BINDING_BETA

from .samples import MODEL, OLD, TOOL, body, post, result, text, user

DROP = {"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "drop_block"}}
FREE = "claude-opus-5"
"""Thinks, but does not bind."""


def talk(sim: Simulator, *questions: str, **fields: Any) -> list[dict[str, Any]]:
    """A conversation of so many questions and their replies."""
    messages: list[dict[str, Any]] = []
    for question in questions:
        messages.append(user(question))
        status, reply = post(sim, body(*messages, **fields))
        assert status == 200, reply
        messages.append({"role": "assistant", "content": reply["content"]})
    return messages


def kinds(message: dict[str, Any]) -> list[str]:
    """The types of a message's blocks."""
    return [block["type"] for block in message["content"]]


def stripped(message: dict[str, Any]) -> dict[str, Any]:
    """A message without its thinking."""
    return {**message, "content": [block for block in message["content"] if block["type"] != "thinking"]}


@pytest.fixture
def chat(sim: Simulator) -> list[dict[str, Any]]:
    """Three exchanges on a binding model, and a further question."""
    return [*talk(sim, "My name is Ada.", "I live in Bath.", "What is my name?"), user("And where do I live?")]


def refusal(sim: Simulator, *messages: dict[str, Any], **fields: Any) -> str:
    """The error's text, or "" when the request passes."""
    status, answer = post(sim, body(*messages, **fields))
    return "" if status == 200 else answer["error"]["message"]


def test_models_think_by_default_or_when_asked() -> None:
    """New models think unasked and hide it; older ones think when asked and show it."""
    sim = Simulator()
    new, old = talk(sim, "Hello."), talk(sim, "Hello.", model=OLD)
    asked = talk(sim, "Hello.", model=OLD, thinking={"type": "enabled", "budget_tokens": 1024}, max_tokens=2000)
    assert kinds(new[1]) == ["thinking", "text"] and new[1]["content"][0]["thinking"] == ""
    assert kinds(old[1]) == ["text"]
    assert kinds(asked[1]) == ["thinking", "text"] and asked[1]["content"][0]["thinking"]


def test_hidden_thinking_is_billed_and_counts_later() -> None:
    """Omitted thinking is in output_tokens, and the block counts as input when it is sent back."""
    sim = Simulator()
    messages = talk(sim, "Hello.")
    used = sim.log[-1].usage
    assert used is not None and 0 < used.thinking < used.output
    with_thought = sim.count(body(*messages, user("So?")))
    assert with_thought - sim.count(body(messages[0], stripped(messages[1]), user("So?"))) == used.thinking


def test_an_unchanged_conversation_passes(sim: Simulator, chat: list[dict[str, Any]]) -> None:
    """Sent back as it was, every thinking block is valid."""
    assert refusal(sim, *chat) == ""


NOT_EDITS = {
    "markers": {"cache_control": {"type": "ephemeral"}},
    "effort": {"output_config": {"effort": "low"}},
    "display": {"thinking": {"type": "adaptive", "display": "summarized"}},
    "max_tokens": {"max_tokens": 5},
    "metadata": {"metadata": {"user_id": "x"}},
    "stream": {"stream": False},
}


@pytest.mark.parametrize("fields", NOT_EDITS.values(), ids=NOT_EDITS.keys())
def test_settings_are_no_edits(sim: Simulator, chat: list[dict[str, Any]], fields: dict[str, Any]) -> None:
    """Moving markers, and changing limits, effort or display leave thinking valid."""
    assert refusal(sim, *chat, **fields) == ""


def test_edits_are_refused(sim: Simulator, chat: list[dict[str, Any]]) -> None:
    """A trimmed start, a rewritten message, another system prompt or other tools: bound to another conversation."""
    rewritten = [user("My name is Eve."), *chat[1:]]
    for messages, fields in (
        (chat[2:], {}),
        (rewritten, {}),
        (chat, {"system": "Be brief."}),
        (chat, {"tools": [TOOL]}),
    ):
        assert "bound to a different conversation" in refusal(sim, *messages, **fields)


def test_an_edit_without_thinking_is_none(sim: Simulator, chat: list[dict[str, Any]]) -> None:
    """With all thinking stripped, any legal conversation passes."""
    assert refusal(sim, *[stripped(message) for message in chat[2:]]) == ""


def test_thinking_may_be_dropped_from_the_start_or_the_end(sim: Simulator, chat: list[dict[str, Any]]) -> None:
    """The blocks that are kept must be an unbroken run: first or last ones may go, the middle one may not."""
    assert refusal(sim, chat[0], stripped(chat[1]), *chat[2:]) == ""
    assert refusal(sim, *chat[:5], stripped(chat[5]), chat[6]) == ""
    assert "bound to" in refusal(sim, *chat[:3], stripped(chat[3]), *chat[4:])


def test_dropped_thinking_may_not_be_restored(sim: Simulator, chat: list[dict[str, Any]]) -> None:
    """A block made while an earlier one was left out refuses to stand beside it."""
    without = [chat[0], stripped(chat[1]), *chat[2:]]
    _, reply = post(sim, body(*without))
    late = {"role": "assistant", "content": reply["content"]}
    assert refusal(sim, *without, late, user("Thanks.")) == ""
    assert "bound to" in refusal(sim, *chat, late, user("Thanks."))


def test_drop_block_goes_on_and_says_so(sim: Simulator, chat: list[dict[str, Any]]) -> None:
    """With drop_block the failing blocks are removed, unbilled, and each is reported with its path."""
    sent = body(*chat[2:], thinking=DROP)
    status, reply = post(sim, sent, betas=BINDING_BETA)
    assert status == 200
    assert reply["input_transformations"] == [
        {"type": "thinking_dropped", "path": f"messages.{place}.content.0", "reason": "prefix_binding_mismatch"}
        for place in (1, 3)
    ]
    bare = body(*[stripped(message) for message in chat[2:]])
    used = sim.log[-1].usage
    assert used is not None and used.prompt == sim.count(bare)


def test_older_accounts_are_bound_only_when_they_ask_or_on_the_newest_models() -> None:
    """Accounts from before 2026-08-31: no check, but where block_binding is set, and on the 5.2 models."""
    for model, fields, refused in (
        (MODEL, {}, False),
        (MODEL, {"thinking": {"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "error"}}}, True),
        ("claude-fable-5-2", {}, True),
    ):
        sim = Simulator(new_account=False)
        messages = talk(sim, "My name is Ada.", "I live in Bath.", model=model)
        status, _ = post(sim, body(*messages[2:], user("So?"), model=model, **fields), betas=BINDING_BETA)
        assert (status == 400) == refused


def test_models_that_do_not_bind_take_edited_conversations(sim: Simulator) -> None:
    """On Opus 5 a trimmed conversation keeps its thinking."""
    messages = talk(sim, "My name is Ada.", "I live in Bath.", model=FREE)
    assert refusal(sim, *messages[2:], user("So?"), model=FREE) == ""


def test_altered_blocks_are_refused(sim: Simulator, chat: list[dict[str, Any]]) -> None:
    """A changed text or signature is invalid; in the latest assistant message the error says so in its own words."""
    thought = chat[5]["content"][0]
    altered = {**chat[5], "content": [{**thought, "thinking": "Other."}, *chat[5]["content"][1:]]}
    assert "cannot be modified" in refusal(sim, *chat[:5], altered, chat[6])
    foreign = {**chat[1], "content": [{**thought, "signature": "EqQBCkYIBRgC"}, *chat[1]["content"][1:]]}
    assert "Invalid `signature`" in refusal(sim, chat[0], foreign, *chat[2:])
    lenient = Simulator(accept_foreign_thinking=True)
    assert refusal(lenient, chat[0], foreign, user("So?")) == ""


def test_thoughts_of_unreadable_models_are_dropped_unbilled(sim: Simulator) -> None:
    """Sonnet 5.5 does not read Opus 5.5; Opus 5.5 reads Sonnet 5.5."""
    for writer, reader, readable in (
        ("claude-opus-5-5", MODEL, False),
        (MODEL, "claude-opus-5-5", True),
        ("claude-fable-5-2", "claude-fable-5-1", False),
    ):
        messages = [*talk(sim, "Hello.", model=writer), user("So?")]
        post(sim, body(*messages, model=reader), betas=BINDING_BETA)
        used = sim.log[-1].usage
        bare = body(*[stripped(message) for message in messages], model=reader)
        assert used is not None and (used.prompt > sim.count(bare)) == readable


def test_thoughts_of_another_organization_are_dropped() -> None:
    """Sonnet 5.5 blocks are bound to the account that made them."""
    messages = [*talk(Simulator(organization="one"), "Hello."), user("So?")]
    _, reply = post(Simulator(organization="two"), body(*messages), betas=BINDING_BETA)
    assert reply["input_transformations"][0]["reason"] == "organization_binding_mismatch"


def test_signatures_outlive_the_simulator(chat: list[dict[str, Any]]) -> None:
    """Another simulator of the same organization, started later, accepts and refuses the same."""
    other = Simulator(clock=Clock(start=2_000_000_000))
    assert refusal(other, *chat) == ""
    assert "bound to" in refusal(other, *chat[2:])


def test_binding_survives_server_side_clearing(sim: Simulator) -> None:
    """Tool results cleared by the server are no edit: thinking made before and after stays valid."""
    edits = {"context_management": {"edits": [{
        "type": "clear_tool_uses_20250919", "trigger": {"type": "tool_uses", "value": 0},
        "keep": {"type": "tool_uses", "value": 0}}]}}  # fmt: skip
    messages = [user("Use order_status for order 7")]
    for _ in range(3):
        _, reply = post(sim, body(*messages, tools=[TOOL], **edits), betas="context-management-2025-06-27")
        calls = [block for block in reply["content"] if block["type"] == "tool_use"]
        answer = user(result(calls[0]["id"], "fine " * 50)) if calls else user("Use order_status for order 8")
        messages += [{"role": "assistant", "content": reply["content"]}, answer]
    assert reply["context_management"]["applied_edits"][0]["cleared_tool_uses"] == 1
    assert refusal(sim, *messages, tools=[TOOL]) == ""


def test_scripted_thoughts_are_signed(sim: Simulator) -> None:
    """Interleaved thoughts of a script get valid signatures, redacted ones their data; "" leaves the thought out."""
    sim.script(
        [
            [
                {"type": "thinking", "thinking": "One."},
                text("a"),
                {"type": "thinking", "thinking": "Two."},
                {"type": "redacted_thinking"},
                text("b"),
            ],
            Reply(content="No thought.", thinking=""),
            Reply(content="My own.", thinking="Hm."),
        ]
    )
    messages = talk(sim, "one", "two", "three")
    assert kinds(messages[1]) == ["thinking", "text", "thinking", "redacted_thinking", "text"]
    assert kinds(messages[3]) == ["text"]
    assert kinds(messages[5]) == ["thinking", "text"]
    assert refusal(sim, *messages, user("So?")) == ""


def test_thinking_modes(sim: Simulator) -> None:
    """between_tools thinks before tools but not after their results; disabled and `thinking=False` never think."""
    asked = user("Use order_status for order 7")
    fields: dict[str, Any] = {"tools": [TOOL], "thinking": {"type": "between_tools"}}
    _, first = post(sim, body(asked, **fields))
    made = first["content"][-1]
    _, second = post(
        sim, body(asked, {"role": "assistant", "content": first["content"]}, user(result(made["id"])), **fields)
    )
    assert kinds(first) == ["thinking", "tool_use"] and kinds(second) == ["text"]
    _, none = post(sim, body(model=FREE, thinking={"type": "disabled"}))
    assert kinds(none) == ["text"] and "output_tokens_details" not in none["usage"]
    _, off = post(Simulator(thinking=False), body())
    assert kinds(off) == ["text"]


def test_own_thoughts() -> None:
    """A function of the body may do the thinking."""
    sim = Simulator(thinking=lambda sent: f"{len(sent['messages'])} messages")
    _, reply = post(sim, body(thinking={"type": "adaptive", "display": "summarized"}))
    assert reply["content"][0]["thinking"] == "1 messages"


def test_foreign_thoughts_may_be_left_out_afterwards(sim: Simulator) -> None:
    """After an excursion to another model, its unreadable thoughts may stay or go: own thinking is valid either way."""
    messages = talk(sim, "My name is Ada.")
    for question, model in (("And now?", "claude-opus-5-5"), ("And then?", MODEL)):
        messages.append(user(question))
        _, reply = post(sim, body(*messages, model=model))
        messages.append({"role": "assistant", "content": reply["content"]})
    assert kinds(messages[3]) == ["thinking", "text"]
    assert refusal(sim, *messages, user("So?")) == ""
    assert refusal(sim, *messages[:3], stripped(messages[3]), *messages[4:], user("So?")) == ""
