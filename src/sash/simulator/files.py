"""The Files API: uploads, their metadata, and their content where a request names them ("Files" docs, SDK `files`).

Files belong to a workspace, and may expire. An upload cannot be downloaded again, as with the real API. Guessed: that a
request naming an unknown file is answered with 404. Uploads to containers are not looked at, for there are none here.
"""

from __future__ import annotations

import base64
import itertools
import mimetypes
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from sash.simulator.calls import Context, Denied
from sash.simulator.clock import rfc3339
from sash.simulator.paging import limit_in, whole_in
from sash.simulator.shapes import Problem

FILES = "/v1/files"
MOST_BYTES = 500 * 1024 * 1024
LEAST_LIFE, MOST_LIFE = 3_600, 7_776_000
"""Seconds until a file expires, where it is to expire."""
MOST_IDS = 100
MOST_START = 10**9
"""Of a cursor: behind every file."""
Parts = Mapping[str, "Part"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One field of a form."""

    filename: str
    mime_type: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file."""

    id: str
    workspace: str
    filename: str
    mime_type: str
    content: bytes
    created: float
    expires: float | None

    def body(self) -> dict[str, Any]:
        """Its metadata."""
        return {
            "id": self.id,
            "type": "file",
            "filename": self.filename,
            "mime_type": self.mime_type,
            "size_bytes": len(self.content),
            "created_at": rfc3339(self.created),
            "expires_at": None if self.expires is None else rfc3339(self.expires),
            "downloadable": False,
        }

    def is_there(self, workspace: str, now: float) -> bool:
        """Whether a workspace has it, and has it still."""
        return self.workspace == workspace and (self.expires is None or now < self.expires)

    def source(self) -> dict[str, Any]:
        """Its content as the source of an image or a document."""
        if self.mime_type.startswith("text/"):
            return {"type": "text", "media_type": "text/plain", "data": self.content.decode("utf-8", "replace")}
        return {"type": "base64", "media_type": self.mime_type, "data": base64.b64encode(self.content).decode()}


@dataclass(slots=True)
class Files:
    """All files of an organization."""

    _uploads: dict[str, Upload] = field(default_factory=dict)
    _made: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def answer(self, context: Context) -> dict[str, Any]:
        """The body of the answer to a call under `/v1/files`. Raises Denied."""
        method, place = context.call.method, context.call.path.removeprefix(FILES).strip("/")
        if method == "POST" and not place:
            return self._take(context)
        if method == "GET" and not place:
            return self._page(context)
        id, _, rest = place.partition("/")
        upload = self._found(id, context.workspace, context.started)
        if method == "DELETE" and not rest:
            del self._uploads[id]
            return {"id": id, "type": "file_deleted"}
        if method == "GET" and not rest:
            return upload.body()
        if method == "GET" and rest == "content":
            raise _denied(f"File {id} is not downloadable: uploads are not, only what tools made")
        raise _denied("Not found", status=404)

    def read_in(self, value: Any, workspace: str, now: float) -> Any:
        """A body with the content of files in the place of their ids. Raises Denied for a file that is not there."""
        if isinstance(value, list):
            return [self.read_in(part, workspace, now) for part in value]
        if not isinstance(value, Mapping):
            return value
        if value.get("type") == "file" and isinstance(value.get("file_id"), str):
            return self._found(value["file_id"], workspace, now).source()
        return {name: self.read_in(part, workspace, now) for name, part in value.items()}

    def _found(self, id: str, workspace: str, now: float) -> Upload:
        upload = self._uploads.get(id)
        if upload is None or not upload.is_there(workspace, now):
            raise _denied(f"File not found: {id}", status=404)
        return upload

    def _take(self, context: Context) -> dict[str, Any]:
        parts = parts_of(context.call.headers.get("content-type", ""), context.call.body)
        given = parts.get("file")
        if given is None:
            raise _denied("file: Field required, in a body of multipart/form-data")
        life = _life(parts.get("expires_in_seconds"))
        upload = Upload(
            id=f"file_sim{next(self._made):020d}",
            workspace=context.workspace,
            filename=given.filename or f"unnamed{mimetypes.guess_extension(given.mime_type) or ''}",
            mime_type=given.mime_type,
            content=given.content,
            created=context.started,
            expires=None if life is None else context.started + life,
        )
        self._uploads[upload.id] = upload
        return upload.body()

    def _page(self, context: Context) -> dict[str, Any]:
        given = [(name.removesuffix("[]"), value) for name, value in parse_qsl(context.call.query)]
        query, ids = dict(given), {value for name, value in given if name == "ids"}
        here = [one for one in reversed(self._uploads.values()) if one.is_there(context.workspace, context.started)]
        if ids:
            if len(ids) > MOST_IDS or "page" in query or "limit" in query:
                raise _denied(f"ids: at most {MOST_IDS}, and neither page nor limit beside them")
            return {"data": [one.body() for one in here if one.id in ids], "next_page": None, "has_more": False}
        start = whole_in(query.get("page", "page_0").removeprefix("page_"), least=0, most=MOST_START)
        if start is None:
            raise _denied("page: Input should be the next_page of an answer before")
        end = start + limit_in(query)
        more, shown = end < len(here), here[start:end]
        return {"data": [one.body() for one in shown], "next_page": f"page_{end}" if more else None, "has_more": more}


def _life(part: Part | None) -> int | None:
    if part is None:
        return None
    life = whole_in(part.content.decode("ascii", "replace"), least=LEAST_LIFE, most=MOST_LIFE)
    if life is None:
        raise _denied(f"expires_in_seconds: Input should be from {LEAST_LIFE} to {MOST_LIFE}")
    return life


def parts_of(content_type: str, body: bytes) -> Parts:
    """The fields of a form in multipart/form-data (RFC 7578), by name; none where it is no such form."""
    named = re.search(r'boundary="?([^";]+)"?', content_type)
    if not content_type.startswith("multipart/form-data") or named is None:
        return {}
    found = {}
    for chunk in body.split(b"--" + named[1].encode())[1:-1]:
        head, _, content = chunk.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        told = head.decode("utf-8", "replace")
        name, filename = _said(told, "name"), _said(told, "filename")
        kind = re.search(r"(?im)^content-type:\s*([^\s;]+)", told)
        guessed = mimetypes.guess_type(filename)[0] or "application/octet-stream"
        part = Part(
            filename=re.split(r"[/\\]", filename)[-1],
            mime_type=kind[1] if kind else guessed,
            content=content.removesuffix(b"\r\n"),
        )
        found[name] = part
    return found


def _said(head: str, name: str) -> str:
    match = re.search(rf'(?i)[;\s]{name}="([^"]*)"', head)
    return match[1] if match else ""


def _denied(message: str, *, status: int = 400) -> Denied:
    return Denied(Problem(rule="file", message=message, status=status))
