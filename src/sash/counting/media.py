"""What images and documents weigh: `patches` are the tokens of an image of a size, `pages` counts those of a PDF."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from math import ceil
from typing import Any

from sash.counting.constants import IMAGE_TIERS, PATCH
from sash.model.images import decoded

_INFLATED = 8 * 1024 * 1024
"""Bytes that one compressed part of a PDF may unfold to before it is left alone."""


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
