"""`sash worker`: do what conversations leave to workers, until told to stop."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from sash.cli.common import namespace
from sash.cli.database import DATABASE, shown
from sash.cli.doctor import failing
from sash.model.jobs import KINDS
from sash.model.values import counted
from sash.worker import Worker


class Kinds(click.ParamType[tuple[str, ...]]):
    """Kinds of jobs, with commas between."""

    name = "kinds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Those that were named."""
        named = tuple(filter(None, (one.strip() for one in str(value).split(","))))
        for one in named or ("",):
            if one not in KINDS:
                self.fail(f"{one!r}: choose among {', '.join(KINDS)}", param, ctx)
        return named


@click.command(short_help="Do what conversations leave to workers")
@click.argument("database", type=DATABASE)
@click.option("--jobs", type=Kinds(), default=",".join(KINDS), show_default=True, help="The kinds of jobs to do.")
@click.option("--once", is_flag=True, help="Do what there is now, and end: for cron.")
@click.option(
    "--every",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    help="The longest rest in seconds, where there is nothing to do.",
)
@click.option("--by", metavar="MODEL", help="The model that summarises and reads [default: what a conversation said]")
@click.option("--anew", is_flag=True, help="Try also what was given up after several failures.")
@click.option("--simulator", is_flag=True, help="Ask the built-in simulator: no key, no cost.")
def worker(
    database: str, jobs: tuple[str, ...], once: bool, every: float, by: str | None, anew: bool, simulator: bool
) -> None:
    """Do the jobs that conversations leave to workers (background="worker"): any number of these may run.

    Summaries, vectors and profiles; batches under way are looked at, and what a namespace keeps for so many days
    (sash prune --always) is kept no longer. Of all tenants, or that of --namespace. SIGTERM and Ctrl-C have it finish
    the job in hand; of one that dies, another takes the job up.
    """
    client = "simulator" if simulator else None
    with (
        Worker(database, jobs=jobs, client=client, by=by, namespace=namespace() or None, every=every) as made,
        _told_to_stop(made),
    ):
        if anew:
            click.echo(f"{counted(made.revive(), 'job')} to be tried again")
        if not once:
            click.echo(f"{made.info.name} does {', '.join(jobs)} of {shown(database)}")
        for job in made.given_up():
            click.echo(failing(job, time.time()), err=True)
        if made.lacks_embedder:
            click.echo("vectors are left to others: pip install 'sash[semantic]' brings what makes them", err=True)
        did = made.run(once=once)
    given_up = f", {did.given_up} given up (sash worker --anew tries again)" if did.given_up else ""
    click.echo(f"{counted(did.done, 'job')} done, {did.failed} failed{given_up}")


@contextmanager
def _told_to_stop(worker: Worker) -> Iterator[None]:
    """SIGTERM and the first Ctrl-C let it finish; a second Ctrl-C breaks off."""

    def stop(number: int, _: Any) -> None:
        worker.stop()
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
