"""The application: settings, a store and a client become routes behind guards. `run` serves it until it is stopped."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount, Router

from sash.serve import api, gateway, pages
from sash.serve.addresses import KeepSlashes
from sash.serve.bounds import Bounds
from sash.serve.errors import HANDLERS, Discreet
from sash.serve.security import AccessGuard, SafeHeaders
from sash.serve.serving import Serving
from sash.serve.settings import AccessToken, ServeSettings
from sash.stores.store import DatabaseStore

__all__ = ["AccessToken", "ServeSettings", "make_app", "run"]


def make_app(settings: ServeSettings, store: DatabaseStore, client: Any = None) -> Starlette:
    """The application over a store, which its caller closes. `client`: as `AsyncConversation` takes one."""
    serving = Serving(settings, store, client)
    routes = Router([*pages.ROUTES, *api.ROUTES, *gateway.ROUTES])
    guarded = KeepSlashes(AccessGuard(Bounds(routes, settings), settings))

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        del app
        yield
        await serving.close()

    app = Starlette(
        routes=[Mount("", app=guarded)],
        middleware=[Middleware(SafeHeaders)],
        exception_handlers=HANDLERS,
        lifespan=lifespan,
    )
    app.state.serving = serving
    return app


class Server(uvicorn.Server):
    """A server that ends the replies in hand, and then itself, when it is told to stop."""

    def __init__(self, config: uvicorn.Config, serving: Serving) -> None:
        super().__init__(config)
        self._serving = serving

    async def shutdown(self, sockets: Any = None) -> None:
        """Replies in hand go on for the grace that was set, then they are recorded as interrupted."""
        await self._serving.replies.close(self._serving.settings.grace)
        await super().shutdown(sockets)


def run(settings: ServeSettings, store: DatabaseStore, client: Any = None) -> None:
    """Serve until SIGTERM or SIGINT. Logs go to stderr and hold no word of what was said."""
    app = make_app(settings, store, client)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=int(settings.grace) + 5,
        h11_max_incomplete_event_size=64 * 1024,
    )
    logging.getLogger("uvicorn.error").addFilter(Discreet())
    Server(config, app.state.serving).run()
