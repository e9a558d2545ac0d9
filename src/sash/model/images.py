"""Sizes of images, read from the first bytes of their base64: no image library, no decoding.

`pixels(source)` answers (width, height) of a PNG, JPEG, GIF or WebP given as base64, None for anything it
cannot read. It does not fetch URLs or files.
"""

from __future__ import annotations

import struct
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping
from math import ceil
from typing import Any

_START = 48
"""Bytes in which PNG, GIF and WebP say their size."""
HEADER = 256 * 1024
"""Bytes in which a JPEG does: it may carry a long profile before."""


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
    head = decoded(source, _START)
    reader = next((reader for magic, reader in _READERS if head.startswith(magic)), None)
    if reader is None:
        return None
    size = reader(decoded(source, HEADER) if reader is _jpeg else head)
    return size if size and min(size) > 0 else None


def _png(raw: bytes) -> tuple[int, int] | None:
    return struct.unpack(">II", raw[16:24]) if len(raw) >= 24 else None


def _gif(raw: bytes) -> tuple[int, int] | None:
    return struct.unpack("<HH", raw[6:10]) if len(raw) >= 10 else None


def _webp(raw: bytes) -> tuple[int, int] | None:
    """Lossy, lossless and extended files keep their size in different places (WebP container specification)."""
    if len(raw) < 25 or raw[8:12] != b"WEBP":
        return None
    match raw[12:16]:
        case b"VP8 " if len(raw) >= 30:
            width, height = struct.unpack("<HH", raw[26:30])
            return width & 0x3FFF, height & 0x3FFF
        case b"VP8L":
            bits = int.from_bytes(raw[21:25], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8X" if len(raw) >= 30:
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
