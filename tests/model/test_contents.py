"""The content of tool results: blocks of the API and of MCP as the API takes them, values as JSON."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from anthropic.types import ImageBlockParam, TextBlock
from pydantic import BaseModel, Field

from sash.model.blocks import dumps
from sash.model.contents import blocks_of, content_of
from sash.model.functions import result_block

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(30)).decode()
JPEG = base64.b64encode(b"\xff\xd8\xff\xe0" + bytes(30)).decode()
PDF = base64.b64encode(b"%PDF-1.7 x").decode()
SVG = base64.b64encode(b"<svg></svg>").decode()


def picture(media: str, data: str) -> dict[str, Any]:
    """A picture as the API takes it."""
    return {"type": "image", "source": {"type": "base64", "media_type": media, "data": data}}


def text(said: str) -> dict[str, Any]:
    """A text block."""
    return {"type": "text", "text": said}


def named(what: str) -> dict[str, Any]:
    """What cannot be shown, in words."""
    return text(f"[{what} characters of data; it cannot be shown to Claude]")


class McpText(BaseModel):
    """Text content as the MCP package models it."""

    type: str = "text"
    text: str
    annotations: Any = None
    meta: dict[str, Any] | None = Field(alias="_meta", default=None)


class McpResult(BaseModel):
    """A tool's result as the MCP package models it."""

    content: list[McpText]
    structuredContent: dict[str, Any] | None = None  # noqa: N815 - MCP's own name
    isError: bool = False  # noqa: N815 - MCP's own name


SAME: list[Any] = [
    [text("seen"), picture("image/png", PNG)],
    [{"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}, "title": "A"}],
    [{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "abc"}}],
    [{"type": "document", "source": {"type": "content", "content": [text("abc")]}}],
    [{"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}],
    [
        {
            "type": "search_result",
            "source": "s",
            "title": "t",
            "content": [text("found")],
            "citations": {"enabled": True},
        }
    ],
    [{"type": "tool_reference", "tool_name": "look"}],
]


@pytest.mark.parametrize("content", SAME, ids=lambda content: content[-1]["type"])
def test_blocks_of_the_api_go_as_they_are(content: list[Any]) -> None:
    """What the API takes inside a result is not touched, alone or in a list."""
    assert content_of(content) == (content, False)
    assert content_of(content[-1]) == (content[-1:], False)


BLOCKS: list[tuple[str, Any, list[Any]]] = [
    ("null fields", {"type": "text", "text": "a", "annotations": None, "_meta": None}, [text("a")]),
    ("annotated", {"type": "text", "text": "a", "annotations": {"priority": 1}}, [text("a")]),
    ("cited", {"type": "text", "text": "a", "citations": [{"type": "char_location"}]}, [text("a")]),
    ("marked", {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}, [text("a")]),
    ("empty", [text(""), text("b")], [text("b")]),
    ("mcp model", McpText(text="a"), [text("a")]),
    ("block of the sdk", TextBlock(type="text", text="a", citations=None), [text("a")]),
    ("mcp image", {"type": "image", "data": PNG, "mimeType": "image/png"}, [picture("image/png", PNG)]),
    ("image/jpg", picture("image/jpg", JPEG), [picture("image/jpeg", JPEG)]),
    ("other type than said", picture("image/png", JPEG), [picture("image/jpeg", JPEG)]),
    ("data url", picture("image/png", f"data:image/png;base64,{PNG}"), [picture("image/png", PNG)]),
    ("openai image", {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
     [picture("image/png", PNG)]),
    ("svg", picture("image/svg+xml", SVG), [named("image: image/svg+xml, 16")]),
    ("no base64", picture("image/png", "!!"), [named("image: image/png, 2")]),
    ("audio", {"type": "audio", "data": "UklG", "mimeType": "audio/wav"}, [named("audio: audio/wav, 4")]),
    ("resource", {"type": "resource", "resource": {"uri": "file:///a", "mimeType": "text/plain", "text": "inside"}},
     [text("inside")]),
    ("pdf resource", {"type": "resource", "resource": {"uri": "file:///a", "mimeType": "application/pdf", "blob": PDF}},
     [{"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}}]),
    ("image resource", {"type": "resource", "resource": {"uri": "file:///a", "mimeType": "image/png", "blob": PNG}},
     [picture("image/png", PNG)]),
    ("zip resource", {"type": "resource", "resource": {"uri": "a:/b", "mimeType": "application/zip", "blob": "UEs="}},
     [named("resource a:/b: application/zip, 4")]),
    ("link", {"type": "resource_link", "uri": "file:///a", "name": "a.txt"}, [text("[link: file:///a, a.txt]")]),
    ("strings beside", ["see:", picture("image/png", PNG)], [text("see:"), picture("image/png", PNG)]),
    ("values beside", [text("a"), {"type": "widget", "id": 1}], [text("a"), text('{"type":"widget","id":1}')]),
    ("param of the sdk", ImageBlockParam(type="image", source={"type": "url", "url": "https://example.com/a.png"}),
     [{"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}]),
]  # fmt: skip


@pytest.mark.parametrize(("value", "blocks"), [row[1:] for row in BLOCKS], ids=[row[0] for row in BLOCKS])
def test_content_becomes_what_the_api_takes(value: Any, blocks: list[Any]) -> None:
    """Fields that may not stand in a result go, media types are those of the data, the rest is named in words."""
    assert content_of(value) == (blocks, False)


@pytest.mark.parametrize(
    "value",
    [
        [{"type": "invoice", "id": 1}],
        {"type": "text", "text": "a", "id": 7},
        {"type": "image"},
        {"type": "resource"},
        {"type": "text", "text": None},
        {"content": [1, 2]},
        {"content": "a", "title": "b"},
        {"content": []},
        [],
        [["a"]],
    ],
    ids=repr,
)
def test_what_is_no_content_is_json(value: Any) -> None:
    """A value with a key `type` is not therefore a block: it arrives whole, as JSON text."""
    content, failed = content_of(value)
    assert isinstance(content, str)
    assert (json.loads(content), failed) == (value, False)


@pytest.mark.parametrize(
    ("value", "content", "failed"),
    [
        ({"content": [text("a")], "isError": False}, [text("a")], False),
        ({"content": [text("no")], "isError": True}, [text("no")], True),
        ({"content": [], "structuredContent": {"n": 1}}, '{"n":1}', False),
        ({"content": [text("a")], "structuredContent": {"n": 1}, "_meta": None}, [text("a")], False),
        ({"content": [], "isError": True}, "", True),
        ({"contents": [{"uri": "file:///a", "text": "inside"}]}, [text("inside")], False),
        ({"type": "tool_result", "tool_use_id": "x", "content": "a", "is_error": True}, "a", True),
        (McpResult(content=[McpText(text="a")], isError=True), [text("a")], True),
    ],
)
def test_results_of_mcp_tools(value: Any, content: Any, failed: bool) -> None:
    """Content where there is some, else the structured content as JSON; an error is an error."""
    assert content_of(value) == (content, failed)
    assert result_block({"id": "t1"}, value).get("is_error", False) is failed


@pytest.mark.parametrize(
    "item",
    [
        {"type": "tool_reference", "tool_name": "half \ud83d"},
        {"type": "browser_state", "url": "half \ud83d", "tabs": [{"title": "half \ud83d"}]},
        {"type": "search_result", "source": "half \ud83d", "title": "half \ud83d", "content": "half \ud83d"},
        {"type": "document", "source": {"type": "text", "data": "half \ud83d"}, "title": "half \ud83d"},
        {"type": "document", "source": {"type": "file", "file_id": "half \ud83d"}},
        {"type": "resource_link", "uri": "half \ud83d", "name": "half \ud83d"},
        {"type": "resource", "resource": {"uri": "half \ud83d", "text": "half \ud83d"}},
        {"type": "audio", "data": "half \ud83d", "mimeType": "half \ud83d"},
    ],
    ids=lambda item: str(item["type"]),
)
def test_no_field_carries_half_a_character(item: Any) -> None:
    """Whatever field of whatever content holds a lone surrogate, the block can be written as UTF-8."""
    blocks = blocks_of([item])
    assert blocks
    assert dumps(blocks).encode().decode() == dumps(blocks)


BLANK = {"uri": "a:b", "text": " \n"}


@pytest.mark.parametrize(
    "value",
    [
        {"type": "text", "text": " "},
        {"type": "resource", "resource": BLANK},
        {"type": "resource", "resource": {"uri": "a:b", "mimeType": "text/plain", "blob": "IAo="}},
        [" ", {"type": "text", "text": ""}, "\n"],
        {"contents": [BLANK]},
        {"content": [{"type": "resource", "resource": BLANK}], "isError": False},
    ],
)
def test_text_of_white_space_alone_is_left_out_however_it_came(value: Any) -> None:
    """What a result says in white space alone is no block of it: from users the API refuses such text."""
    content, failed = content_of(value)
    assert not content and not failed
