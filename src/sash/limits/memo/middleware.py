"""The memo: a request that was answered before is answered from memory, streamed as a stream; nothing is sent.

Serves any client of the SDK. Which requests and replies qualify is `policy.py`'s to say; where they are kept, a
store's. Of equal requests at once one is sent, and the others wait for its reply (`in_flight.py`). A reply from memory
carries the field `sash_memo` (when it was given, what that cost) beside its content; its usage is that of the first
time. Not asked, and not waited for, where a new reply is wanted (`with bypass_memo():`, or a conversation's word).
"""

from __future__ import annotations

import json
import logging
import time
import zlib
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from contextlib import suppress
from functools import cache, partial
from typing import Any, Protocol

from sash.claude.loading import _load_anthropic, _load_httpx2
from sash.claude.translate import MEMO
from sash.errors import InvalidOption, StoreError, UnknownModel
from sash.limits.attempts import Attempt, Next, PerAttempt, ReadBody, Timing, WallTiming, Work
from sash.limits.context import forecast, memo_bypassed, note
from sash.limits.endings import ReplyEnding, ending
from sash.limits.memo.in_flight import ANSWER_WITHIN, READ_WITHIN, Flight, in_flight_of
from sash.limits.memo.policy import KEPT, MemoPolicy, MemoUse, may_keep, may_serve, name_of
from sash.model.bill import bill
from sash.model.cards import card
from sash.stores.memos import Kept, SqliteMemos

Keep = Callable[[bytes, Mapping[str, Any]], None]
"""Remembers a body and what it used."""

log = logging.getLogger("sash.claude")
_httpx2 = _load_httpx2()

_VERSION = "anthropic-version"


class MemoBook(Protocol):
    """Where replies are kept: `sash.stores.memos.SqliteMemos`, or anything of its shape."""

    def find(self, name: str, now: float, *, again: bool = False) -> Kept | None: ...
    def keep(self, name: str, kept: Kept, *, until: float, tags: Any, most: int) -> None: ...
    def forget(self, tag: str | None = None) -> int: ...
    def use(self) -> MemoUse: ...


class Memo(PerAttempt):
    """Answers identical requests from memory. One object may serve any number of clients.

    `book`: where replies are kept, a `SqliteMemos` or the path of a SQLite file (a conversation uses its own file).
    A book that fails is left alone: the request is sent, and the log says so. `timing`: the clock by which equal
    requests wait for each other.
    """

    def __init__(
        self,
        policy: MemoPolicy | None = None,
        *,
        book: MemoBook | str | None = None,
        clock: Callable[[], float] = time.time,
        timing: Timing | None = None,
    ) -> None:
        self.policy = policy or MemoPolicy()
        self._book: MemoBook | None = SqliteMemos(book) if isinstance(book, str) else book
        self.clock, self._timing = clock, timing or WallTiming()

    def __repr__(self) -> str:
        return f"Memo({self.policy!r})"

    @property
    def book(self) -> MemoBook:
        """Where it is kept. Raises InvalidOption where nobody said."""
        if self._book is None:
            raise InvalidOption("say where replies are kept: Memo(..., book='memo.db')", option="book", value=None)
        return self._book

    def kept_in(self, book: MemoBook) -> Memo:
        """The same memo, kept in `book` where no other was named."""
        if self._book is not None:
            return self
        return Memo(self.policy, book=book, clock=self.clock, timing=self._timing)

    def forget(self, tag: str | None = None) -> int:
        """Forget what carries a tag (None: everything); how many replies that were."""
        return self.book.forget(tag)

    def use(self) -> MemoUse:
        """What it holds, how often it was asked, how often it served, what that saved."""
        return self.book.use()

    def attempt(self, request: Any) -> Attempt:
        """From memory where it can be, else as it comes, to be remembered."""
        body = request.json if isinstance(request.json, Mapping) else {}
        if not may_serve(body):
            return (yield Next(request))
        name = _name(request, body)
        found: Kept | Flight = Flight(self._timing)
        if not memo_bypassed():
            try:
                found = yield from self._found(name)
            except StoreError as error:
                log.warning("the memo cannot be read, the request is sent: %s", type(error).__name__)
        if isinstance(found, Kept):
            note(memo=True)
            return (yield Served(request, found))
        return (yield from self._remembered(request, body, name, found))

    def _found(self, name: str) -> Generator[Any, Any, Kept | Flight]:
        """The reply of this name, once there is one; or else a flight of the caller's own, to be sent."""
        kept: Kept | None = yield self._look(name)
        while kept is None:
            flight: Flight | None = yield from in_flight_of(self.book).join(name, self._timing)
            try:
                kept = yield self._look(name, again=True)  # it may have come since
            except BaseException:
                if flight is not None:
                    flight.land()
                raise
            if flight is not None:
                if kept is None:
                    return flight
                flight.land()
        return kept

    def _look(self, name: str, *, again: bool = False) -> Work:
        return Work(lambda: self.book.find(name, self.clock(), again=again))

    def _remembered(self, request: Any, body: Mapping[str, Any], name: str, flight: Flight) -> Attempt:
        flight.expect(ANSWER_WITHIN)
        try:
            response = yield Next(request)
            flight.expect(READ_WITHIN)
            if 200 <= response.status_code < 300:
                keep = partial(self._keep, name, body, response)
                if request.stream:
                    yield from _recorded(response, keep, flight)
                    return response
                yield from _read(response, keep)
        except BaseException:  # a cancellation, too: the next one is sent
            flight.land()
            raise
        flight.land()
        return response

    def _keep(
        self, name: str, body: Mapping[str, Any], response: Any, content: bytes, usage: Mapping[str, Any]
    ) -> None:
        now = self.clock()
        kept = Kept(
            content=content,
            kind=response.headers.get("content-type", "application/json"),
            request_id=response.headers.get("request-id", ""),
            at=now,
            dollars=_dollars(body, usage),
        )
        try:
            self.book.keep(name, kept, until=now + self.policy.ttl, tags=self._tags(body), most=self.policy.most)
        except StoreError as error:
            log.warning("the memo cannot be written: %s", type(error).__name__)

    def _tags(self, body: Mapping[str, Any]) -> tuple[str, ...]:
        """The policy's own, and where it comes from: so that a conversation's forgetting reaches here."""
        known = forecast()
        told = {"model": str(body.get("model"))}
        if known is not None:
            told |= {"conversation": known.conversation, "namespace": known.namespace}
        return (*self.policy.tags, *(f"{kind}:{name}" for kind, name in told.items() if name))


class Served:
    """A response made of a remembered reply."""

    def __init__(self, request: Any, kept: Kept) -> None:
        self._request, self._kept = request, kept

    def do(self, _: Callable[[Any], Any]) -> Any:
        return self._made(_Bytes(self._content()), _load_anthropic().APIResponse, _client(False))

    async def do_async(self, _: Callable[[Any], Any]) -> Any:
        return self._made(_AsyncBytes(self._content()), _load_anthropic().AsyncAPIResponse, _client(True))

    def _content(self) -> bytes:
        fact = {MEMO: {"at": self._kept.at, "saved": self._kept.dollars}}
        return _marked(self._kept.content, fact, stream=self._request.stream)

    def _made(self, stream: Any, kind: Any, client: Any) -> Any:
        request = self._request
        headers = {"content-type": self._kept.kind, "request-id": self._kept.request_id, "x-sash-memo": "hit"}
        to = _httpx2.Request("POST", "http://memo.invalid" + request.url)
        if request.stream:
            raw = _httpx2.Response(200, headers=headers, stream=stream, request=to)
        else:
            raw = _httpx2.Response(200, headers=headers, content=stream.content, request=to)
        return kind(
            raw=raw,
            cast_to=request.cast_to,
            client=client,
            stream=request.stream,
            stream_cls=request.stream_cls,
            options=request.options,
            retries_taken=request.retries_taken,
        )


@cache
def _client(asynchronous: bool) -> Any:
    """What the SDK's response objects ask how to read a body; it never sends anything."""
    sdk = _load_anthropic()
    return (sdk.AsyncAnthropic if asynchronous else sdk.Anthropic)(api_key="memo", base_url="http://memo.invalid")


class _Bytes(_httpx2.SyncByteStream):  # type: ignore[misc, name-defined]
    """A body at hand."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def __iter__(self) -> Iterator[bytes]:
        yield self.content


class _AsyncBytes(_httpx2.AsyncByteStream):  # type: ignore[misc, name-defined]
    """The same for an asynchronous client."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.content


def _read(response: Any, keep: Keep) -> Attempt:
    """Remember a reply that has come whole."""
    content = yield ReadBody(response)
    message = _message(content)
    if may_keep(message):
        yield Work(lambda: keep(content, message.get("usage") or {}))


def _recorded(response: Any, keep: Keep, flight: Flight) -> Attempt:
    """Remember a stream once it has been read to its end; then, or when it is left, its flight has landed."""
    recorder = _Recorder(flight)

    def then(end: ReplyEnding) -> None:
        try:
            if end.whole and end.stop_reason in KEPT and (content := recorder.content()):
                keep(content, end.usage or {})
        finally:
            flight.land()

    recorder.listen(response.http_response)
    yield from ending(response, then, blocking=True)


class _Recorder:
    """Keeps a stream's bytes as they pass. Who waits for it is told whether its reader reads on."""

    def __init__(self, flight: Flight) -> None:
        self._chunks: list[bytes] = []
        self._encoding = ""
        self._flight = flight

    def listen(self, http: Any) -> None:
        """Read along from now on."""
        self._encoding = http.headers.get("content-encoding", "")
        kind = _HeardStream if isinstance(http.stream, _httpx2.SyncByteStream) else _AsyncHeard
        http.stream = kind(http.stream, self._passed, self._flight)

    def _passed(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._flight.expect(READ_WITHIN)

    def content(self) -> bytes:
        """What has passed, decoded; nothing where it cannot be."""
        content = b"".join(self._chunks)
        if self._encoding in ("", "identity"):
            return content
        if self._encoding not in ("gzip", "deflate"):
            return b""
        with suppress(zlib.error):
            return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(content)
        return b""


class _HeardStream(_httpx2.SyncByteStream):  # type: ignore[misc, name-defined]
    def __init__(self, inner: Any, passed: Callable[[bytes], None], flight: Flight) -> None:
        self.inner, self.passed, self.flight = inner, passed, flight

    def __iter__(self) -> Iterator[bytes]:
        self.flight.expect(ANSWER_WITHIN)
        try:
            for chunk in self.inner:
                self.passed(chunk)
                yield chunk
                self.flight.expect(ANSWER_WITHIN)
        finally:
            self.flight.expect(READ_WITHIN)

    def close(self) -> None:
        self.inner.close()


class _AsyncHeard(_httpx2.AsyncByteStream):  # type: ignore[misc, name-defined]
    def __init__(self, inner: Any, passed: Callable[[bytes], None], flight: Flight) -> None:
        self.inner, self.passed, self.flight = inner, passed, flight

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.flight.expect(ANSWER_WITHIN)
        try:
            async for chunk in self.inner:
                self.passed(chunk)
                yield chunk
                self.flight.expect(ANSWER_WITHIN)
        finally:
            self.flight.expect(READ_WITHIN)

    async def aclose(self) -> None:
        await self.inner.aclose()


def _name(request: Any, body: Mapping[str, Any]) -> str:
    known, headers = forecast(), {str(key).lower(): str(value) for key, value in request.headers.items()}
    return name_of(
        body,
        namespace=known.namespace if known else "",
        betas=headers.get("anthropic-beta", ""),
        version=headers.get(_VERSION, ""),
        stream=request.stream,
    )


def _message(content: bytes) -> Mapping[str, Any]:
    with suppress(ValueError):
        message = json.loads(content)
        if isinstance(message, Mapping):
            return message
    return {}


def _marked(content: bytes, fact: Mapping[str, Any], *, stream: bool) -> bytes:
    """The body with a field that tells it from a fresh one."""
    if not stream:
        return json.dumps({**json.loads(content), **fact}).encode()
    lines = content.split(b"\n")
    for index, line in enumerate(lines):
        if line.startswith(b"data:") and b"message_start" in line:
            event = json.loads(line[5:])
            event["message"].update(fact)
            lines[index] = b"data: " + json.dumps(event).encode()
            break
    return b"\n".join(lines)


def _dollars(body: Mapping[str, Any], usage: Mapping[str, Any]) -> float:
    try:
        known = card(str(body.get("model")))
    except UnknownModel:
        return 0.0
    return bill(usage, known, options=body) or 0.0
