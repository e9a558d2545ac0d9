"""What functions return, as the content of a tool result: blocks that the API takes, or text.

Content blocks of the API and of MCP (the Model Context Protocol) become what may stand in a tool result, with the
fields that may stand there; a picture goes under the media type that its data has. What Claude cannot be shown is
named in words. Everything that is no content is written as JSON.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sash.model.blocks import Block, dumps, text_block, without_white_space
from sash.model.values import as_json, sound, whole

Fields = Mapping[str, Any]

IMAGES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"RIFF", "image/webp"),
)
"""How the data of pictures begins that Claude reads ("Vision")."""
PDF, PDF_START = "application/pdf", b"%PDF"
TEXT_FIELDS = frozenset({"type", "text", "citations", "cache_control", "annotations", "_meta", "meta"})
"""What a text block of the API or of MCP has; a dict with more is a value of its own."""
RESULT_FIELDS = frozenset(
    {"content", "isError", "is_error", "structuredContent", "structured_content", "_meta", "meta"}
)
"""What the result of an MCP tool has."""


def content_of(value: Any) -> tuple[str | list[Block], bool]:
    """The content of the result that says `value`, and whether it says itself that it is an error."""
    if value is None:
        return "", False
    if isinstance(value, str):
        return whole(str.__str__(value)), False
    if (called := _called(value)) is not None:
        return called
    blocks = blocks_of(value)
    return (dumps(as_json(value)) if blocks is None else blocks), False


def blocks_of(value: Any) -> list[Block] | None:
    """The blocks that a value is: one, or a list that holds any beside texts and values; None where it holds none.

    Text of white space alone, wherever it came from, is left out here: the API refuses it, and it says nothing.
    """
    items = [value] if _fields(value) is not None else value
    if not isinstance(items, list | tuple) or not all(isinstance(i, str) or _typed(i) for i in items):
        return None
    read = [_read(item) for item in items]
    if not any(blocks is not None for blocks in read):
        return None
    return without_white_space(
        [
            block
            for item, blocks in zip(items, read, strict=True)
            for block in ([_as_text(item)] if blocks is None else blocks)
        ]
    )


def _called(value: Any) -> tuple[str | list[Block], bool] | None:
    """The content of an MCP tool's result, and whether it is an error; None for anything else."""
    fields = _fields(value)
    if fields is None:
        return None
    if fields.get("type") == "tool_result":
        return content_of(fields.get("content"))[0], fields.get("is_error") is True
    contents = fields.get("contents")
    if set(fields) <= {"contents", "_meta", "meta"} and isinstance(contents, list):
        read = all("uri" in (_fields(item) or {}) for item in contents)
        return (blocks_of([{"type": "resource", "resource": item} for item in contents]) or [], False) if read else None
    said, structured = fields.get("content"), fields.get("structuredContent", fields.get("structured_content"))
    if not isinstance(said, list) or not set(fields) <= RESULT_FIELDS:
        return None
    blocks = blocks_of(said)
    if blocks is None and (said or (structured is None and not _says_error(fields))):
        return None
    failed = fields.get("isError", fields.get("is_error")) is True
    return blocks or ("" if structured is None else dumps(as_json(structured))), failed


def _says_error(fields: Fields) -> bool:
    return "isError" in fields or "is_error" in fields


def _typed(value: Any) -> bool:
    return isinstance((_fields(value) or {}).get("type"), str)


def _fields(value: Any) -> Fields | None:
    """The fields of a dict or a model (of the SDK, of MCP's, of pydantic), without what is null."""
    if not isinstance(value, Mapping):
        if not any(hasattr(value, name) for name in ("type", "content", "contents")):
            return None
        value = _dumped(value)
    return None if value is None else {str(name): item for name, item in value.items() if item is not None}


def _dumped(value: Any) -> Fields | None:
    dump, options = getattr(value, "to_dict", None), {}
    if dump is None:
        dump, options = getattr(value, "model_dump", None), {"mode": "json", "by_alias": True}
    if not callable(dump) or isinstance(value, type):
        return None
    try:
        made = dump(**options)
    except (TypeError, ValueError):
        return None
    return made if isinstance(made, Mapping) else None


def _read(item: Any) -> list[Block] | None:
    """The blocks of one item; None where it is no content."""
    fields = _fields(item)
    reader = _READERS.get(str((fields or {}).get("type")))
    return None if fields is None or reader is None else reader(sound(fields))


def _as_text(item: Any) -> Block:
    return text_block(whole(item) if isinstance(item, str) else dumps(as_json(item)))


# ---- one kind of content each: its blocks, None where it is no such content ------------------------------------------


def _text(fields: Fields) -> list[Block] | None:
    text = fields.get("text")
    if not isinstance(text, str) or not set(fields) <= TEXT_FIELDS:
        return None
    return [text_block(whole(text))]


def _image(fields: Fields) -> list[Block] | None:
    source = fields.get("source")
    if not isinstance(source, Mapping):
        data = fields.get("data")
        return [_picture(data, _media(fields))] if isinstance(data, str) else None
    if source.get("type") == "base64":
        return [_picture(source.get("data"), _media(source))]
    return [_pointing("image", source)]


def _image_url(fields: Fields) -> list[Block] | None:
    given = fields.get("image_url")
    url = given.get("url") if isinstance(given, Mapping) else given
    if not isinstance(url, str):
        return None
    if url.startswith("data:"):
        return [_picture(url, url[5:].partition(";")[0])]
    return [_pointing("image", {"type": "url", "url": url})]


def _document(fields: Fields) -> list[Block] | None:
    source = fields.get("source")
    if not isinstance(source, Mapping):
        return None
    block = _sourced(source)
    if block["type"] != "document":
        return [block]
    told = {name: whole(fields[name]) for name in ("title", "context") if _filled(fields.get(name))}
    cited = fields.get("citations")
    return [{**block, **told, **({"citations": {"enabled": True}} if cited == {"enabled": True} else {})}]


def _sourced(source: Fields) -> Block:
    """A document from its source."""
    kind, data = source.get("type"), source.get("data")
    if kind == "base64":
        return _pdf(data, _media(source))
    if kind == "text" and _filled(data):
        return {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": whole(str(data))}}
    if kind == "content" and (parts := _parts(source.get("content"), ("text", "image"))):
        return {"type": "document", "source": {"type": "content", "content": parts}}
    return _pointing("document", source)


def _search_result(fields: Fields) -> list[Block] | None:
    source, title, parts = fields.get("source"), fields.get("title"), _parts(fields.get("content"), ("text",))
    if not (isinstance(source, str) and isinstance(title, str) and parts):
        return None
    cited = {"citations": {"enabled": True}} if fields.get("citations") == {"enabled": True} else {}
    return [{"type": "search_result", "source": whole(source), "title": whole(title), "content": parts, **cited}]


def _parts(content: Any, kinds: Sequence[str]) -> list[Block]:
    """The blocks inside a block, where all are of kinds that may stand there."""
    parts = blocks_of([_as_text(content)] if isinstance(content, str) else content) or []
    return parts if all(part["type"] in kinds for part in parts) else []


def _tool_reference(fields: Fields) -> list[Block] | None:
    name = fields.get("tool_name")
    return [{"type": "tool_reference", "tool_name": name}] if _filled(name) else None


def _browser_state(fields: Fields) -> list[Block] | None:
    return [dict(fields)]


def _audio(fields: Fields) -> list[Block] | None:
    return [_named("audio", _media(fields), fields["data"])] if isinstance(fields.get("data"), str) else None


def _resource(fields: Fields) -> list[Block] | None:
    """What MCP embeds: text, or a file as base64."""
    found = _fields(fields.get("resource"))
    if found is None or "uri" not in found:
        return None
    text, blob, media = found.get("text"), found.get("blob"), _media(found)
    if isinstance(text, str):
        return [text_block(whole(text))]
    if not isinstance(blob, str):
        return [_named(f"resource {whole(str(found['uri']))}", media, "")]
    if media == PDF:
        return [_pdf(blob, media)]
    if media.startswith("image/"):
        return [_picture(blob, media)]
    said = _written(blob) if media.startswith("text/") else ""
    return [text_block(said) if said else _named(f"resource {whole(str(found['uri']))}", media, blob)]


def _resource_link(fields: Fields) -> list[Block] | None:
    told = [str(fields[name]) for name in ("uri", "name", "title", "description") if fields.get(name)]
    return [text_block(whole(f"[link: {', '.join(told)}]"))] if fields.get("uri") else None


_READERS: dict[str, Callable[[Fields], list[Block] | None]] = {
    "text": _text,
    "image": _image,
    "image_url": _image_url,
    "document": _document,
    "search_result": _search_result,
    "tool_reference": _tool_reference,
    "browser_state": _browser_state,
    "audio": _audio,
    "resource": _resource,
    "resource_link": _resource_link,
}


# ---- files ---------------------------------------------------------------------------------------------------------


def _picture(data: Any, media: str) -> Block:
    """A picture under the media type that its data has; in words, where Claude cannot read it."""
    raw, text = _decoded(data)
    kind = next((kind for magic, kind in IMAGES if raw.startswith(magic)), None)
    if kind is None or (kind == "image/webp" and raw[8:12] != b"WEBP"):
        return _named("image", media, data)
    return {"type": "image", "source": {"type": "base64", "media_type": kind, "data": text}}


def _pdf(data: Any, media: str) -> Block:
    raw, text = _decoded(data)
    if not raw.startswith(PDF_START):
        return _named("document", media, data)
    return {"type": "document", "source": {"type": "base64", "media_type": PDF, "data": text}}


def _pointing(kind: str, source: Fields) -> Block:
    """A block whose content lies elsewhere: behind a URL, or in a file of the Files API."""
    for form, name in (("url", "url"), ("file", "file_id")):
        if source.get("type") == form and _filled(source.get(name)):
            return {"type": kind, "source": {"type": form, name: whole(source[name])}}
    return _named(kind, _media(source), source.get("data"))


def _written(data: str) -> str:
    """The text that base64 stands for; "" where it is none."""
    try:
        return _decoded(data)[0].decode()
    except UnicodeDecodeError:
        return ""


def _decoded(data: Any) -> tuple[bytes, str]:
    """The bytes of base64 data, and the data as the API takes it: without prefix and white space. Nothing if spoilt."""
    if not isinstance(data, str):
        return b"", ""
    text = "".join((data.partition(",")[2] if data.startswith("data:") else data).split())
    try:
        return b64decode(text, validate=True), text
    except (NotBase64, ValueError):
        return b"", ""


def _media(fields: Fields) -> str:
    found = next((fields[name] for name in ("media_type", "mimeType", "mime_type") if fields.get(name)), "")
    return whole(found) if isinstance(found, str) else ""


def _filled(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _named(kind: str, media: str, data: Any) -> Block:
    """In words what was there and cannot be shown."""
    size = f", {len(data):,} characters of data" if isinstance(data, str) and data else ""
    return text_block(f"[{kind}{': ' if media else ''}{media}{size}; it cannot be shown to Claude]")
