"""Server-side compaction: signed blocks on demand, where they may stand, kept tails; compaction by threshold."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest

from sash.model.cards import card
from sash.model.usage import Usage
from sash.simulator import Refusal, Reply, Simulator, Stopped
from sash.simulator.billing import dollars

from .samples import MODEL, TOOL, assistant, body, call, image, long, post, result, text, user

BETA = "compact-2026-09-04"
OLD_BETA = "compact-2026-01-12"
SUMMARISE: dict[str, Any] = {"compaction": {"type": "summarize"}, "max_tokens": 4_000}


def talk(sim: Simulator, *questions: str, **fields: Any) -> list[dict[str, Any]]:
    """A conversation with these questions; every reply thinks."""
    messages: list[dict[str, Any]] = []
    for question in questions:
        messages.append(user(question))
        status, reply = post(sim, body(*messages, **fields), betas=BETA)
        assert status == 200, reply
        messages.append({"role": "assistant", "content": reply["content"]})
    return messages


def compact(sim: Simulator, messages: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    """The answer to a compaction request."""
    status, answer = post(sim, body(*messages, **{**SUMMARISE, **fields}), betas=BETA)
    assert status == 200, answer
    return answer


def code(sim: Simulator, *messages: dict[str, Any], betas: str = BETA, **fields: Any) -> str:
    """The error code (or rule text) with which a request is refused; "" if it passes."""
    status, answer = post(sim, body(*messages, **fields), betas=betas)
    return "" if status == 200 else answer["error"].get("details", {}).get("error_code") or answer["error"]["message"]


@pytest.fixture
def said(sim: Simulator) -> list[dict[str, Any]]:
    """Three exchanges."""
    return talk(sim, "My order is number 1138.", "It goes to Harriet in Leeds.", "And it must come before May 9.")


def test_on_demand(sim: Simulator, said: list[dict[str, Any]]) -> None:
    """A compaction request answers with one signed block of what was said; usage stands in its iteration alone."""
    answer = compact(sim, said)
    (block,) = answer["content"]
    assert (block["type"], answer["stop_reason"], set(block)) == (
        "compaction",
        "compaction",
        {"type", "content", "signature", "tool_changes"},
    )
    assert all(fact in block["content"] for fact in ("1138", "Harriet", "May 9"))
    usage = answer["usage"]
    assert Usage.from_wire({name: usage[name] for name in usage if name != "iterations"}) == Usage()
    (iteration,) = usage["iterations"]
    billed = Usage.from_wire(iteration)
    assert iteration["type"] == "compaction" and sim.log[-1].usage == billed and billed.prompt > 0 < billed.output
    assert sim.log[-1].cost == pytest.approx(dollars(billed, card(MODEL), {}))


def test_it_reads_the_cache(sim: Simulator) -> None:
    """A compaction request with the conversation's own prefix reads what the conversation wrote."""
    asked = user(text(long(), "5m"))
    _, reply = post(sim, body(asked), betas=BETA)
    compact(sim, [asked, {"role": "assistant", "content": reply["content"]}])
    used = sim.log[-1].usage
    assert used is not None and used.read > 1_000


def test_the_block_stands_for_what_it_summarised(sim: Simulator, said: list[dict[str, Any]]) -> None:
    """A request that begins with the block answers from it; in a message of its own, or first in the first message."""
    (block,) = compact(sim, said)["content"]
    own = [assistant(block), user("What is the order number?")]
    _, reply = post(sim, body(*own), betas=BETA)
    assert "1138" in reply["content"][-1]["text"]
    assert not code(sim, user(block, "What is the order number?"))
    marked = {**block, "cache_control": {"type": "ephemeral"}}
    assert not code(sim, assistant(marked), user("What is the order number?"))


def test_a_tail_that_is_kept_keeps_its_thinking(sim: Simulator, said: list[dict[str, Any]]) -> None:
    """Turns that directly follow what was summarised keep their thinking, and the conversation goes on from there."""
    (block,) = compact(sim, said[:2])["content"]
    messages = [assistant(block), *said[2:], user("Thank you.")]
    status, reply = post(sim, body(*messages), betas=BETA)
    assert status == 200, reply
    more = [*messages, {"role": "assistant", "content": reply["content"]}, user("Bye.")]
    assert not code(sim, *more)
    (second,) = compact(sim, more[:5])["content"]
    assert not code(sim, assistant(second), *more[5:])


def test_a_tail_that_lost_its_place(sim: Simulator, said: list[dict[str, Any]]) -> None:
    """Thinking behind the block is refused where turns are missing between, roles repeat or the preamble changed."""
    (block,) = compact(sim, said[:2])["content"]
    assert "bound" in code(sim, assistant(block), *said[4:], user("Thank you."))
    assert "bound" in code(sim, assistant(block), *said[2:], user("Thank you."), system="Be kind.")
    (odd,) = compact(sim, said[:3])["content"]
    assert not code(sim, assistant(odd), *said[3:], user("Thank you."))
    bare = [{**m, "content": [b for b in m["content"] if b["type"] != "thinking"]} for m in said[4:]]
    assert not code(sim, assistant(block), *bare, user("Thank you."))


def test_models_that_do_not_bind() -> None:
    """On a model that does not preserve thinking, blocks are written and read all the same."""
    sim = Simulator()
    said = talk(sim, "My order is number 1138.", "Hello.", model="claude-sonnet-5")
    (block,) = compact(sim, said[:2], model="claude-sonnet-5")["content"]
    assert not code(sim, assistant(block), *said[2:], user("Thank you."), model="claude-sonnet-5")


def test_where_a_signed_block_may_not_stand(sim: Simulator, said: list[dict[str, Any]]) -> None:
    """Misplaced, doubled, altered, forged, with null fields or without its header: each is refused by its own code."""
    (block,) = compact(sim, said[:2])["content"]
    first, asked = assistant(block), user("Thank you.")
    assert code(sim, *said[:2], user(block, "More.")) == "compaction_block_misplaced"
    assert code(sim, first, user("Hello."), assistant(block), asked) == "compaction_block_ambiguous"
    assert code(sim, assistant({**block, "content": "Other."}), asked) == "compaction_content_mismatch"
    assert code(sim, assistant({**block, "signature": block["signature"][:-1] + "x"}), asked) == (
        "compaction_signature_invalid"
    )
    assert code(sim, assistant({**block, "tool_changes": None}), asked) != ""
    assert code(sim, assistant({**block, "encrypted_content": None}), asked).startswith("messages.0.content.0")
    assert "does not match" in code(sim, first, asked, betas="")
    assert "signature" in code(sim, first, asked, betas=OLD_BETA)
    assert code(sim, first, asked) == ""


def test_what_cannot_be_compacted(sim: Simulator, said: list[dict[str, Any]]) -> None:
    """Open tool calls, nothing to summarise, clashing options, models without it, other fields."""
    opened = [user("Where is order 1138?"), assistant(call(order=1138))]
    assert code(sim, *opened, **SUMMARISE, tools=[TOOL]) == "compaction_incomplete_turn"
    assert not code(sim, *opened, user(result()), **SUMMARISE, tools=[TOOL])
    (block,) = compact(sim, said)["content"]
    assert code(sim, assistant(block), **SUMMARISE) == "compaction_nothing_to_summarize"
    assert "stop_sequences" in code(sim, *said, **SUMMARISE, stop_sequences=["x"])
    assert "context_management" in code(
        sim, *said, **SUMMARISE, context_management={"edits": []}, betas=f"{BETA},context-management-2025-06-27"
    )
    assert "does not support" in code(sim, *said, **SUMMARISE, model="claude-haiku-5-5")
    assert "instructions" in code(
        sim, *said, max_tokens=9, compaction={"type": "summarize", "instructions": "x" * 16_385}
    )
    assert "trigger" in code(sim, *said, max_tokens=9, compaction={"type": "summarize", "trigger": 1})
    assert "summarize" in code(sim, *said, max_tokens=9, compaction={"type": "other"})
    assert "Extra inputs" in code(sim, *said, **SUMMARISE, betas="")


def test_no_summary(sim: Simulator, said: list[dict[str, Any]]) -> None:
    """A refusal, too small a limit or a tool call leave the content empty, and the stop reason says why."""
    sim.fail_next(Refusal())
    assert (found := compact(sim, said))["content"] == [] and found["stop_reason"] == "refusal"
    sim.fail_next(Stopped(tokens=7))
    assert (found := compact(sim, said))["content"] == [] and found["stop_reason"] == "max_tokens"
    assert compact(sim, said, max_tokens=1)["stop_reason"] == "max_tokens"
    sim.script([[call(order=1)]])
    assert compact(sim, [user("Order 1?"), assistant("Yes?")], tools=[TOOL])["stop_reason"] == "tool_use"
    sim.script([Reply(content="All about order 1138.")])
    assert compact(sim, said)["content"][0]["content"] == "All about order 1138."


def test_summaries_stay_short(sim: Simulator) -> None:
    """However much was said, the summary fits max_tokens; images of what it replaces are gone."""
    facts = [user(f"Fact {n}: parcel {n} weighs {n * 3} kilograms in Leeds.", image()) for n in range(200)]
    said = [message for fact in facts for message in (fact, assistant("Noted."))]
    (block,) = compact(sim, said, max_tokens=400)["content"]
    assert isinstance(block["content"], str) and sim.log[-1].usage is not None and sim.log[-1].usage.output <= 300


def test_through_the_sdk(client: anthropic.Anthropic, said: list[dict[str, Any]]) -> None:
    """The SDK's beta client gets the block at once and streamed, sends it back, and knows the errors' classes."""
    ask: Any = {**body(*said), **SUMMARISE, "betas": [BETA]}
    whole = client.beta.messages.create(**ask)
    with client.beta.messages.stream(**ask) as stream:
        streamed = stream.get_final_message()
    block = whole.content[0].to_dict()
    assert streamed.content[0].to_dict() == block and streamed.stop_reason == "compaction"
    assert whole.usage.iterations is not None and whole.usage.iterations[0].type == "compaction"
    assert streamed.usage.iterations == whole.usage.iterations
    asked: Any = {**body(assistant(block), user("What is the order number?")), "betas": [BETA]}
    assert "1138" in client.beta.messages.create(**asked).content[-1].text
    asked["messages"][0]["content"][0]["content"] = "Other."
    with pytest.raises(anthropic.types.CompactionContentMismatchError):
        client.beta.messages.create(**asked)
    assert client.beta.models.retrieve(MODEL).capabilities.compaction.supported  # type: ignore[union-attr]


def test_by_threshold(sim: Simulator) -> None:
    """Above its trigger a request is compacted first: block, then reply, each billed as an iteration of its own."""
    said = [user("My order is number 1138. " + long(30_000)), assistant("Noted."), user("What is the order number?")]
    edit = {"type": "compact_20260112", "trigger": {"type": "input_tokens", "value": 50_000}}
    status, reply = post(sim, body(*said, context_management={"edits": [edit]}), betas=OLD_BETA)
    assert status == 200, reply
    assert [block["type"] for block in reply["content"]] == ["compaction", "thinking", "text"]
    kinds = [part["type"] for part in reply["usage"]["iterations"]]
    assert kinds == ["compaction", "message"] and reply["usage"]["input_tokens"] < 10_000
    used = [Usage.from_wire(part) for part in reply["usage"]["iterations"]]
    assert sim.log[-1].cost == pytest.approx(sum(dollars(part, card(MODEL), {}) for part in used))
    assert sim.log[-1].usage == used[0] + replace_thinking(used[1], sim)
    after = [*said, {"role": "assistant", "content": reply["content"]}, user("Thanks.")]
    assert code(sim, *after, betas=OLD_BETA) == "" and code(sim, *after[3:], betas=OLD_BETA) == ""
    assert sim.count(body(*after), betas=[OLD_BETA]) == sim.count(body(*after[3:]), betas=[OLD_BETA])


def replace_thinking(usage: Usage, sim: Simulator) -> Usage:
    """The log knows what was thinking; an iteration does not say."""
    found = sim.log[-1].usage
    assert found is not None
    return Usage(**{**{name: getattr(usage, name) for name in ("fresh", "read", "write_5m", "write_1h", "output")},
                    "thinking": found.thinking})  # fmt: skip


def test_by_threshold_with_a_pause_and_below(sim: Simulator) -> None:
    """With a pause the reply is the block alone; below the trigger nothing happens; the trigger has a minimum."""
    edit = {"type": "compact_20260112", "trigger": {"type": "input_tokens", "value": 50_000}}
    paused: Any = {"edits": [{**edit, "pause_after_compaction": True}]}
    _, reply = post(sim, body(user(long(30_000)), context_management=paused), betas=OLD_BETA)
    assert reply["stop_reason"] == "compaction" and [b["type"] for b in reply["content"]] == ["compaction"]
    _, reply = post(sim, body(user("Hi."), context_management=paused), betas=OLD_BETA)
    assert reply["stop_reason"] == "end_turn" and "iterations" not in reply["usage"]
    low: Any = {"edits": [{**edit, "trigger": {"type": "input_tokens", "value": 100}}]}
    assert "at least" in code(sim, user("Hi."), betas=OLD_BETA, context_management=low)


def test_imported_histories_replay(sim: Simulator) -> None:
    """Unsigned blocks, several of them, null ones too, may stand where the API once put them."""
    old = {"type": "compaction", "content": "The order number is 1138."}
    failed = {"type": "compaction", "content": None}
    messages = [user("Hello."), assistant(failed, "Hi."), user("More."), assistant(old, "Yes."), user("Order number?")]
    assert code(sim, *messages, betas=OLD_BETA) == ""
    again = [*messages, assistant({**old, "content": "Order 1139."}, "So."), user("What is the order number?")]
    _, reply = post(sim, body(*again), betas=OLD_BETA)
    assert "1139" in reply["content"][-1]["text"] and "1138" not in reply["content"][-1]["text"]
