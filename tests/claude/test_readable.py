"""Streams of odd events: what the SDK's helper could not put together is read as a reply at once would be."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from sash import AsyncConversation, Conversation, MemoryStore
from sash.simulator import Reply, Simulator

ROWS: dict[str, list[Any]] = {
    "a number as id": [{"type": "tool_use", "id": 7, "name": "look", "input": {}}],
    "a string as block": ["bare"],
    "a block without a type": [{"no": "type"}],
    "a number as text": [{"type": "text", "text": 5}],
    "half a character in a call": [{"type": "tool_use", "id": "t1", "name": "look", "input": {"\ud800": "\ud83d!"}}],
}


def said(blocks: Sequence[Any]) -> list[Any]:
    """What was recorded, without the notes of who called."""
    return [{name: value for name, value in block.items() if name != "caller"} for block in blocks]


def at_once(talk: Callable[..., Conversation], sim: Simulator, content: list[Any]) -> list[Any]:
    """The blocks of a reply that is not streamed."""
    sim.script([Reply(content=content, raw=True)])
    return said(talk(id="at once").send("Go.").blocks)


@pytest.mark.parametrize("content", ROWS.values(), ids=ROWS)
def test_streamed_as_at_once(talk: Callable[..., Conversation], sim: Simulator, content: list[Any]) -> None:
    """An odd reply is recorded in the same blocks whether it came as a stream or at once, and nothing is warned of."""
    expected = at_once(talk, sim, content)
    sim.script([Reply(content=content, raw=True)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with talk(id="streamed").stream("Go.") as stream:
            list(stream)
    assert stream.reply is not None
    assert said(stream.reply.blocks) == expected


@pytest.mark.parametrize("content", ROWS.values(), ids=ROWS)
def test_streamed_by_an_asynchronous_client(
    talk: Callable[..., Conversation], sim: Simulator, content: list[Any]
) -> None:
    """The asynchronous stream is put in form in the same way."""
    expected = at_once(talk, sim, content)
    sim.script([Reply(content=content, raw=True)])

    async def go() -> list[Any]:
        async with sim.async_client(max_retries=0) as client:
            settings: dict[str, Any] = {"model": "claude-sonnet-5-5", "clock": sim.clock.now}
            async with AsyncConversation(MemoryStore(), client=client, **settings) as chat:
                async with chat.stream("Go.") as stream:
                    _ = [event async for event in stream]
                assert stream.reply is not None
                return said(stream.reply.blocks)

    assert asyncio.run(go()) == expected
