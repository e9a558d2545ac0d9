"""`sash copy`: a record, or one tenant's, from one database into another: from a file to a server, and back."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict

import click
from click.core import ParameterSource

from sash.cli.common import json_option, namespace, print_json, progress_bar
from sash.cli.database import DATABASE, NEW_DATABASE, open_database, shown
from sash.model.values import counted
from sash.stores import copying


@click.command(short_help="Copy a record into another database, and compare it")
@click.argument("source", metavar="FROM", type=DATABASE)
@click.argument("target", metavar="TO", type=NEW_DATABASE)
@json_option
@click.pass_context
def copy(context: click.Context, source: str, target: str, as_json: bool) -> None:
    """Copy all conversations of FROM into TO, with all that belongs to them: files or PostgreSQL URLs.

    TO holds no conversations yet, or is a copy that was broken off: then it goes on. `sash --namespace NAME copy`
    copies one tenant alone. In the end every row is compared and every past request rebuilt.
    """
    given = context.find_root().get_parameter_source("namespace")
    tenant = None if given is ParameterSource.DEFAULT else namespace()
    everybody = tenant is None
    with (
        closing(open_database(source, all_tenants=everybody)) as mine,
        closing(open_database(target, all_tenants=everybody)) as theirs,
        progress_bar() as progress,
    ):
        bar = progress.add_task("copying", total=copying.size(mine, namespace=tenant))

        def told(what: str, done: int) -> None:
            progress.update(bar, advance=done, description=what)

        done = copying.copy(mine, theirs, namespace=tenant, progress=told)
        requests = copying.check(mine, theirs, namespace=tenant, progress=told)
    if as_json:
        print_json({**asdict(done), "rebuilt": requests})
        return
    known = f", and {done.known:,} were there already" if done.known else ""
    click.echo(
        f"{counted(done.conversations, 'conversation')} copied to {shown(target)}: {counted(done.rows, 'row')}{known}. "
        f"All are the same; {counted(requests, 'past request')} rebuilt to the same bytes."
    )
