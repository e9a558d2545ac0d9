"""Which database a command means: the path of a SQLite file, a PostgreSQL URL, or what `SASH_DATABASE` names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

import click

from sash.stores import open_store
from sash.stores.store import DatabaseStore
from sash.stores.urls import is_url, without_password

VARIABLE = "SASH_DATABASE"


class DatabaseType(click.Path):
    """A file, or a URL as it is."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path or the URL. Raises InvalidOption for a URL of something else."""
        return value if is_url(value) else super().convert(value, param, ctx)


DATABASE = DatabaseType(exists=True, dir_okay=False)
"""A database that must be there already."""
NEW_DATABASE = DatabaseType(dir_okay=False)
"""A database that is made where there is none."""


def namespace() -> str:
    """The tenant whose conversations are meant: what `sash --namespace NAME` says, "" without it."""
    context = click.get_current_context(silent=True)
    return str(context.find_root().params.get("namespace") or "") if context else ""


def open_database(where: str, *, all_tenants: bool = False) -> DatabaseStore:
    """The store in a file or at a URL, for the tenant that is meant or for all. Raises StoreErrors."""
    return cast(DatabaseStore, open_store(where, None if all_tenants else namespace()))


def shown(database: str) -> str:
    """How a database is spoken of: a URL without its password."""
    return without_password(database) if is_url(database) else database


def with_default(command: click.Command, context: click.Context, arguments: list[str]) -> list[str]:
    """The arguments of a command, with the default database in front where they name none.

    They name one if the first of them is a URL or a file that is there, and enough are left for what else is needed;
    where any number of recordings may be named, if any is.
    """
    default = os.environ.get(VARIABLE, "").strip()
    names = [one.name for one in command.params if isinstance(one, click.Argument)]
    if not default or names[:1] not in (["database"], ["traces"]):
        return arguments
    found, _, _ = command.make_parser(context).parse_args(list(arguments))
    first = found.get(names[0] or "")
    if isinstance(first, tuple):
        return arguments if first else [default, *arguments]
    needed = [one.name for one in command.params if isinstance(one, click.Argument) and one.required]
    lacking = [name for name in needed if not isinstance(found.get(name or ""), str | tuple)]
    given = isinstance(first, str) and (is_url(first) or Path(first).exists() or len(names) == 1)
    return arguments if given and not lacking else [default, *arguments]
