"""ServerCompaction: the API compacts what leaves; the signed block stands first, kept turns keep their thinking."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

import sash
from sash import AsyncConversation, Conversation, Economic, ServerCompaction, SlidingWindow, formats
from sash.errors import InvalidOption
from sash.model.blocks import dumps
from sash.model.turns import Draft
from sash.simulator import Overloaded, Refusal, Simulator, Stopped
from sash.simulator.prompt import THINKING

BETA, OLD_BETA = "compact-2026-09-04", "compact-2026-01-12"


def said(number: int) -> str:
    """A statement with a fact of its own."""
    return f"Parcel {number} weighs {number * 3 + 7} kilograms. " + "The tide came in and went out again. " * 30


def talker(sim: Simulator, store: Any = None, **settings: Any) -> Conversation:
    """A conversation with a small budget."""
    fields: dict[str, Any] = {"strategy": ServerCompaction(), "budget": 4_000, "keep": 1_000, **settings}
    return Conversation(
        store, id="a", client=sim.client(max_retries=0), clock=sim.clock.now, count_online=False, **fields
    )  # fmt: skip


def imported(sim: Simulator, path: Path, messages: list[Any], **settings: Any) -> Conversation:
    """A conversation whose past was said elsewhere and read from a file."""
    source = path / "history.json"
    source.write_text(json.dumps({"messages": messages}))
    (history,) = formats.read(source, "anthropic")
    store = sash.open(path / "imported.db")
    key = store.branches.open(namespace="", id="a").conversation
    drafts = tuple(Draft(role=turn.role, content=dumps(turn.content), at=turn.at) for turn in history.turns)
    store.turns.append(key, head=0, turns=drafts, at=sim.clock.now() - 9_000)
    store.close()
    return talker(sim, path / "imported.db", **settings)


def talk(chat: Conversation, sim: Simulator, times: int, start: int = 0) -> list[Any]:
    """So many exchanges, some seconds apart; the replies."""
    replies = []
    for number in range(start, start + times):
        replies.append(chat.send(said(number)))
        sim.clock.advance(20)
    return replies


def compactions(sim: Simulator) -> list[Any]:
    """The attempts that asked for a block."""
    return [attempt for attempt in sim.messages if attempt.body.get("compaction")]


def plain(sim: Simulator) -> list[Any]:
    """The conversation's own attempts."""
    return [attempt for attempt in sim.messages if not attempt.body.get("compaction")]


def thinking_in(body: Any) -> int:
    """How many thinking blocks a body sends."""
    blocks = [block for message in body["messages"] for block in message["content"] if isinstance(block, dict)]
    return sum(block["type"] in THINKING for block in blocks)


@pytest.fixture
def sim() -> Simulator:
    """A fresh simulator."""
    return Simulator()


def test_what_leaves_is_compacted(sim: Simulator) -> None:
    """At a cut the view before it is compacted, and the block stands first and unchanged until the next one."""
    chat = talker(sim)
    replies = talk(chat, sim, 16)
    assert all(attempt.status == 200 for attempt in sim.log) and len(compactions(sim)) >= 2
    last = plain(sim)[-1].body["messages"]
    block = last[0]["content"][0]
    assert last[0]["role"] == "assistant" and block["type"] == "compaction" and "Parcel 0" in block["content"]
    blocks = [summary for summary in chat.summaries() if summary.state == "ready"]
    assert [summary.method for summary in blocks] == ["server"] * len(blocks) and blocks[-1].blocks == [block]
    assert blocks[-1].parent == blocks[-2].id and all(summary.cost for summary in blocks)
    assert any("compact" in note or "summary" in note for reply in replies for note in reply.notes)


def test_the_header_goes_with_the_block(sim: Simulator) -> None:
    """Requests without a block carry no compaction header; every one with a block, and every compaction, does."""
    chat = talker(sim)
    talk(chat, sim, 12)
    for attempt in sim.messages:
        held = "compaction" in attempt.body or attempt.body["messages"][0]["content"][0]["type"] == "compaction"
        assert (BETA in attempt.betas) == held


def test_kept_turns_keep_their_thinking(sim: Simulator) -> None:
    """Behind the block the kept turns are sent with their thinking, which the API takes; a plain cut strips it."""
    talk(talker(sim), sim, 14)
    cuts = [after for before, after in zip(sim.messages, sim.messages[1:], strict=False) if "compaction" in before.body]
    assert cuts and all(thinking_in(cut.body) > 0 for cut in cuts)
    other = Simulator()
    replies = talk(talker(other, strategy=Economic()), other, 14)
    cut = next(reply for reply in replies[1:] if reply.plan.cut)
    assert thinking_in(cut.plan.body) == 0


def test_it_reads_the_cache(sim: Simulator) -> None:
    """A compaction reads what the conversation's own requests wrote, rather than paying for it again."""
    talk(talker(sim, budget=8_000), sim, 20)
    used = [attempt.usage for attempt in compactions(sim)]
    assert all(usage.write == 0 for usage in used) and sum(usage.read for usage in used) > sum(
        usage.fresh for usage in used
    )


def test_what_it_costs_is_counted(sim: Simulator) -> None:
    """Usage and cost of the record are those of the bill, compactions included."""
    chat = talker(sim)
    talk(chat, sim, 12)
    row = chat.usage()
    assert row.dollars == pytest.approx(sim.cost) and row.requests == len(sim.messages)


def test_leaving_loses_nothing(sim: Simulator, tmp_path: Path) -> None:
    """With another strategy the next cut is plain; all raw turns are in the record, and every past body rebuilds."""
    path = tmp_path / "a.db"
    chat = talker(sim, path)
    talk(chat, sim, 12)
    chat.close()
    chat = talker(sim, path, strategy=Economic())
    replies = talk(chat, sim, 10, start=12)
    assert all(attempt.status == 200 for attempt in sim.log)
    for reply, attempt in zip(replies, plain(sim)[-10:], strict=True):
        assert (reply.plan.epoch.summary is not None) == (BETA in attempt.betas)
    assert BETA in plain(sim)[11].betas and BETA not in plain(sim)[-1].betas
    assert [turn.text for turn in chat.history() if turn.role == "user"] == [said(number) for number in range(22)]
    assert all(chat.request(number).intact for number in range(1, 23))


@pytest.mark.parametrize("fault", [Refusal(), Stopped(tokens=3), Overloaded()])
def test_when_there_is_no_block(sim: Simulator, fault: Any) -> None:
    """A compaction that fails changes nothing: the cut is plain, the reply says so, the turns stay in the record."""
    chat = talker(sim)
    sim.fail_next(fault, times=100, when=lambda body: "compaction" in body)
    replies = talk(chat, sim, 12)
    assert len(compactions(sim)) >= 1 and all(attempt.status == 200 for attempt in plain(sim))
    assert any("cut without a summary" in note for reply in replies for note in reply.notes)
    assert len(chat.history()) == 24
    assert all(summary.state == "rejected" for summary in chat.summaries())


def test_a_breaker(sim: Simulator) -> None:
    """After some failures in a row the API is left alone for a while."""
    chat = talker(sim, budget=2_500, keep=500)
    sim.fail_next(Overloaded(), times=1_000, when=lambda body: "compaction" in body)
    talk(chat, sim, 30)
    assert 1 <= len(compactions(sim)) <= 8


def test_models_without_it(sim: Simulator) -> None:
    """On a model that does not offer compaction nothing is asked, and cuts are plain."""
    talk(talker(sim, model="claude-haiku-5-5"), sim, 12)
    assert not compactions(sim) and all(attempt.status == 200 for attempt in sim.log)


def test_a_changed_preamble(sim: Simulator) -> None:
    """With another system prompt the block stays in front, without any thinking behind it."""
    chat = talker(sim)
    talk(chat, sim, 9)
    assert compactions(sim)
    reply = chat.send("Go on.", system="Be brief.")
    assert reply.plan.epoch.summary is not None and thinking_in(reply.plan.body) == 0
    assert all(attempt.status == 200 for attempt in sim.log)


def test_instructions_and_pins_between(sim: Simulator) -> None:
    """Instructions and pinned exchanges are placed again behind the block; all of that is legal."""
    chat = talker(sim)
    talk(chat, sim, 2)
    chat.instruct("Answer in metric units.")
    talk(chat, sim, 2, start=2)
    chat.pin(chat.history()[0])
    talk(chat, sim, 12, start=4)
    assert compactions(sim) and all(attempt.status == 200 for attempt in sim.log)
    last = plain(sim)[-1].body["messages"]
    assert any(message["role"] == "system" for message in last) and said(0) in str(last)


def test_a_long_import(sim: Simulator, tmp_path: Path) -> None:
    """A history that was never sent is compacted as it is, before the first question."""
    messages = [
        message
        for number in range(40)
        for message in ({"role": "user", "content": said(number)}, {"role": "assistant", "content": "Noted."})
    ]
    chat = imported(sim, tmp_path, messages, budget=3_000, keep=600)
    reply = chat.send("What does parcel 3 weigh?")
    assert len(compactions(sim)) == 1 and reply.plan.epoch.summary is not None
    assert "Parcel 3 weighs 16 kilograms" in reply.plan.epoch.summary.text
    assert all(attempt.status == 200 for attempt in sim.log)


def test_own_instructions(sim: Simulator) -> None:
    """Instructions take the place of the API's own prompt; too long ones are refused when the strategy is made."""
    talk(talker(sim, strategy=ServerCompaction(instructions="Keep weights.")), sim, 9)
    assert compactions(sim)[0].body["compaction"] == {"type": "summarize", "instructions": "Keep weights."}
    for wrong in ({"instructions": "x" * 16_385}, {"keep": -1}, {"tokens": 0}, {"inner": ServerCompaction()}):
        with pytest.raises(InvalidOption):
            ServerCompaction(**wrong)


def test_threshold_histories_go_on(sim: Simulator, tmp_path: Path) -> None:
    """A history that the API compacted by threshold is imported as it is, sent with its header, and cut like any."""
    block = {"type": "compaction", "content": "Parcel 99 weighs 5 kilograms."}
    messages: list[Any] = [{"role": "user", "content": "Hello."}]
    messages += [{"role": "assistant", "content": [block, {"type": "text", "text": "I see."}]}]
    chat = imported(sim, tmp_path, messages, strategy=Economic(), budget=3_000)
    reply = chat.send("What does parcel 99 weigh?")
    assert "5 kilograms" in reply.text and OLD_BETA in plain(sim)[-1].betas
    talk(chat, sim, 12)
    assert all(attempt.status == 200 for attempt in sim.log) and OLD_BETA not in plain(sim)[-1].betas


def test_what_the_api_ignores_is_not_sent(sim: Simulator, tmp_path: Path) -> None:
    """What stands before such a block is neither sent nor counted; a pin in front has the raw turns sent instead."""
    block = {"type": "compaction", "content": "Parcel 99 weighs 5 kilograms."}
    messages: list[dict[str, Any]] = [
        message
        for number in range(20)
        for message in ({"role": "user", "content": said(number)}, {"role": "assistant", "content": "Noted."})
    ]
    messages[-1] = {"role": "assistant", "content": [block, {"type": "text", "text": "Noted."}]}
    chat = imported(sim, tmp_path, messages, strategy=Economic(), budget=30_000, memory="none")
    for number in range(4):
        reply = chat.send(f"What does parcel {number} weigh?")
        assert reply.usage.prompt <= reply.plan.prompt.upper < 1_000
        sim.clock.advance(30)
    assert plain(sim)[-1].body["messages"][0]["content"][0] == block
    chat.pin(chat.history()[0])
    chat.strategy = SlidingWindow(turns=6)
    reply = chat.send("And parcel 3?", system="Be brief.")
    assert reply.plan.epoch.pinned_seqs and reply.usage.prompt <= reply.plan.prompt.upper
    assert OLD_BETA not in plain(sim)[-1].betas and said(0) in str(plain(sim)[-1].body)
    assert all(attempt.status == 200 for attempt in sim.log)


def test_threshold_histories_under_server_compaction(sim: Simulator, tmp_path: Path) -> None:
    """Such a history is taken over by a block of our own; the two never meet in one request."""
    block = {"type": "compaction", "content": "Parcel 99 weighs 5 kilograms."}
    messages: list[Any] = [{"role": "user", "content": "Hello."}]
    messages += [{"role": "assistant", "content": [block, {"type": "text", "text": "I see."}]}]
    chat = imported(sim, tmp_path, messages, budget=3_000, keep=600)
    talk(chat, sim, 14)
    assert compactions(sim) and all(attempt.status == 200 for attempt in sim.log)
    assert "Parcel 99" in chat.summaries()[0].text


def test_async(sim: Simulator) -> None:
    """The asynchronous conversation does the same."""

    async def run() -> int:
        async with AsyncConversation(
            None, id="a", client=sim.async_client(), clock=sim.clock.now, strategy=ServerCompaction(), budget=4_000,
            keep=1_000, count_online=False,
        ) as chat:  # fmt: skip
            for number in range(12):
                await chat.send(said(number))
                sim.clock.advance(20)
            return len(await chat.summaries())

    assert asyncio.run(run()) == len(compactions(sim)) >= 1
    assert all(attempt.status == 200 for attempt in sim.log)


def test_redaction_ends_the_block(sim: Simulator) -> None:
    """When a turn that a block stands for is redacted, the block is not sent any more, and its words are gone."""
    chat = talker(sim)
    talk(chat, sim, 10)
    assert compactions(sim) and "Parcel 0 weighs" in str(plain(sim)[-1].body)
    chat.redact(chat.history()[0])
    talk(chat, sim, 1, start=10)
    assert "Parcel 0 weighs" not in str(plain(sim)[-1].body)
    assert all("Parcel 0 weighs" not in summary.text for summary in chat.summaries())
    assert all(attempt.status == 200 for attempt in sim.log)


def test_recalled_turns_and_kept_thinking(sim: Simulator) -> None:
    """What was attached to kept turns leaves at the cut; their thinking then goes too, and nothing is refused."""
    chat = talker(sim, recall=True)
    for number in range(16):
        chat.send(f"What does parcel {max(0, number - 5)} weigh? {said(number)}")
        sim.clock.advance(20)
    assert compactions(sim) and all(attempt.status == 200 for attempt in sim.log)
