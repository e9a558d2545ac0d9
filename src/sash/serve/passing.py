"""The way out for calls that no conversation makes: one client, with guards that all such calls share. No HTTP."""

from __future__ import annotations

import time
from dataclasses import fields
from functools import partial
from typing import Any

from sash.claude.clients import with_middleware
from sash.conversation.workers import worker
from sash.limits.layers import Layers
from sash.serve.settings import ServeSettings
from sash.serve.talks import Talks

GUARDS = tuple(field.name for field in fields(Layers))


class Passing:
    """The one way out for what is only passed on: guards are shared by all calls."""

    def __init__(self, settings: ServeSettings, store: Any, talks: Talks) -> None:
        self._settings, self._store, self._talks = settings, store, talks
        self._guards: tuple[Any, ...] | None = None

    async def client(self, key: str | None) -> Any:
        """The client that calls go through, guarded. Raises InvalidOption where there is no key."""
        client = await self._talks.client(key)
        if self._guards is None:
            given = {name: self._settings.options[name] for name in GUARDS if name in self._settings.options}
            layers = Layers(**{"meter": True, **given})
            self._guards = await worker(partial(layers.middleware, self._store, time.time))
        return with_middleware(client, self._guards)

    async def close(self) -> None:
        """Write down what the meter keeps for a moment."""
        for guard in self._guards or ():
            if hasattr(guard, "flush"):
                await worker(guard.flush)
