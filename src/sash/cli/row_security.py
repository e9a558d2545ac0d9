"""`sash row-security`: have a PostgreSQL server keep namespaces apart by itself, whatever statement asks."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import click

from sash.cli.database import DATABASE, open_database, shown
from sash.errors import InvalidOption


@click.command("row-security", short_help="Have PostgreSQL keep tenants apart")
@click.argument("database", type=DATABASE)
@click.option("--on/--off", "on", default=None, help="Turn it on or off; without either, it is told how it stands.")
@click.option("--user", "users", multiple=True, help="With --on: a database user who may read and write. Repeatable.")
def row_security(database: str, on: bool | None, users: tuple[str, ...]) -> None:
    """Row-level security of DATABASE (a PostgreSQL URL, of the schema's owner): each transaction sees one namespace.

    It holds all users but the owner, superusers and those with BYPASSRLS: applications connect as another one (--user).
    """
    if users and not on:
        raise click.UsageError("--user takes --on")
    with closing(open_database(database, all_tenants=True)) as store:
        server: Any = store
        if not hasattr(store, "keep_tenants_apart"):
            raise InvalidOption(
                f"{shown(database)}: a file has no users to keep apart; name a PostgreSQL database",
                option="database",
                value=shown(database),
            )
        if on is not None:
            server.keep_tenants_apart(users, on=on)
        click.echo(f"row-level security of {shown(database)} is {'on' if server.database.tenants_apart() else 'off'}")
