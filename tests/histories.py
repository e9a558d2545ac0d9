"""Histories as other programs write them, for property tests: any roles in any order, tool blocks of all kinds.

Every text that is said is a word of its own (`said-17`), so that it can be looked for in a request.
"""

from __future__ import annotations

import base64
import itertools
import re
from typing import Any

from hypothesis import strategies as st

Block = dict[str, Any]
WORD = re.compile(r"said-\d+\.")
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (40).to_bytes(4, "big") + (30).to_bytes(4, "big")
IMAGE = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PNG).decode()},
}
LINK = {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}
EMPTY_IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": ""}}
SVG = {"type": "image", "source": {"type": "base64", "media_type": "image/svg+xml", "data": "PHN2Zz4="}}
ids = st.sampled_from(["x", "y", "z", "run:0", "run_0", "", "a b", "x_2"])
MARK = {"type": "ephemeral"}


def text(words: str, **more: Any) -> Block:
    """A text block."""
    return {"type": "text", "text": words, **more}


words = st.builds(lambda _: "SAY", st.integers(0, 3))
"""Becomes a word of its own in each place."""
texts = st.one_of(
    words.map(text),
    st.sampled_from(["", "  "]).map(text),
    words.map(lambda said: text(said, cache_control=MARK)),
    words.map(lambda said: text(said, citations=[{"type": "char_location"}])),
    words.map(lambda said: text(said, annotations=[])),
)
documents = st.one_of(
    words.map(lambda said: {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": said}}),
    words.map(lambda said: {"type": "document", "source": {"type": "content", "content": [text(said)]}}),
    st.just({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": ""}}),
)
found = words.map(lambda said: {"type": "search_result", "source": "s", "title": "t", "content": [text(said)]})
media = st.one_of(st.sampled_from([IMAGE, LINK, EMPTY_IMAGE, SVG]), documents, found)
contents = st.one_of(
    words,
    st.just(""),
    st.none(),
    st.lists(st.one_of(texts, media, st.just({"type": "resource", "uri": "u"})), max_size=3),
    words.map(lambda said: {"value": said}),
)
calls = st.builds(
    lambda id, name, given, more: {"type": "tool_use", "id": id, "name": name, "input": given, **more},
    ids,
    st.sampled_from(["f", "files.read", ""]),
    st.one_of(words.map(lambda said: {"word": said}), st.sampled_from(["{", "[1]", "", None, '{"a": 1}'])),
    st.sampled_from([{}, {"cache_control": MARK}]),
)
results = st.builds(
    lambda id, content, more: {"type": "tool_result", "tool_use_id": id, "content": content, **more},
    ids,
    contents,
    st.sampled_from([{}, {"is_error": True}, {"is_error": "no"}, {"name": "f"}]),
)
thoughts = st.one_of(
    st.sampled_from(["s", ""]).map(lambda proof: {"type": "thinking", "thinking": "hm", "signature": proof}),
    st.just({"type": "thinking", "thinking": "hm"}),
    st.just({"type": "redacted_thinking", "data": "x"}),
)
servers = st.one_of(
    ids.map(lambda id: {"type": "server_tool_use", "id": id, "name": "web_search", "input": {"query": "q"}}),
    ids.map(lambda id: {"type": "web_search_tool_result", "tool_use_id": id, "content": []}),
    ids.map(lambda id: {"type": "mcp_tool_use", "id": id, "name": "f", "server_name": "s", "input": {}}),
    words.flatmap(
        lambda said: ids.map(lambda id: {"type": "mcp_tool_result", "tool_use_id": id, "content": [text(said)]})
    ),
)
others = st.one_of(
    st.just({"type": "fallback", "from": {"model": "x"}, "to": {"model": "y"}}),
    words.map(lambda said: {"type": "hologram", "data": said}),
    words.map(lambda said: {"type": "output_text", "text": said}),
    st.just({"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}),
    st.just({"type": "tool_reference", "tool_name": "f"}),
)
blocks = st.one_of(texts, texts, calls, calls, results, results, thoughts, servers, media, others)
roles = st.sampled_from(["user", "assistant", "user", "assistant", "system"])


def messages(most: int) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Up to `most` messages."""
    message = st.builds(
        lambda role, content: {"role": role, **content},
        roles,
        st.one_of(
            st.lists(blocks, max_size=4).map(lambda content: {"content": content}),
            words.map(lambda content: {"content": content}),
            st.sampled_from([{"content": ""}, {"content": None}, {}]),
        ),
    )
    return st.lists(message, max_size=most).map(_numbered)


def _numbered(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    numbers = itertools.count()
    made: list[dict[str, Any]] = _filled(history, numbers)
    return made


def _filled(value: Any, numbers: itertools.count[int]) -> Any:
    if isinstance(value, list):
        return [_filled(item, numbers) for item in value]
    if isinstance(value, dict):
        return {key: _filled(item, numbers) for key, item in value.items()}
    return f"said-{next(numbers)}." if value == "SAY" else value
