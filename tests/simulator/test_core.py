"""The simulator as a whole: billing, log, markers over a conversation, diagnostics, pre-warming."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sash.errors import InvalidOption
from sash.model.cards import card
from sash.model.usage import Usage
from sash.simulator import Clock, PromptRules, Simulator
from sash.simulator.billing import dollars
from sash.simulator.editing import edit

from .samples import MODEL, TOOL, assistant, body, call, image, long, post, result, text, user


def usage(sim: Simulator) -> Usage:
    """What the last request used."""
    found = sim.log[-1].usage
    assert found is not None
    return found


def test_a_marked_conversation_reads_all_but_its_newest_turn() -> None:
    """With a marker on each newest block, every request reads exactly what the one before had in front of its tail."""
    sim, before = Simulator(), 0
    messages: list[dict[str, Any]] = []
    for number in range(6):
        question = user(text(f"{long(300, f'q{number}')}", "5m"))
        _, reply = post(sim, body(*messages, question, system=[text("Be kind.", "1h")]))
        used = usage(sim)
        assert used.read == before
        before = used.prompt - used.fresh
        messages += [user(question["content"][0]["text"]), {"role": "assistant", "content": reply["content"]}]


def test_time_and_rereading() -> None:
    """After five minutes the tail is gone, the one-hour preamble is not; after an hour nothing is left."""
    sim = Simulator()
    sent = body(user(text(long(600, "t"), "5m")), system=[text(long(600, "s"), "1h")])
    post(sim, sent)
    written = usage(sim)
    assert written.write_1h > 1_000 and written.write_5m > 1_000
    sim.clock.advance(301)
    post(sim, sent)
    assert (usage(sim).read, usage(sim).write_5m) == (written.write_1h, written.write_5m)
    sim.clock.advance(3_600)
    post(sim, sent)
    assert usage(sim).read == 0


def test_each_change_costs_its_level() -> None:
    """Another tool choice reads the system prompt, not the messages; other tools read nothing."""
    sim = Simulator()
    fields: dict[str, Any] = {"tools": [TOOL], "system": [text(long(), "5m")]}
    post(sim, body(user(text(long(), "5m")), **fields))
    preamble = usage(sim).prompt - sim.count(body(user(text(long(), "5m"))))
    post(sim, body(user(text(long(), "5m")), **fields, tool_choice={"type": "none"}))
    assert usage(sim).read == preamble > 1_000
    post(sim, body(user(text(long(), "5m")), **{**fields, "tools": [{**TOOL, "name": "other"}]}))
    assert usage(sim).read == 0
    post(sim, body(user(text(long(), "5m"), image()), **fields))
    assert usage(sim).read == preamble
    lenient = Simulator(prompt_rules=PromptRules(images="none"))
    post(lenient, body(user(text(long(), "5m")), **fields))
    post(lenient, body(user(text(long(), "5m"), image()), **fields))
    assert usage(lenient).read > preamble


def test_prices() -> None:
    """Cost is usage times the card's prices, tier by prompt size; US inference and fast mode cost more."""
    sim = Simulator()
    post(sim, body(user(text(long(), "5m"))))
    assert sim.cost == pytest.approx(card(MODEL).cost(usage(sim)))
    used = Usage(fresh=100_000, output=0)
    haiku = card("claude-haiku-5-5")
    assert dollars(used, haiku, {}) == pytest.approx(0.01)
    assert dollars(replace(used, fresh=100_001), haiku, {}) == pytest.approx(0.05, rel=1e-4)
    opus = card("claude-opus-5-5")
    assert dollars(used, opus, {"inference_geo": "us"}) == pytest.approx(1.1 * dollars(used, opus, {}))
    assert dollars(used, opus, {"speed": "fast"}) == pytest.approx(100_000 * 8 / 1e6)


def test_errors_cost_nothing() -> None:
    """A refused request is in the log, with its reason, and is not billed."""
    sim = Simulator()
    status, answer = post(sim, body(temperature=1))
    assert status == 400 and answer["request_id"] == sim.log[-1].request_id
    assert (sim.log[-1].status, sim.cost, sim.log[-1].usage) == (400, 0, None)
    assert "temperature" in (sim.log[-1].error or "")


def test_pre_warming() -> None:
    """max_tokens 0 writes the cache, returns nothing, bills no output."""
    sim = Simulator()
    shared = {"system": [text(long(), "1h")]}
    status, reply = post(sim, body(user("warm"), max_tokens=0, **shared))
    assert (status, reply["content"], reply["stop_reason"]) == (200, [], "max_tokens")
    assert usage(sim).output == 0 and usage(sim).write_1h > 1_000
    post(sim, body(user("A real question."), **shared))
    assert usage(sim).read > 1_000


def test_diagnostics_name_the_first_divergence() -> None:
    """What differs from the request named: model, tools, system, messages; nothing when only the end grew."""
    sim = Simulator()
    base = {"tools": [TOOL], "system": "Be kind."}
    messages = [user("a"), assistant("b"), user("c")]

    def reason(*said: dict[str, Any], previous: str | None, **fields: Any) -> Any:
        _, reply = post(sim, body(*said, diagnostics={"previous_message_id": previous}, **{**base, **fields}))
        found = reply["diagnostics"]
        return reply["id"], found and found["cache_miss_reason"]["type"]

    first, none = reason(*messages, previous=None)
    assert none is None
    assert reason(*messages, assistant("d"), user("e"), previous=first)[1] is None
    assert reason(*messages, previous=first, model="claude-opus-5-5")[1] == "model_changed"
    assert reason(*messages, previous=first, tools=[{**TOOL, "name": "x"}])[1] == "tools_changed"
    assert reason(*messages, previous=first, system="Be cross.")[1] == "system_changed"
    assert reason(user("z"), *messages[1:], previous=first)[1] == "messages_changed"
    assert reason(*messages, previous=first, tool_choice={"type": "none"})[1] == "unavailable"
    assert reason(*messages, previous="msg_other")[1] == "previous_message_not_found"
    assert "diagnostics" not in post(sim, body())[1]


def test_own_models_and_tokenizers() -> None:
    """A card and a tokenizer of one's own are used as any other."""
    mine = replace(card(MODEL), id="my-model", window=1_000, cache_minimum=10)
    sim = Simulator(cards={"my-model": mine}, tokenizer=len)
    assert sim.count(body(user("x" * 50), model="my-model")) == 50 + 6
    assert "prompt is too long" in str(sim.check(body(user("x" * 1_000), model="my-model")))
    assert sim.check(body(model="nobody")) == ["model: nobody is not known"]
    with pytest.raises(InvalidOption):
        sim.count(body(model="nobody"))


def test_models_retire_with_the_clock() -> None:
    """A model whose date has come is served no more."""
    sim = Simulator()
    sent = body(model="claude-sonnet-4-5")
    assert post(sim, sent)[0] == 200
    sim.clock.advance(10 * 86_400)
    assert post(sim, sent)[0] == 404


def test_two_simulators_say_the_same() -> None:
    """The same requests give the same replies, ids and costs."""

    def record() -> list[Any]:
        sim = Simulator()
        asked = user("Use order_status for order 7")
        _, reply = post(sim, body(asked, tools=[TOOL]))
        made = {"role": "assistant", "content": reply["content"]}
        return [reply, post(sim, body(asked, made, user(result(reply["content"][-1]["id"])), tools=[TOOL])), sim.cost]

    assert record() == record()


def test_clearing_loses_the_cache_from_the_cleared_point() -> None:
    """Server-side clearing reads what stands before the cleared result, and nothing behind it."""
    sim = Simulator()
    sent = body(
        user(text(long(), "5m")), assistant(call("a")), user({**result("a", long()), "cache_control": MARK}),
        assistant("So."), user("And?"), tools=[TOOL],
    )  # fmt: skip
    post(sim, sent)
    edit = {"type": "clear_tool_uses_20250919", "trigger": {"type": "tool_uses", "value": 0},
            "keep": {"type": "tool_uses", "value": 0}}  # fmt: skip
    beta = "context-management-2025-06-27"
    post(sim, {**sent, "context_management": {"edits": [edit]}}, betas=beta)
    assert usage(sim).read == sim.count(body(user(text(long())), tools=[TOOL])) - 3


def test_thinking_of_older_turns_is_cleared() -> None:
    """`clear_thinking` leaves out the thinking of all but the newest turns, says so, and "all" leaves everything."""
    sim, said = Simulator(), [user("One?")]
    for question in ("Two?", "Three?"):
        said += [{"role": "assistant", "content": post(sim, body(*said))[1]["content"]}, user(question)]
    assert all(message["content"][0]["type"] == "thinking" for message in said[1::2])
    whole, beta = post(sim, body(*said))[1]["usage"]["input_tokens"], "context-management-2025-06-27"

    def cleared(**edit: Any) -> Any:
        edits = {"edits": [{"type": "clear_thinking_20251015", **edit}]}
        return post(sim, {**body(*said), "context_management": edits}, betas=beta)

    for keep, turns in (({"type": "thinking_turns", "value": 1}, 1), ({"type": "thinking_turns", "value": 2}, 0)):
        answer = cleared(keep=keep)[1]
        applied = answer["context_management"]["applied_edits"]
        assert [edit["cleared_thinking_turns"] for edit in applied] == [turns] * bool(turns)
        assert answer["usage"]["input_tokens"] + sum(edit["cleared_input_tokens"] for edit in applied) == whole
    assert cleared(keep="all")[1]["usage"]["input_tokens"] == whole
    assert cleared(keep={"type": "thinking_turns", "value": 0})[0] == cleared(keep="none")[0] == 400


@pytest.mark.parametrize(("further", "cleared"), [([], 0), (["And now?"], 1)])
def test_results_go_on_with_a_turn_and_words_begin_one(further: list[str], cleared: int) -> None:
    """`clear_thinking` counts turns as the model does: a message of results alone begins none, one with words does."""
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
    said = [
        user("Has it been sent?"),
        assistant(thought, call()),
        user(result(), *further),
        assistant(thought, "Yes."),
        user("Thanks."),
    ]
    edits = {"edits": [{"type": "clear_thinking_20251015"}]}
    edited = edit({"messages": said, "context_management": edits}, lambda body: len(str(body)))
    assert [one["cleared_thinking_turns"] for one in edited.applied] == [cleared] * bool(cleared)
    assert sum(block == thought for message in edited.body["messages"] for block in message["content"]) == 2 - cleared


MARK = {"type": "ephemeral"}


def test_the_clock_goes_forward_only() -> None:
    """A clock cannot be turned back, by nothing or by nonsense."""
    clock = Clock(start=100)
    assert clock.advance(5) == 105
    for seconds in (-1, float("nan")):
        with pytest.raises(InvalidOption):
            clock.advance(seconds)
