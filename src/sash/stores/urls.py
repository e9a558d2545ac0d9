"""Names of places: whether one is a URL, and what of it may be shown."""

from __future__ import annotations

import re

from sash.errors import InvalidOption

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
POSTGRES = ("postgresql", "postgres")


def is_url(where: object) -> bool:
    """Whether a place is named by a URL. Raises InvalidOption for one of another kind of database."""
    found = _SCHEME.match(where) if isinstance(where, str) else None
    if found is None:
        return False
    scheme = found[1].lower()
    if scheme not in POSTGRES:
        raise InvalidOption(
            f"{scheme}://... names no database that sash knows: give the path of a file (SQLite) or "
            "postgresql://user@host/database",
            option="store",
            value=f"{scheme}://",
        )
    return True


def without_password(url: str) -> str:
    """A URL as it may be shown: its password, wherever it stands, is left out."""
    head, mark, query = url.partition("?")
    scheme, slashes, rest = head.partition("://")
    authority, slash, path = rest.partition("/") if "@" not in rest else _split_authority(rest)
    user, at, host = authority.rpartition("@")
    user = user.partition(":")[0]
    kept = [part for part in query.split("&") if not re.match(r"(?i)(ssl)?password=", part)]
    query = "&".join(kept)
    return f"{scheme}{slashes}{user}{at}{host}{slash}{path}{mark if query else ''}{query}"


def _split_authority(rest: str) -> tuple[str, str, str]:
    """The part before the path, where a password may hold slashes that nobody wrote as %2F."""
    end = rest.rfind("@")
    host, slash, path = rest[end:].partition("/")
    return rest[:end] + host, slash, path
