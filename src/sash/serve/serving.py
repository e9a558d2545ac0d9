"""What all routes share: the store, open conversations, replies under way, templates. One for each application."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from sash.inspect.rendering import templates
from sash.serve.addresses import segment
from sash.serve.gateway.remembered import SaidRecords
from sash.serve.lines import Lines
from sash.serve.passing import Passing
from sash.serve.replies import Replies
from sash.serve.settings import ServeSettings
from sash.serve.talks import Talks
from sash.stores.store import DatabaseStore


class Serving:
    """The parts of a running server."""

    def __init__(self, settings: ServeSettings, store: DatabaseStore, client: Any) -> None:
        self.settings, self.store = settings, store
        self.talks = Talks(settings, store, client)
        self.replies = Replies(settings.stall_seconds, settings.quiet_seconds)
        self.lines = Lines()
        self.records = SaidRecords(store)
        self.passing = Passing(settings, store, self.talks)
        self._templates = templates("sash.serve")
        self._templates.filters["segment"] = segment
        self._templates.globals["version"] = version("sash")

    async def close(self) -> None:
        """End the replies in hand, then close what is open; the store is its caller's."""
        await self.replies.close(self.settings.grace)
        await self.passing.close()
        await self.talks.close()

    def page(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        """A page made of a template."""
        html = self._templates.get_template(template).render(
            request=request,
            place=request.url.path,
            namespace=namespace_of(request),
            signed_in=bool(self.settings.tokens) and not request.url.path.startswith("/login"),
            **values,
        )
        return HTMLResponse(html, status)


def serving_of(request: Request) -> Serving:
    """The parts of the server that a request came to."""
    found: Serving = request.app.state.serving
    return found


def namespace_of(request: Request) -> str:
    """The tenant that a request may see; "" before that is known."""
    return str(getattr(request.state, "namespace", ""))
