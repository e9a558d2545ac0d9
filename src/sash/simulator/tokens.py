"""How many tokens the simulated models see: one deterministic rule per tokenizer generation.

Text is counted by classes of characters with weights fitted to published counts of the real endpoint
(Universal Declaration texts, Rosetta Code) and to English chat: the median is within a few per cent on
English, code and JSON, and 4.7 and later models need about 30 % more than older ones ("Token counting"
docs). Another rule comes in as `tokenizer=`, any callable from text to tokens. Frames, tool prompts,
images and PDFs are counted here too; what a request is made of is not known here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
import re
import struct
from collections.abc import Callable
from functools import partial

from sash.model.cards import Generation, ModelCard

Tokenizer = Callable[[str], int]

_WIDE = "\u1100-\u11ff\u2e80-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"
_CLASSES = {
    "word": re.compile(r"[A-Za-z]+"),
    "digit": re.compile(r"[0-9]"),
    "newline": re.compile(r"\n"),
    "gap": re.compile(r"(?<=[ \t]) +|\t+"),
    "wide": re.compile(f"[{_WIDE}]"),
    "accented": re.compile(r"[\u00c0-\u024f]"),
    "foreign": re.compile(rf"[^\W\d_A-Za-z\u00c0-\u024f{_WIDE}]"),
    "mark": re.compile(r"[!-/:-@\[-`{-~]"),
    "other": re.compile(rf"[^\w\sA-Za-z!-~{_WIDE}]"),
}
_OLD = {"word": 0.832, "letter": 0.054, "digit": 0.697, "newline": 2.088, "gap": 1.319, "wide": 1.082,
        "accented": 2.495, "foreign": 0.755, "mark": 0.730, "other": 1.082}  # fmt: skip
_NEW = {"word": 0.760, "letter": 0.181, "digit": 0.680, "newline": 2.491, "gap": 1.166, "wide": 1.072,
        "accented": 2.638, "foreign": 0.737, "mark": 0.834, "other": 1.305}  # fmt: skip
WEIGHTS: dict[Generation, dict[str, float]] = {"v3": _OLD, "v4.7": _NEW, "v5": _NEW}

TURN = {"v3": 3, "v4.7": 4, "v5": 3}
"""Tokens around each turn (a run of messages of one role)."""
TAIL = {"v3": 4, "v4.7": 7, "v5": 3}
"""Tokens behind the last block that open the reply: never in a cached prefix, hence fresh on every request."""
MERGED = 1
"""Tokens of a further message of the same role."""
TOOL_USE = 40
TOOL_RESULT = 38
"""Around a tool call and its result, beside name, input and content (median of real sessions: 78 a pair)."""
DOCUMENT = 38
"""Around a document (seen in recorded usage)."""
PDF_PAGE = 1_500
"""Text tokens of a PDF page ("PDF support": 1,500 to 3,000), beside its picture."""
PAGE_SIZE = (816, 1056)
UNSEEN_IMAGE = (1092, 1092)
"""Pixels assumed of an image whose bytes are elsewhere (a URL, a file id)."""


_REMEMBERED = 100_000


def remembering(tokenizer: Tokenizer) -> Tokenizer:
    """The same counts, each text counted once (remembered by digest: a history is sent again and again)."""
    sizes: dict[bytes, int] = {}

    def count(text: str) -> int:
        key = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        size = sizes.get(key)
        if size is None:
            if len(sizes) >= _REMEMBERED:
                sizes.clear()
            size = sizes[key] = tokenizer(text)
        return size

    return count


def _count(text: str, generation: Generation) -> int:
    if not text:
        return 0
    weights = WEIGHTS[generation]
    words = _CLASSES["word"].findall(text)
    total = weights["word"] * len(words) + weights["letter"] * sum(map(len, words))
    for name, pattern in _CLASSES.items():
        if name != "word":
            total += weights[name] * len(pattern.findall(text))
    return max(1, round(total))


_BUILT_IN: dict[Generation, Tokenizer] = {
    generation: remembering(partial(_count, generation=generation)) for generation in WEIGHTS
}


def tokenizer_for(card: ModelCard) -> Tokenizer:
    """The built-in rule for this model's generation."""
    return _BUILT_IN[card.generation]


def cut_text(text: str, limit: int, tokenizer: Tokenizer) -> str:
    """The longest beginning of `text` (at a word's end) of at most `limit` tokens; perhaps empty."""
    if tokenizer(text) <= limit:
        return text
    ends = [0, *(match.end() for match in re.finditer(r"\S+", text))]
    low, high = 0, len(ends) - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if tokenizer(text[: ends[middle]]) <= limit else (low, middle - 1)
    return text[: ends[low]]


# "Tool use overview" docs: the prompt that tools add, for tool_choice auto or none, and any or tool.
_TOOL_PROMPTS = {
    "claude-opus-5": (286, 406),
    "claude-opus-4-8": (290, 410),
    "claude-opus-4-7": (675, 804),
    "claude-opus-4-6": (497, 589),
    "claude-sonnet-4-6": (497, 589),
    "claude-opus-4-5": (496, 588),
    "claude-sonnet-4-5": (496, 588),
    "claude-haiku-4-5": (496, 588),
    "claude-sonnet-5": (354, 474),
}
_NEWER_TOOL_PROMPT = (290, 410)  # 5.5, Fable, Mythos: not published; like their nearest siblings


def tool_prompt(base_name: str) -> tuple[int, int]:
    """Tokens that a non-empty `tools` adds once: (auto or none, any or tool)."""
    return _TOOL_PROMPTS.get(base_name, _NEWER_TOOL_PROMPT)


_SERVER_TOOLS = {
    "bash_": (325, 244),
    "text_editor_": (700, 700),
    "computer_": (4_500, 4_500),
    "browser_": (6_600, 6_600),
    "memory_": (1_070, 1_070),
    "web_search_": (1_500, 1_500),
    "web_fetch_": (1_500, 1_500),
    "code_execution_": (2_000, 2_000),
}
_OTHER_SERVER_TOOL = 200


def server_tool(kind: str, generation: Generation) -> int:
    """Tokens of a tool that Anthropic defines, by its `type` (partly published; the rest seen in recorded usage)."""
    for prefix, (newer, older) in _SERVER_TOOLS.items():
        if kind.startswith(prefix):
            return older if generation == "v3" else newer
    return _OTHER_SERVER_TOOL


_TIERS = {"high": (2_576, 4_784), "standard": (1_568, 1_568)}


def image_tokens(size: tuple[int, int], card: ModelCard) -> int:
    """Tokens of an image of (width, height) pixels: a patch of 28 x 28 each, after scaling down ("Vision" docs)."""
    edge, most = _TIERS[card.image_tier]
    width, height = max(1, size[0]), max(1, size[1])
    scale = min(1.0, edge / max(width, height))
    if _patches(width, height, scale) <= most:
        return _patches(width, height, scale)
    low, high = 0.0, scale
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if _patches(width, height, middle) <= most else (low, middle)
    return _patches(width, height, low)


def _patches(width: int, height: int, scale: float) -> int:
    across, down = (math.ceil(round(edge * scale / 28, 6)) for edge in (width, height))
    return max(1, across) * max(1, down)


def image_size(data: str) -> tuple[int, int] | None:
    """(width, height) from the header of a base64 PNG, GIF, JPEG or WebP; None where it cannot be read."""
    try:
        head = base64.b64decode(data[:87_380])
    except (binascii.Error, ValueError):
        return None
    if head[:8] == b"\x89PNG\r\n\x1a\n" and len(head) >= 24:
        return struct.unpack(">II", head[16:24])
    if head[:3] == b"GIF" and len(head) >= 10:
        return struct.unpack("<HH", head[6:10])
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return _webp_size(head)
    return _jpeg_size(head) if head[:2] == b"\xff\xd8" else None


def _webp_size(head: bytes) -> tuple[int, int] | None:
    if head[12:16] == b"VP8X" and len(head) >= 30:
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if head[12:16] == b"VP8 " and len(head) >= 30:
        width, height = struct.unpack("<HH", head[26:30])
        return width & 0x3FFF, height & 0x3FFF
    if head[12:16] == b"VP8L" and len(head) >= 25:
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
    return None


def _jpeg_size(head: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 < len(head) and head[at] == 0xFF:
        kind, length = head[at + 1], int.from_bytes(head[at + 2 : at + 4], "big")
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", head[at + 5 : at + 9])
            return width, height
        at += 2 + length
    return None


_PAGE = re.compile(rb"/Type\s*/Page[^s]")


def pdf_pages(data: str) -> int:
    """Pages of a base64 PDF, as far as they are written in the clear; at least 1."""
    try:
        return max(1, len(_PAGE.findall(base64.b64decode(data))))
    except (binascii.Error, ValueError):
        return 1


def pdf_tokens(pages: int, card: ModelCard) -> int:
    """Tokens of a PDF: each page's text and its picture."""
    return pages * (PDF_PAGE + image_tokens(PAGE_SIZE, card))
