"""Signing in and out, and the few files that need no token."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from urllib.parse import unquote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sash.inspect.rendering import stylesheet
from sash.serve.asking import form_of
from sash.serve.security import COOKIE, digest, granted
from sash.serve.serving import serving_of

KINDS = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


async def login(request: Request) -> Response:
    """Take a token and give a cookie for it."""
    serving = serving_of(request)
    if request.method == "GET":
        return serving.page(request, "login.html", to=request.query_params.get("to", "/"), wrong=False)
    form = await form_of(request)
    to, token = form.get("to", "/"), form.get("token", "")
    if granted(serving.settings.tokens, token) is None:
        return serving.page(request, "login.html", 403, to=to, wrong=True)
    answer = RedirectResponse(_own(to), 303)
    secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, digest(token).decode(), httponly=True, samesite="strict", secure=secure)
    return answer


def _own(place: str) -> str:
    """A place on this server: whatever else a link asks for, it leads home."""
    plain = unquote(place)
    ours = plain.startswith("/") and not plain.startswith("//") and "\\" not in plain and plain.isprintable()
    return place if ours else "/"


async def logout(request: Request) -> Response:
    """Take the cookie back."""
    del request
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer


def static(request: Request) -> Response:
    """A stylesheet, a script, a picture."""
    name = request.path_params["file"]
    if name not in _names():
        raise HTTPException(404, "no such file")
    text = stylesheet() if name == "sash.css" else (files("sash.serve") / "static" / name).read_text("utf-8")
    return Response(text, media_type=KINDS[name.rpartition(".")[2]], headers={"cache-control": "no-cache"})


@cache
def _names() -> frozenset[str]:
    return frozenset(("sash.css", *(one.name for one in (files("sash.serve") / "static").iterdir())))
