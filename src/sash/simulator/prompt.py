"""From a request body to the prompt that is cached and billed: positions, chained keys, sizes, bindings.

The order is tools, system, messages ("Prompt caching" docs). Keys ignore `cache_control`, the order of a
block's own fields, nulls, and whether a text came as a string or as a list of one block; they keep the key
order inside tool inputs and schemas. A change of tool_choice, thinking, effort or images alters the keys of
the messages alone. It expects a body that passed the checks, and knows neither clock nor cache entries.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, cast

from sash.model.cards import ModelCard, Ttl, base_name
from sash.simulator import tokens
from sash.simulator.tokens import Tokenizer

Block = Mapping[str, Any]
THINKING = ("thinking", "redacted_thinking")
_MEDIUM_EFFORT = ("claude-opus-5-5", "claude-haiku-5-5")  # models overview: the default effort; the others: high
_STRUCTURED_OUTPUT = 200  # tokens that a JSON schema adds to the prompt (seen in recorded usage)


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptRules:
    """What changes which level of the cache, where the documentation is not exact."""

    images: Literal["count", "presence", "none"] = "count"
    """The messages level depends on how many images there are, on whether there are any, or not on them."""
    thinking_loses: Literal["messages", "all"] = "messages"
    """What a changed thinking or effort setting loses ("depends on the model")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A rendered prompt. Position i is one content block; `ends[i]` counts all tokens up to and with it."""

    keys: tuple[bytes, ...]
    ends: tuple[int, ...]
    markers: tuple[tuple[int, Ttl], ...]
    total: int
    levels: Mapping[str, bytes]
    """A digest of each level's content and settings, to explain cache misses."""
    messages: tuple[bytes, ...]
    """A digest of everything up to and with each message."""


class Chain:
    """A running digest of a conversation: what a thinking block is bound to, and what cache keys are made of."""

    __slots__ = ("_role", "bare", "full")

    def __init__(self, bare: bytes = b"", full: bytes = b"", role: str = "") -> None:
        self.bare, self.full, self._role = bare, full, role

    @property
    def role(self) -> str:
        """Who spoke last."""
        return self._role

    def copy(self) -> Chain:
        """A chain that goes on from here by itself."""
        return Chain(self.bare, self.full, self._role)

    def fold(self, role: str, block: Block) -> bytes:
        """Add a block, and return the digest of the whole prefix. Thinking does not enter `bare`."""
        content = content_digest(block)
        head = b"" if role == self._role else role.encode()
        self.full = _chained(self.full, head, content)
        if block.get("type") not in THINKING:
            self.bare = _chained(self.bare, head, content)
            self._role = role
        return self.full


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_PLAIN_TEXT = {"type", "text", "cache_control"}
"""What a block of text alone may have: nearly all are such, and `canonical` is quickly written for them."""


def canonical(value: Any, *, keep_order: bool = False) -> bytes:
    """The JSON that the model would be shown: without markers and nulls, a block's own fields in a fixed order."""
    return _encode(_plain(value, keep_order)).encode("utf-8", "surrogatepass")


def _plain(value: Any, keep_order: bool) -> Any:
    if not isinstance(value, Mapping):
        return value
    names = value if keep_order else sorted(value)
    return {
        name: [_plain(part, keep_order) for part in value[name]]
        if name == "content" and isinstance(value[name], list)
        else value[name]
        for name in names
        if name != "cache_control" and value[name] is not None
    }


def _digest(*parts: bytes) -> bytes:
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        state.update(len(part).to_bytes(4, "big") + part)
    return state.digest()


def _chained(before: bytes, head: bytes, content: bytes) -> bytes:
    """A digest of three parts, the outer two of fixed length (or empty)."""
    return hashlib.blake2b(before + content + head, digest_size=16).digest()


def content_digest(block: Block) -> bytes:
    """A digest of what a block shows the model; of a seam between two models, whose trigger is ignored, the models."""
    kind = block.get("type")
    if kind == "text" and block.keys() <= _PLAIN_TEXT:
        shown = f'{{"text":{_encode(block["text"])},"type":"text"}}'.encode("utf-8", "surrogatepass")
    elif kind == "fallback":
        shown = canonical({"type": "fallback", "from": block["from"], "to": block["to"]})
    else:
        shown = canonical(block)
    return hashlib.blake2b(shown, digest_size=16).digest()


def blocks_of(content: str | Sequence[Block]) -> Sequence[Block]:
    """Content as a list of blocks: a string is one text block."""
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def tools_in_prefix(body: Block) -> list[Block]:
    """The tools that stand in the prompt from the start: deferred ones do not ("Tool use with prompt caching")."""
    return [tool for tool in body.get("tools") or () if not tool.get("defer_loading")]


def preamble_chain(body: Block) -> Chain:
    """The chain over tools and system."""
    chain = Chain()
    for tool in tools_in_prefix(body):
        chain.fold("tools", tool)
    for block in blocks_of(body.get("system") or ()):
        chain.fold("system", block)
    return chain


def conversation_chain(body: Block) -> Chain:
    """The chain over the whole request as it was sent: what a new thinking block is bound to."""
    chain = preamble_chain(body)
    for message in visible_messages(body):
        for block in blocks_of(message["content"]):
            chain.fold(message["role"], block)
    return chain


def visible_messages(body: Block) -> list[Block]:
    """The messages from the last compaction block on: the API ignores what stands before ("Compaction" docs)."""
    messages = list(body["messages"])
    for index in range(len(messages) - 1, -1, -1):
        blocks = blocks_of(messages[index]["content"])
        places = [at for at, block in enumerate(blocks) if block.get("type") == "compaction" and block.get("content")]
        if places:
            return [{**messages[index], "content": list(blocks)[places[-1] :]}, *messages[index + 1 :]]
    return messages


def render(body: Block, card: ModelCard, *, tokenizer: Tokenizer, rules: PromptRules | None = None) -> Prompt:
    """The prompt of a request body that passed the checks."""
    return _Rendering(body, card, tokenizer, rules or PromptRules()).prompt()


@dataclass
class _Rendering:
    """One pass over a body."""

    body: Block
    card: ModelCard
    tokenizer: Tokenizer
    rules: PromptRules
    chain: Chain = field(default_factory=Chain)
    keys: list[bytes] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    markers: list[tuple[int, Ttl]] = field(default_factory=list)
    markable: list[int] = field(default_factory=list)
    total: int = 0

    def prompt(self) -> Prompt:
        salts = self._salts()
        extra_first, extra_message = self._tool_prompt()
        for index, tool in enumerate(tools_in_prefix(self.body)):
            size = tool_tokens(tool, self.card, self.tokenizer) + (extra_first if index == 0 else 0)
            self._add("tools", tool, size, salts["tools"])
        tools = self.chain.full
        for block in blocks_of(self.body.get("system") or ()):
            self._add("system", block, block_tokens(block, self.card, self.tokenizer), salts["system"])
        system = self.chain.full
        digests = self._messages(salts["messages"], extra_message + self._setting_tokens())
        self._automatic_marker()
        return Prompt(
            keys=tuple(self.keys),
            ends=tuple(self.ends),
            markers=tuple(sorted(self.markers)),
            total=self.total + tokens.TAIL[self.card.generation],
            levels={
                "tools": _digest(tools, salts["tools"]),
                "system": _digest(system, salts["system"]),
                "settings": salts["messages"],
            },
            messages=tuple(digests),
        )

    def _messages(self, salt: bytes, extra: int) -> list[bytes]:
        digests, role = [], None
        for message in shown_messages(self.body, self.card):
            frame = tokens.MERGED if message["role"] == role else tokens.TURN[self.card.generation]
            role = message["role"]
            for block in blocks_of(message["content"]):
                size = block_tokens(block, self.card, self.tokenizer) + frame + extra
                self._add(role, block, size, salt)
                frame = extra = 0
            digests.append(self.chain.full)
        return digests

    def _add(self, role: str, block: Block, size: int, salt: bytes) -> None:
        self.total += size
        marker = marker_of(block)
        if is_markable(block):
            self.markable.append(len(self.keys))
        if marker:
            self.markers.append((len(self.keys), marker))
        self.keys.append(self.chain.fold(role, block) + salt)
        self.ends.append(self.total)

    def _automatic_marker(self) -> None:
        """Top-level `cache_control` marks the last block that can carry a marker ("Prompt caching", automatic)."""
        marker = marker_of(self.body)
        if marker and self.markable and self.markable[-1] not in dict(self.markers):
            self.markers.append((self.markable[-1], marker))

    def _tool_prompt(self) -> tuple[int, int]:
        """Tokens that tools add: to the first tool, and (a forced choice) to the first message."""
        if not tools_in_prefix(self.body):
            return 0, 0
        plain, forced = tokens.tool_prompt(base_name(self.card.id))
        choice = (self.body.get("tool_choice") or {}).get("type")
        return plain, forced - plain if choice in ("any", "tool") else 0

    def _setting_tokens(self) -> int:
        """Tokens that settings add (seen in recorded usage): manual and adaptive thinking before 4.7, a schema."""
        kind = (self.body.get("thinking") or {}).get("type")
        thinking = {"enabled": 28, "adaptive": 17}.get(kind or "", 0) if self.card.generation == "v3" else 0
        return thinking + (_STRUCTURED_OUTPUT if (self.body.get("output_config") or {}).get("format") else 0)

    def _salts(self) -> dict[str, bytes]:
        """What each level's keys depend on beside its content: a level loses the cache with those before it."""
        thinking = _digest(*(canonical(part) for part in self._thinking_settings()))
        tools = _digest(thinking if self.rules.thinking_loses == "all" else b"")
        system = _digest(tools, canonical(self._system_settings(), keep_order=True))
        messages = _digest(system, thinking, canonical(self._message_settings()), self._image_setting())
        return {"tools": tools, "system": system, "messages": messages}

    def _thinking_settings(self) -> tuple[Any, Any]:
        asked = dict(self.body.get("thinking") or {})
        if not asked:
            asked = {"type": "adaptive" if self.card.thinking_default else "disabled"}
        kept = {name: asked[name] for name in ("type", "budget_tokens") if name in asked}
        effort = (self.body.get("output_config") or {}).get("effort")
        return kept, {"effort": effort or ("medium" if base_name(self.card.id) in _MEDIUM_EFFORT else "high")}

    def _system_settings(self) -> dict[str, Any]:
        searches = any(str(tool.get("type", "")).startswith("web_search") for tool in self.body.get("tools") or ())
        return {
            "web_search": searches,
            "citations": any((block.get("citations") or {}).get("enabled") for block in self._documents()),
            "speed": self.body.get("speed") or "standard",
            "format": (self.body.get("output_config") or {}).get("format"),
        }

    def _message_settings(self) -> dict[str, Any]:
        choice = self.body.get("tool_choice") or {}
        return {
            "choice": choice.get("type") or "auto",
            "name": choice.get("name"),
            "serial": bool(choice.get("disable_parallel_tool_use")),
        }

    @cached_property
    def _blocks(self) -> list[Block]:
        """All of the messages, those inside tool results too."""
        return [block for message in self.body["messages"] for block in walk(blocks_of(message["content"]))]

    def _documents(self) -> Iterator[Block]:
        for block in self._blocks:
            if block.get("type") in ("document", "search_result") and isinstance(block.get("citations"), Mapping):
                yield block

    def _image_setting(self) -> bytes:
        images = sum(block.get("type") == "image" for block in self._blocks)
        return {"count": str(images), "presence": str(images > 0), "none": ""}[self.rules.images].encode()


def walk(blocks: Sequence[Block]) -> Iterator[Block]:
    """The blocks and those inside their `content`."""
    for block in blocks:
        if isinstance(block, Mapping):
            yield block
            if isinstance(block.get("content"), list):
                yield from walk(block["content"])


def shown_messages(body: Block, card: ModelCard) -> list[Block]:
    """The messages as the model sees them: older models drop the thinking of earlier turns ("Thinking" docs)."""
    messages = visible_messages(body)
    if card.thinking_kept == "all":
        return messages
    turn_start = max((i for i, message in enumerate(messages) if starts_turn(message)), default=0)
    return [without_thinking(message) if i < turn_start else message for i, message in enumerate(messages)]


def starts_turn(message: Block) -> bool:
    """Whether the user speaks in a message: results of tools alone go on with a turn."""
    blocks = blocks_of(message["content"])
    return message["role"] == "user" and any(block.get("type") != "tool_result" for block in blocks)


def without_thinking(message: Block) -> Block:
    """The message without its thinking blocks."""
    return {**message, "content": [b for b in blocks_of(message["content"]) if b.get("type") not in THINKING]}


def marker_of(block: Block) -> Ttl | None:
    """The lifetime a block's marker asks for; a marker inside a tool result counts for the result."""
    control = block.get("cache_control")
    if not control and block.get("type") == "tool_result" and isinstance(block.get("content"), list):
        inner = [part["cache_control"] for part in block["content"] if part.get("cache_control")]
        control = inner[-1] if inner else None
    return cast(Ttl, control.get("ttl") or "5m") if control else None


def is_markable(block: Block) -> bool:
    """Whether a marker may stand here: never on thinking, nor on empty text."""
    return block.get("type") not in THINKING and not (block.get("type") == "text" and not block.get("text"))


def tool_tokens(tool: Block, card: ModelCard, tokenizer: Tokenizer) -> int:
    """Tokens of one tool definition."""
    kind = tool.get("type") or "custom"
    if kind != "custom":
        return tokens.server_tool(kind, card.generation)
    shown = {name: tool[name] for name in ("name", "description", "input_schema", "input_examples") if tool.get(name)}
    return tokenizer(json.dumps(shown, ensure_ascii=False))


def block_tokens(block: Block, card: ModelCard, tokenizer: Tokenizer) -> int:
    """Tokens of one content block, without any frame."""
    kind = block.get("type")
    if kind in ("text", "compaction"):
        return tokenizer(block.get("text") or block.get("content") or "")
    if kind in THINKING:
        return thinking_size(block, tokenizer)
    if kind == "fallback":  # "not rendered into the prompt" (SDK, BetaFallbackBlockParam)
        return 0
    if kind == "image":
        return tokens.image_tokens(_pixels(block["source"]), card)
    if kind == "document":
        return _document_tokens(block, card, tokenizer)
    if kind == "tool_use":
        return tokens.TOOL_USE + tokenizer(block["name"]) + tokenizer(json.dumps(block["input"], ensure_ascii=False))
    if kind == "tool_result":
        content = blocks_of(block.get("content") or ())
        return tokens.TOOL_RESULT + sum(block_tokens(part, card, tokenizer) for part in content)
    return tokenizer(canonical(block).decode("utf-8", "replace"))


def thinking_size(block: Block, tokenizer: Tokenizer) -> int:
    """Tokens of a thinking block: its text, or what its signature or data stands for when the text is omitted."""
    from_signature = signed_tokens(block)
    if from_signature is not None:
        return from_signature
    hidden = block.get("data") or ("" if block.get("thinking") else block.get("signature")) or ""
    return tokenizer(block.get("thinking") or "") + len(hidden) // 6


def signed_tokens(block: Block) -> int | None:
    """The size that this simulator wrote into the signature; None for a signature of another make."""
    parts = str(block.get("signature") or block.get("data") or "").split(".")
    return int(parts[2]) if len(parts) > 2 and parts[0] == SIGNATURE_MARK and parts[2].isdigit() else None


SIGNATURE_MARK = "sim1"


def _pixels(source: Block) -> tuple[int, int]:
    return (tokens.image_size(source["data"]) if source.get("type") == "base64" else None) or tokens.UNSEEN_IMAGE


def _document_tokens(block: Block, card: ModelCard, tokenizer: Tokenizer) -> int:
    source = block["source"]
    named = tokens.DOCUMENT + tokenizer(block.get("title") or "") + tokenizer(block.get("context") or "")
    if source.get("type") == "text":
        return named + tokenizer(source["data"])
    if source.get("type") == "content":
        return named + sum(block_tokens(part, card, tokenizer) for part in blocks_of(source["content"]))
    pages = tokens.pdf_pages(source["data"]) if source.get("type") == "base64" else 1
    return named + tokens.pdf_tokens(pages, card)
