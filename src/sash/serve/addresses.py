"""Ids of conversations in addresses: any text, also with slashes, in one segment of a path."""

from __future__ import annotations

from urllib.parse import quote, unquote

from starlette.convertors import Convertor, register_url_convertor
from starlette.types import ASGIApp, Receive, Scope, Send

MOST_DIGITS = 18
"""Of a number of a row: every number of so many is one that a database holds (64 bits)."""


class NameConvertor(Convertor[str]):
    """`{id:name}` in a route: one segment, whatever it holds."""

    regex = "[^/]+"

    def convert(self, value: str) -> str:
        """The name that a segment stands for, as `KeepSlashes` left it."""
        return value.replace("%2F", "/").replace("%25", "%")

    def to_string(self, value: str) -> str:
        """The segment for a name."""
        return segment(value)


class NumberConvertor(Convertor[int]):
    """`{turn:number}` in a route: the number of a row; one with more digits is nowhere."""

    regex = f"[0-9]{{1,{MOST_DIGITS}}}"

    def convert(self, value: str) -> int:
        """The number."""
        return int(value)

    def to_string(self, value: int) -> str:
        """The segment for it."""
        return str(value)


register_url_convertor("name", NameConvertor())
register_url_convertor("number", NumberConvertor())


def segment(name: str) -> str:
    """A name as one segment of a path."""
    return quote(name, safe="")


class KeepSlashes:
    """Undoes percent-encoding segment by segment, so that an encoded slash is no border between two."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on the same call with its path taken apart."""
        raw = scope.get("raw_path") or b""
        if b"%2f" in raw.lower() or b"%25" in raw:
            parts = raw.decode("ascii", "replace").partition("?")[0].split("/")
            kept = (unquote(part).replace("%", "%25").replace("/", "%2F") for part in parts)
            scope = {**scope, "path": "/".join(kept)}
        await self._app(scope, receive, send)
