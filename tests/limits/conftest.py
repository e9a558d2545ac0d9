"""Clients of both kinds over a simulator whose clock is turned, so that nothing sleeps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sash import simulator
from sash.limits.attempts import Signal

ASK = {"model": "claude-sonnet-5-5", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello there."}]}


class Turned:
    """A clock that waiting turns."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def wait(self, _: Signal, seconds: float | None) -> None:
        assert seconds is not None
        self.time += seconds

    async def wait_async(self, signal: Signal, seconds: float | None) -> None:
        self.wait(signal, seconds)


class Caller:
    """Asks through a sync or an async client alike."""

    def __init__(self, kind: str, sim: Any) -> None:
        self.kind, self.sim = kind, sim

    def ask(self, *middleware: Any, retries: int = 0, **options: Any) -> Any:
        """One message, asked for with `middleware`."""
        call = {**ASK, **options}
        if self.kind == "sync":
            return self.sim.client(middleware=middleware, max_retries=retries).messages.create(**call)

        async def asked() -> Any:
            async with self.sim.async_client(middleware=middleware, max_retries=retries) as client:
                return await client.messages.create(**call)

        return asyncio.run(asked())

    def stream(self, *middleware: Any, events: int | None = None, **options: Any) -> int:
        """Stream a message, leaving it after `events` events; how many there were."""
        call = {**ASK, **options, "stream": True}
        if self.kind == "sync":
            seen = 0
            with self.sim.client(middleware=middleware, max_retries=0).messages.create(**call) as stream:
                for _ in stream:
                    seen += 1
                    if seen == events:
                        break
            return seen

        async def streamed() -> int:
            seen = 0
            async with (
                self.sim.async_client(middleware=middleware, max_retries=0) as client,
                await client.messages.create(**call) as stream,
            ):
                async for _ in stream:
                    seen += 1
                    if seen == events:
                        break
            return seen

        return asyncio.run(streamed())


@pytest.fixture(params=["sync", "async"])
def caller(request: pytest.FixtureRequest) -> Caller:
    """Both clients, one after the other."""
    return Caller(request.param, simulator.Simulator())


@pytest.fixture(autouse=True)
def _no_sleeping(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The SDK's pauses between attempts take no time."""
    rest: Callable[[float], Any] = asyncio.sleep

    async def at_once(_: float) -> None:
        await rest(0)

    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr("anyio.sleep", at_once)
    yield
