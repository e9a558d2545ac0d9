"""What answers as Claude does: `/v1/messages` and its neighbours, for any client whose base URL names this server."""

from __future__ import annotations

from starlette.routing import BaseRoute

ROUTES: tuple[BaseRoute, ...] = ()
