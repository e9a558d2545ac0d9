"""Docstrings as the site shows them: tables that read well in a terminal become tables of Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

RULE = re.compile(r"^(=+) +(=+)$")
"""The line above and below a table of two columns."""


def as_markdown(text: str) -> str:
    """The docstring with its tables in Markdown."""
    return "\n".join(_lines(text.splitlines()))


def _lines(lines: Sequence[str]) -> Iterator[str]:
    rows: list[list[str]] | None = None
    width = 0
    for line in lines:
        if rule := RULE.match(line.strip()):
            width = len(rule[1]) + 2
            yield from () if rows is None else _table(rows)
            rows = [] if rows is None else None
        elif rows is None:
            yield line
        elif line[:width].strip():
            rows.append([line[:width].strip(), line[width:].strip()])
        else:
            rows[-1][1] += f" {line.strip()}"


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield "| | |"
    yield "|---|---|"
    yield from (f"| {name} | {text.replace('|', chr(92) + '|')} |" for name, text in rows)
