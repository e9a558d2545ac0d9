"""The same for programs: JSON under `/api`, described by an OpenAPI document that the schemas themselves make."""

from __future__ import annotations

from starlette.routing import BaseRoute

ROUTES: tuple[BaseRoute, ...] = ()
