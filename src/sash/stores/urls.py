"""Names of places: whether one is a URL, and what of it may be shown."""

from __future__ import annotations

import re

from sash.errors import InvalidOption

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_QUERY = re.compile(r"\?(?=[\w&]*=)")
"""Where parameters begin: a "?" before that is part of a password that nobody wrote as %3F."""
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
    """A URL as it may be shown: its password, wherever it stands and whatever signs it has, is left out."""
    scheme, slashes, rest = url.partition("://")
    query = _QUERY.search(rest)
    end = rest.rfind("@", 0, query.start() if query else len(rest))
    who, at, place = rest[: max(end, 0)], "@" if end >= 0 else "", rest[end + 1 :]
    where, mark, parameters = place.partition("?")
    kept = "&".join(part for part in parameters.split("&") if not re.match(r"(?i)(ssl)?password=", part))
    return f"{scheme}{slashes}{who.partition(':')[0]}{at}{where}{mark if kept else ''}{kept}"
