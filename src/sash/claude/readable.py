"""Events of a stream in a form that the SDK's stream helper can put together: read as a reply that comes at once.

The helper takes blocks as objects, warns of fields of another type than documented, and takes the input of calls as
UTF-8; where that fails it loses the reply. What is odd is carried as it came, and mended where replies are recorded.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

from sash.claude.loading import _load_anthropic
from sash.model.blocks import dumps, text_block
from sash.model.values import _load_pydantic_core

_HALF = re.compile("[\ud800-\udfff]")
"""Half of a pair of UTF-16, which UTF-8 cannot carry."""


def readable(stream: Any) -> Any:
    """The stream helper itself, which from now on reads events put in form. Before its first event."""
    kind = _AsyncReadable if hasattr(stream, "__aiter__") else _Readable
    stream._raw_stream = kind(stream._raw_stream)
    return stream


class _Readable:
    """The events of a stream, put in form."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def __iter__(self) -> Iterator[Any]:
        return map(_in_form, self._raw)


class _AsyncReadable(_Readable):
    """The same for an asynchronous client."""

    async def __aiter__(self) -> AsyncIterator[Any]:
        async for event in self._raw:
            yield _in_form(event)


def _in_form(event: Any) -> Any:
    """The event, changed where the helper could not read it."""
    kind = getattr(event, "type", None)
    if kind == "message_start":
        event.message = _unchecked(event.message)
    elif kind == "content_block_start":
        event.content_block = _unchecked(_as_block(event.content_block))
    elif kind == "content_block_delta" and isinstance(given := getattr(event.delta, "partial_json", None), str):
        # as JSON: a backslash, and the number of the half
        event.delta.partial_json = _HALF.sub(lambda half: rf"\\u{ord(half[0]):04x}", given)
    return event


def _as_block(block: Any) -> Any:
    """A block, or as text what is none: the form in which replies that come at once are recorded."""
    model = _load_anthropic().BaseModel
    if isinstance(block, model) and isinstance(getattr(block, "type", None), str):
        return block
    plain = block.to_dict(warnings=False) if isinstance(block, model) else block
    return model.construct(**text_block(plain if isinstance(plain, str) else dumps(plain)))


def _unchecked(value: Any) -> Any:
    """The same fields without their documented types where they do not have them, so that nothing is warned of."""
    model = _load_anthropic().BaseModel
    if not isinstance(value, model):
        return value
    try:
        value.model_dump(warnings="error")
    except _load_pydantic_core().PydanticSerializationError:
        return cast(Any, model).construct(**value.to_dict(warnings=False))
    return value
