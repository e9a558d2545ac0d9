"""What a URL of a PostgreSQL database says: where it is, and our own three parameters. Passwords are never shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from sash.errors import InvalidOption
from sash.stores.urls import without_password

SCHEMA, CONNECTIONS = "sash", 10
OURS = ("schema", "language", "connections")
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_AT = re.compile(r"(?<![^,])[^,/@][^,]*@")
"""A host that is no socket and has an "@": what libpq took for it begins within the password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A schema of a database, and how to get there."""

    conninfo: str
    """for libpq, password included"""
    shown: str
    """for people, without it"""
    secret: str
    """the password, "" where the URL holds none"""
    schema: str
    language: str | None
    """whose words are taken for one another in a search; None: as the schema has it"""
    connections: int


def read_url(url: str) -> Address:
    """Read a URL. Raises InvalidOption for one that cannot be meant."""
    head, _, query = url.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    ours = {name: value for name, value in pairs if name in OURS}
    rest = [pair for pair in pairs if pair[0] not in OURS]
    shown = without_password(url)
    said = _parts(head + (f"?{urlencode(rest)}" if rest else ""), shown)
    if not said.get("dbname") and not said.get("service"):
        raise InvalidOption(
            f"{shown!r} names no database: postgresql://user@host/DATABASE", option="store", value=shown
        )
    return Address(
        conninfo=make_conninfo("", **{name: value for name, value in said.items() if value is not None}),
        shown=shown,
        secret=str(said.get("password") or ""),
        schema=_schema(ours.get("schema", SCHEMA)),
        language=ours.get("language"),
        connections=_connections(ours.get("connections", str(CONNECTIONS))),
    )


def _parts(url: str, shown: str) -> dict[str, Any]:
    """What libpq reads in a URL. Raises InvalidOption without its words, for these may quote the password."""
    try:
        said = conninfo_to_dict(url)
    except (psycopg.ProgrammingError, UnicodeError):
        said = None
    if said is None or _AT.search(str(said.get("host") or "")):
        raise InvalidOption(
            f"{shown!r} is no URL of a PostgreSQL database: postgresql://user@host:port/database?parameter=value "
            "(signs that mean something in a URL are written as %XX)",
            option="store",
            value=shown,
        )
    return said


def _schema(name: str) -> str:
    if not _NAME.fullmatch(name) or name.startswith("pg_"):
        raise InvalidOption(
            f"schema={name!r}: name it with small letters, digits and underscores (not pg_...)",
            option="schema",
            value=name,
        )
    return name


def _connections(number: str) -> int:
    if not number.isdecimal() or not 1 <= int(number) <= 10_000:
        raise InvalidOption(
            f"connections={number!r}: give how many this process may open, 1 or more",
            option="connections",
            value=number,
        )
    return int(number)
