"""Who may ask: hosts, tokens, and no other page's scripts. Pure ASGI, in front of every route.

Without tokens only this machine is served, under its own names alone: a page that points its name at 127.0.0.1 is
refused by the Host header. With tokens, one comes in `Authorization: Bearer`, in `x-api-key`, or in a strict cookie
that holds a digest of it; each fixes the namespace. What changes something and comes from a browser must come from
our own pages: `Sec-Fetch-Site`, else `Origin`, says so.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sash.serve.settings import AccessToken, ServeSettings, is_loopback

COOKIE = "sash_access"
OPEN = ("/login", "/static/")
"""What may be seen without a token."""
SAFE = ("GET", "HEAD", "OPTIONS")
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
}


class SafeHeaders:
    """Every answer says what a browser may do with it, and that it is kept nowhere."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on the call; its answer gets our headers where it has none of the name."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await self._app(scope, receive, with_headers)


class AccessGuard:
    """Lets through who may ask, with the namespace that is theirs in `request.state.namespace`."""

    def __init__(self, app: ASGIApp, settings: ServeSettings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on the call, or raise HTTPException 400, 401 or 403."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        self._check_host(headers)
        by_header = granted_by_header(self._settings.tokens, headers)
        if by_header is None:
            check_origin(scope["method"], headers)
        access = by_header or granted_by_cookie(self._settings.tokens, headers)
        if access is None and self._settings.tokens and not scope["path"].startswith(OPEN):
            await _refuse(scope, receive, send)
            return
        namespace = access.namespace if access else self._settings.namespace
        scope.setdefault("state", {})["namespace"] = namespace
        await self._app(scope, receive, send)

    def _check_host(self, headers: Headers) -> None:
        """Where no token is asked for, the name in the address must be this machine's own."""
        host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
        if not self._settings.tokens and not is_loopback(host):
            raise HTTPException(400, f"this server answers to localhost and 127.0.0.1, not to {host[:80]!r}")


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """A page asks for the token, a program is told that it lacks one."""
    request = Request(scope)
    if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
        place = quote(scope["path"], safe="/%~")
        await RedirectResponse(f"/login?to={place}", 303)(scope, receive, send)
        return
    raise HTTPException(
        401, "a token is needed: Authorization: Bearer ..., or x-api-key", headers={"www-authenticate": "Bearer"}
    )


def check_origin(method: str, headers: Headers) -> None:
    """Raise HTTPException 403 for a change that another site's page asks for."""
    if method in SAFE:
        return
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    ours = site in (None, "same-origin", "none")
    if origin is not None:
        ours = ours and urlsplit(origin).netloc.lower() == headers.get("host", "").lower() != ""
    if not ours:
        raise HTTPException(403, "this comes from another site's page; open sash itself, or use a token in a header")


def bearer_of(headers: Headers) -> str | None:
    """What `Authorization: Bearer` holds; None where another scheme is spoken, or none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def granted(tokens: Iterable[AccessToken], given: str) -> AccessToken | None:
    """The access that a token gives."""
    return _granted_by_digest(tokens, digest(given))


def granted_by_header(tokens: Sequence[AccessToken], headers: Headers) -> AccessToken | None:
    """The access that a program's token gives, in either header: the other one may hold its key for Claude."""
    return granted(tokens, bearer_of(headers) or "") or granted(tokens, headers.get("x-api-key", ""))


def granted_by_cookie(tokens: Iterable[AccessToken], headers: Headers) -> AccessToken | None:
    """The access that a browser's cookie gives."""
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return None if morsel is None else _granted_by_digest(tokens, morsel.value.encode("utf-8", "replace"))


def _granted_by_digest(tokens: Iterable[AccessToken], given: bytes) -> AccessToken | None:
    """The access of the token with this digest; all are compared, in constant time."""
    found = None
    for one in tokens:
        if hmac.compare_digest(digest(one.token), given):
            found = one
    return found


def digest(token: str) -> bytes:
    """What a cookie holds in the place of a token."""
    return hmac.new(token.encode(), b"sash access", hashlib.sha256).hexdigest().encode()
