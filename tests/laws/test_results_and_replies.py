"""Whatever functions return and replies hold, the next send passes and no body is refused."""

from __future__ import annotations

import base64
import dataclasses
import math
import os
from datetime import date
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from sash import Conversation, MemoryStore, check_request
from sash.simulator import Reply, Simulator

NIGHTLY = int(os.environ.get("SASH_EXAMPLES", "10000"))
MODELS = ("claude-sonnet-5-5", "claude-haiku-4-5")
DATA = [
    base64.b64encode(start + bytes(24)).decode() for start in (b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"GIF89a", b"%PDF")
]
MEDIA = ("image/png", "image/jpg", "image/svg+xml", "audio/wav", "application/pdf", "text/plain", "", None)
TEXTS = st.text(max_size=8) | st.sampled_from(["", " ", "half \ud83d", "\x00", "a" * 300])


@dataclasses.dataclass
class Box:
    """Holds anything."""

    inside: Any


class Named(BaseModel):
    """Has a name, and a kind that is no block's."""

    type: str = "named"
    name: Any = None


def block(kind: Any, *fields: tuple[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Something like a block: of this type, with some of these fields."""
    return st.fixed_dictionaries({"type": st.just(kind)}, optional=dict(fields))


data = st.sampled_from([*DATA, f"data:image/png;base64,{DATA[0]}", "!", "", "aGVsbG8="])
media = st.sampled_from(MEDIA)
source = st.fixed_dictionaries(
    {"type": st.sampled_from(["base64", "url", "file", "text", "content", "odd"])},
    optional={"data": data, "media_type": media, "url": TEXTS, "file_id": TEXTS, "content": TEXTS},
)
resource = st.fixed_dictionaries({}, optional={"uri": TEXTS, "mimeType": media, "text": TEXTS, "blob": data})
nothing = st.none()
content = (
    block("text", ("text", TEXTS), ("annotations", nothing), ("_meta", nothing), ("citations", st.just([{"a": 1}])))
    | block("image", ("source", source), ("data", data), ("mimeType", media))
    | block("document", ("source", source), ("title", TEXTS | nothing), ("context", TEXTS))
    | block("search_result", ("source", TEXTS), ("title", TEXTS), ("content", st.just([{"type": "text", "text": "a"}])))
    | block("audio", ("data", data), ("mimeType", media))
    | block("resource", ("resource", resource))
    | block("resource_link", ("uri", TEXTS), ("name", TEXTS))
    | block("image_url", ("image_url", TEXTS | st.fixed_dictionaries({"url": data})))
    | block("tool_result", ("content", TEXTS), ("tool_use_id", TEXTS), ("is_error", st.booleans()))
    | block("tool_reference", ("tool_name", TEXTS))
    | block("invoice", ("id", st.integers()))
)
plain = (
    st.sampled_from([None, True, 3, 2**70, 1.5, math.nan, -math.inf, b"caf\xc3\xa9", b"\xff", date(2026, 1, 2)])
    | st.sampled_from(
        [Decimal("1.1"), UUID(int=7), PurePosixPath("/a"), ValueError("a"), np.float64("nan"), np.int8(3)]
    )
    | st.sampled_from([{1, 2}, np.array([1.0, math.nan]), Named(name="a"), Box([Named()]), object(), Box, 1j])
    | TEXTS
)
values = st.recursive(
    plain | content,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(TEXTS | st.integers(), inner, max_size=3)
        | st.builds(Box, inner)
        | st.fixed_dictionaries({"content": st.lists(inner, max_size=3), "isError": st.booleans()})
    ),
    max_leaves=6,
)
ids = st.sampled_from(["t1", "t2", "run:0", "", "früh", None, 7])
called = st.sampled_from(["fetch", "gone", "files.read", "a" * 200, "", None])
given_to = st.sampled_from([{}, {"a": 1}, [1], "text", '{"a": 1}', None, {"n": math.nan}, {"\ud800": "\ud800"}])
said = (
    block("text", ("text", TEXTS | nothing))
    | st.fixed_dictionaries({"type": st.just("tool_use"), "id": ids, "name": called, "input": given_to})
    | block("thinking", ("thinking", TEXTS), ("signature", st.just("")))
    | block("redacted_thinking", ("data", st.just("")))
    | block("web_search_tool_result", ("tool_use_id", ids), ("content", st.just([])))
    | block("document", ("source", source))
    | st.sampled_from(["bare", {"no": "type"}, {"type": "text", "text": 5}])
)
replies = st.lists(said, max_size=4)


def law(model: str, returned: list[Any], came: list[list[Any]], streamed: bool) -> None:
    """One conversation: a run over these results and replies, and two sends."""
    sim = Simulator()
    left = iter(returned)

    def fetch() -> Any:
        """Fetch it."""
        return next(left, "no more")

    calls = [{"type": "tool_use", "name": "fetch", "input": {}} for _ in returned]
    sim.script([calls, *(Reply(content=content, raw=True) for content in came), "Done.", "Yes.", "Yes."])
    with (
        sim.client(max_retries=0) as client,
        Conversation(MemoryStore(), client=client, model=model, clock=sim.clock.now, budget=20_000) as chat,
    ):
        listen = (lambda _: None) if streamed else None
        reply = chat.run("Go.", tools=[fetch], max_steps=2 + len(came), on_event=listen)
        first, second = chat.send("And now?"), chat.send("And then?")
        paid = sum(part.cost or 0 for part in (reply, first, second))
        assert paid == pytest.approx(sum(attempt.cost for attempt in sim.messages))
        assert chat.check() == [] or {problem.rule for problem in chat.check()} <= {"empty-turn", "unknown-block"}
    assert [attempt.status for attempt in sim.messages] == [200] * len(sim.messages)
    assert all(check_request(attempt.body) == [] for attempt in sim.messages)
    results = [b for b in sim.messages[1].body["messages"][-1]["content"] if b["type"] == "tool_result"]
    assert len(results) == len(returned)


cases = given(
    st.sampled_from(MODELS), st.lists(values, min_size=1, max_size=2), st.lists(replies, max_size=2), st.booleans()
)


@settings(max_examples=200)
@example(
    model="claude-sonnet-5-5",
    returned=[[]],
    came=[
        [
            {"type": "tool_use", "id": "früh", "name": "fetch", "input": {}},
            {"type": "web_search_tool_result", "tool_use_id": "früh"},
        ]
    ],
    streamed=False,
)
@example(model="claude-sonnet-5-5", returned=[{"type": "text", "text": " "}], came=[], streamed=False)
@example(
    model="claude-sonnet-5-5",
    returned=[[{"type": "resource", "resource": {"uri": "", "text": " "}}], {"contents": [{"uri": "", "text": " "}]}],
    came=[],
    streamed=False,
)
@example(
    model="claude-sonnet-5-5",
    returned=[{"type": "resource", "resource": {"uri": "", "mimeType": "text/plain", "blob": "IA=="}}],
    came=[],
    streamed=False,
)
@example(
    model="claude-sonnet-5-5",
    returned=[None],
    came=[
        [{"type": "tool_use", "id": "t2", "name": "fetch", "input": {}}],
        [{"type": "web_search_tool_result", "tool_use_id": "t2", "content": []}],
    ],
    streamed=True,
)
@cases
def test_the_next_send_always_passes(model: str, returned: list[Any], came: list[list[Any]], streamed: bool) -> None:
    """Results of any form, replies of any content, streamed or not: nothing is refused, all that was paid is told."""
    law(model, returned, came, streamed)


@pytest.mark.nightly
@settings(max_examples=NIGHTLY)
@cases
def test_the_next_send_always_passes_at_length(
    model: str, returned: list[Any], came: list[list[Any]], streamed: bool
) -> None:
    """The same over ten thousand, or SASH_EXAMPLES."""
    law(model, returned, came, streamed)
