"""Rules about images, documents and the size of the whole body.

Source: "Vision", "PDF support" and "Errors". Pixels are read from the head of base64 data; what stands
behind a URL or a file id is unknown here, and so is the number of a PDF's pages.
"""

from __future__ import annotations

import base64
import binascii
import json
import struct
from collections.abc import Iterator, Mapping
from typing import Any

from sash.planning.rules.body import Body, Finding, Spot, as_mapping

MAX_BODY = 32 * 1024 * 1024
MAX_IMAGE = 10 * 1024 * 1024
MAX_SIDE = 8000
MANY, MAX_SIDE_OF_MANY = 20, 2000
IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
HEAD = 256 * 1024
"""Base64 characters looked at for the size of an image; a JPEG may carry its size behind long metadata."""


def image_count(body: Body) -> Iterator[Finding]:
    """A request holds 600 images, or 100 on models with a small window."""
    count, limit = len(_images(body)), body.card.max_images
    if count > limit:
        yield "messages", f"{count} images; {body.card.id} takes {limit} a request: drop the oldest"


def image_source(body: Body) -> Iterator[Finding]:
    """base64 of a type Claude reads, a url, or a file id."""
    for spot in _images(body):
        source = _source(spot)
        kind, media = source.get("type"), source.get("media_type")
        if kind == "base64" and media not in IMAGE_TYPES:
            yield spot.path, f"image media_type is one of {', '.join(IMAGE_TYPES)}, not {media!r}"
        if not _filled(source):
            yield spot.path, "an image without data, url or file_id in its source"


def document_source(body: Body) -> Iterator[Finding]:
    """base64 of a PDF, plain text, blocks, a url, or a file id."""
    for spot in body.blocks:
        if spot.kind == "document" and not _filled(_source(spot)):
            yield spot.path, "a document without data, content, url or file_id in its source"


def image_bytes(body: Body) -> Iterator[Finding]:
    """10 MB of base64 an image."""
    for spot in _images(body):
        size = len(_data(spot))
        if size > MAX_IMAGE:
            yield spot.path, f"an image of {size} base64 bytes; at most {MAX_IMAGE}: scale it down"


def image_pixels(body: Body) -> Iterator[Finding]:
    """8,000 pixels a side; 2,000 once there are more than 20 images."""
    images = _images(body)
    limit = MAX_SIDE_OF_MANY if len(images) > MANY else MAX_SIDE
    for spot in images:
        size = pixels(_data(spot))
        if size and max(size) > limit:
            yield spot.path, f"an image of {size[0]}x{size[1]} pixels among {len(images)}; at most {limit} a side"


def body_size(body: Body) -> Iterator[Finding]:
    """32 MB of JSON."""
    try:
        text = json.dumps(body.params, ensure_ascii=False, separators=(",", ":"), default=_opaque)
    except (TypeError, ValueError, RecursionError) as error:
        yield "", f"the request cannot be written as JSON: {error}"
        return
    size = len(text.encode(errors="replace"))
    if size > MAX_BODY:
        yield "", f"the request is {size} bytes; at most {MAX_BODY}: use the Files API or fewer images"


def _opaque(value: Any) -> Any:
    """SDK objects as their fields; anything else (an open file) has a size that is unknown here."""
    made = as_mapping(value)
    return dict(made) if made is not None else str(value)


def _images(body: Body) -> list[Spot]:
    return [spot for spot in body.blocks if spot.kind == "image"]


def _source(spot: Spot) -> Mapping[str, Any]:
    return as_mapping(spot.block.get("source")) or {}


def _filled(source: Mapping[str, Any]) -> bool:
    """Whether the source points at something; source types of later versions pass."""
    needed = {"base64": "data", "text": "data", "content": "content", "url": "url", "file": "file_id"}
    kind = str(source.get("type") or "")
    return bool(kind) and (kind not in needed or bool(source.get(needed[kind])))


def _data(spot: Spot) -> str:
    data = _source(spot).get("data")
    return data if isinstance(data, str) else ""


def pixels(data: str) -> tuple[int, int] | None:
    """Width and height of a base64 PNG, GIF, JPEG or WebP image; None where they cannot be read."""
    try:
        head = base64.b64decode(data[:HEAD])
    except (binascii.Error, ValueError):
        return None
    reader = next((reader for magic, reader in _READERS.items() if head.startswith(magic)), None)
    try:
        return reader(head) if reader else None
    except (struct.error, IndexError):
        return None


def _png(head: bytes) -> tuple[int, int]:
    width, height = struct.unpack(">II", head[16:24])
    return width, height


def _gif(head: bytes) -> tuple[int, int]:
    width, height = struct.unpack("<HH", head[6:10])
    return width, height


def _jpeg(head: bytes) -> tuple[int, int] | None:
    """Walk the segments up to the frame header (SOF0 to SOF15, without the three other markers in that range)."""
    at = 2
    while at + 9 <= len(head) and head[at] == 0xFF:
        if 0xC0 <= head[at + 1] <= 0xCF and head[at + 1] not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", head[at + 5 : at + 9])
            return width, height
        at += 2 + struct.unpack(">H", head[at + 2 : at + 4])[0]
    return None


def _webp(head: bytes) -> tuple[int, int] | None:
    if head[12:16] == b"VP8X":
        return _int24(head[24:27]) + 1, _int24(head[27:30]) + 1
    if head[12:16] == b"VP8L":
        bits = struct.unpack("<I", head[21:25])[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if head[12:16] == b"VP8 ":
        width, height = struct.unpack("<HH", head[26:30])
        return width & 0x3FFF, height & 0x3FFF
    return None


def _int24(raw: bytes) -> int:
    return int.from_bytes(raw, "little")


_READERS = {b"\x89PNG\r\n\x1a\n": _png, b"GIF8": _gif, b"\xff\xd8": _jpeg, b"RIFF": _webp}


RULES = {
    "image-count": image_count,
    "image-source": image_source,
    "document-source": document_source,
    "image-bytes": image_bytes,
    "image-pixels": image_pixels,
    "body-size": body_size,
}
