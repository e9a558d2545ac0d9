"""Pictures in tool results, made as small as the API wants them in a request of many: by Pillow, where it is installed.

More than 20 pictures may have 2,000 pixels a side at most ("Vision"): one larger than that would be refused with every
later request, and an agent that looks at screenshots would soon see none. Without Pillow pictures stay as they came.
"""

from __future__ import annotations

import io
from base64 import b64encode
from functools import cache
from typing import Any

from sash.model.blocks import Block
from sash.model.images import decoded, pixels

MOST_SIDE = 2_000
"""Pixels of the longer side; what a model sees of a larger picture are 1,568 or 2,576 at most."""
FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP"}
"""What is written as it was read; a moving GIF would stand still."""
QUALITY = 90
FEW_COLOURS = ("1", "P")
"""Modes in which a smaller picture would lose its grey."""


def with_smaller_pictures(result: Block) -> Block:
    """A tool result with its large pictures scaled down; one that nobody can read stays for others to judge."""
    content = result.get("content")
    if not isinstance(content, list) or not any(_is_large(part) for part in content):
        return result
    return {**result, "content": [_smaller(part) if _is_large(part) else part for part in content]}


def _is_large(part: Any) -> bool:
    source = part.get("source") if isinstance(part, dict) and part.get("type") == "image" else None
    if not isinstance(source, dict) or source.get("type") != "base64" or source.get("media_type") not in FORMATS:
        return False
    size = pixels(source)
    return size is not None and max(size) > MOST_SIDE


def _smaller(part: Block) -> Block:
    pillow, source = _load_pillow(), part["source"]
    if pillow is None:
        return part
    try:
        with pillow.open(io.BytesIO(decoded(source, len(source["data"])))) as picture:
            if getattr(picture, "is_animated", False):
                return part
            full = picture.convert("RGBA") if picture.mode in FEW_COLOURS else picture
            full.thumbnail((MOST_SIDE, MOST_SIDE))
            made = io.BytesIO()
            full.save(made, FORMATS[source["media_type"]], quality=QUALITY, exif=picture.getexif())
    except (OSError, ValueError, pillow.DecompressionBombError):  # damaged, or far too large
        return part
    return {**part, "source": {**source, "data": b64encode(made.getvalue()).decode()}}


@cache
def _load_pillow() -> Any:
    try:
        from PIL import Image  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    return Image
