"""Names of places: the memory of this process, a URL or a file's; and what of a URL may be shown."""

from __future__ import annotations

import re
from pathlib import PurePath

from sash.errors import InvalidOption
from sash.model.patterns import late

MEMORY = ":memory:"
"""SQLite's name for a database in memory."""
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_QUERY = re.compile(r"\?(?=[\w&]*=)")
"""Where parameters begin: a "?" before that is part of a password that nobody wrote as %3F."""
POSTGRES = ("postgresql", "postgres")
_MISWRITTEN = late(
    r"(?i)\s*(?:jdbc:)?postgres(?:ql)?:|\s+\w+://|[a-z][a-z0-9+.-]+:/*[^/]*@|.*\b(?:password|dbname)\s*="
)
"""What was meant as the address of a server, and is no URL: a slash is missing, or it is written in another way."""


def is_url(where: object) -> bool:
    """Whether a place is named by a URL. Raises InvalidOption for one of another kind of database.

    So it does for the address of a server that is written otherwise, a `Path` of a URL included: it is no file's name,
    and whatever it holds is not shown.
    """
    found = _SCHEME.match(where) if isinstance(where, str) else None
    if found is None:
        if isinstance(where, str | PurePath) and _is_miswritten(str(where)):
            raise InvalidOption(
                "this names neither a file nor a database (it is not shown, for it may hold a password): write the "
                "path of a file, or a text postgresql://user@host/database",
                option="store",
                value=None,
            )
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


def _is_miswritten(where: str) -> bool:
    return (":" in where or "=" in where) and _MISWRITTEN.match(where) is not None


def without_password(url: str) -> str:
    """A URL as it may be shown: its password, wherever it stands and whatever signs it has, is left out."""
    scheme, slashes, rest = url.partition("://")
    query = _QUERY.search(rest)
    end = rest.rfind("@", 0, query.start() if query else len(rest))
    who, at, place = rest[: max(end, 0)], "@" if end >= 0 else "", rest[end + 1 :]
    where, mark, parameters = place.partition("?")
    kept = "&".join(part for part in parameters.split("&") if not re.match(r"(?i)(ssl)?password=", part))
    return f"{scheme}{slashes}{who.partition(':')[0]}{at}{where}{mark if kept else ''}{kept}"
