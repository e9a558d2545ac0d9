"""Claude Code transcripts: merging, branches, compactions and the calls behind them."""

from __future__ import annotations

import json
from collections import Counter
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


def words(*found: ImportedConversation) -> list[str]:
    return [turn.text or turn.content[0]["type"] for conversation in found for turn in conversation.turns]


def notes(*found: ImportedConversation) -> str:
    return "\n".join(note.text for conversation in found for note in conversation.notes)


def queue(operation: str, second: int, content: str | None = None, **more: Any) -> dict[str, Any]:
    stamp = f"2026-02-11T20:00:{second:02}.000Z"
    row = {"type": "queue-operation", "operation": operation, "timestamp": stamp, "sessionId": "s", **more}
    return row if content is None else {**row, "content": content}


TYPED = (
    said("u1", None, 1),
    reply("a1", "u1", 2, "m1", use("c1")),
    queue("enqueue", 3, "use the other port"),
    queue("remove", 5),
    result("r1", "a1", 6, "c1"),
    reply("a2", "r1", 8, "m2", text()),
)


def test_a_prompt_typed_while_claude_works_stands_where_it_was_handed_over() -> None:
    """It is a turn of its own behind the results that were out by then, never between a call and its result."""
    (conversation,) = load(*TYPED)
    assert words(conversation) == ["go", "tool_use", "tool_result", "use the other port", "done"]
    assert conversation.problems == ()


def test_a_prompt_typed_while_claude_works_may_stand_in_an_attachment_and_is_read_once() -> None:
    """The attachment is a link of the chain; the row of the queue beside it says nothing more."""
    attached = {"type": "queued_command", "commandMode": "prompt", "prompt": "use the other port"}
    row = line("attachment", "q1", "r1", 7, attachment=attached)
    (conversation,) = load(*TYPED[:-1], row, reply("a2", "q1", 8, "m2", text()))
    assert words(conversation) == ["go", "tool_use", "tool_result", "use the other port", "done"]


def test_a_typed_prompt_that_became_a_message_of_its_own_is_no_second_one() -> None:
    """What waited until Claude was done stands in the file as any prompt does."""
    rows = (said("u1", None, 1), queue("enqueue", 2, "and then?"), reply("a1", "u1", 3, "m1", text()))
    (conversation,) = load(*rows, queue("dequeue", 4), said("u2", "a1", 4, "and then?"))
    assert words(conversation) == ["go", "done", "and then?"]
    assert notes(conversation) == ""


@pytest.mark.parametrize("last", [(), (queue("popAll", 4),)])
def test_a_typed_prompt_that_never_went_out_is_named(last: tuple[dict[str, Any], ...]) -> None:
    """It is no turn, and a note quotes it."""
    (conversation,) = load(said("u1", None, 1), queue("enqueue", 2, "never mind"), *last)
    assert words(conversation) == ["go"]
    assert "1 prompts waited in the queue and were never sent to Claude; left out: 'never mind'" in notes(conversation)


def test_a_row_that_does_not_say_which_prompt_it_hands_over_means_the_persons() -> None:
    """Notices of the program wait until Claude is done, whenever they came."""
    notice = queue("enqueue", 2, "<task-notification>done</task-notification>")
    (conversation,) = load(TYPED[0], notice, *TYPED[1:])
    assert words(conversation) == ["go", "tool_use", "tool_result", "use the other port", "done"]
    assert "1 prompts waited in the queue" in notes(conversation)


def test_a_parent_that_is_not_in_the_file_is_the_row_before() -> None:
    """A broken link costs no turn, and the line is named."""
    broken = said("u2", "gone", 3, "next")
    (conversation,) = load(said("u1", None, 1), reply("a1", "u1", 2, "m1", text()), broken)
    assert words(conversation) == ["go", "done", "next"]
    assert "1 rows name a parent that is not in the file, and follow the row before: 3" in notes(conversation)


def test_rows_that_name_no_parent_follow_one_another() -> None:
    """Where no row is linked, the file's order is the conversation's."""
    unlinked = [{**row, "parentUuid": None} for row in PARALLEL if row["type"] != "progress"]
    (conversation,) = load(*unlinked)
    assert words(conversation) == ["go", "looking", "tool_result", "done"]
    assert conversation.problems == ()


def test_a_first_prompt_told_anew_is_a_branch() -> None:
    """A linked session that has two beginnings went back to its start: the last branch counts, the other is named."""
    again = (said("u2", None, 3, "no, this"), reply("a2", "u2", 4, "m2", text("well")))
    (conversation,) = load(said("u1", None, 1), reply("a1", "u1", 2, "m1", text()), *again)
    assert words(conversation) == ["no, this", "well"]
    assert "2 turns on other branches are left out" in notes(conversation)


def cut(uuid: str, second: int, head: str | None = None, tail: str | None = None) -> dict[str, Any]:
    kept = {"preservedSegment": {"headUuid": head, "anchorUuid": f"{uuid}s", "tailUuid": tail}} if head else {}
    more = {"compactMetadata": {"trigger": "auto", "preTokens": 9000, **kept}}
    return line("system", uuid, None, second, subtype="compact_boundary", logicalParentUuid=tail, **more)


def summary(uuid: str, second: int) -> dict[str, Any]:
    return said(f"{uuid}s", uuid, second, f"so far {uuid}", isCompactSummary=True)


KEPT = (
    said("u1", None, 1, "one"),
    reply("a1", "u1", 2, "m1", text("first")),
    said("u2", "a1", 3, "two"),
    reply("a2", "u2", 4, "m2", text("second")),
    cut("x", 5, "u2", "a2"),
    summary("x", 5),
    said("u3", "a2", 6, "three"),  # its parent is what was kept, not the summary
    reply("a3", "u3", 7, "m3", text("third")),
)


def test_what_follows_the_part_that_a_compaction_kept_follows_its_summary() -> None:
    """Every turn once, in order, the summary among them; the prompt begins at it."""
    (conversation,) = load(*KEPT)
    assert words(conversation) == ["one", "first", "two", "second", "so far x", "three", "third"]
    assert conversation.problems == ()
    assert requests(conversation)[-1].prompt == ("xs", "u3")


def test_a_second_compaction_that_writes_older_rows_again_loses_none_of_the_newer_ones() -> None:
    """Copies are read once; the second compaction follows what stood before it, whatever its links say."""
    hook = line("system", "h", "a1", 8, subtype="stop_hook_summary")  # linked to the last copy
    second = (*KEPT[:2], hook, cut("y", 9, "a3", "h"), summary("y", 9), said("u4", "h", 10, "four"))
    (conversation,) = load(*KEPT, *second)
    assert words(conversation)[4:] == ["so far x", "three", "third", "so far y", "four"]
    assert "2 rows or blocks were logged twice; read once" in notes(conversation)


def test_a_prompt_logged_twice_under_two_names_is_said_once() -> None:
    """Same session, same moment, same words: one turn, and what follows either of them follows it."""
    (conversation,) = load(said("u1", None, 1), said("u2", "u1", 1), reply("a1", "u2", 2, "m1", text()))
    assert words(conversation) == ["go", "done"]
    assert "logged twice" in notes(conversation)


def test_doubled_blocks_of_a_message_are_read_once() -> None:
    """A row that repeats the blocks before it, or holds all of them and more, adds only what is new."""
    whole = reply("a2", "a1", 3, "m1", text("looking"))
    whole["message"]["content"].append(use("c1"))
    (conversation,) = load(
        said("u1", None, 1), reply("a1", "u1", 2, "m1", text("looking")), whole, whole | {"uuid": "a3"}
    )
    assert [block["type"] for block in conversation.turns[1].content] == ["text", "tool_use"]


def test_a_message_id_used_again_after_another_prompt_is_another_message() -> None:
    """Only rows of one answer are merged."""
    rows = (said("u1", None, 1), reply("a1", "u1", 2, "m1", text("yes")), said("u2", "a1", 3, "and?"))
    (conversation,) = load(*rows, reply("a2", "u2", 4, "m1", text("no")))
    assert words(conversation) == ["go", "yes", "and?", "no"]


def test_replies_without_an_id_are_turns() -> None:
    """A reply that lost its id is read under its row's."""
    bare = reply("a1", "u1", 2, "m1", text())
    del bare["message"]["id"]
    (conversation,) = load(said("u1", None, 1), bare)
    assert (words(conversation), conversation.turns[1].id) == (["go", "done"], "a1")


def test_sessions_in_one_file_are_conversations_of_their_own() -> None:
    """Each comes under its own id and title; nothing is merged across them, equal message ids included."""
    first = (said("u1", None, 1), reply("a1", "u1", 2, "m1", text()))
    other = [{**row, "uuid": f"t{row['uuid']}", "sessionId": "t"} for row in first]
    other[1]["parentUuid"] = "tu1"
    name = {"type": "ai-title", "aiTitle": "Other", "sessionId": "t"}
    one, two = load(first[0], other[0], first[1], other[1], name)
    assert [(one.id, one.title), (two.id, two.title)] == [("s", None), ("t", "Other")]
    assert words(one) == words(two) == ["go", "done"]


def test_a_title_given_by_a_person_goes_before_the_programs() -> None:
    """custom-title, then ai-title, then summary; the newest of its kind."""
    rows = [
        {"type": "custom-title", "customTitle": "Old", "sessionId": "s"},
        {"type": "custom-title", "customTitle": "Mine", "sessionId": "s"},
        {"type": "ai-title", "aiTitle": "Made up", "sessionId": "s"},
        {"type": "summary", "summary": "Sum", "leafUuid": "u1"},
    ]
    (conversation,) = load(said("u1", None, 1), *rows)
    assert conversation.title == "Mine"
    assert load(said("u1", None, 1), *rows[2:])[0].title == "Made up"


def test_messages_left_out_are_named() -> None:
    """Sub-agents, hints and the program's own messages are no turns; a note says how many there were of each."""
    (conversation,) = load(said("u1", None, 1), said("u2", "u1", 2, isMeta=True), said("x", None, 2, isSidechain=True))
    assert notes(conversation) == "messages left out: 1 of sub-agents (sidechain), 1 hints of the program (meta)"


def test_the_webs_export_and_a_printed_stream_are_transcripts_too() -> None:
    """The rows under `loglines`, and those of stream-json without uuids, in their order."""
    rows = [said("u1", None, 1), reply("a1", "u1", 2, "m1", text())]
    assert words(*parse(json.dumps({"loglines": rows}, indent=1), "claude_code")) == ["go", "done"]
    stream = [{"type": row["type"], "message": row["message"], "session_id": "s"} for row in rows]
    (conversation,) = load({"type": "system", "subtype": "init", "session_id": "s"}, *stream, {"type": "result"})
    assert (conversation.id, words(conversation)) == ("s", ["go", "done"])


def test_real_sessions_lose_no_block(data: Callable[[str], Path]) -> None:
    """Every block of every user and assistant row is in the conversation, as often as it was said."""
    for path in sorted(data("transcripts").glob("*.jsonl")):
        events = [json.loads(row) for row in path.read_text().split("\n") if row]
        rows = {row["uuid"]: row for row in events if row["type"] in ("user", "assistant")}
        said_in = [(row["type"], row["message"]["content"]) for row in rows.values()]
        wanted = Counter((role, json.dumps(block)) for role, content in said_in for block in _blocks(content))
        held = Counter((turn.role, json.dumps(block)) for turn in read(path)[0].turns for block in turn.content)
        assert not wanted - held


def _blocks(content: Any) -> list[Any]:
    return [text(content)] if isinstance(content, str) else content
