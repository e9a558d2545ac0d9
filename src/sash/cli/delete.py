"""`sash delete`: take a whole conversation out of a database for good, on somebody's request."""

from __future__ import annotations

from contextlib import closing

import click
from rich.text import Text

from sash.cli.common import DATABASE, console, find, namespace, open_database, printable, spent
from sash.stores import Store


@click.command()
@click.argument("database", type=DATABASE)
@click.argument("id")
@click.option("--reason", default="", help='Why, for the audit (table "forgotten").')
@click.option("--yes", is_flag=True, help="Do not ask first.")
def delete(database: str, id: str, reason: str, yes: bool) -> None:
    """Delete the conversation ID with all that was made of it. Forks of it keep the past they share."""
    with closing(open_database(database)) as store:
        find(store, id)
        if not yes:
            click.confirm(_question(store, id), abort=True)
        done = store.delete(id, namespace=namespace(), reason=reason)
    heirs = f"; what it shared belongs to {', '.join(done.heirs)} now" if done.heirs else ""
    console().print(Text(printable(f"deleted {id}: {done.turns:,} turns{heirs}")), soft_wrap=True)


def _question(store: Store, id: str) -> str:
    info = store.describe(id, namespace=namespace())
    title = f" ({info.title})" if info.title else ""
    cost = spent(info.dollars, info.unpriced)
    return printable(f"Delete {id}{title} for good: {info.turns:,} turns, {info.requests:,} requests, {cost}?")
