"""The command line by its own help."""

from __future__ import annotations

from collections.abc import Iterator

import click

from sash.cli import main

WIDTH = 100


def pages() -> dict[str, str]:
    """One page with all commands."""
    return {"reference/cli.md": "\n".join(_lines())}


def listed() -> list[dict[str, str]]:
    """Its entry in the navigation."""
    return [{"Command line": "reference/cli.md"}]


def _lines() -> Iterator[str]:
    yield "# The command line\n"
    yield "The same by `python -m sash`. A database is a file, or the URL of a PostgreSQL database.\n"
    yield from _described(main, click.Context(main, info_name="sash", terminal_width=WIDTH), 2)


def _described(command: click.Command, context: click.Context, level: int) -> Iterator[str]:
    """A command's help under its name, and that of the commands below it."""
    yield f"{'#' * level} {context.command_path}\n"
    yield f"```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.commands[name]
            inner = click.Context(below, parent=context, info_name=name, terminal_width=WIDTH)
            yield from _described(below, inner, level + 1)
