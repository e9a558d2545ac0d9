"""What must hold of a request that was sent, by code of its own: neither the planner's nor the simulator's.

Each function takes the body, or the rebuilt request with its recorded turns, and raises AssertionError.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sash.flows.history.branch import PastRequest
from sash.model.blocks import dumps
from sash.model.turns import Turn

THOUGHTS = ("thinking", "redacted_thinking")
Block = Mapping[str, Any]


def form(body: Mapping[str, Any]) -> None:
    """Markers and tool pairs, as the API wants them."""
    markers_in_order(body)
    pairs_whole(body)


def spots(body: Mapping[str, Any]) -> list[Block]:
    """Every block and tool of a request in the order in which the cache reads them."""
    said = [block for message in body["messages"] for block in message["content"]]
    return [*body.get("tools", ()), *body.get("system", ()), *said]


def markers_in_order(body: Mapping[str, Any]) -> None:
    """At most four markers, none on thinking or empty text, hours before minutes."""
    marked = [block for block in spots(body) if "cache_control" in block]
    assert len(marked) + ("cache_control" in body) <= 4
    assert not any(block.get("type") in THOUGHTS or block.get("text") == "" for block in marked)
    short = [block["cache_control"].get("ttl", "5m") == "5m" for block in marked]
    assert short == sorted(short)


def pairs_whole(body: Mapping[str, Any]) -> None:
    """Each turn's calls, and no others, are answered once, in front of the next turn of the user."""
    said = [message for message in body["messages"] if message["role"] != "system"]
    calls: list[str] = []
    for before, message in zip([None, *said], said, strict=False):
        same = before is not None and before["role"] == message["role"]
        made = [block["id"] for block in message["content"] if block["type"] == "tool_use"]
        answered = [block["tool_use_id"] for block in message["content"] if block["type"] == "tool_result"]
        if message["role"] == "assistant":
            assert answered == []
            calls = [*calls, *made] if same else made
            continue
        assert made == []
        assert set(answered) <= set(calls) and len(set(answered)) == len(answered)
        assert same or set(answered) == set(calls)
        kinds = [block["type"] != "tool_result" for block in message["content"]]
        assert kinds == sorted(kinds)
        calls = []
    assert calls == []


def newest_intact(past: PastRequest) -> None:
    """The newest turn of the user stands at the end of the request, block for block as it was recorded.

    Of a turn of tool results, those may be placeholders, under their calls, that the epoch says gave way.
    """
    newest = next(turn for turn in reversed(past.turns) if turn.role == "user")
    sent = [message for message in past.body["messages"] if message["role"] == "user" and not _told(message)][-1]
    gone = {call for seq, call in past.epoch.relief.results if seq == newest.seq}
    assert not (newest.plain and gone)
    for is_sent, was_said in zip(bare(sent["content"])[-len(newest.blocks) :], bare(_said(newest.blocks)), strict=True):
        if is_sent != was_said:
            assert was_said.get("tool_use_id") in gone, (is_sent, was_said)
            assert {**was_said, "content": is_sent["content"]} == is_sent
            assert is_sent["content"].startswith("[Result of ")


def _told(message: Mapping[str, Any]) -> bool:
    """Whether it is an instruction in the form of user text."""
    return all(str(block.get("text")).startswith("<system_instruction>") for block in message["content"])


def _said(blocks: Iterable[Block]) -> list[Block]:
    return [block for block in blocks if block["type"] != "text" or block["text"].strip()]


def thinking_one_run(past: PastRequest) -> None:
    """Of the thinking in the recorded replies of the view, an unbroken run is sent, each block as it was recorded.

    Thinking of other models is left out, unless the API is asked to drop what does not belong.
    """
    sent = [block for message in past.body["messages"] for block in message["content"] if block["type"] in THOUGHTS]
    readers = {"", past.epoch.model}
    own = [turn for turn in past.turns if past.epoch.relief.drops or turn.model in readers]
    recorded = [block for turn in own for block in _thoughts(turn)]
    assert any(recorded[at : at + len(sent)] == sent for at in range(len(recorded) - len(sent) + 1)), (recorded, sent)


def _thoughts(turn: Turn) -> list[Block]:
    """The thinking of a reply that could be sent: nothing of a reply cut short, and nothing at a reply's end."""
    if turn.role != "assistant" or turn.state == "interrupted":
        return []
    blocks = [block for block in turn.blocks if block["type"] != "text" or block["text"]]
    last = max((at for at, block in enumerate(blocks) if block["type"] not in THOUGHTS), default=-1)
    return [block for block in blocks[:last] if block["type"] in THOUGHTS]


def pins_stand(past: PastRequest, exchanges: Sequence[Sequence[Turn]]) -> None:
    """Every turn of these exchanges is in the view, and their results are sent as they were recorded.

    But for what gave way while such an exchange was itself a run that outgrew the budget.
    """
    relief = past.epoch.relief
    gave_way = relief.dropped | relief.cleared | {seq for seq, _ in relief.results}
    there = {turn.id for turn in past.turns}
    results = [turn for exchange in exchanges for turn in exchange if turn.role == "user" and not turn.plain]
    assert not (past.epoch.relief.served and results), "the API would clear pinned results first"
    sent = {block["tool_use_id"]: block for block in spots(past.body) if block.get("type") == "tool_result"}
    for exchange in exchanges:
        for turn in exchange:
            if turn.seq in gave_way:
                continue
            assert turn.id in there, (past.number, turn)
            said = [block for block in turn.blocks if block["type"] == "tool_result"]
            assert bare([sent[block["tool_use_id"]] for block in said]) == bare(said)


def not_said(past: PastRequest, content: str, live: str) -> None:
    """No text of the turn with this (former) content is sent, unless what lives in the record says the same."""
    sent = dumps(past.body)
    for text in _texts(json.loads(content)):
        assert text not in sent or text in live, f"forgotten, and sent: {text[:60]}"


def is_gap(content: str) -> bool:
    """Whether nothing but the shape is left of a turn."""
    return all(text in ("", "[redacted]") for text in _texts(json.loads(content)))


def _texts(blocks: Iterable[Block]) -> Iterator[str]:
    """The texts of blocks, as JSON has them: without quotation marks."""
    for block in blocks:
        for key in ("text", "thinking", "content"):
            if isinstance(text := block.get(key), str):
                yield dumps(text)[1:-1]


def bare(value: Any) -> Any:
    """Without cache markers, wherever they stand."""
    if isinstance(value, Mapping):
        return {key: bare(item) for key, item in value.items() if key != "cache_control"}
    return [bare(item) for item in value] if isinstance(value, list | tuple) else value
