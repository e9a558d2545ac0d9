"""Claude Code transcripts: merging, branches, compactions and the calls behind them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sash.errors import InvalidImport
from sash.formats import ImportedConversation, parse, read, requests


def line(kind: str, uuid: str, parent: str | None, second: int = 0, **more: Any) -> dict[str, Any]:
    stamp = f"2026-02-11T20:00:{second:02}.000Z"
    return {"type": kind, "uuid": uuid, "parentUuid": parent, "sessionId": "s", "timestamp": stamp, **more}


def said(uuid: str, parent: str | None, second: int = 0, text: str = "go", **more: Any) -> dict[str, Any]:
    return line("user", uuid, parent, second, message={"role": "user", "content": text}, **more)


def reply(uuid: str, parent: str, second: int, id: str, block: dict[str, Any], output: int = 5) -> dict[str, Any]:
    usage = {"input_tokens": 3, "output_tokens": output}
    message = {"id": id, "role": "assistant", "model": "claude-opus-4-6", "content": [block], "usage": usage}
    return line("assistant", uuid, parent, second, message=message)


def result(uuid: str, parent: str, second: int, call: str) -> dict[str, Any]:
    block = {"type": "tool_result", "tool_use_id": call, "content": "ok"}
    return line("user", uuid, parent, second, message={"role": "user", "content": [block]})


def text(words: str = "done") -> dict[str, Any]:
    return {"type": "text", "text": words}


def use(id: str) -> dict[str, Any]:
    return {"type": "tool_use", "id": id, "name": "Bash", "input": {}}


def load(*events: dict[str, Any], **options: Any) -> tuple[ImportedConversation, ...]:
    return parse("\n".join(json.dumps(event) for event in events), "claude_code", **options)


PARALLEL = (
    said("u1", None, 1),
    reply("a1", "u1", 2, "m1", text("looking"), output=1),
    reply("a2", "a1", 3, "m1", use("c1"), output=1),
    line("progress", "p1", "a2", 3),
    result("r1", "p1", 9, "c1"),
    reply("a3", "a2", 4, "m1", use("c2"), output=80),
    result("r2", "a3", 6, "c2"),
    reply("b1", "r2", 12, "m2", text()),
)


def test_lines_of_one_message_become_one_turn_with_the_last_usage() -> None:
    """A message split over lines is one turn; its usage is that of its last line, its time that of its first."""
    (conversation,) = load(*PARALLEL)
    turn = conversation.turns[1]
    assert [block["type"] for block in turn.content] == ["text", "tool_use", "tool_use"]
    assert (turn.id, turn.usage) == ("m1", {"input_tokens": 3, "output_tokens": 80})
    assert turn.meta["lines"] == ["a1", "a2", "a3"]


def test_results_of_parallel_calls_become_one_user_turn() -> None:
    """Side branches of one message's results are one turn, timed when the last result was in; the rest is legal."""
    (conversation,) = load(*PARALLEL)
    assert [turn.role for turn in conversation.turns] == ["user", "assistant", "user", "assistant"]
    assert [block["tool_use_id"] for block in conversation.turns[2].content] == ["c1", "c2"]
    assert (conversation.turns[2].at or 0) % 60 == 9
    assert conversation.problems == ()


def test_requests_follow_one_another_and_count_their_gaps() -> None:
    """Each call's prompt is all that came before it; the second continues the first."""
    first, second = requests(load(*PARALLEL)[0])
    assert (first.prompt, first.after, first.gap) == (("u1",), None, None)
    assert (second.prompt, second.after, second.gap) == (("u1", "m1", "r1"), "m1", 8.0)
    assert second.answered - second.at == 3


@pytest.mark.parametrize("named", ["b1", "gone"])
def test_a_compaction_starts_a_new_prompt(named: str) -> None:
    """Turns before a compaction stay in the record, not in the prompt, even where the file misses the line it names."""
    boundary = line("system", "x", None, 20, subtype="compact_boundary", logicalParentUuid=named)
    boundary["compactMetadata"] = {"trigger": "auto", "preTokens": 9000}
    summary = said("u2", "x", 20, "so far ...", isCompactSummary=True)
    (conversation,) = load(*PARALLEL, boundary, summary, reply("d1", "u2", 25, "m3", text()))
    assert len(conversation.turns) == 6
    assert conversation.turns[4].meta["compaction"] == {"trigger": "auto", "tokens_before": 9000, "partial": False}
    assert (requests(conversation)[-1].prompt, requests(conversation)[-1].after) == (("u2",), None)
    assert requests(conversation)[-1].gap == 11.0


def test_a_rewound_branch_is_left_out_and_said_or_read_on_request() -> None:
    """The session is the branch it ended on; the other is noted, and read with branches='all'."""
    events = (
        said("u1", None, 1),
        reply("a1", "u1", 2, "m1", text()),
        said("u2", "a1", 3, "old"),
        reply("a2", "u2", 4, "m2", text("old")),
        said("u3", "a1", 5, "new"),
        reply("a3", "u3", 6, "m3", text("new")),
    )
    (last,) = load(*events)
    assert [turn.id for turn in last.turns] == ["u1", "m1", "u3", "m3"]
    assert "2 turns on other branches" in last.problems[0].text
    branches = load(*events, branches="all")
    assert [[turn.id for turn in branch.turns] for branch in branches] == [
        ["u1", "m1", "u2", "m2"],
        ["u1", "m1", "u3", "m3"],
    ]
    assert requests(last)[1].after == "m1"


def test_what_is_no_message_of_the_session_is_counted_not_read() -> None:
    """Meta lines, sub-agents and the program's own messages are left out, and the links pass through them."""
    synthetic = reply("y", "u1", 3, "m9", text("API Error"))
    synthetic["message"]["model"] = "<synthetic>"
    (conversation,) = load(
        said("u0", None, 1, isMeta=True),
        said("u1", "u0", 2),
        synthetic,
        said("side", None, 2, isSidechain=True),
        reply("a1", "y", 4, "m1", text()),
        {"type": "file-history-snapshot"},
    )
    assert [turn.id for turn in conversation.turns] == ["u1", "m1"]
    assert conversation.meta["skipped"] == {"meta": 1, "synthetic": 1, "sidechain": 1, "file-history-snapshot": 1}


def test_a_file_that_is_all_sidechain_is_a_sub_agents_own_session() -> None:
    """A sub-agent's transcript is read as a session named after it."""
    (conversation,) = load(said("u1", None, 1, isSidechain=True, agentId="a7"))
    assert (conversation.id, len(conversation.turns)) == ("s/a7", 1)


def test_links_in_a_circle_end() -> None:
    """A transcript whose lines are each other's parents is read without going round for ever."""
    (conversation,) = load(said("u1", "u2", 1), said("u2", "u1", 2))
    assert {turn.id for turn in conversation.turns} == {"u1", "u2"}


def test_a_truncated_last_line_is_named() -> None:
    """A transcript cut short is refused with the number of the broken line."""
    whole = "\n".join(json.dumps(event) for event in PARALLEL)
    with pytest.raises(InvalidImport) as caught:
        parse(whole[:-20], "claude_code", path="t.jsonl")
    assert caught.value.line == len(PARALLEL)


def test_a_transcript_without_messages_is_refused() -> None:
    """A file of events that hold no message is no conversation."""
    with pytest.raises(InvalidImport, match="no message"):
        load(line("progress", "p", None))


@pytest.mark.parametrize(
    ("name", "calls", "results"),
    [
        ("258c7280-ae70-4798-800f-63464d01a85d.jsonl", 152, 186),
        ("4d5611e5-241a-462a-8d15-5122611a9569.jsonl", 139, 150),
        ("4d5611e5_agent-a2898e3.jsonl", 12, 33),
        ("8463c716-a2ea-4c14-9efa-87158ebd9f20.jsonl", 143, 177),
    ],
)
def test_real_sessions_are_whole_and_legal(data: Callable[[str], Path], name: str, calls: int, results: int) -> None:
    """Every call and result of a real file is on the one branch; each prompt extends its predecessor's."""
    (conversation,) = read(data(f"transcripts/{name}"))
    blocks = [block["type"] for turn in conversation.turns for block in turn.content]
    found = {request.id: request for request in requests(conversation)}
    assert (len(found), blocks.count("tool_result")) == (calls, results)
    assert conversation.problems == ()
    for request in found.values():
        before = found.get(request.after or "")
        assert before is None or request.prompt[: len(before.prompt) + 1] == (*before.prompt, before.id)
        assert request.answered >= request.at


def test_real_usage_reads_what_the_request_before_left_in_the_cache(data: Callable[[str], Path]) -> None:
    """read(n+1) = read(n) + created(n) for nearly all calls whose predecessor is known: requests() links truly."""
    held = known = 0
    for path in sorted(data("transcripts").glob("*.jsonl")):
        found = {request.id: request for request in requests(read(path)[0])}
        for request in found.values():
            if request.after is not None:
                before = found[request.after].usage
                left = before["cache_read_input_tokens"] + before["cache_creation_input_tokens"]
                known += 1
                held += request.usage["cache_read_input_tokens"] == left
    assert known >= 439
    assert held / known > 0.98
