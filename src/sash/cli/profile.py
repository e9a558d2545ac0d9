"""`sash profile`: what is remembered about a user across conversations, and its correction by hand."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict

import click
from rich.table import Table
from rich.text import Text

from sash.cli.common import console, json_option, moment, namespace, print_json, printable, user_of
from sash.cli.database import DATABASE, open_database
from sash.cli.tables import print_table
from sash.profile import Entry
from sash.profile.entries import KINDS


@click.command(short_help="What is known of a user: look, correct, remove")
@click.argument("database", type=DATABASE)
@click.option("--user", required=True, callback=user_of, help="Whose profile.")
@click.option("--history", is_flag=True, help="Show what no longer holds, too.")
@click.option("--set", "text", metavar="TEXT", help="Keep a statement; what held of the same topic ends.")
@click.option("--kind", type=click.Choice(KINDS), default="fact", show_default=True, help="With --set: what it is.")
@click.option("--remove", type=int, metavar="NUMBER", help="End an entry; it stays in the history.")
@json_option
def profile(
    database: str, user: str, history: bool, text: str | None, kind: str, remove: int | None, as_json: bool
) -> None:
    """What is remembered about a user, from all conversations in DATABASE."""
    with closing(open_database(database)) as store:
        known = store.profile(user, namespace=namespace())
        if text is not None:
            known.set(text, kind=kind)  # type: ignore[arg-type]
        if remove is not None:
            known.remove(remove)
        entries = known.history() if history else known.entries()
    if as_json:
        print_json([asdict(entry) for entry in entries])
    elif not entries:
        console().print("nothing is remembered about this user")
    else:
        _show(entries)


def _show(entries: Sequence[Entry]) -> None:
    table = Table("number", "kind", "said (UTC)", "what", "by")
    for entry in entries:
        what = Text(printable(entry.text or "(redacted)"), overflow="fold")
        by = f"{entry.by}, {entry.ended}" if entry.ended else entry.by
        table.add_row(str(entry.id), entry.kind, moment(entry.at), what, by, style="dim" if entry.ended else None)
    print_table(console(), table)
