"""Somebody else's calls of the API: sent as they are, answered as they come. The middleware of the client acts on them.

Neither body nor answer is read here. Raises RemoteError for whatever the far side does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sash.claude import translate
from sash.claude.loading import _load_anthropic

RAW = {"X-Stainless-Raw-Response": "stream"}
"""What has the SDK hand out a response before its body is read, as its own `with_streaming_response` does."""


class RawAnswer:
    """An answer whose head has come."""

    def __init__(self, response: Any) -> None:
        self._response = response
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = response.headers

    async def read(self) -> bytes:
        """The whole body."""
        with _telling():
            return bytes(await self._response.read())

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes; the connection is given up when nobody reads on."""
        try:
            with _telling():
                async for piece in self._response.iter_bytes():
                    yield piece
        finally:
            await self._response.close()


async def get(client: Any, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> RawAnswer:
    """Look something up."""
    with _telling():
        options = {"params": dict(query), "headers": {**headers, **RAW}}
        return RawAnswer(await client.get(path, cast_to=object, options=options))


async def post(
    client: Any, path: str, body: Mapping[str, Any], headers: Mapping[str, str], *, stream: bool = False
) -> RawAnswer:
    """Send a body. `stream`: whether its answer is one."""
    kind = _load_anthropic().AsyncStream[object] if stream else None
    with _telling():
        options = {"headers": {**headers, **RAW}}
        return RawAnswer(
            await client.post(path, body=body, cast_to=object, options=options, stream=stream, stream_cls=kind)
        )


@contextmanager
def _telling() -> Iterator[None]:
    """The SDK's errors as ours; of a call that nobody keeps, there is nothing to retry here."""
    try:
        yield
    except translate.error_types() as error:
        raise translate.remote_error(error) from error
