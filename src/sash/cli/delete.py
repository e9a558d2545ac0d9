"""`sash delete`: take a conversation, or all that is a user's, out of a database for good."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict

import click
from rich.text import Text

from sash.cli.common import console, find, json_option, namespace, print_json, printable, spent, user_of
from sash.cli.database import DATABASE, open_database
from sash.errors import InvalidOption
from sash.model.values import counted
from sash.stores import Store
from sash.stores.port import Deleted, Forgotten


@click.command(short_help="Delete a conversation, or all that is a user's")
@click.argument("database", type=DATABASE)
@click.argument("id", required=False)
@click.option("--user", callback=user_of, help="Instead of ID: all conversations and memory files of this user.")
@click.option("--reason", default="", help='Why, for the audit (table "forgotten").')
@click.option("--yes", is_flag=True, help="Do not ask first.")
@json_option
def delete(database: str, id: str | None, user: str | None, reason: str, yes: bool, as_json: bool) -> None:
    """Delete the conversation ID, or all that is a user's. Forks that stay keep the past they share."""
    if (id is None) == (user is None):
        raise InvalidOption("name what is to go: a conversation's ID, or --user NAME", option="id", value=id)
    with closing(open_database(database)) as store:
        done = _delete_user(store, user, reason, yes) if user is not None else _delete_one(store, str(id), reason, yes)
    if as_json:
        print_json(asdict(done))
    else:
        console().print(Text(printable(f"deleted {user or id}: {_said(done)}")), soft_wrap=True)


def _delete_one(store: Store, id: str, reason: str, yes: bool) -> Deleted:
    find(store, id)
    if not yes:
        click.confirm(_question(store, id), abort=True, err=True)
    return store.delete(id, namespace=namespace(), reason=reason)


def _delete_user(store: Store, user: str, reason: str, yes: bool) -> Forgotten:
    if not yes:
        question = f"Delete all conversations and memory files of {user} for good?"
        click.confirm(printable(question), abort=True, err=True)
    return store.forget_user(user, namespace=namespace(), reason=reason)


def _said(done: Deleted | Forgotten) -> str:
    if isinstance(done, Deleted):
        heirs = f"; what it shared belongs to {', '.join(done.heirs)} now" if done.heirs else ""
        return f"{counted(done.turns, 'turn')}{heirs}"
    gone = ((done.conversations, "conversation"), (done.turns, "turn"), (done.files, "memory file"))
    profile = f", {done.entries:,} of the profile" if done.entries else ""
    return f"{', '.join(counted(*one) for one in gone)}{profile}"


def _question(store: Store, id: str) -> str:
    info = store.describe(id, namespace=namespace())
    title = f" ({info.title})" if info.title else ""
    cost = spent(info.dollars, info.unpriced)
    held = f"{counted(info.turns, 'turn')}, {counted(info.requests, 'request')}"
    return printable(f"Delete {id}{title} for good: {held}, {cost}?")
