"""How answers are written: as Anthropic's API does, or as OpenAI's. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from sash.serve.gateway.chat import Chunks, completion_of
from sash.serve.gateway.events import as_json, sse


class AnswerShape(Protocol):
    """What writes one answer."""

    def whole(self, message: Mapping[str, Any]) -> bytes:
        """A message at once."""
        ...

    def piece(self, event: Mapping[str, Any]) -> bytes:
        """What the client is told of an event of the stream."""
        ...


class Anthropics:
    """As it came."""

    def whole(self, message: Mapping[str, Any]) -> bytes:
        """A message."""
        return as_json(message)

    def piece(self, event: Mapping[str, Any]) -> bytes:
        """The event itself."""
        return sse(event)


class OpenAIs:
    """As chat completions. `usage`: whether a stream tells what was used."""

    def __init__(self, *, usage: bool) -> None:
        self._chunks = Chunks(usage=usage)

    def whole(self, message: Mapping[str, Any]) -> bytes:
        """A chat completion."""
        return as_json(completion_of(message))

    def piece(self, event: Mapping[str, Any]) -> bytes:
        """Chunks; the farewell ends with OpenAI's own."""
        return b"".join(self._lines(event))

    def _lines(self, event: Mapping[str, Any]) -> Iterator[bytes]:
        told = [{"error": event["error"]}] if event["type"] == "error" else self._chunks.add(event)
        yield from (b"data: %b\n\n" % as_json(one) for one in told)
        if event["type"] in ("message_stop", "error"):
            yield b"data: [DONE]\n\n"
