"""Open conversations: kept for a while, for each remembers its window and works in the background. No HTTP."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from sash.claude.clients import async_client, keyless_client
from sash.claude.keys import first_client
from sash.conversation import AsyncConversation
from sash.conversation.workers import worker
from sash.errors import InvalidOption, NotFound, StoreError
from sash.serve.settings import ServeSettings
from sash.stores.store import DatabaseStore
from sash.types import MemoryMode

KEPT = 256
"""Conversations that stay open though nobody uses them now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What a caller chooses for a conversation; None: what it has, else what the server was told."""

    model: str | None = None
    budget: int | None = None
    memory: MemoryMode | None = None
    user: str | None = None
    system: str | None = None
    key: str | None = field(default=None, repr=False)
    """the caller's own key for Claude, where the server has none"""


NOTHING_CHOSEN = Chosen()


@dataclass(slots=True)
class _Open:
    """A conversation and how many use it now."""

    chat: AsyncConversation
    users: int = 0


class Talks:
    """Conversations by tenant, id and what was chosen for them; those not used for longest are closed."""

    def __init__(self, settings: ServeSettings, store: DatabaseStore, client: Any) -> None:
        self._settings, self._store, self._given = settings, store, client
        self._client: Any = None
        self._keyless: Any = None
        self._connecting = asyncio.Lock()
        self._open: OrderedDict[tuple[str, str, Chosen], _Open] = OrderedDict()
        self._closing: set[asyncio.Task[None]] = set()

    async def client(self, key: str | None = None) -> Any:
        """The client of all conversations, made once; where the server has no key, one with the caller's `key`.

        Raises InvalidOption where there is none at all.
        """
        async with self._connecting:
            if self._client is None and (self._keyless is None or key is None):
                try:
                    self._client = await worker(lambda: async_client(self._first()))
                except InvalidOption:
                    if key is None:
                        raise
                    self._keyless = await worker(keyless_client)
        return self._client or self._keyless.with_options(api_key=key)

    def _first(self) -> Any:
        """The client that was given, made now where its maker was, or that of the first key of a pool."""
        given = self._given() if callable(self._given) else self._given
        return first_client(self._settings.options.get("keys"), given, waits=True)

    @asynccontextmanager
    async def looking(
        self, namespace: str, id: str, chosen: Chosen = NOTHING_CHOSEN
    ) -> AsyncIterator[AsyncConversation]:
        """A conversation to look at, which asks Claude nothing: no key is needed. Raises NotFound, CallerErrors."""
        chat = AsyncConversation(self._store, client="simulator", **self._settings_of(namespace, id, chosen, False))
        try:
            yield chat
        finally:
            await chat.close()

    @asynccontextmanager
    async def talking(
        self, namespace: str, id: str, chosen: Chosen = NOTHING_CHOSEN, *, create: bool = True
    ) -> AsyncIterator[AsyncConversation]:
        """A conversation to talk in, shared with whoever talks in it now. Raises CallerErrors."""
        client = await self.client(chosen.key)
        if client is self._client:
            chosen = replace(chosen, key=None)  # the server's own pays, whoever calls
        key = (namespace, id, chosen)
        if key not in self._open:
            settings = self._settings_of(namespace, id, chosen, create)
            self._open[key] = _Open(AsyncConversation(self._store, client=client, **settings))
        held = self._open[key]
        self._open.move_to_end(key)
        held.users += 1
        try:
            yield held.chat
        except (NotFound, StoreError):
            if self._open.get(key) is held:  # it may have been deleted by others: the next one opens it anew
                del self._open[key]
            raise
        finally:
            held.users -= 1
            self._let_go(key, held)

    def forget(self, namespace: str) -> None:
        """Something of a tenant was deleted: nobody goes on with what was open."""
        for key in [key for key in self._open if key[0] == namespace]:
            held = self._open.pop(key)
            if not held.users:
                self._close(held.chat)

    async def close(self) -> None:
        """Close all of them, once what they do in the background is stopped, then the client that was made here."""
        for held in self._open.values():
            self._close(held.chat)
        self._open.clear()
        await asyncio.gather(*self._closing)
        given = self._given is not None and not callable(self._given)
        for client in (self._keyless, None if given or self._settings.options.get("keys") else self._client):
            if client is not None:
                await client.close()

    def _settings_of(self, namespace: str, id: str, chosen: Chosen, create: bool) -> dict[str, Any]:
        told = self._settings
        return {
            **told.options,
            "namespace": namespace,
            "id": id,
            "create": create,
            "user": chosen.user,
            "model": chosen.model or told.model,
            "memory": chosen.memory or told.memory,
            "budget": chosen.budget or told.budget,
            "system": chosen.system,
            "busy": "wait",
        }

    def _let_go(self, key: tuple[str, str, Chosen], held: _Open) -> None:
        if self._open.get(key) is not held:
            if not held.users:
                self._close(held.chat)
            return
        idle = [name for name, one in self._open.items() if not one.users]
        for name in idle[: max(0, len(self._open) - KEPT)]:
            self._close(self._open.pop(name).chat)

    def _close(self, chat: AsyncConversation) -> None:
        task = asyncio.create_task(chat.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
