"""`sash summarise`: summaries for conversations that nobody speaks in, in batches at half the price."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from sash.bulk.summaries import POLL, Summaries
from sash.cli.common import dollars, json_option, namespace, print_json
from sash.cli.database import DATABASE
from sash.errors import InvalidOption
from sash.flows.bulk.summaries import Submitted
from sash.flows.summaries.resting import Backlog, Collected
from sash.model.values import counted

_USUAL = Backlog()


@click.command(short_help="Summarise conversations that rest; batches too")
@click.argument("database", type=DATABASE)
@click.option("--batch", is_flag=True, help="Use the Batches API: half the price, up to a day; run again to collect.")
@click.option("--wait", is_flag=True, help="With --batch: look every minute until everything has come.")
@click.option("--by", default=_USUAL.by, show_default=True, metavar="MODEL", help="The model that summarises.")
@click.option("--tokens", default=_USUAL.limit, show_default=True, help="The most tokens of a summary.")
@click.option("--keep", default=_USUAL.keep, show_default=True, help="Recent tokens that need no summary.")
@click.option("--least", default=_USUAL.least, show_default=True, help="Fewer tokens than this are left alone.")
@click.option("--idle", default=_USUAL.idle / 60, show_default=True, help="Minutes in which nothing was said.")
@click.option("--simulator", is_flag=True, help="Ask the built-in simulator: no key, no cost; not with --batch.")
@json_option
def summarise(
    database: str,
    batch: bool,
    wait: bool,
    by: str,
    tokens: int,
    keep: int,
    least: int,
    idle: float,
    simulator: bool,
    as_json: bool,
) -> None:
    """Summarise what rests in DATABASE, so that summaries stand ready when its users come back.

    With --batch, what was handed in before and has ended is collected first, then what rests is handed in. The
    process may end in between: everything is in the database.
    """
    if simulator and batch:
        raise InvalidOption(
            "--simulator with --batch: its batches end with this process; leave --batch out",
            option="simulator",
            value=True,
        )
    settings: dict[str, Any] = {
        "by": by,
        "limit": tokens,
        "keep": keep,
        "least": least,
        "idle": idle * 60,
        "namespace": namespace(),
    }
    with Summaries(database, client="simulator" if simulator else None, **settings) as summaries:
        if not batch:
            _report(Submitted(), summaries.now(), as_json=as_json)
            return
        found, sent = summaries.collect(), summaries.submit()
        found = replace(found, waiting=found.waiting + sent.conversations)
        if wait:
            found = replace(found, waiting=0) + summaries.wait(every=POLL)
        _report(sent, found, as_json=as_json)


def _report(sent: Submitted, found: Collected, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "batches": list(sent.batches),
                "submitted": sent.conversations,
                "skipped": list(sent.skipped),
                "waiting": found.waiting,
                "ready": found.ready,
                "rejected": found.rejected,
                "failed": found.failed,
                "lost": found.lost,
                "dollars": found.dollars,
            }
        )
        return
    click.echo(
        f"{counted(found.ready, 'summary')} ready, {found.rejected} rejected, {found.failed} failed "
        f"({dollars(found.dollars)}); "
        f"{counted(sent.conversations, 'conversation')} handed in, {found.waiting} waiting"
    )
    if found.lost:
        gone = f"{counted(found.lost, 'batch')} {'is' if found.lost == 1 else 'are'} gone"
        click.echo(f"{gone}; the conversations are free again")
    if sent.skipped:
        click.echo(f"left alone, for one turn is too large for any request: {', '.join(sent.skipped)}")
