"""Upper bounds at a stated coverage, from residuals seen on counts that nothing was fitted on.

With n exchangeable residuals the ceil((n + 1) * coverage)-th smallest one bounds the next with at least
that probability (split conformal prediction); the +1 is what makes it hold for finite n. A cell with fewer
than `ENOUGH` residuals says too little at 99.5%: it takes the pooled residuals and `MARGIN` times their
quantile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, sqrt

ENOUGH = 200
MARGIN = 1.5
CLUSTERED = 1.1
"""On the quantiles of several cells: pieces of one text, and texts of one language, err alike, so that the
residuals are fewer than they seem."""
KEPT = 400
"""Largest residuals kept per cell, in files and in what is learned online."""


@dataclass(frozen=True, slots=True)
class Cell:
    """`seen` residuals, of which the largest are kept in ascending order; negative ones bound at 0."""

    seen: int = 0
    largest: tuple[float, ...] = ()

    @classmethod
    def of(cls, residuals: Iterable[float]) -> Cell:
        """The cell of these residuals."""
        ordered = sorted(residuals)
        return cls(len(ordered), tuple(ordered[-KEPT:]))

    def quantile(self, coverage: float, *, margin: float = MARGIN) -> float:
        """The finite-sample quantile; beyond the largest residual, `margin` times that one. Never below 0."""
        if not self.largest:
            return 0.0
        rank = ceil((self.seen + 1) * coverage)
        if rank > self.seen:
            return max(0.0, self.largest[-1]) * margin
        place = rank - 1 - (self.seen - len(self.largest))
        return max(0.0, self.largest[max(0, place)])


def quantiles(cells: Mapping[str, Cell], coverage: float) -> dict[str, float]:
    """Each cell's quantile at `coverage`, times `CLUSTERED`; small cells take the pooled one times `MARGIN`."""
    pooled = merged(list(cells.values())).quantile(coverage) * MARGIN
    own = {name: cell.quantile(coverage) * CLUSTERED for name, cell in cells.items()}
    return {name: own[name] if cell.seen >= ENOUGH else max(pooled, own[name]) for name, cell in cells.items()}


def merged(cells: Sequence[Cell]) -> Cell:
    """All residuals of several cells in one."""
    together = sorted(value for cell in cells for value in cell.largest)
    return Cell(sum(cell.seen for cell in cells), tuple(together[-KEPT:]))


def scale(tokens: float) -> float:
    """What a residual is divided by: short texts are off by some tokens, long ones by some percent."""
    return tokens + 3.0 * sqrt(tokens) + 1.0
