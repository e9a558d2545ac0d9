"""How a reply ended, streamed or not: what it used, whether it was whole. For what is booked by what was used.

`ending(response, then)` is for middleware: `then` is called once with an `Ending`, when the reply is whole, broken, or
left by its reader. A stream's bytes pass through untouched; only the events that carry usage are read on the way, the
others where it did not come to its end. `booked` says what is booked for one that broke off.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sash.claude.loading import _load_httpx2
from sash.counting.cut_short import most_written
from sash.counting.estimator import Estimator
from sash.limits.attempts import Attempt, Parse, Work
from sash.model.bill import with_output
from sash.model.cards import ModelCard

_httpx2 = _load_httpx2()
_CONTENT = b"content_block_"
_TOLD = (b"message_start", b"message_delta", b"message_stop", b'"error"')


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyEnding:
    """How a reply ended."""

    usage: Mapping[str, Any] | None
    """as the API gave it, cumulative; None: none was seen"""
    whole: bool
    """it came to its end; else it broke off, or its reader left"""
    error: str = ""
    """the type of the error that broke it; "" where its reader left"""
    stop_reason: str | None = None
    model: str = ""
    """the one that answered"""
    received: tuple[Mapping[str, Any], ...] = ()
    """of a stream that broke off or was left: its content blocks, as far as they had come"""


Then = Callable[[ReplyEnding], None]


def ending(response: Any, then: Then, *, blocking: bool = False) -> Attempt:
    """See to it that `then` is called once, at the end of a successful response. Part of an attempt: `yield from` it.

    `blocking`: `then` may take its time (a database, a socket), and is kept off the event loop.
    """
    http = response.http_response
    if not http.is_closed:
        _watched(http).then.append((then, blocking))
        return
    try:
        message = yield Parse(response)
    except Exception as error:  # noqa: BLE001 - the SDK raises it again for the caller
        yield from _told(then, ReplyEnding(usage=None, whole=False, error=type(error).__name__), blocking)
        return
    usage = getattr(message, "usage", None)
    end = ReplyEnding(
        usage=None if usage is None or not hasattr(usage, "to_dict") else usage.to_dict(),
        whole=True,
        stop_reason=getattr(message, "stop_reason", None),
        model=str(getattr(message, "model", None) or ""),
    )
    yield from _told(then, end, blocking)


def booked(end: ReplyEnding, asked: ModelCard, body: Mapping[str, Any], seconds: float) -> Mapping[str, Any] | None:
    """The usage to book for a reply to `body` that ended `seconds` after it began; None where nothing is known."""
    if end.usage is None or end.whole or end.stop_reason is not None:
        return end.usage  # with a stop reason all of it had come; only the farewell is missing
    most = int(body.get("max_tokens") or 0)
    output = most_written(end.received, Estimator.for_model(asked), seconds=seconds, most=most)
    return with_output(end.usage, output)


def _told(then: Then, end: ReplyEnding, blocking: bool) -> Attempt:
    if blocking:
        yield Work(lambda: then(end))
    else:
        then(end)


def _watched(http: Any) -> _Watch:
    """The one watch over a response's bytes."""
    if not isinstance(http.stream, _Watched | _AsyncWatched):
        watch = _Watch(http.headers.get("content-encoding", ""))
        kind = _Watched if isinstance(http.stream, _httpx2.SyncByteStream) else _AsyncWatched
        http.stream = kind(http.stream, watch)
    found: _Watch = http.stream.watch
    return found


@dataclass(slots=True)
class _Watch:
    """Reads along, and tells everybody once."""

    encoding: str
    then: list[tuple[Then, bool]] = field(default_factory=list)
    _usage: dict[str, Any] = field(default_factory=dict)
    _seen: bool = False
    _whole: bool = False
    _error: str = ""
    _stop_reason: str | None = None
    _model: str = ""
    _content: list[bytes] = field(default_factory=list)
    """the events of content so far; nothing once it is whole"""
    _rest: bytes = b""
    _inflate: Any = None

    def read(self, chunk: bytes) -> None:
        """Take notice of some bytes of the body."""
        plain = self._plain(chunk)
        if not plain:
            return
        *lines, self._rest = (self._rest + plain).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                if any(word in line for word in _TOLD):
                    self._hear(line[5:])
                if _CONTENT in line:
                    self._content.append(line[5:])

    def _plain(self, chunk: bytes) -> bytes:
        if self.encoding in ("", "identity"):
            return chunk
        if self.encoding not in ("gzip", "deflate"):
            return b""  # its usage stays unknown
        if self._inflate is None:
            self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)
        with suppress(zlib.error):
            found: bytes = self._inflate.decompress(chunk)
            return found
        return b""

    def _hear(self, data: bytes) -> None:
        try:
            event = json.loads(data)
        except ValueError:
            return
        if not isinstance(event, dict):
            return
        kind = event.get("type")
        if kind == "message_start":
            message = event.get("message") or {}
            self._model = str(message.get("model") or "")
            self._add(message.get("usage"))
        elif kind == "message_delta":
            self._add(event.get("usage"))
            self._stop_reason = (event.get("delta") or {}).get("stop_reason") or self._stop_reason
        elif kind == "message_stop":
            self._whole = True
            self._content.clear()
        elif kind == "error":
            self._error = str((event.get("error") or {}).get("type") or "error")

    def _add(self, usage: Any) -> None:
        """Usage is cumulative: what comes later replaces what was said before ("Streaming Messages")."""
        if isinstance(usage, dict):
            self._seen = True
            self._usage.update({name: value for name, value in usage.items() if value is not None})

    def failed(self, error: BaseException) -> None:
        """The connection broke, or the reader was cancelled."""
        if isinstance(error, Exception):
            self._error = self._error or type(error).__name__

    def ends(self) -> list[tuple[Callable[[], None], bool]]:
        """Whom to tell, and whether that may block; nobody a second time."""
        told, self.then = self.then, []
        ending = ReplyEnding(
            usage=dict(self._usage) if self._seen else None,
            whole=self._whole,
            error="" if self._whole else self._error,
            stop_reason=self._stop_reason,
            model=self._model,
            received=blocks_of(self._content),
        )
        return [(lambda then=then: then(ending), blocking) for then, blocking in told]  # type: ignore[misc]

    def end(self) -> None:
        """Tell everybody, here and now."""
        for tell, _ in self.ends():
            tell()

    def dropped(self) -> None:
        """Nobody closes it, and the collector may come in the middle of anything: what may block gets a thread."""
        for tell, blocking in self.ends():
            if not blocking:
                tell()
            elif not sys.is_finalizing():
                threading.Thread(target=tell, daemon=True).start()

    async def end_async(self) -> None:
        """Tell everybody; whatever may block is told in a thread."""
        for tell, blocking in self.ends():
            if blocking:
                await asyncio.shield(asyncio.to_thread(tell))
            else:
                tell()


def blocks_of(events: Sequence[bytes]) -> tuple[Mapping[str, Any], ...]:
    """The content blocks that a stream's events make, as far as they go ("Streaming Messages")."""
    blocks: dict[int, dict[str, Any]] = {}
    for data in events:
        with suppress(ValueError, TypeError, AttributeError):  # not JSON, or of another shape: nothing to count
            event = json.loads(data)
            if event["type"] == "content_block_start":
                blocks[event["index"]] = dict(event["content_block"])
            elif event["type"] == "content_block_delta":
                _grow(blocks.setdefault(event["index"], {}), event["delta"])
    return tuple(blocks[index] for index in sorted(blocks))


def _grow(block: dict[str, Any], delta: Mapping[str, Any]) -> None:
    """Add a delta to its block; the JSON of a call stays text, for it may be cut short."""
    for name in ("text", "thinking", "signature", "partial_json"):
        if isinstance(delta.get(name), str):
            block[name] = str(block.get(name) or "") + delta[name]


class _Watched(_httpx2.SyncByteStream):  # type: ignore[misc, name-defined]
    """A response's bytes, read along with."""

    def __init__(self, inner: Any, watch: _Watch) -> None:
        self.inner, self.watch = inner, watch

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def __iter__(self) -> Iterator[bytes]:
        try:
            for chunk in self.inner:
                self.watch.read(chunk)
                yield chunk
        except BaseException as error:
            self.watch.failed(error)
            raise
        finally:
            self.watch.end()

    def close(self) -> None:
        try:
            self.inner.close()
        finally:
            self.watch.end()

    def __del__(self) -> None:
        self.watch.dropped()


class _AsyncWatched(_httpx2.AsyncByteStream):  # type: ignore[misc, name-defined]
    """The same for an asynchronous client."""

    def __init__(self, inner: Any, watch: _Watch) -> None:
        self.inner, self.watch = inner, watch

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self.inner:
                self.watch.read(chunk)
                yield chunk
        except BaseException as error:
            self.watch.failed(error)
            raise
        finally:
            await self.watch.end_async()

    async def aclose(self) -> None:
        try:
            await self.inner.aclose()
        finally:
            await self.watch.end_async()

    def __del__(self) -> None:
        self.watch.dropped()
