"""Rules about images, documents and the size of the whole body.

Source: "Vision", "PDF support" and "Errors". Pixels are read from the head of base64 data; what stands
behind a URL or a file id is unknown here, and so are the pages of a PDF that cannot be read.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sash.counting.media import pages
from sash.model.files import binary_type
from sash.model.images import decoded, pixels
from sash.planning.rules.body import Body, Finding, Spot, about, as_mapping

MAX_BODY = 32 * 1024 * 1024
MAX_IMAGE = 10 * 1024 * 1024
MAX_SIDE = 8000
MANY, MAX_SIDE_OF_MANY = 20, 2000
IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")


@about("image")
def image_count(body: Body) -> Iterator[Finding]:
    """A request holds 600 images, or 100 on models with a small window."""
    count, limit = body.before.images + len(_images(body)), body.card.max_images
    if count > limit:
        yield "messages", f"{count} images; {body.card.id} takes {limit} a request: drop the oldest"


@about("image")
def image_source(body: Body) -> Iterator[Finding]:
    """base64 of a type Claude reads, a url, or a file id."""
    for spot in _images(body):
        source = _source(spot)
        kind, media = source.get("type"), source.get("media_type")
        if kind == "base64" and media not in IMAGE_TYPES:
            yield spot.path, f"image media_type is one of {', '.join(IMAGE_TYPES)}, not {media!r}"
        if not _filled(source):
            yield spot.path, "an image without data, url or file_id in its source"


@about("document")
def document_source(body: Body) -> Iterator[Finding]:
    """base64 of a PDF, plain text, blocks, a url, or a file id."""
    for spot in body.blocks:
        if spot.kind == "document" and not _filled(_source(spot)):
            yield spot.path, "a document without data, content, url or file_id in its source"


@about("image", "document")
def base64_data(body: Body) -> Iterator[Finding]:
    """base64 and nothing else, of what its media type says."""
    for spot in body.blocks:
        source = _source(spot)
        if spot.kind in ("image", "document") and source.get("type") == "base64" and _data(spot):
            for what in _wrong_data(source, _data(spot)):
                yield spot.path, f"{spot.kind} data {what}"


def _wrong_data(source: Mapping[str, Any], data: str) -> Iterator[str]:
    found, said = binary_type(decoded(source, 16)), source.get("media_type")
    if data[:5].lower() == "data:":
        yield "begins with a data: prefix; leave out all up to its comma, and say the type as media_type"
    elif not _is_base64(data):
        yield f"is not base64: {data[:20]!r}...; encode the bytes, as base64.b64encode(data).decode()"
    elif found and found != said:
        yield f"is {found}, but media_type says {said!r}: give the type it has"


def _is_base64(data: str) -> bool:
    """Line ends, as mail has them, are let pass."""
    try:
        b64decode("".join(data.split()) if any(end in data for end in "\r\n") else data, validate=True)
    except ValueError:
        return False
    return True


@about("image")
def image_bytes(body: Body) -> Iterator[Finding]:
    """10 MB of base64 an image."""
    for spot in _images(body):
        size = len(_data(spot))
        if size > MAX_IMAGE:
            yield spot.path, f"an image of {size} base64 bytes; at most {MAX_IMAGE}: scale it down"


@about("image")
def image_pixels(body: Body) -> Iterator[Finding]:
    """8,000 pixels a side; 2,000 once there are more than 20 images."""
    images, count = _images(body), body.before.images + len(_images(body))
    limit = MAX_SIDE_OF_MANY if count > MANY else MAX_SIDE
    if body.before.widest > limit:
        yield "messages", f"an image of {body.before.widest} pixels a side among {count}; at most {limit}"
    for spot in images:
        size = pixels(_source(spot))
        if size and max(size) > limit:
            yield spot.path, f"an image of {size[0]}x{size[1]} pixels among {count}; at most {limit} a side"


@about("document")
def pdf_pages(body: Body) -> Iterator[Finding]:
    """600 pages of PDF in a request, or 100 on models with a small window ("PDF support")."""
    count, limit = body.before.pages + pdf_pages_of(body.blocks), body.card.max_pdf_pages
    if count > limit:
        yield "messages", f"{count} pages of PDF; {body.card.id} takes {limit} a request: send fewer"


def body_size(body: Body) -> Iterator[Finding]:
    """32 MB of JSON."""
    try:
        size = body.before.bytes + body.bytes
    except (TypeError, ValueError, RecursionError) as error:
        yield "", f"the request cannot be written as JSON: {error}"
        return
    if size > MAX_BODY:
        yield "", f"the request is {size} bytes; at most {MAX_BODY}: use the Files API or fewer images"


def widest_side(blocks: Iterable[Spot]) -> int:
    """Pixels of the longest side of the images among blocks, as far as they tell."""
    sizes = [pixels(_source(spot)) for spot in blocks if spot.kind == "image"]
    return max((max(size) for size in sizes if size), default=0)


def pdf_pages_of(blocks: Iterable[Spot]) -> int:
    """Pages of the documents among blocks, as far as they tell."""
    return sum(pages(_source(spot)) or 0 for spot in blocks if spot.kind == "document")


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


RULES = {
    "image-count": image_count,
    "image-source": image_source,
    "document-source": document_source,
    "base64-data": base64_data,
    "image-bytes": image_bytes,
    "image-pixels": image_pixels,
    "pdf-pages": pdf_pages,
    "body-size": body_size,
}
