"""`sash --version`: what a report of a fault needs to know."""

from __future__ import annotations

import platform
import sqlite3
from importlib.metadata import version

import click

from sash import __version__


def show_version(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    """Print the versions and end, where they are wanted."""
    del parameter
    if not wanted or context.resilient_parsing:
        return
    click.echo(f"sash, version {__version__}")
    click.echo(f"Python {platform.python_version()}, anthropic {version('anthropic')}, SQLite {sqlite3.sqlite_version}")
    context.exit()
