"""`sash summaries`, `sash resummarise`: what stands for turns that left a view, where it came from, and again."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict

import click
from rich.table import Table
from rich.text import Text

from sash.cli.common import (
    console,
    dollars,
    find,
    json_option,
    moment,
    namespace,
    one_line,
    print_json,
    printable,
)
from sash.cli.database import DATABASE, open_database
from sash.cli.tables import print_table
from sash.conversation import Conversation
from sash.model.summaries import SummaryRecord
from sash.model.values import counted
from sash.stores import Store

LISTED = 1_000


@click.command(short_help="List summaries: what each covers, and its cost")
@click.argument("database", type=DATABASE)
@click.argument("id", required=False)
@click.option("--full", is_flag=True, help="Show summaries whole.")
@json_option
def summaries(database: str, id: str | None, full: bool, as_json: bool) -> None:
    """List the summaries in DATABASE, or those of the conversation ID: what each covers, came from and cost."""
    with closing(open_database(database)) as store:
        names = [id] if id is not None else [c.id for c in store.conversations(namespace=namespace(), limit=LISTED)]
        found = {name: _of(store, name) for name in names}
    if as_json:
        print_json([{"conversation": name, **_plain(one)} for name, several in found.items() for one in several])
        return
    if not any(found.values()):
        console().print("no summaries yet")
        return
    _show(found, full)


def _of(store: Store, id: str) -> Sequence[SummaryRecord]:
    return store.summaries.read(find(store, id).conversation)


def _plain(summary: SummaryRecord) -> dict[str, object]:
    """All of it but the content as sent, which the text tells; sources by turn id."""
    values = asdict(summary)
    del values["content"]
    return {**values, "sources": list(values.pop("turns")), "verbatim": list(summary.verbatim)}


def _show(found: dict[str, Sequence[SummaryRecord]], full: bool) -> None:
    table = Table("conversation", "id", "up to turn", "made from", "by", "tokens", "cost", "when", "guards", "text")
    for name in ("id", "up to turn", "tokens", "cost"):
        next(column for column in table.columns if column.header == name).justify = "right"
    for name, several in found.items():
        for one in several:
            table.add_row(
                Text(name, overflow="fold"),
                str(one.id),
                str(one.upto),
                f"{counted(len(one.sources()), 'turn')}" + (f" and summary {one.parent}" if one.parent else ""),
                Text(f"{one.model} ({one.method})"),
                f"{one.tokens:,}",
                dollars(one.cost),
                moment(one.at),
                Text(_guards(one)),
                Text(printable(one.text) if full else one_line(one.text, 80)),
                style="dim" if one.state == "rejected" else None,
            )
    print_table(console(), table)


def _guards(summary: SummaryRecord) -> str:
    """What the guards found, in a few words."""
    report = summary.report
    if summary.state == "rejected":
        return f"rejected: {report.get('reason')}"
    parts = {"kept": report.get("kept") or 0, "added": len(report.get("added") or ())}
    parts |= {"lost": len(report.get("lost") or ()), "turns left in view": len(summary.verbatim)}
    return ", ".join(f"{number} {what}" for what, number in parts.items() if number)


@click.command(short_help="Make a summary again, from the record itself")
@click.argument("database", type=DATABASE)
@click.argument("id")
@click.option("--by", metavar="MODEL", help="The model that reads the record [default: a cheap one].")
@click.option("--tokens", type=click.IntRange(min=64), help="The most tokens of the summary.")
@click.option("--simulator", is_flag=True, help="Ask the built-in simulator: no key, no cost.")
def resummarise(database: str, id: str, by: str | None, tokens: int | None, simulator: bool) -> None:
    """Make the newest summary of conversation ID again, from the record itself; the earlier one is kept."""
    client = "simulator" if simulator else None
    with Conversation(database, id=id, namespace=namespace(), create=False, client=client) as chat:
        made = chat.resummarise(by=by, tokens=tokens)
    _show({id: [made]}, full=True)
    if made.state == "rejected":
        raise click.exceptions.Exit(1)
