"""The window as a strip in proportion to its tokens: numbers for a template, drawn as SVG without inline styles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sash.inspect.window import WindowPart

WIDE = 1_000.0
LEAST = 2.0
"""The width of the smallest part, so that it can be seen and hit."""


@dataclass(frozen=True, slots=True)
class StripCell:
    """A part and where it is drawn."""

    part: WindowPart
    x: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """The whole of it."""

    cells: tuple[StripCell, ...]
    tokens: int
    budget: int

    @property
    def kinds(self) -> list[str]:
        """The kinds of parts that it has, in order."""
        return list(dict.fromkeys(cell.part.kind for cell in self.cells))


def strip(parts: Sequence[WindowPart], budget: int) -> Strip:
    """Where each part is drawn; what is free of the budget stays empty behind them."""
    tokens = sum(part.tokens for part in parts)
    whole = max(tokens, budget, 1)
    room = WIDE - LEAST * len(parts)
    cells, x = [], 0.0
    for part in parts:
        width = LEAST + room * part.tokens / whole
        cells.append(StripCell(part, round(x, 2), round(width, 2)))
        x += width
    return Strip(cells=tuple(cells), tokens=tokens, budget=budget)
