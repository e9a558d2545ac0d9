"""A reply as it comes: its Markdown drawn in a terminal, plain elsewhere. Control characters are left out."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Protocol

import click
from markdown_it import MarkdownIt
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.markdown import Markdown
from rich.segment import Segment

from sash.cli.common import printable

REFRESHES = 10
"""Times a second that what is coming is drawn again."""


class Shown(Protocol):
    """Where the pieces of a reply go."""

    def add(self, text: str) -> None:
        """Show the next piece."""


@contextlib.contextmanager
def shown_reply(console: Console, *, plain: bool) -> Iterator[Shown]:
    """Where a reply goes; at the end, all of it stands there, in the middle of a word if it was cut short."""
    if plain or not console.is_terminal or console.is_dumb_terminal:
        yield _Plain()
        click.echo()
        return
    drawn = _Drawn(console)
    with Live(drawn, console=console, transient=True, refresh_per_second=REFRESHES):
        yield drawn
    drawn.end()


class _Plain:
    """Each piece as it comes."""

    def add(self, text: str) -> None:
        click.echo(printable(text), nl=False)
        sys.stdout.flush()


class _Drawn:
    """Finished blocks (a paragraph, a list, a table) are printed for good; the last lines of the one that still grows
    are drawn below, again and again."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._growing = ""
        self._begun = False

    def add(self, text: str) -> None:
        """Take a piece; print what it completes."""
        self._growing += printable(text)
        if "\n" in text:
            finished, self._growing = finished_blocks(self._growing)
            self._print(finished)

    def end(self) -> None:
        """Print the rest."""
        rest, self._growing = self._growing, ""
        self._print(rest)

    def _print(self, text: str) -> None:
        if not text.strip():
            return
        if self._begun:
            self._console.print()
        self._begun = True
        self._console.print(_markdown(text))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(_markdown(self._growing), options, pad=False)
        for line in lines[-max(1, options.size.height - 2) :]:
            yield from line
            yield Segment.line()


def finished_blocks(text: str) -> tuple[str, str]:
    """The blocks of a Markdown text that no further text can change, and the last one, which may still grow."""
    blocks = MarkdownIt().enable("table").parse(text)
    starts = [block.map[0] for block in blocks if block.level == 0 and block.map and block.nesting >= 0]
    lines = text.splitlines(keepends=True)
    at = starts[-1] if len(starts) > 1 else 0
    return "".join(lines[:at]), "".join(lines[at:])


def _markdown(text: str) -> Markdown:
    """A link shows where it leads; code has the terminal's own colours."""
    return Markdown(text, hyperlinks=False, code_theme="ansi_dark", inline_code_theme="ansi_dark")
