"""The application: settings, a store and a client become routes behind guards."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount, Router

from sash.serve import api, pages
from sash.serve.addresses import KeepSlashes
from sash.serve.bounds import Bounds
from sash.serve.errors import HANDLERS
from sash.serve.gateway import routes as gateway
from sash.serve.security import AccessGuard, SafeHeaders
from sash.serve.serving import Serving
from sash.serve.settings import ServeSettings
from sash.stores.store import DatabaseStore


def make_app(settings: ServeSettings, store: DatabaseStore, client: Any = None) -> Starlette:
    """The application over a store, which its caller closes.

    `client`: as `AsyncConversation` takes one, or a function that makes it when Claude is first asked.
    """
    serving = Serving(settings, store, client)
    router = Router([*pages.ROUTES, *api.ROUTES, *gateway.ROUTES])
    guarded = KeepSlashes(AccessGuard(Bounds(router, settings), settings))

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
