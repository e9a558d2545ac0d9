"""Histories from elsewhere go on: whatever is recorded, after a repair the next sends are legal and nothing is lost."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from histories import WORD, messages
from sash import Conversation, MemoryStore
from sash.errors import InvalidContent
from sash.planning.strategies import Everything
from sash.simulator import Simulator

NIGHTLY = int(os.environ.get("SASH_EXAMPLES", "10000"))
LATE: list[dict[str, Any]] = [
    {"role": "user", "content": "Look up the harbour."},
    {
        "role": "assistant",
        "content": [
            {"type": "tool_use", "id": "t1", "name": "lookup", "input": {"q": "harbour"}},
            {"type": "tool_use", "id": "t2", "name": "lookup", "input": {"q": "quay"}},
        ],
    },
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t2", "content": "said-1."}]},
    {"role": "user", "content": "said-2."},
    {"role": "assistant", "content": "said-3."},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "said-4."}]},
    {"role": "assistant", "content": "said-5."},
]
GREETING = [
    {"role": "assistant", "content": "said-1."},
    {"role": "user", "content": "said-2."},
    {"role": "assistant", "content": "said-3."},
]


def goes_on(history: list[dict[str, Any]], parts: int = 1, **given: Any) -> list[dict[str, Any]]:
    """Record a history in so many calls, repair, send twice; the body of the first send."""
    sim = Simulator()
    with (
        sim.client(max_retries=0) as client,
        Conversation(MemoryStore(), client=client, strategy=Everything(), **given) as chat,
    ):
        size = -(-len(history) // parts) or 1
        recorded = [turn for at in range(0, len(history), size) for turn in chat.extend(history[at : at + size])]
        told = chat.check(repair=True)
        assert all(problem.done for problem in told), told
        assert chat.check() == []
        chat.send("And now?")
        chat.send("And then?")
        assert [attempt.status for attempt in sim.messages] == [200, 200]
        assert chat.check() == []
        body: dict[str, Any] = sim.messages[0].body
    named = {problem.path.split(".")[1] for problem in told if problem.path != "turns"}
    in_view = set(WORD.findall(json.dumps(body)))
    for message, turn in zip(history, recorded, strict=True):
        lost = set(WORD.findall(json.dumps(message))) - in_view
        assert not lost or str(turn.seq) in named, (lost, turn)
    found: list[dict[str, Any]] = body["messages"]
    return found


PAUSED = [
    {
        "role": "assistant",
        "content": [
            {"type": "text", "text": "said-0.", "annotations": []},
            {"type": "server_tool_use", "id": "x", "name": "web_search", "input": {"query": "q"}},
        ],
    },
    {"role": "user", "content": "said-1."},
]
PAUSED_CALL = [
    {
        "role": "assistant",
        "content": [
            {"type": "server_tool_use", "id": "x", "name": "web_search", "input": {}},
            {"type": "tool_use", "id": "x", "name": "lookup", "input": {"word": "said-0."}},
        ],
    }
]

PAUSED_FIND = {
    "role": "assistant",
    "content": [
        {"type": "server_tool_use", "id": "x", "name": "web_search", "input": {"query": "q"}},
        {"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "said-0."}]},
    ],
}


@settings(max_examples=300)
@example([PAUSED_FIND], 1)
@example([PAUSED_FIND, {"role": "assistant", "content": "said-1."}], 1)
@example([PAUSED_FIND, {"role": "assistant", "content": "said-1."}], 2)
@example(LATE, 1)
@example(LATE, 3)
@example(GREETING, 1)
@example(PAUSED, 2)
@example(PAUSED_CALL, 1)
@example([{"role": "assistant", "content": [block]} for block in reversed(PAUSED_CALL[0]["content"])], 1)
@example([*PAUSED_CALL, {"role": "user", "content": "said-1."}], 2)
@example([{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "x", "content": {"v": "said-0."}}]}], 1)
@example([{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "x", "content": ["said-0.", 7]}]}], 1)
@given(messages(8), st.integers(1, 3))
def test_any_history_goes_on(history: list[dict[str, Any]], parts: int) -> None:
    """After a repair the next sends are legal, nothing is left wrong, and what was said is sent or named."""
    goes_on(history, parts)


@pytest.mark.nightly
@settings(max_examples=NIGHTLY)
@given(messages(12), st.integers(1, 4))
def test_ten_thousand_histories_go_on(history: list[dict[str, Any]], parts: int) -> None:
    """The same, for a night."""
    goes_on(history, parts)


@settings(max_examples=40)
@given(messages(8), st.sampled_from(["claude-opus-4-5", "claude-haiku-4-5", "claude-sonnet-4-6"]))
def test_any_history_goes_on_with_any_model(history: list[dict[str, Any]], model: str) -> None:
    """Models that take no system turns, or keep thinking otherwise, refuse nothing either."""
    goes_on(history, model=model)


@pytest.mark.parametrize(
    "message",
    [
        {"content": "no role"},
        {"role": "tool", "content": "a"},
        {"role": "user", "content": 7},
        {"role": "user", "content": 0},
        {"role": "user", "content": {"type": "text", "text": "a"}},
        {"role": "user", "content": [7]},
        {"role": "user", "content": [{"text": "a"}]},
        {"role": "user", "content": [{"type": "text"}]},
        "user: hello",
        None,
    ],
)
def test_what_is_no_message_is_refused_before_anything_is_written(message: Any) -> None:
    """The error names the value, and no turn of the same call is recorded."""
    with Conversation(MemoryStore(), client="simulator") as chat:
        with pytest.raises(InvalidContent):
            chat.extend([{"role": "user", "content": "a"}, message])
        assert chat.history() == []


def test_a_late_result_stands_with_its_call() -> None:
    """Both results in front of what was said meanwhile; all answers stay."""
    _, calls, results, answer, *_ = goes_on(LATE)
    assert [block["id"] for block in calls["content"]] == ["t1", "t2"]
    assert [block.get("tool_use_id") for block in results["content"]] == ["t1", "t2"]
    assert [block["text"] for block in answer["content"]] == ["said-2."]


def test_what_a_send_without_repair_gives_up_is_named() -> None:
    """Of a reply that waits for a server's tool only text is sent on; the plan names the turn and what is left out."""
    with Conversation(MemoryStore(), client="simulator") as chat:
        chat.extend([{"role": "user", "content": "a"}, *PAUSED_CALL])
        assert [problem.rule for problem in chat.check()] == ["server-call-open"]
        plan = chat.send("And now?").plan
        assert plan is not None
        (note,) = (note for note in plan.notes if "given up" in note)
        assert "turn 2" in note and "web_search, lookup" in note and "check(repair=True)" in note
        assert chat.send("And then?").plan.notes == ()


def test_an_id_used_again_later_is_another_call() -> None:
    """Ids that repeat over several recordings are numbered, each result with its own call."""
    turn = [
        {"role": "assistant", "content": [{"type": "tool_use", "id": "run:0", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "run:0", "content": "said-1."}]},
    ]
    sent = goes_on([{"role": "user", "content": "a"}, *turn, *turn, *turn], parts=7)
    pairs = [block for message in sent for block in message["content"]]
    assert [block["id"] for block in pairs if block["type"] == "tool_use"] == ["run_0", "run_0_2", "run_0_3"]
    assert [b["tool_use_id"] for b in pairs if b["type"] == "tool_result"] == ["run_0", "run_0_2", "run_0_3"]
