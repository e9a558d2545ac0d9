"""Sizes of images and documents, read from the first bytes of their base64: no image library, no decoding.

`pixels(source)` answers (width, height) of a PNG, JPEG, GIF or WebP given as base64, None for anything it
cannot read. It does not fetch URLs or files. `pages` counts the pages of a PDF.
"""

from __future__ import annotations

import re
import struct
import zlib
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping
from math import ceil
from typing import Any

from sash.counting.constants import IMAGE_TIERS, PATCH

_HEADER = 256 * 1024
"""Bytes of a file that are looked at: a JPEG may carry a long profile before its size."""
_INFLATED = 8 * 1024 * 1024
"""Bytes that one compressed part of a PDF may unfold to before it is left alone."""


def decoded(source: Mapping[str, Any], limit: int) -> bytes:
    """The first `limit` bytes of a base64 source; nothing when it has none or is spoilt."""
    data = source.get("data")
    if not isinstance(data, str):
        return b""
    head = data[: ceil(limit / 3) * 4]
    try:
        return b64decode(head[: len(head) // 4 * 4])
    except (NotBase64, ValueError):
        return b""


def pixels(source: Mapping[str, Any]) -> tuple[int, int] | None:
    """(width, height) of a base64 image source, or None where the size cannot be read."""
    raw = decoded(source, _HEADER)
    for magic, reader in _READERS:
        if raw.startswith(magic):
            size = reader(raw)
            return size if size and min(size) > 0 else None
    return None


def _png(raw: bytes) -> tuple[int, int] | None:
    return struct.unpack(">II", raw[16:24]) if len(raw) >= 24 else None


def _gif(raw: bytes) -> tuple[int, int] | None:
    return struct.unpack("<HH", raw[6:10]) if len(raw) >= 10 else None


def _webp(raw: bytes) -> tuple[int, int] | None:
    """Lossy, lossless and extended files keep their size in different places (WebP container specification)."""
    if len(raw) < 30 or raw[8:12] != b"WEBP":
        return None
    match raw[12:16]:
        case b"VP8 ":
            width, height = struct.unpack("<HH", raw[26:30])
            return width & 0x3FFF, height & 0x3FFF
        case b"VP8L":
            bits = int.from_bytes(raw[21:25], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8X":
            return int.from_bytes(raw[24:27], "little") + 1, int.from_bytes(raw[27:30], "little") + 1
    return None


def _jpeg(raw: bytes) -> tuple[int, int] | None:
    """Walk the segments to the start-of-frame marker, which holds height and width."""
    at = 2
    while at + 9 <= len(raw):
        if raw[at] != 0xFF:
            return None
        marker = raw[at + 1]
        if marker == 0xFF:
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", raw[at + 5 : at + 9])
            return width, height
        else:
            at += 2 + int.from_bytes(raw[at + 2 : at + 4], "big")
    return None


_READERS: tuple[tuple[bytes, Callable[[bytes], tuple[int, int] | None]], ...] = (
    (b"\x89PNG\r\n\x1a\n", _png),
    (b"\xff\xd8", _jpeg),
    (b"GIF8", _gif),
    (b"RIFF", _webp),
)


def patches(width: int, height: int, tier: str) -> int:
    """Tokens of an image: its patches of 28 by 28 pixels after scaling down to the tier's edge and cap."""
    edge, cap = IMAGE_TIERS[tier]
    low, high = 0.0, min(1.0, edge / max(width, height))
    if _patches(width * high, height * high) <= cap:
        return _patches(width * high, height * high)
    for _ in range(40):  # the largest scale that stays within the cap: patches only grow with it
        middle = (low + high) / 2
        low, high = (middle, high) if _patches(width * middle, height * middle) <= cap else (low, middle)
    return _patches(width * low, height * low)


def _patches(width: float, height: float) -> int:
    return max(1, ceil(round(width, 6) / PATCH)) * max(1, ceil(round(height, 6) / PATCH))


_PAGE = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")
_STREAM = re.compile(rb"/ObjStm.{0,300}?stream\r?\n", re.DOTALL)


def pages(source: Mapping[str, Any]) -> int | None:
    """The pages of a base64 PDF, or None where they cannot be counted."""
    raw = decoded(source, 64 * 1024 * 1024)
    if not raw.startswith(b"%PDF"):
        return None
    plain = len(_PAGE.findall(raw))
    packed = sum(len(_PAGE.findall(_inflated(raw[found.end() :]))) for found in _STREAM.finditer(raw))
    return plain + packed or None


def _inflated(raw: bytes) -> bytes:
    """A compressed object stream of a PDF 1.5 or later; page objects often lie in one."""
    try:
        return zlib.decompressobj().decompress(raw, _INFLATED)
    except zlib.error:
        return b""
