"""Files in a message: bytes made into the content block that Claude reads them as. Pure: nothing is opened here.

`file_block` looks at the content, never at the name: PNG, JPEG, GIF and WebP become image blocks, PDF and text (UTF-8,
or UTF-16 with its mark) document blocks with the name as title. Sizes are judged by the API's limits ("Vision", "PDF
support", "Errors"); what only the whole request shows (pages, number of images) is left to `sash.planning.rules`.
"""

from __future__ import annotations

import codecs
import re
from base64 import b64encode
from dataclasses import dataclass, field

from sash.errors import InvalidContent
from sash.model.blocks import Block
from sash.model.images import HEADER, pixels
from sash.model.settings import settings

PDF = "application/pdf"
TEXT = "text/plain"
MOST = 32 * 1024 * 1024
"""Bytes of a whole request ("Errors", request size)."""
MOST_IMAGE = 10 * 1024 * 1024
"""Bytes of an image in base64 ("Vision", as all sizes of images)."""
MOST_SIDE = 8_000
"""Pixels of an image's longer side."""

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"), (b"%PDF-", PDF),
)  # fmt: skip
_OTHERS = (
    (b"PK", "a ZIP archive or an Office document", "save a document as PDF or text"),
    (b"\xd0\xcf\x11\xe0", "an old Office document", "save it as PDF or text"),
    (b"\x1f\x8b", "a gzip archive", "unpack it"),
    (b"BM", "a BMP image", "save it as PNG or JPEG"),
    (b"II*\0", "a TIFF image", "save it as PNG or JPEG"),
    (b"MM\0*", "a TIFF image", "save it as PNG or JPEG"),
    (b"ID3", "a sound", "send its transcript"),
    (b"RIFF", "a sound or a film", "send its transcript"),
    (b"SQLite format 3\0", "a database", "send what is meant as text (sash count --db FILE --id ID: a conversation)"),
)  # fmt: skip
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+\s*(;.*)?")
_CONTROLS = frozenset(map(chr, range(32))) - set("\t\n\r\f\v\b\x1b\x1e")


@settings
@dataclass(frozen=True, slots=True)
class File:
    """Bytes to put into a message as a file: `chat.send(["What is this?", File(data, "image/png")])`.

    What it is is told by its content; a `media_type` that says otherwise is an InvalidContent. `name`: the title of a
    document, and what errors call it.
    """

    data: bytes = field(repr=False)
    media_type: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.data, bytes | bytearray | memoryview):
            raise _unfit(self.name or "the file", f"holds {type(self.data).__name__} where bytes belong")
        if self.media_type and not _MEDIA_TYPE.fullmatch(self.media_type):
            raise InvalidContent(
                f"media_type={self.media_type!r:.60}: give one as 'image/png' or 'text/plain', or none",
                problem="file",
                path=self.name,
            )


def media_type(data: bytes) -> str:
    """What the content is: one of the images, `PDF`, `TEXT`, or "" for what Claude cannot read."""
    return binary_type(data) or (TEXT if _text(data) is not None else "")


def binary_type(head: bytes) -> str:
    """Which of the images, or `PDF`, begins with these bytes (sixteen do); "" for anything else."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in _MAGIC if head.startswith(magic)), "")


def file_block(file: File, called: str = "") -> Block:
    """The block for a file. Raises InvalidContent for what is empty, too large, damaged or of another kind.

    `called`: what errors call it, where that is more than its name.
    """
    name = called or file.name or "the file"
    data = bytes(file.data)
    kind = media_type(data)
    if not data:
        raise _unfit(name, "is empty: leave it out")
    if not kind:
        raise _unfit(name, _unreadable(data))
    if file.media_type and not _agree(file.media_type, kind):
        raise _unfit(name, f"is {kind} by its content, not {file.media_type}: give the type it has, or none")
    if kind == TEXT:
        return _document(file.name, _plain_text(name, data))
    source = {"type": "base64", "media_type": kind, "data": b64encode(data).decode()}
    if kind == PDF:
        if len(source["data"]) > MOST:
            raise _unfit(name, f"has {len(data):,} bytes; a request takes {MOST:,} in base64: send fewer pages")
        return _document(file.name, source)
    _check_image(name, data, source)
    return {"type": "image", "source": source}


def _document(title: str, source: Block) -> Block:
    return {"type": "document", "source": source, **({"title": title} if title else {})}


def _plain_text(name: str, data: bytes) -> Block:
    text = _text(data) or ""
    if not text.strip():
        raise _unfit(name, "holds nothing but white space: leave it out")
    return {"type": "text", "media_type": TEXT, "data": text}


def _check_image(name: str, data: bytes, source: Block) -> None:
    if len(source["data"]) > MOST_IMAGE:
        raise _unfit(name, f"has {len(source['data']):,} bytes in base64, of at most {MOST_IMAGE:,}: scale it down")
    size = pixels(source)
    if size is None and len(data) < HEADER:
        raise _unfit(name, f"is damaged: an {source['media_type']} whose size cannot be read")
    if size is not None and max(size) > MOST_SIDE:
        raise _unfit(name, f"has {size[0]:,} x {size[1]:,} pixels, of at most {MOST_SIDE:,} a side: scale it down")


def _agree(said: str, found: str) -> bool:
    """Whether a media type describes what was found; text goes by many names."""
    said = said.partition(";")[0].strip().lower()
    if found == TEXT:
        return not said.startswith(("image/", "audio/", "video/")) and said != PDF
    return said == found or (said, found) == ("image/jpg", "image/jpeg")


def _text(data: bytes) -> str | None:
    """The text that these bytes are, or None."""
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if _CONTROLS.intersection(text) else text


def other_kind(head: bytes) -> str:
    """What data that has no `media_type` is by its first bytes (sixteen do), and what to do; "" for what is unknown."""
    told = ((what, remedy) for magic, what, remedy in _OTHERS if head.startswith(magic))
    return next((f"{what}, which Claude does not read: {remedy}" for what, remedy in told), "")


def _unreadable(data: bytes) -> str:
    if what := other_kind(data):
        return f"is {what}"
    return (
        "is of a kind that Claude does not read; it takes PNG, JPEG, GIF and WebP images, PDF, and text in UTF-8 "
        "(text in another encoding: pass path.read_text(encoding=...))"
    )


def _unfit(name: str, what: str) -> InvalidContent:
    return InvalidContent(f"{name} {what}", problem="file", path=name)
