"""Content of OpenAI-shape messages, part by part, made into API blocks.

Source: OpenAI's "Chat Completions" and "Responses" references. Text, refusals, images and files have a block; what has
none (sound, an unknown kind) is named in brackets where it stood. Blocks of Anthropic's own pass as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from sash.formats.reading import Field
from sash.formats.values import Block, text_block

_DATA = re.compile(r"data:(?P<media>[\w.+-]+/[\w.+-]+)?(?:;[\w=-]+)*;base64,(?P<data>.*)", re.DOTALL)
_SOUND = ("input_audio", "output_audio", "audio")
ONLY_HERE = ("image_url", "input_image", "input_text", "output_text", "refusal", "file", "input_file", *_SOUND)
"""Kinds of parts that no other format has."""


def blocks_of_parts(content: Any, message: Field) -> list[Block]:
    """The blocks of a message's content: text, a list of parts, or nothing."""
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [text_block(content)]
    return [_block(part) for part in message["content"].each()]


def _block(part: Field) -> Block:
    if isinstance(part.value, str):
        return text_block(part.value)
    kind = part["type"].text()
    if kind in _SOUND:
        return text_block("[sound, left out]")
    return _MAKERS[kind](part) if kind in _MAKERS else part.object()


def _text(part: Field) -> Block:
    return text_block(str(part.get("text", "")))


def _refusal(part: Field) -> Block:
    return text_block(str(part.get("refusal", "")))


def _image(part: Field) -> Block:
    given = part.get("image_url")
    url = given.get("url") if isinstance(given, dict) else given
    if not isinstance(url, str) or not url:
        return text_block("[an image kept elsewhere, left out]")
    return {"type": "image", "source": _source(url)}


def _file(part: Field) -> Block:
    held = part.get("file", part.value)
    data = held.get("file_data") if isinstance(held, dict) else None
    name = str(held.get("filename") or "without a name") if isinstance(held, dict) else "without a name"
    if not isinstance(data, str) or not _DATA.fullmatch(data):
        return text_block(f"[the file {name!r}, kept elsewhere, left out]")
    return {"type": "document", "source": _source(data), "title": name}


def _source(url: str) -> dict[str, str]:
    """Where a picture or file is: its data, or a URL."""
    match = _DATA.fullmatch(url)
    if match is None:
        return {"type": "url", "url": url}
    media = (match["media"] or "").lower().replace("image/jpg", "image/jpeg")
    return {"type": "base64", "media_type": media, "data": re.sub(r"\s", "", match["data"])}


_MAKERS: dict[str, Callable[[Field], Block]] = {
    **dict.fromkeys(("text", "input_text", "output_text"), _text),
    **dict.fromkeys(("image_url", "input_image"), _image),
    **dict.fromkeys(("file", "input_file"), _file),
    "refusal": _refusal,
}
