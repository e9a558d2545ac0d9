"""From conversations to bare traces: sizes, pauses and exchanges of made and of recorded ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sash.formats.values import ImportedConversation, ImportedTurn, text_block
from sash.lab import read
from sash.model.blocks import Block, dumps
from sash.model.turns import Role, Turn
from sash.replay import TraceResult, of_conversation, of_record


def turn(role: Role, at: float | None = None, *, result: bool = False, prompt: int = 0) -> ImportedTurn:
    """A turn of one block; a reply may carry the prompt's size."""
    block = {"type": "tool_result", "tool_use_id": "t", "content": "x"} if result else text_block("x")
    usage = {"input_tokens": prompt} if prompt else None
    return ImportedTurn(role=role, content=[block], at=at, usage=usage)


def ten(_: ImportedTurn) -> int:
    """A counter that finds ten tokens in everything."""
    return 10


def test_each_run_of_user_turns_is_a_request() -> None:
    """The reply before it and the user's turns are what a request adds; tool results begin no exchange."""
    turns = (
        turn("user", 5.0),
        turn("assistant"),
        turn("user", 9.0, result=True),
        turn("assistant"),
        turn("user", 60.0),
    )
    trace = of_conversation(ImportedConversation(id="c", turns=turns), count=ten)
    assert [(c.gap_s, c.tokens, c.exchange) for c in trace.calls] == [(0, 10, True), (4, 20, False), (51, 20, True)]


def test_usage_makes_sizes_exact() -> None:
    """Where two replies tell their prompts, the second request added the difference."""
    turns = (turn("user", 1.0), turn("assistant", prompt=100), turn("user", 2.0), turn("assistant", prompt=175))
    trace = of_conversation(ImportedConversation(id="c", turns=turns), count=ten)
    assert [c.tokens for c in trace.calls] == [10, 75]


def test_a_clock_that_ran_back_counts_as_no_pause() -> None:
    """Recorded times may be out of order; a gap is never negative."""
    turns = (turn("user", 100.0), turn("assistant"), turn("user", 40.0))
    trace = of_conversation(ImportedConversation(id="c", turns=turns), count=ten)
    assert [c.gap_s for c in trace.calls] == [0.0, 0.0]


def test_a_recorded_conversation_becomes_a_trace() -> None:
    """sash's own turns give the same: times of the user turns, sizes as counted."""
    rows: list[tuple[Role, bool, float]] = [
        ("user", True, 10.0),
        ("assistant", False, 12.0),
        ("user", False, 15.0),
        ("user", True, 99.0),
    ]
    turns = [
        Turn(id=i, branch=1, seq=i, role=role, plain=plain, state="answered", content="[]", at=at)
        for i, (role, plain, at) in enumerate(rows, 1)
    ]
    trace = of_record(turns, lambda _: 7, name="mine")
    assert [(c.gap_s, c.tokens, c.exchange) for c in trace.calls] == [(0, 7, True), (5, 14, False), (84, 7, True)]


def test_results_come_with_their_uses() -> None:
    """A result names its tool, the requests whose replies use what it alone told, and sizes; in both readers.

    The counters find ten tokens in everything, with arguments or without.
    """

    def use(id: str, tool: str, **arguments: str) -> Block:
        return {"type": "tool_use", "id": id, "name": tool, "input": arguments}

    said: list[tuple[Role, list[Block]]] = [
        ("user", [text_block("Look up my order.")]),
        ("assistant", [use("a", "find", who="me")]),
        ("user", [{"type": "tool_result", "tool_use_id": "a", "content": "It is order X-1138."}]),
        ("assistant", [use("b", "read", order="X-1138")]),
        ("user", [{"type": "tool_result", "tool_use_id": "b", "content": "Paid."}]),
        ("assistant", [text_block("It is paid.")]),
    ]
    imported = tuple(ImportedTurn(role=role, content=blocks) for role, blocks in said)
    recorded = [
        Turn(id=n, branch=1, seq=n, role=role, plain=n == 1, state="answered", content=dumps(blocks), at=n)
        for n, (role, blocks) in enumerate(said, 1)
    ]
    for trace in (
        of_conversation(ImportedConversation(id="c", turns=imported), count=ten),
        of_record(recorded, lambda _: 10, name="c"),
    ):
        assert [call.results for call in trace.calls] == [
            (),
            (TraceResult(10, "find", (1,)),),
            (TraceResult(10, "read", ()),),
        ]


@pytest.mark.parametrize(("name", "requests"), [("transcripts", 100), ("locomo", 200)])
def test_real_conversations_are_read(name: str, requests: int) -> None:
    """Each shared session gives a trace with pauses and sizes; the longest has hundreds of requests."""
    root = Path(os.environ.get("SASH_DATA", "")) / name
    if "SASH_DATA" not in os.environ or not root.is_dir():
        pytest.skip("SASH_DATA is not set")
    traces = [trace for path in sorted(root.glob("*.json*"))[:1] for trace in read(path).traces()]
    assert max(len(trace.calls) for trace in traces) > requests
    assert all(trace.times[-1] > 60 for trace in traces)
