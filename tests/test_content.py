"""Content of every kind goes out as it was given and comes back as it was said."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash import Conversation, check_request
from sash.errors import InvalidContent, RequestRejected
from sash.model.blocks import Block, dumps
from sash.planning.strategies import SlidingWindow
from sash.simulator import Simulator

Talk = Callable[..., Conversation]

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (40).to_bytes(4, "big") + (30).to_bytes(4, "big")
PDF = b"%PDF-1.7\n1 0 obj << /Type /Page >> endobj\n"
SAID: dict[str, dict[str, Any]] = {
    "image": {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PNG).decode()},
    },
    "image by url": {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
    "pdf": {
        "type": "document",
        "title": "Ledger",
        "source": {"type": "base64", "media_type": "application/pdf", "data": base64.b64encode(PDF).decode()},
        "citations": {"enabled": True},
    },
    "text document": {
        "type": "document",
        "source": {"type": "text", "media_type": "text/plain", "data": "Crate 1138 holds lamps."},
        "context": "the harbour",
        "citations": {"enabled": True},
    },
    "search result": {
        "type": "search_result",
        "source": "https://example.com",
        "title": "Lamps",
        "content": [{"type": "text", "text": "Seven lamps."}],
        "citations": {"enabled": False},
    },
}
CITED = {
    "type": "text",
    "text": "Crate 1138 holds lamps.",
    "citations": [
        {
            "type": "char_location", "cited_text": "Crate 1138 holds lamps.", "document_index": 0,
            "document_title": None, "file_id": None, "start_char_index": 0, "end_char_index": 23,
        }
    ],
}  # fmt: skip
SEARCH: list[dict[str, Any]] = [
    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "lamps"}},
    {
        "type": "web_search_tool_result",
        "tool_use_id": "srvtoolu_1",
        "content": [
            {
                "type": "web_search_result", "url": "https://example.com", "title": "Lamps",
                "encrypted_content": "RW5j", "page_age": None,
            }
        ],
    },
    {"type": "text", "text": "There are lamps."},
]  # fmt: skip
REPLIED: dict[str, list[dict[str, Any]]] = {
    "citations": [CITED],
    "a server's tool": SEARCH,
    "a type of the future": [{"type": "hologram", "beams": [1, {"b": None, "a": 2}]}, {"type": "text", "text": "See?"}],
}


@pytest.mark.parametrize("kind", sorted(SAID))
def test_what_the_user_gives_is_sent_as_it_is(talk: Talk, sim: Simulator, kind: str) -> None:
    """Key order included, at once, later, behind a cut, and when rebuilt."""
    chat = talk(strategy=SlidingWindow(turns=2))
    block = SAID[kind]
    for number in range(3):
        chat.send([block, {"type": "text", "text": f"question {number}"}])
    assert sim.messages[-1].status == 200
    for message in sim.messages[-1].body["messages"]:
        if message["role"] == "user":
            assert dumps({k: v for k, v in message["content"][0].items() if k != "cache_control"}) == dumps(block)
    assert all(chat.request(number).intact for number in (1, 2, 3))


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("kind", sorted(REPLIED))
def test_what_claude_says_is_sent_back_as_it_came(talk: Talk, sim: Simulator, kind: str, streamed: bool) -> None:
    """Blocks of any type are recorded with all their fields and none besides."""
    chat = talk()
    sim.script([REPLIED[kind]])
    sent = [SAID["text document"], {"type": "text", "text": "What is in the crate?"}]
    if streamed:
        with chat.stream(sent) as stream:
            recorded = stream.until_done().turn
    else:
        recorded = chat.send(sent).turn
    assert recorded is not None
    assert [b for b in recorded.blocks if b["type"] != "thinking"] == REPLIED[kind]
    plan = chat.plan("And then?")
    again = next(m for m in plan.body["messages"] if m["role"] == "assistant")
    assert dumps([{k: v for k, v in b.items() if k != "cache_control"} for b in again["content"]]) == recorded.content
    assert check_request(plan.body) == []


PICTURE = {"type": "base64", "media_type": "image/png", "data": "aGk="}
MISTAKEN: dict[str, tuple[Block, str]] = {
    "a misspelt type": ({"type": "txt", "text": "hi"}, "did you mean 'text'"),
    "another provider's block": ({"type": "image_url", "image_url": {"url": "http://x"}}, "'type': 'image'"),
    "a block of nobody": ({"type": "hologram"}, "known are"),
    "a misspelt key": ({"type": "text", "text": "hi", "cache_controll": {}}, "did you mean 'cache_control'"),
    "a source of no kind": ({"type": "image", "source": {**PICTURE, "type": "bas64"}}, "'base64' or 'url' or 'file'"),
    "a source without its data": ({"type": "document", "source": {"type": "url"}}, "source.url"),
}


@pytest.mark.parametrize("kind", MISTAKEN)
@pytest.mark.parametrize("way", ["send", "plan", "edit", "run"])
def test_a_mistaken_block_is_named_before_anything_is_written(sim: Simulator, kind: str, way: str) -> None:
    """What the API's types do not allow is InvalidContent with the remedy; the record and the API see nothing of it."""
    block, remedy = MISTAKEN[kind]
    with Conversation(client=sim.client()) as chat:
        chat.send("Hello")
        asked, turns = len(sim.messages), chat.history()
        calls: dict[str, Callable[[], object]] = {
            "send": lambda: chat.send([block]),
            "plan": lambda: chat.plan([block]),
            "edit": lambda: chat.edit(turns[0], [block]),
            "run": lambda: chat.run([block], tools=[abs_of]),
        }
        with pytest.raises(InvalidContent, match=re.escape(remedy)):
            calls[way]()
        assert (len(sim.messages), chat.history()) == (asked, turns)


def abs_of(number: int) -> int:
    """The absolute value of a number."""
    return abs(number)


def test_with_a_beta_a_newer_block_reaches_the_api(sim: Simulator) -> None:
    """What the installed SDK does not know may be a beta's: the API has the last word then."""
    with Conversation(client=sim.client()) as chat, pytest.raises(RequestRejected):
        chat.send([{"type": "hologram", "x": 1}], betas=["holograms-2027-01-01"])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(JSON)
def test_content_is_written_as_the_sdk_writes_it(value: Any) -> None:
    """Whatever JSON holds is written compact, unescaped and in the order given: as `json.dumps` writes it then."""
    assert dumps(value) == json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def test_what_json_cannot_hold_is_refused() -> None:
    """A number that is none, an object, a key that is no text, a list that holds itself: each is invalid content."""
    endless: list[Any] = []
    endless.append(endless)
    for value in (float("nan"), object(), {1, 2}, {(1, 2): 3}, endless):
        with pytest.raises(InvalidContent, match="cannot be written as JSON"):
            dumps([value])
