"""A reply as it comes: context managers around a running flow, sync and async.

Iterating gives text; `events()` gives the SDK's own events; `reply` is there after the end. Leaving early
records what had come as interrupted, and the next request is legal.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from sash.conversation.drivers import RunningFlow
from sash.errors import CallerError, InvalidOption
from sash.model.answers import StreamEvent
from sash.model.replies import Reply

if TYPE_CHECKING:
    from sash.conversation.async_driver import AsyncRun


def _recorded(run: RunningFlow | AsyncRun | None) -> Reply:
    """What a flow that has ended returned. Raises InvalidOption before that."""
    if run is None or not run.finished or run.result is None:
        raise InvalidOption(
            "the stream has not ended: iterate it, or call until_done() first", option="reply", value=None
        )
    reply: Reply = run.result
    return reply


def _not_entered() -> CallerError:
    return InvalidOption("use the stream in a with block: with chat.stream(...) as stream", option="stream", value=None)


class ReplyStream:
    """`with chat.stream("...") as stream: for text in stream: ...`; then `stream.reply`."""

    def __init__(self, start: Callable[[], RunningFlow], done: Callable[[], None]) -> None:
        self._start, self._done = start, done
        self._run: RunningFlow | None = None
        self._first: StreamEvent | None = None
        self._left = False

    def __enter__(self) -> Self:
        self._run = self._start()
        try:
            self._first = self._next()
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._run is not None:
                self._run.abandon()
        finally:
            self._leave()

    def close(self) -> None:
        """Leave now; what has come is recorded."""
        self.__exit__(None, None, None)

    def __iter__(self) -> Iterator[str]:
        return (event.text for event in self._all() if event.text)

    def events(self) -> Iterator[Any]:
        """The SDK's stream-helper events."""
        return (event.event for event in self._all())

    def until_done(self) -> Reply:
        """Read to the end; the reply."""
        for _ in self._all():
            pass
        return self.reply

    @property
    def reply(self) -> Reply:
        """The recorded reply, after the end of the stream."""
        return _recorded(self._run)

    def _all(self) -> Iterator[StreamEvent]:
        if self._run is None:
            raise _not_entered()
        if self._first is not None:
            event, self._first = self._first, None
            yield event
        try:
            while (event_or_end := self._next()) is not None:
                yield event_or_end
        except GeneratorExit:
            raise
        except BaseException:
            self._leave()
            raise

    def _next(self) -> StreamEvent | None:
        assert self._run is not None
        emitted = self._run.advance()
        if emitted is None:
            self._leave()
            return None
        return emitted.event

    def _leave(self) -> None:
        if not self._left:
            self._left = True
            self._done()


class AsyncReplyStream:
    """`async with chat.stream("...") as stream: async for text in stream: ...`; then `stream.reply`."""

    def __init__(self, start: Callable[[], Any], done: Callable[[], None]) -> None:
        self._start, self._done = start, done
        self._run: AsyncRun | None = None
        self._first: StreamEvent | None = None
        self._left = False

    async def __aenter__(self) -> Self:
        self._run = await self._start()
        try:
            self._first = await self._next()
        except BaseException:
            self._leave()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._run is not None:
                await self._run.abandon()
        finally:
            self._leave()

    async def close(self) -> None:
        """Leave now; what has come is recorded."""
        await self.__aexit__(None, None, None)

    async def __aiter__(self) -> AsyncIterator[str]:
        async for event in self._all():
            if event.text:
                yield event.text

    async def events(self) -> AsyncIterator[Any]:
        """The SDK's stream-helper events."""
        async for event in self._all():
            yield event.event

    async def until_done(self) -> Reply:
        """Read to the end; the reply."""
        async for _ in self._all():
            pass
        return self.reply

    @property
    def reply(self) -> Reply:
        """The recorded reply, after the end of the stream."""
        return _recorded(self._run)

    async def _all(self) -> AsyncIterator[StreamEvent]:
        if self._run is None:
            raise _not_entered()
        if self._first is not None:
            event, self._first = self._first, None
            yield event
        try:
            while (event_or_end := await self._next()) is not None:
                yield event_or_end
        except GeneratorExit:
            raise
        except BaseException:
            self._leave()
            raise

    async def _next(self) -> StreamEvent | None:
        assert self._run is not None
        emitted = await self._run.advance()
        if emitted is None:
            self._leave()
            return None
        return emitted.event

    def _leave(self) -> None:
        if not self._left:
            self._left = True
            self._done()
