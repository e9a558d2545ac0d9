"""The application on a socket until it is told to stop: replies in hand end first. Logs hold no word that was said."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from sash.serve.app import make_app
from sash.serve.config import read_config
from sash.serve.errors import Discreet
from sash.serve.settings import AccessToken, ServeSettings
from sash.stores.store import DatabaseStore

__all__ = ["AccessToken", "SashServer", "ServeSettings", "read_config", "run"]

HEAD_SECONDS = 20.0
"""How long the head of a request may take to arrive."""
MOST_HEAD = 64 * 1024
"""Bytes of a head."""
MOST_AT_ONCE = 2_000
"""Connections; further ones are told to come again (503)."""


class PatientProtocol(H11Protocol):
    """HTTP/1.1 with an end to patience: a connection on which no whole head arrives is closed."""

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """A client is there."""
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Something came of it."""
        super().data_received(data)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has gone."""
        super().connection_lost(exc)
        self._stop_waiting()

    def _wait_for_head(self) -> None:
        """Where no answer is under way, a head is waited for, from its first byte on."""
        busy = self.cycle is not None and not self.cycle.response_complete
        if busy:
            self._stop_waiting()
        elif self._patience is None and not self.transport.is_closing():
            self._patience = self.loop.call_later(HEAD_SECONDS, self._hang_up)

    def _hang_up(self) -> None:
        self._patience = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


class SashServer(uvicorn.Server):
    """A server over a store. `started` is told its address once it listens."""

    def __init__(
        self, settings: ServeSettings, store: DatabaseStore, client: Any, started: Callable[[str], None]
    ) -> None:
        app = make_app(settings, store, client)
        config = uvicorn.Config(
            app,
            host=settings.host.strip("[]"),
            port=settings.port,
            http=PatientProtocol,
            ws="none",
            access_log=False,
            log_level="warning",
            server_header=False,
            limit_concurrency=MOST_AT_ONCE,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=int(settings.grace) + 5,
            h11_max_incomplete_event_size=MOST_HEAD,
        )
        super().__init__(config)
        self._serving, self._started = app.state.serving, started

    async def startup(self, sockets: Any = None) -> None:
        """Listen, and say where."""
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._started(f"http://{f'[{host}]' if ':' in host else host}:{port}/")

    async def shutdown(self, sockets: Any = None) -> None:
        """Listen no more; replies in hand go on for the grace that was set, or until a second signal comes."""
        for server in self.servers:
            server.close()
        await self._serving.replies.close(self._serving.settings.grace, hurry=lambda: self.force_exit)
        await super().shutdown(sockets)
        if self.force_exit:  # the application was not told
            await self._serving.close()
        self._captured_signals.clear()  # it ended as it was told to: whoever runs it closes the store


def run(settings: ServeSettings, store: DatabaseStore, client: Any, started: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT."""
    logging.getLogger("uvicorn.error").addFilter(Discreet())
    SashServer(settings, store, client, started).run()
