"""httpx2 transports that hand each request to a simulator in this process.

Streams are true byte streams: an event is made when it is read, and a connection lost on script breaks in the
middle. Time passes on the simulator's clock. They know HTTP, not what the simulator does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator

import httpx2

from sash.simulator.clock import Clock
from sash.simulator.wire import Answer, Break, Call, Handler, Pause, Piece, Silence

_LOST = "Server disconnected without sending a response."
_BROKEN = "peer closed connection without sending complete message body (incomplete chunked read)"


class SimulatorTransport(httpx2.BaseTransport):
    """For `httpx2.Client(transport=...)`."""

    def __init__(self, handler: Handler, clock: Clock) -> None:
        self._handler, self._clock = handler, clock

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer one request; raises httpx2.ReadTimeout or RemoteProtocolError where the script says so."""
        request.read()
        answer = _heard(self._handler.handle(_call(request)), request, self._clock)
        self._clock.wait(answer.pause)
        stream = _Stream(answer.pieces, self._clock, request) if answer.pieces is not None else None
        return _response(answer, request, stream)


class AsyncSimulatorTransport(httpx2.AsyncBaseTransport):
    """For `httpx2.AsyncClient(transport=...)`."""

    def __init__(self, handler: Handler, clock: Clock) -> None:
        self._handler, self._clock = handler, clock

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer one request; raises httpx2.ReadTimeout or RemoteProtocolError where the script says so."""
        await request.aread()
        answer = _heard(self._handler.handle(_call(request)), request, self._clock)
        await self._clock.wait_async(answer.pause)
        stream = _AsyncStream(answer.pieces, self._clock, request) if answer.pieces is not None else None
        return _response(answer, request, stream)


class _Stream(httpx2.SyncByteStream):
    def __init__(self, pieces: Iterator[Piece], clock: Clock, request: httpx2.Request) -> None:
        self._pieces, self._clock, self._request = pieces, clock, request

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, bytes):
                yield piece
            elif isinstance(piece, Pause):
                self._clock.wait(piece.seconds)
            else:
                raise _broken(piece, self._request)

    def close(self) -> None:
        """Nobody reads on: the service stops writing."""
        _stop(self._pieces)


class _AsyncStream(httpx2.AsyncByteStream):
    def __init__(self, pieces: Iterator[Piece], clock: Clock, request: httpx2.Request) -> None:
        self._pieces, self._clock, self._request = pieces, clock, request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, bytes):
                yield piece
            elif isinstance(piece, Pause):
                await self._clock.wait_async(piece.seconds)
            else:
                raise _broken(piece, self._request)

    async def aclose(self) -> None:
        """Nobody reads on: the service stops writing."""
        _stop(self._pieces)


def _stop(pieces: Iterator[Piece]) -> None:
    if isinstance(pieces, Generator):
        pieces.close()


def _call(request: httpx2.Request) -> Call:
    return Call(
        method=request.method,
        path=request.url.path,
        query=request.url.query.decode("ascii"),
        headers=dict(request.headers),
        body=request.content,
    )


def _heard(answer: Answer | Silence, request: httpx2.Request, clock: Clock) -> Answer:
    """The answer, if there is one: silence is raised as the client would see it, once its patience is over."""
    if isinstance(answer, Answer):
        return answer
    if answer.kind == "lost":
        raise httpx2.RemoteProtocolError(_LOST, request=request)
    patience = (request.extensions.get("timeout") or {}).get("read")
    if not clock.wall:
        clock.advance(patience or 0.0)
    raise httpx2.ReadTimeout("The read operation timed out", request=request)


def _broken(_: Break, request: httpx2.Request) -> httpx2.RemoteProtocolError:
    return httpx2.RemoteProtocolError(_BROKEN, request=request)


def _response(
    answer: Answer, request: httpx2.Request, stream: httpx2.SyncByteStream | httpx2.AsyncByteStream | None
) -> httpx2.Response:
    headers = dict(answer.headers)
    if stream is not None:
        return httpx2.Response(answer.status, headers=headers, stream=stream, request=request)
    return httpx2.Response(answer.status, headers=headers, content=answer.body, request=request)
