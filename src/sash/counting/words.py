"""Text as a bag of features: what a token count depends on, without any vocabulary.

`pieces(text)` cuts text into runs of letters, digits, spaces and symbols; `features(piece)` names what in
a piece costs tokens (hashed letter groups, length, case, script); `junction` names what meets what. A
linear model over these (see `sash.counting.bases`) counts tokens without a tokenizer. Every piece is at
most `LONGEST` characters, so time and memory are linear in the text whatever it holds.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from itertools import pairwise
from zlib import crc32

from sash.model.patterns import late

LONGEST = 64
HASHED = 4096
"""Slots for hashed letter groups; the named features come before them."""

_PIECE = re.compile(
    rf"[^\W\d_]{{1,{LONGEST}}}|\d{{1,{LONGEST}}}|\n{{1,{LONGEST}}}|[^\S\n]{{1,{LONGEST}}}"
    rf"|[^\w\s]{{1,{LONGEST}}}|_{{1,{LONGEST}}}|.",
    re.DOTALL,
)

# The first code point of each script group; counts per group are features of their own.
_SCRIPTS = (0x80, 0x250, 0x370, 0x400, 0x530, 0x700, 0x1000, 0x1E00, 0x2000, 0x3040, 0x3100, 0xA000, 0xAC00, 0xD7B0,
            0x10000)  # fmt: skip
_WORD = ("word", "title", "capitals", "capital letters", "mixed case", "first 4", "beyond 4", "beyond 8", "bytes")
_OTHER = ("number", "digit groups", "digits", "break", "newlines", "gap", "root gap", "space", "symbol run", "symbols")
KINDS = ("letters", "digits", "space", "gap", "symbols")
_NAMES = (
    *_WORD,
    *_OTHER,
    *(f"script {n}" for n in range(len(_SCRIPTS) + 1)),
    *(f"{left}|{right}" for left in KINDS for right in KINDS),
)
_SLOT = {name: slot for slot, name in enumerate(_NAMES)}
_SCRIPT_SLOT = tuple(_SLOT[f"script {n}"] for n in range(len(_SCRIPTS) + 1))
WIDTH = len(_NAMES) + HASHED
"""Length of a feature vector."""


# What Claude's tokenizers never see: controls and private use are dropped, NUL is a space, a lone
# surrogate cannot be sent at all and stands as U+FFFD. (ctok's normalization, measured on the endpoint.)
_DROPPED = late("[\x01-\x08\x0b-\x1f\x7f-\x9f\ue000-\uf8ff]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def pieces(text: str) -> list[str]:
    """The text in runs of one kind of character; joined, they are the text again, as a tokenizer sees it."""
    seen = _SURROGATE.sub("\ufffd", _DROPPED.sub("", text)).replace("\0", " ")
    return _PIECE.findall(seen)


def kind(piece: str) -> int:
    """What a piece is: an index into `KINDS`."""
    first = piece[0]
    if first.isdigit():
        return 1
    if first.isspace():
        return 2 if piece == " " else 3
    return 0 if first.isalpha() else 4


def junction(left: int, right: int) -> int:
    """The slot of the feature "a piece of kind `left` is followed by one of kind `right`"."""
    return _SLOT["letters|letters"] + left * len(KINDS) + right


def features(piece: str) -> Counter[int]:
    """What in this piece costs tokens: slot -> amount."""
    found: Counter[int] = Counter()
    match kind(piece):
        case 0:
            _word(piece, found)
        case 1:
            found[_SLOT["number"]] = 1
            found[_SLOT["digit groups"]] = -(-len(piece) // 3)
            found[_SLOT["digits"]] = len(piece)
        case 2 | 3:
            _space(piece, found)
        case _:
            _symbols(piece, found)
    return found


def _word(piece: str, found: Counter[int]) -> None:
    length = len(piece)
    found[_SLOT["word"]] = 1
    found[_SLOT["first 4"]] = min(length, 4)
    found[_SLOT["beyond 4"]] = max(0, length - 4)
    found[_SLOT["beyond 8"]] = max(0, length - 8)
    _case(piece, found)
    _characters(piece, found)
    _groups(f"^{piece.lower()}$", (2, 3, 4), found)


def _case(piece: str, found: Counter[int]) -> None:
    if piece.islower():
        return
    if piece[0].isupper() and piece[1:].islower():
        found[_SLOT["title"]] = 1
    elif piece.isupper() and len(piece) > 1:
        found[_SLOT["capitals"]] = 1
        found[_SLOT["capital letters"]] = len(piece)
    else:
        found[_SLOT["mixed case"]] = 1


def _characters(piece: str, found: Counter[int]) -> None:
    """Scripts, bytes, and each character and block beyond ASCII: rare ones cost several tokens each."""
    found[_SLOT["bytes"]] = len(piece.encode("utf-8", "replace"))
    for char in piece:
        code = ord(char)
        found[_SCRIPT_SLOT[bisect_right(_SCRIPTS, code)]] += 1
        if code > 0x7F:
            found[_hashed(f"u{code}")] += 1
            found[_hashed(f"b{code >> 6}")] += 1


def _space(piece: str, found: Counter[int]) -> None:
    if piece[0] == "\n":
        found[_SLOT["break"]] = 1
        found[_SLOT["newlines"]] = len(piece)
    elif len(piece) > 1:
        found[_SLOT["gap"]] = 1
        found[_SLOT["root gap"]] = round(len(piece) ** 0.5)
    else:
        found[_SLOT["space"]] = 1


def _symbols(piece: str, found: Counter[int]) -> None:
    found[_SLOT["symbol run"]] = 1
    found[_SLOT["symbols"]] = len(piece)
    if not piece.isascii():
        _characters(piece, found)
    _groups(f"^{piece}$", (2, 3), found)


def _groups(marked: str, sizes: tuple[int, ...], found: Counter[int]) -> None:
    """Every run of `sizes` neighbouring characters, word ends marked."""
    for size in sizes:
        for start in range(len(marked) - size + 1):
            found[_hashed(marked[start : start + size])] += 1


def _hashed(group: str) -> int:
    # crc32, not hash(): the same slot in every process.
    return len(_NAMES) + crc32(group.encode("utf-8", "replace")) % HASHED


def vector(text: str) -> Counter[int]:
    """The features of a whole text, junctions included: what the coefficients are fitted on."""
    total: Counter[int] = Counter()
    cut = pieces(text)
    for piece in cut:
        total.update(features(piece))
    for left, right in pairwise(cut):
        total[junction(kind(left), kind(right))] += 1
    return total
