"""Content: what a caller passes, made into the list of plain JSON blocks that is recorded and sent.

`as_blocks` accepts what the SDK accepts (a string, dicts, SDK objects), strings among blocks, too, and always
gives a list of blocks, so that a moving cache marker never changes a form. `dumps` is the exact JSON text that goes on
the wire: compact, UTF-8 unescaped, keys in the order given (the order matters to the prompt cache).
What a request may hold as a whole is not judged here: see `sash.planning.rules`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from json.decoder import scanstring  # type: ignore[attr-defined]
from json.encoder import encode_basestring
from sys import intern
from typing import Any

from sash.errors import InvalidContent

Block = dict[str, Any]
Content = str | Sequence[Any]


Encode = Callable[[Any, int], Iterable[str]]


def encoder(**options: Any) -> Encode:
    """What gives the pieces of a value's JSON text as it goes on the wire; `options` are those of `json.JSONEncoder`.

    Made once: `JSONEncoder.encode` makes one for each value, which takes longer than to write most of them.
    """
    json_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), **options)
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # a Python without the part of `json` that is written in C
        return lambda value, _: json_encoder.iterencode(value)
    separators = (json_encoder.key_separator, json_encoder.item_separator)
    made: Encode = make(
        None, json_encoder.default, encode_basestring, None, *separators, False, False, json_encoder.allow_nan
    )
    return made


_encode = encoder(allow_nan=False)


def dumps(value: Any) -> str:
    """JSON text as the SDK puts it on the wire. Raises InvalidContent for what JSON cannot hold."""
    try:
        return "".join(_encode(value, 0))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidContent(f"content cannot be written as JSON: {error}", problem=str(error)) from error


def _with_shared_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {intern(name): intern(value) if name == "type" and type(value) is str else value for name, value in pairs}


_DECODER = json.JSONDecoder(object_pairs_hook=_with_shared_names)


_ONE_TEXT = '[{"type":"text","text":"'


def parsed(content: str) -> list[Block]:
    """The blocks of a JSON text. Names of fields and types of blocks, the same in all, take room once."""
    if content.startswith(_ONE_TEXT):  # as most do, and most of them say nothing else
        text, end = scanstring(content, len(_ONE_TEXT))
        if content[end:] == "}]":
            return [text_block(text)]
    blocks: list[Block] = _DECODER.decode(content)
    return blocks


def text_block(text: str) -> Block:
    """One text block."""
    return {"type": "text", "text": text}


def as_blocks(content: Content) -> list[Block]:
    """Normalise message content to plain blocks (copies; the caller's objects stay untouched).

    Raises InvalidContent for empty content, for text that is only whitespace, and for what is no block.
    """
    blocks = well_formed(content)
    if not any(_says_something(block) for block in blocks):
        raise InvalidContent("the message is empty: give it text, an image or another block", problem="empty-message")
    return blocks


def well_formed(content: Content) -> list[Block]:
    """Message content as plain blocks, whether it says anything or not. Raises InvalidContent for what is no block."""
    if isinstance(content, str):
        blocks = [text_block(plain(content))]
    elif isinstance(content, Iterable) and not isinstance(content, Mapping | bytes):
        blocks = [text_block(plain(part)) if isinstance(part, str) else plain(part) for part in content]
    else:
        raise InvalidContent(
            f"content is a string or a list of blocks, not {type(content).__name__}", problem="content-type"
        )
    for index, block in enumerate(blocks):
        _reject_malformed(block, index)
    return blocks


def plain(value: Any) -> Any:
    """A JSON-able deep copy of SDK objects, dicts and lists: unset fields stay out, key order stays as given."""
    if isinstance(value, str):
        _reject_surrogates(value)
        return value
    if value is None or isinstance(value, bool | int | float):
        return value
    if hasattr(value, "to_dict"):
        # The SDK's own objects: `to_dict` leaves unset fields out; `model_dump` would add nulls the API refuses.
        return plain(value.to_dict())
    if isinstance(value, Mapping):
        return {_key(key): plain(item) for key, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, bytes | bytearray | set | frozenset):
        return [plain(item) for item in value]
    raise InvalidContent(
        f"{type(value).__name__} cannot be sent as JSON: {value!r:.80}; pass str, numbers, lists, dicts or SDK objects"
        f"{', bytes as sash.File(data)' if isinstance(value, bytes | bytearray) else ''}",
        problem="not-json",
    )


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise InvalidContent(f"JSON keys are strings, not {key!r}", problem="not-json")
    return key


def _reject_surrogates(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidContent(
            f"text holds half a surrogate pair at position {error.start}, which UTF-8 cannot carry; "
            "decode it with errors='replace' first",
            problem="surrogate",
        ) from error


def _reject_malformed(block: Any, index: int) -> None:
    if not isinstance(block, dict) or not isinstance(block.get("type"), str):
        raise InvalidContent(
            f"block {index} is no content block: {block!r:.80}; a block is a dict with a 'type'", problem="block"
        )
    if block["type"] == "text" and not isinstance(block.get("text"), str):
        raise InvalidContent(f"text block {index} has no text: {block!r:.80}", problem="block")


def is_said(block: Block) -> bool:
    """Whether it is text, and more than white space."""
    return block.get("type") == "text" and bool(str(block.get("text") or "").strip())


def _says_something(block: Block) -> bool:
    return block.get("type") != "text" or is_said(block)


def without_white_space(blocks: Sequence[Block]) -> list[Block]:
    """Drop text blocks of white space alone, which the API refuses from users ("Errors")."""
    return [block for block in blocks if _says_something(block)]


def without_empty_text(blocks: Sequence[Block]) -> list[Block]:
    """Drop empty text blocks, which the API refuses for ever after once they are in a history."""
    return [block for block in blocks if block.get("type") != "text" or block.get("text")]


def readable(blocks: Sequence[Mapping[str, Any]]) -> str:
    """The text of blocks as a person would search and read it: text, summaries, tool calls and results, no data."""
    return "\n".join(filter(None, (_readable_block(block) for block in blocks)))


def _inside(source: Any) -> str:
    """What a document's source says in text."""
    if not isinstance(source, Mapping):
        return ""
    inner = source.get("data") if source.get("type") == "text" else source.get("content")
    blocks = inner if isinstance(inner, list) else []
    return inner if isinstance(inner, str) else readable([block for block in blocks if isinstance(block, Mapping)])


def _readable_part(part: Any) -> str:
    """A part of a result; other programs put more than blocks there."""
    return _readable_block(part) if isinstance(part, Mapping) else part if isinstance(part, str) else dumps(part)


def _readable_block(block: Mapping[str, Any]) -> str:
    kind = block.get("type")
    if kind == "text":
        return str(block.get("text") or "")
    if kind in ("tool_use", "server_tool_use"):
        return f"[{block.get('name')}] {dumps(block.get('input'))}"
    if kind == "tool_result":
        content = block.get("content")
        if isinstance(content, list):
            return "\n".join(filter(None, map(_readable_part, content)))
        return content if isinstance(content, str) else dumps(content) if content else ""
    if kind == "compaction":
        return str(block.get("content") or "")
    if kind in ("image", "document"):
        title = block.get("title")
        return "\n".join(filter(None, (f"[{kind}{': ' + title if title else ''}]", _inside(block.get("source")))))
    return ""
