"""An endpoint: what it takes and gives as pydantic models, which its route checks by and the OpenAPI document tells."""

from __future__ import annotations

import inspect
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from sash.serve.asking import query_of
from sash.serve.replies import COMMENT, QUIET, Event
from sash.serve.serving import Serving, namespace_of, serving_of
from sash.stores.store import DatabaseStore


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointCall:
    """One call of an endpoint, read."""

    serving: Serving
    namespace: str
    path: dict[str, Any]
    query: Any
    body: Any

    @property
    def store(self) -> DatabaseStore:
        """The record."""
        return self.serving.store

    @property
    def id(self) -> str:
        """The conversation in the address."""
        return str(self.path["id"])

    def conversation(self) -> int:
        """Its key in the store. Raises NotFound."""
        return self.store.branches.open(namespace=self.namespace, id=self.id, create=False).conversation


Handler = Callable[[EndpointCall], "BaseModel | Response | Awaitable[BaseModel | Response]"]


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One method at one path. Models: None for nothing; a `streams` endpoint gives server-sent events."""

    method: str
    path: str
    handler: Handler
    summary: str
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    answer: type[BaseModel] | None = None
    streams: bool = False

    def route(self) -> Route:
        """Where it answers."""
        return Route(self.path, self._answer, methods=[self.method])

    async def _answer(self, request: Request) -> Response:
        call = EndpointCall(
            serving=serving_of(request),
            namespace=namespace_of(request),
            path=dict(request.path_params),
            query=query_of(request, self.query) if self.query else None,
            body=await self._body(request) if self.body else None,
        )
        if inspect.iscoroutinefunction(self.handler):
            made = await self.handler(call)
        else:
            made = await run_in_threadpool(self.handler, call)
        if isinstance(made, Response):
            return made
        assert isinstance(made, BaseModel)
        return JSONResponse(made.model_dump(mode="json"))

    async def _body(self, request: Request) -> BaseModel:
        """Raises HTTPException 415 for what is no JSON, pydantic's ValidationError for other JSON."""
        assert self.body is not None
        if request.headers.get("content-type", "application/json").partition(";")[0].strip() != "application/json":
            raise HTTPException(415, "the body is JSON: content-type application/json")
        return self.body.model_validate_json(await request.body() or b"{}")


def event_stream(events: AsyncIterator[Event]) -> Response:
    """Server-sent events: a name, and JSON. Each goes out as it comes, through proxies too."""

    async def lines() -> AsyncIterator[str]:
        async for name, facts in events:
            yield COMMENT if name == QUIET else f"event: {name}\ndata: {json.dumps(facts, ensure_ascii=False)}\n\n"

    return StreamingResponse(lines(), media_type="text/event-stream", headers={"x-accel-buffering": "no"})
