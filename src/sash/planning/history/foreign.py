"""One turn from elsewhere, block by block: what the API would refuse for its form becomes what it takes.

Words stay: a block that has no place where it stands is quoted as text. What says nothing goes: empty text, thinking
without its signature, cache markers. Each change is told in words. Pure; what spans turns is the business of
`sash.planning.history.repair`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sash.model.blocks import Block, dumps, text_block
from sash.model.ids import legal_name
from sash.model.images import pixels
from sash.planning.rules import NAME, SERVER_CALLS, is_server_result
from sash.planning.rules.media import IMAGE_TYPES, MAX_IMAGE, MAX_SIDE

FIELDS: dict[str, frozenset[str]] = {
    "text": frozenset({"type", "text", "citations"}),
    "image": frozenset({"type", "source", "transformations"}),
    "document": frozenset({"type", "source", "citations", "context", "title"}),
    "search_result": frozenset({"type", "content", "source", "title", "citations"}),
    "thinking": frozenset({"type", "thinking", "signature"}),
    "redacted_thinking": frozenset({"type", "data"}),
    "tool_use": frozenset({"type", "id", "input", "name", "caller", "toolset_name"}),
    "tool_result": frozenset({"type", "tool_use_id", "content", "is_error", "toolset_name"}),
}
"""The fields of the blocks that other programs write most often ("Messages" reference); others are refused."""
SERVER_SIDE = frozenset(
    {
        *("web_search_tool_result", "web_fetch_tool_result", "code_execution_tool_result"),
        *("bash_code_execution_tool_result", "text_editor_code_execution_tool_result", "tool_search_tool_result"),
    }
)
"""Results of the server's tools that are taken without any beta."""
IN_RESULT = frozenset({"text", "image", "document", "search_result", "tool_reference", "browser_state"})

Made = tuple[list[Block], str]
"""The blocks in the place of one, and what was done, in words ("" for nothing)."""


def as_taken(role: str, blocks: Sequence[Block], *, betas: bool = False) -> tuple[list[Block], list[str]]:
    """The blocks of a turn in a form that the API takes, and what was done for that.

    `betas`: beta features are asked for, so kinds and fields that this version does not know are left alone.
    """
    made: list[Block] = []
    said: list[str] = []
    for block in blocks:
        bare = without_markers(block)
        if bare != block:
            said.append("cache markers were taken off")
        found, words = _taken(role, bare, betas)
        made += found
        if words or found != [bare]:
            said.append(words or "fields that the API does not know were left out")
    return made, list(dict.fromkeys(said))


def without_markers(block: Block) -> Block:
    """A block without cache markers, its inner blocks too: a marker belongs to one request."""
    bare = {name: value for name, value in block.items() if name != "cache_control"}
    content = bare.get("content")
    if isinstance(content, list):
        bare["content"] = [without_markers(part) if isinstance(part, dict) else part for part in content]
    return bare


def _taken(role: str, block: Block, betas: bool) -> Made:
    kind = block["type"]
    if role == "system":
        return _of_system(block, betas)
    if kind in _FORMS:
        found, words = _FORMS[kind](role, block)
        bare = found if betas else [_known_fields(one) for one in found]
        return bare, words
    if kind in SERVER_CALLS or is_server_result(kind):
        known = betas or kind == "server_tool_use" or kind in SERVER_SIDE
        return ([block], "") if role == "assistant" and known and _whole(block) else quoted(role, block)
    if betas or kind == "compaction" or (kind == "container_upload" and isinstance(block.get("file_id"), str)):
        return [block], ""
    if kind == "fallback":
        return [], "a mark of another model's turn was left out"
    return quoted(role, block)


def _known_fields(block: Block) -> Block:
    known = FIELDS.get(block["type"])
    return block if known is None else {name: value for name, value in block.items() if name in known}


def _whole(block: Block) -> bool:
    if block["type"] in SERVER_CALLS:
        return _named(block) and isinstance(block.get("input"), dict)
    return isinstance(block.get("content"), str | list | dict)


def _named(call: Block) -> bool:
    return isinstance(call.get("name"), str) and NAME.fullmatch(call["name"]) is not None


def _of_system(block: Block, betas: bool) -> Made:
    if block["type"] != "text" or not isinstance(block.get("text"), str):
        return ([block], "") if betas else quoted("system", block)
    return ([text_block(block["text"])], "") if block["text"].strip() else ([], "empty text was left out")


# ---- block by block ---------------------------------------------------------------------------------


def _text(role: str, block: Block) -> Made:
    text = block.get("text")
    if not isinstance(text, str):
        return quoted(role, block)
    if not text or (role == "user" and not text.strip()):
        return [], "empty text was left out"
    if role == "user" and block.get("citations"):
        return [text_block(text)], "citations were taken off the user's text"
    return [block], ""


def _thinking(role: str, block: Block) -> Made:
    proof = block.get("signature" if block["type"] == "thinking" else "data")
    whole = block["type"] == "redacted_thinking" or isinstance(block.get("thinking"), str)
    if role == "assistant" and whole and isinstance(proof, str) and proof:
        return [block], ""
    return [], "thinking that cannot be sent back was left out"


def _tool_use(role: str, block: Block) -> Made:
    if role != "assistant" or not isinstance(block.get("name"), str) or not block["name"]:
        return quoted(role, block)
    name, given = block["name"], block.get("input")
    if not _named(block):
        block = {**block, "name": legal_name(name)}
    if not isinstance(given, dict):
        block = {**block, "input": _object(given)}
    return [block], f"the call of {name!r:.80} was given a form that the API takes" if block["name"] != name or (
        block.get("input") is not given
    ) else ""


def _object(given: Any) -> dict[str, Any]:
    """The input of a call as an object: other programs hold its JSON text."""
    try:
        read = json.loads(given) if isinstance(given, str) else given
    except ValueError:
        read = given
    if isinstance(read, dict):
        return read
    return {} if read in (None, "") else {"unparsed": read}


def _tool_result(role: str, block: Block) -> Made:
    if role != "user":
        return quoted(role, block)
    said: dict[str, Any] = {}
    content = _result_content(block.get("content"))
    if content != block.get("content"):
        said["content"] = content
    if "is_error" in block and not isinstance(block["is_error"], bool):
        said["is_error"] = bool(block["is_error"])
    return [{**block, **said}], "the result of a call was given a form that the API takes" if said else ""


def _result_content(content: Any) -> Any:
    if content is None or isinstance(content, str):
        return content
    if not isinstance(content, list):
        return dumps(content)
    return [part for item in content for part in _result_part(item)]


def _result_part(item: Any) -> Iterator[Block]:
    kind = item.get("type") if isinstance(item, dict) else None
    if isinstance(item, str):
        yield from [text_block(item)] if item else []
    elif kind in ("tool_reference", "browser_state"):
        yield item
    elif kind in IN_RESULT:
        yield from _taken("user", item, betas=False)[0]
    else:
        yield text_block(dumps(item))


def _image(role: str, block: Block) -> Made:
    source = _source(block)
    wrong = _image_fault(source)
    if role == "user" and not wrong:
        return [block], ""
    where = f" at {source['url']}" if isinstance(source.get("url"), str) else ""
    why = wrong or "the API takes images from users only"
    return [text_block(f"[an image{where}, left out: {why}]")], f"an image was left out: {why}"


def _image_fault(source: Mapping[str, Any]) -> str:
    kind = source.get("type")
    needed = {"base64": "data", "url": "url", "file": "file_id"}.get(str(kind))
    value = source.get(needed) if needed else None
    if not isinstance(value, str) or not value:
        return "it has no data"
    if kind == "base64" and source.get("media_type") not in IMAGE_TYPES:
        return f"its kind {source.get('media_type')!r:.40} is none that Claude reads"
    if kind == "base64" and (len(value) > MAX_IMAGE or max(pixels(source) or (0, 0)) > MAX_SIDE):
        return "it is too large"
    return ""


def _document(role: str, block: Block) -> Made:
    source = _source(block)
    needed = {"base64": "data", "text": "data", "content": "content", "url": "url", "file": "file_id"}
    value = source.get(needed.get(str(source.get("type")), ""))
    if role == "user" and value and isinstance(value, str | list):
        return [block], ""
    title = f" {block['title']!r:.200}" if block.get("title") else ""
    words = f"a document{title} was quoted as text"
    if source.get("type") == "text" and isinstance(value, str) and value:
        return [text_block(f"[document{title}]"), text_block(value)], words
    if source.get("type") == "content" and isinstance(value, str | list):
        inner = [value] if isinstance(value, str) else value
        return [text_block(f"[document{title}]"), *(p for i in inner for p in _flat(role, i))], words
    where = f" at {source['url']}" if isinstance(source.get("url"), str) else ""
    return [text_block(f"[document{title}{where}, left out]")], f"a document{title} was left out"


def _search_result(role: str, block: Block) -> Made:
    content = block.get("content")
    parts: list[Any] = content if isinstance(content, list) else [None]
    texts = all(isinstance(part, dict) and part.get("type") == "text" for part in parts)
    if not texts or not all(isinstance(block.get(name), str) for name in ("source", "title")):
        return quoted(role, block)
    kept = [text_block(p["text"]) for p in parts if isinstance(p.get("text"), str) and p["text"]]
    if kept == parts:
        return [block], ""
    return ([{**block, "content": kept}] if kept else []), "a search result was given a form that the API takes"


def _image_url(role: str, block: Block) -> Made:
    """A picture as OpenAI's messages hold it."""
    given = block.get("image_url")
    url = given.get("url") if isinstance(given, dict) else given
    if not isinstance(url, str):
        return quoted(role, block)
    head, _, data = url.partition(",")
    source = {"type": "url", "url": url}
    if head.startswith("data:") and head.endswith(";base64"):
        source = {"type": "base64", "media_type": head[5:-7], "data": data}
    found, words = _image(role, {"type": "image", "source": source})
    return found, words or "an image was given the API's form"


def _other_text(role: str, block: Block) -> Made:
    """Text by another name."""
    text = block.get("text", block.get("refusal"))
    found, _ = _text(role, {"type": "text", "text": text})
    return found, "text was given the API's form"


_FORMS: dict[str, Callable[[str, Block], Made]] = {
    "text": _text,
    "thinking": _thinking,
    "redacted_thinking": _thinking,
    "tool_use": _tool_use,
    "tool_result": _tool_result,
    "image": _image,
    "document": _document,
    "search_result": _search_result,
    "image_url": _image_url,
    "input_text": _other_text,
    "output_text": _other_text,
    "refusal": _other_text,
}


def _source(block: Block) -> Mapping[str, Any]:
    source = block.get("source")
    return source if isinstance(source, dict) else {}


# ---- quoting ----------------------------------------------------------------------------------------


def quoted(role: str, block: Block, why: str = "") -> Made:
    """A block as text that says what it was; what a result holds besides text stays beside it, where that may stand."""
    kind = block["type"]
    if kind == "tool_use" or kind in SERVER_CALLS:
        text = f"[call of the tool {block.get('name')!r:.120}, quoted]\n{dumps(block.get('input'))}"
        return [text_block(text)], f"a call of {block.get('name')!r:.80} was quoted as text{why}"
    if kind == "tool_result":
        head = text_block(f"[result of the tool call {block.get('tool_use_id')!r:.120}, quoted]")
        content = block.get("content")
        parts = content if isinstance(content, list) else [] if content in (None, "") else [content]
        return [head, *(part for item in parts for part in _flat(role, item))], f"a result was quoted as text{why}"
    said = {name: value for name, value in block.items() if name != "type"}
    return [text_block(f"[{kind}, quoted]\n{dumps(said)}")], f"a block of type {kind!r:.60} was quoted as text{why}"


def _flat(role: str, item: Any) -> list[Block]:
    """A part of a result as blocks of a turn."""
    if isinstance(item, dict) and isinstance(item.get("type"), str):
        kind = item["type"]
        if kind in ("text", "image", "document", "search_result"):
            return _taken(role, item, betas=False)[0]
    return [text_block(item if isinstance(item, str) else dumps(item))] if item != "" else []
