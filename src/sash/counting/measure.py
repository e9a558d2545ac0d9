"""What is in a message, before prices: base tokens per class of content, and countable units.

A `Measure` is the part of counting that costs time, done once per turn and kept with it: whatever is
learned later is applied to the measure, never to the text again. `Reader` builds measures from API blocks
and counts the characters it gave to the tokenizer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf, sqrt
from typing import Any

from sash.counting import media
from sash.counting.bases import CHUNK, COUNTED, Base
from sash.counting.classes import ContentClass, content_class
from sash.counting.constants import (
    IMAGE_TIERS,
    SERVER_TOOL_UNKNOWN,
    SERVER_TOOLS,
    SIGNATURE_BYTES_PER_TOKEN,
    SIGNATURE_OVERHEAD,
    UNKNOWN_BLOCK_BYTES_PER_TOKEN,
)
from sash.errors import InvalidOption
from sash.model.images import pixels

Block = Mapping[str, Any]
Blocks = str | Sequence[Block]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """`parts`: class of content -> tokens as the base counts them, unit -> how many. `slack`: tokens it may be off by.

    `fixed` tokens follow from documented rules (image patches) and take no correction.
    """

    parts: Mapping[str, float] = field(default_factory=dict)
    fixed: float = 0.0
    slack: float = 0.0

    def __post_init__(self) -> None:
        amounts = (*self.parts.values(), self.fixed, self.slack)
        for amount in amounts:
            if not 0 <= amount < inf:
                said = f"a measure holds amounts of 0 or more, not {amounts}"
                raise InvalidOption(said, option="measure", value=amounts)

    def __add__(self, other: Measure) -> Measure:
        return total((self, other))

    def as_json(self) -> dict[str, Any]:
        """A plain value for a store; `from_json` reads it back."""
        return {"parts": {name: round(amount, 3) for name, amount in self.parts.items()},
                "fixed": round(self.fixed, 3), "slack": round(self.slack, 3)}  # fmt: skip

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Measure:
        """Read what `as_json` wrote."""
        return cls(parts=dict(value["parts"]), fixed=value["fixed"], slack=value["slack"])


NOTHING = Measure()


def total(measures: Iterable[Measure]) -> Measure:
    """The sum of several measures."""
    parts: dict[str, float] = {}
    fixed = slack = 0.0
    for measure in measures:
        for name, amount in measure.parts.items():
            parts[name] = parts.get(name, 0) + amount
        fixed += measure.fixed
        slack += measure.slack
    return Measure(parts=parts, fixed=fixed, slack=slack)


def some(name: str, amount: float = 1, **more: float) -> Measure:
    """A measure of one part."""
    return Measure(parts={name: amount}, **more)


class Reader:
    """Measures blocks on one base. `characters` is how many it has tokenized so far."""

    def __init__(self, base: Base, *, image_tier: str, thinking_stays: bool = True) -> None:
        self._base = base
        self._tier = image_tier
        self._thinking_stays = thinking_stays
        self.characters = 0

    def text(self, text: str, content: ContentClass | None = None) -> Measure:
        """The tokens of a text on the base, under the class it belongs to (judged when not given)."""
        if not text:
            return NOTHING
        tokens, slack = self._tokens(text)
        return some(content or content_class(text), tokens, slack=slack)

    def message(self, role: str, blocks: Blocks) -> Measure:
        """A turn with its frame. A string is one text block."""
        listed = _listed(blocks)
        frame = {"user": "user", "assistant": "assistant"}.get(role, "system turn")
        results = sum(block.get("type") == "tool_result" for block in listed)
        units = {frame: 1.0, "block": max(0, len(listed) - 1 - results)}
        if results:
            units |= {"tool result": 1, "more results": results - 1, "parallel": float(results > 1)}
        return total([Measure(parts={name: n for name, n in units.items() if n}), *map(self.block, listed)])

    def block(self, block: Block) -> Measure:
        """One content block of any type; a type nobody knows is bounded by its JSON."""
        read = self._readers.get(str(block.get("type")))
        return read(self, block) if read else self._unknown(block)

    def tools(self, tools: Sequence[Block], tool_choice: Block | None) -> Measure:
        """Tool definitions and the prompt that the API adds for them; nothing without tools."""
        if not tools:
            return NOTHING
        forced = str((tool_choice or {}).get("type")) in ("any", "tool")
        prompt = Measure(parts={"tools": 1, "forced tools": 1} if forced else {"tools": 1})
        return total([prompt, *map(self._definition, tools)])

    def json(self, value: object) -> Measure:
        """The tokens of a value as JSON text."""
        return self.text(_as_json(value), "json")

    def _tokens(self, text: str) -> tuple[float, float]:
        """(tokens, slack): all of the text in chunks, or evenly spaced ones of a text too long for any window."""
        cuts = _cuts(text)
        step = -(-len(text) // COUNTED)
        counted = [self._counted(text[start:end]) for start, end in cuts[::step]]
        if step == 1:
            return sum(counted), 0.0
        sizes = [end - start for start, end in cuts[::step]]
        rest = len(text) - sum(sizes)
        densest = max(tokens / size for tokens, size in zip(counted, sizes, strict=True))
        average = sum(counted) / sum(sizes)
        return sum(counted) + rest * average, rest * (densest - average) + 0.05 * rest * average

    def _counted(self, text: str) -> float:
        self.characters += len(text)
        return self._base.count(text)

    def _text(self, block: Block) -> Measure:
        said, cited = self.text(str(block.get("text") or "")), block.get("citations")
        return said + self.json(cited) if cited else said

    def _tool_use(self, block: Block) -> Measure:
        """The call's name and arguments; the API renders each argument apart, a text without JSON's escapes."""
        arguments = block.get("input")
        named = arguments if isinstance(arguments, Mapping) else {"input": arguments}
        parts = [some("tool use"), self.text(str(block.get("name") or ""), "code")]
        if named:
            parts.append(some("parameter", len(named)))
        for name, value in named.items():
            parts += [self.text(str(name), "code"), self.text(value) if isinstance(value, str) else self.json(value)]
        return total(parts)

    def _tool_result(self, block: Block) -> Measure:
        content = block.get("content")
        return total(map(self.block, _listed(content))) if content else NOTHING

    def _image(self, block: Block) -> Measure:
        source = _source(block)
        size = pixels(source)
        if size is None:
            cap = IMAGE_TIERS[self._tier][1]
            return some("image", fixed=cap)  # the bound: an estimate below it could pass the budget
        return some("image", fixed=media.patches(*size, self._tier))

    def _document(self, block: Block) -> Measure:
        source = _source(block)
        about = self.text("\n".join(str(block[key]) for key in ("title", "context") if block.get(key)))
        match source.get("type"):
            case "text":
                inside = self.text(str(source.get("data") or ""))
            case "content":
                inside = total(map(self.block, _listed(source.get("content") or "")))
            case _:
                pages = media.pages(source)
                inside = some("page", pages) if pages else some("page", 1, slack=self._unread(source))
        return some("document") + about + inside

    def _unread(self, source: Block) -> float:
        """Slack for a document whose pages cannot be counted: about a page per 2 KB, fewer in larger files."""
        data = source.get("data")
        size = len(data) * 0.75 if isinstance(data, str) else 200_000
        return 4_600 * sqrt(max(1.0, size / 2_000))

    def _thinking(self, block: Block) -> Measure:
        """Visible thinking is text; a block with a signature alone is bounded by the signature's length."""
        shown = self.text(str(block.get("thinking") or ""), "prose")
        hidden = _hidden(str(block.get("signature") or ""))
        return self._stays(shown + replace(hidden, fixed=0.0) if shown.parts else hidden)

    def _stays(self, thinking: Measure) -> Measure:
        """On models that keep the last turn's thinking only, the rest costs nothing; an open exchange keeps its own."""
        if self._thinking_stays:
            return thinking
        return Measure(slack=sum(thinking.parts.values()) + thinking.fixed + thinking.slack)

    def _redacted(self, block: Block) -> Measure:
        return self._stays(_hidden(str(block.get("data") or "")))

    def _search_result(self, block: Block) -> Measure:
        about = self.text("\n".join(str(block[key]) for key in ("title", "source") if block.get(key)))
        return some("document") + about + total(map(self.block, _listed(block.get("content") or "")))

    def _unknown(self, block: Block) -> Measure:
        """Its JSON without the marker, and slack up to the densest text: the API may render it otherwise."""
        body = _as_json({key: value for key, value in block.items() if key not in ("type", "cache_control")})
        read = self.text(body, "json")
        tokens = sum(read.parts.values())
        dense = len(body.encode("utf-8", "replace")) / UNKNOWN_BLOCK_BYTES_PER_TOKEN
        return read + Measure(slack=max(64.0, dense - tokens))

    def _definition(self, tool: Block) -> Measure:
        kind = str(tool.get("type") or "custom")
        if kind == "custom" or "input_schema" in tool:
            shown = {key: tool[key] for key in ("name", "description", "input_schema") if key in tool}
            # A deferred tool is outside the prompt until it is searched for ("Tool use with prompt caching").
            return NOTHING if tool.get("defer_loading") else some("tool definition") + self.json(shown)
        known = next((tokens for prefix, tokens in SERVER_TOOLS if kind.startswith(prefix)), None)
        if known is None:
            return Measure(fixed=SERVER_TOOL_UNKNOWN.tokens, slack=SERVER_TOOL_UNKNOWN.spread)
        return Measure(fixed=known, slack=0.15 * known)

    _readers: Mapping[str, Callable[[Reader, Block], Measure]] = {
        "text": _text,
        "image": _image,
        "document": _document,
        "tool_use": _tool_use,
        "tool_result": _tool_result,
        "thinking": _thinking,
        "redacted_thinking": _redacted,
        "search_result": _search_result,
    }


def _cuts(text: str) -> list[tuple[int, int]]:
    """Where to cut a text for the tokenizer: at most `CHUNK` characters, at a line or word end where there is one."""
    if len(text) <= CHUNK:
        return [(0, len(text))]
    cuts, start = [], 0
    while start < len(text):
        end = min(len(text), start + CHUNK)
        if end < len(text):
            end = _boundary(text, start, end)
        cuts.append((start, end))
        start = end
    return cuts


def _boundary(text: str, start: int, end: int) -> int:
    """The last newline, else the last space, of the second half of text[start:end]; else `end` itself."""
    floor = start + (end - start) // 2
    for mark in ("\n", " "):
        found = text.rfind(mark, floor, end)
        if found > floor:
            return found
    return end


def _listed(blocks: object) -> list[Block]:
    """Content as a list of blocks: text is one block, and what is no block counts as text."""
    if isinstance(blocks, str):
        return [{"type": "text", "text": blocks}]
    items = blocks if isinstance(blocks, Sequence) else [blocks]
    return [item if isinstance(item, Mapping) else {"type": "text", "text": str(item)} for item in items]


def _source(block: Block) -> Block:
    source = block.get("source")
    return source if isinstance(source, Mapping) else {}


def _hidden(sealed: str) -> Measure:
    """What a sealed text may stand for; at most all its bytes are of the thought, its overhead is not documented."""
    bytes_ = len(sealed) * 0.75
    tokens = max(0.0, bytes_ - SIGNATURE_OVERHEAD) / SIGNATURE_BYTES_PER_TOKEN
    return Measure(fixed=tokens, slack=max(tokens, bytes_ / SIGNATURE_BYTES_PER_TOKEN - tokens))


def _as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
