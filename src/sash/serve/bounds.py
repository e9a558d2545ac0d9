"""How much may come and how long it may take: bodies, and clients that read nothing of their answer."""

from __future__ import annotations

import asyncio

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sash.serve.settings import ServeSettings


class StalledClient(ConnectionError):
    """A client that took no byte of its answer for too long; its connection is closed."""


class Bounds:
    """Refuses bodies that are too large (413) or too slow (408), and leaves clients that stall."""

    def __init__(self, app: ASGIApp, settings: ServeSettings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on the call with its two ends bounded."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = dict(scope["headers"]).get(b"content-length", b"0")
        body = _BoundedBody(receive, self._settings, int(length) if length.isdigit() else 0)
        await self._app(scope, body.receive, self._patient(send))

    def _patient(self, send: Send) -> Send:
        async def bounded(message: Message) -> None:
            try:
                async with asyncio.timeout(self._settings.stall_seconds):
                    await send(message)
            except TimeoutError as error:
                raise StalledClient("the client took nothing of its answer") from error

        return bounded


class _BoundedBody:
    """What comes of one body, until it is too much or too late."""

    def __init__(self, receive: Receive, settings: ServeSettings, announced: int) -> None:
        self._receive, self._settings = receive, settings
        self._size, self._announced = 0, announced
        self._until: float | None = None
        self._whole = False

    async def receive(self) -> Message:
        """The next piece. Raises HTTPException 413 or 408."""
        if self._whole:
            return await self._receive()
        if self._announced > self._settings.largest_body:
            raise _too_large(self._settings)
        clock = asyncio.get_running_loop()
        self._until = self._until or clock.time() + self._settings.body_seconds
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError as error:
            raise HTTPException(408, "the body of the request took too long to arrive") from error
        self._size += len(message.get("body", b""))
        self._whole = message["type"] != "http.request" or not message.get("more_body", False)
        if self._size > self._settings.largest_body:
            raise _too_large(self._settings)
        return message


def _too_large(settings: ServeSettings) -> HTTPException:
    most = settings.largest_body // (1024 * 1024)
    return HTTPException(413, f"the body is too large: at most {most} MB are taken")
