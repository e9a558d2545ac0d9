"""Tables of the commands: a grid where the terminal is wide enough for one, else each row as lines of its own."""

from __future__ import annotations

from sys import maxsize

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

LEAST = 12
"""Columns of a terminal that a foldable or wrapped cell needs, to be read."""


def print_table(out: Console, table: Table) -> None:
    """Print a table, as a grid if every column of it has room to be read, else row by row."""
    if _needs(out, table) <= out.width:
        out.print(table)
        return
    if table.title:
        out.print(Text(str(table.title), style="italic"))
    for at in range(len(table.rows)):
        _print_row(out, table, at)


def _needs(out: Console, table: Table) -> int:
    """The width of a grid in which numbers, dates and short names stay whole, and texts have LEAST columns."""
    columns = [[column.header, *column.cells, *_footer(table, column.footer)] for column in table.columns]
    mosts = [maxsize if column.no_wrap else LEAST for column in table.columns]
    widths = [max(min(_width(out, cell), most) for cell in cells) for cells, most in zip(columns, mosts, strict=True)]
    between = 1 if table.collapse_padding else 3
    return sum(widths) + between * len(widths) + 1


def _footer(table: Table, footer: RenderableType) -> list[RenderableType]:
    return [footer] if table.show_footer else []


def _width(out: Console, cell: RenderableType) -> int:
    return out.measure(cell).maximum


def _print_row(out: Console, table: Table, at: int) -> None:
    """Name and value of each cell that holds something, the names under each other; an empty line behind."""
    style = table.rows[at].style or ""
    names = [str(column.header) for column in table.columns]
    pairs = Table.grid(padding=(0, 1))
    pairs.add_column(style="bold", max_width=LEAST, overflow="fold")
    pairs.add_column(overflow="fold")
    for name, column in zip(names, table.columns, strict=True):
        cell = list(column.cells)[at]
        if str(cell):
            pairs.add_row(name, cell, style=style)
    out.print(pairs)
    out.print()
