"""`sash prune`: delete the conversations that nobody went on with for longer than they are kept."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import asdict
from typing import Any

import click

from sash.cli.common import json_option, namespace, print_json, printable, user_of
from sash.cli.database import DATABASE, open_database
from sash.model.values import counted
from sash.stores.port import Pruned
from sash.stores.store import DatabaseStore

SHOWN = 5
DAYS = {"h": 1 / 24, "d": 1.0, "w": 7.0, "y": 365.0}
"""Units, in days."""


class Age(click.ParamType[float]):
    """A span of time, as days: 90d, 12h, 8w, 2y."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The span in days."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([hdwy])", str(value).strip())
        if found is None or not float(found[1]):
            self.fail(f"{value!r}: give a number and a unit, such as 90d, 12h, 8w or 2y", param, ctx)
        return float(found[1]) * DAYS[found[2]]


@click.command(short_help="Delete what nobody went on with for so long")
@click.argument("database", type=DATABASE)
@click.option("--older-than", type=Age(), metavar="AGE", help="90d, 12h, 8w, 2y [default: what --always set before]")
@click.option("--user", callback=user_of, help="Only conversations of this user.")
@click.option("--always", is_flag=True, help="Keep to --older-than from now on: for each `sash prune` without it.")
@click.option("--reason", default="", help='Why, for the audit (table "forgotten").')
@click.option("--yes", is_flag=True, help="Do not ask first.")
@json_option
def prune(
    database: str, older_than: float | None, user: str | None, always: bool, reason: str, yes: bool, as_json: bool
) -> None:
    """Delete the conversations of DATABASE that nobody went on with for so long, as `sash delete` does each."""
    if always and (older_than is None or user is not None):
        raise click.UsageError("--always takes --older-than, and no --user: it is said for all of a namespace")
    with closing(open_database(database)) as store:
        if always:
            store.retain(namespace(), days=older_than)
        done = _prune(store, older_than, user, reason, yes)
    if as_json:
        print_json(asdict(done))
    else:
        click.echo(_said(done))


def _prune(store: DatabaseStore, days: float | None, user: str | None, reason: str, yes: bool) -> Pruned:
    due = store.retention.overdue(namespace(), days=days, user=user)
    if not due:
        return Pruned(conversations=0, turns=0)
    listed = ", ".join(due[:SHOWN]) + (", ..." if len(due) > SHOWN else "")
    if not yes:
        question = f"Delete {counted(len(due), 'conversation')} for good ({listed})?"
        click.confirm(printable(question), abort=True, err=True)
    return store.prune(namespace(), days=days, user=user, reason=reason)


def _said(done: Pruned) -> str:
    if not done.conversations:
        return "nothing is older"
    return f"deleted {counted(done.conversations, 'conversation')}, {counted(done.turns, 'turn')}"
