"""`sash check`: what imported or damaged conversations have wrong, and its repair. Needs no key."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sash.cli.common import console, find, json_option, namespace, one_line, print_json
from sash.cli.database import DATABASE, open_database
from sash.cli.tables import print_table
from sash.conversation import Conversation
from sash.model.values import counted
from sash.planning.history.check import is_note
from sash.planning.rules import Problem
from sash.stores import Store

ALL = 2**31


@click.command(short_help="Find what conversations have wrong, and mend it")
@click.argument("database", type=DATABASE)
@click.argument("id", required=False)
@click.option("--repair", is_flag=True, help="Mend what is sent of the turns at fault; the record keeps them.")
@json_option
def check(database: str, id: str | None, repair: bool, as_json: bool) -> None:
    """List what the conversations of DATABASE (or the one named ID) have wrong. Exit code 1 if anything is."""
    with closing(open_database(database)) as store:
        if id is not None:
            find(store, id)
        names = [id] if id is not None else [info.id for info in store.conversations(namespace=namespace(), limit=ALL)]
        found = {name: _check(store, name, repair) for name in names}
    if as_json:
        print_json({name: [asdict(problem) for problem in problems] for name, problems in found.items()})
    else:
        _show(console(), found, repair)
    if any(not (is_note(problem) or problem.done) for problems in found.values() for problem in problems):
        raise click.exceptions.Exit(1)


def _check(store: Store, id: str, repair: bool) -> Sequence[Problem]:
    with Conversation(store, id=id, namespace=namespace(), create=False) as chat:
        return chat.check(repair=repair)


def _show(out: Console, found: dict[str, Sequence[Problem]], repair: bool) -> None:
    table = Table("conversation", "where", "rule", "what", *(["done"] if repair else []))
    for name, problems in found.items():
        for problem in problems:
            style = "dim" if is_note(problem) else None
            cells: list[Text | str] = [Text(one_line(name, 40)), problem.path, problem.rule, Text(problem.message)]
            table.add_row(*cells, *([Text(problem.done or "nothing")] if repair else []), style=style)
    if table.row_count:
        print_table(out, table)
    wrong = sum(any(not is_note(problem) for problem in problems) for problems in found.values())
    open_still = sum(any(not (is_note(p) or p.done) for p in problems) for problems in found.values())
    checked = counted(len(found), "conversation")
    out.print(f"{checked} checked, {wrong:,} with problems{_outcome(wrong, open_still, repair)}.")


def _outcome(wrong: int, left: int, repair: bool) -> str:
    """What became of the problems, or would."""
    if not wrong:
        return ""
    if not repair:
        return " (sash check --repair mends them)"
    return f" ({left:,} of them still have some)" if left else " (repaired; the record keeps every turn as it came)"
