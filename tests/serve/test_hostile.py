"""What no client of ours sends: numbers that no machine holds, texts that no database takes, anywhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import pytest
from starlette.routing import Route

from sash.serve import api, pages
from sash.serve.asking import ListQuery
from sash.serve.gateway import routes as gateway
from sash.serve.pages import conversation, memory, strategies, usage

from .conftest import Serve

VALUES = (str(2**63), "9" * 5_000, "\x00", "\ud800")
ROUTES = [route for room in (pages, api, gateway) for route in room.ROUTES if isinstance(route, Route)]
BODIES = {(one.path, one.method): one.body.model_fields for one in api.ENDPOINTS if one.body is not None}
QUERIES = {
    **{one.path: one.query.model_fields for one in api.ENDPOINTS if one.query is not None},
    "/": ListQuery.model_fields,
    "/c/{id:name}": conversation.TranscriptQuery.model_fields,
    "/memory/{user:name}": memory.UserQuery.model_fields,
    "/memory/{user:name}/versions": memory.VersionsQuery.model_fields,
    "/memory": memory.UsersQuery.model_fields,
    "/c/{id:name}/strategies": strategies.ReplayQuery.model_fields,
    "/usage": usage.UsagePageQuery.model_fields,
    "/v1/models": ("limit", "after_id"),
    "/login": ("to",),
}
FIELDS = ("turn", "branch", "entry", "text", "path", "token")
GONE = ("/delete", "/forget")
Attack = tuple[str, str, dict[str, Any]]


def filled(path: str, *, number: str = "1", name: str = "mill") -> str:
    """A path of a route with something in its places."""
    numbered = re.sub(r"{\w+:number}", number, path)
    return re.sub(r"{\w+(:name)?}", name, numbered)


def attacks(route: Route, method: str, value: str) -> Iterator[Attack]:
    """The calls of a route in which the value stands in one place."""
    hit, plain = quote(value, safe="", errors="surrogatepass"), filled(route.path)
    for address in {filled(route.path, number=hit), filled(route.path, name=hit)} - {plain}:
        yield method, address, {}
    if method == "GET":
        yield from ((method, f"{plain}?{field}={hit}", {}) for field in QUERIES.get(route.path, ()))
    elif body := BODIES.get((route.path, method)):
        said = {"content": "Hi"} if "content" in body else {}
        literal = value if re.fullmatch(r"\d+", value, re.ASCII) else json.dumps(value)
        for field in body:
            content = json.dumps({**said, field: "@"}).replace('"@"', literal)
            yield method, plain, {"content": content, "headers": {"content-type": "application/json"}}
    elif not plain.endswith(GONE):
        for field in FIELDS:
            kind = {"content-type": "application/x-www-form-urlencoded"}
            yield method, plain, {"content": f"{field}={hit}", "headers": kind}


@pytest.mark.parametrize("value", VALUES, ids=lambda value: ascii(value)[:8])
def test_nothing_that_is_sent_makes_the_server_stumble(serve: Serve, value: str) -> None:
    """Whatever stands where a number or a text belongs, in path, query, form or body: it is no fault of ours."""
    client, stumbled = serve(), []
    for route in ROUTES:
        for method in sorted((route.methods or set()) - {"HEAD", "DELETE"}):
            for attack in attacks(route, method, value):
                answer = client.request(attack[0], attack[1], **attack[2])
                if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    stumbled.append((*map(ascii, attack), answer.status_code, answer.text[:200]))
    assert not stumbled
