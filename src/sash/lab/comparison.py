"""The result of a comparison: rows, their means with confidence, data frames, files, charts, and which one to take."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

from sash.errors import InvalidOption, MissingExtra
from sash.lab.averages import Average, averages_of
from sash.lab.rows import ComparisonRow

ALWAYS = ("trace", "model", "strategy", "keep", "budget", "dollars", "optimum", "ratio", "hit_rate", "cuts", "requests")
"""Columns that are there whatever is known."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Comparison:
    """All rows of a comparison, and what was left out of it."""

    rows: tuple[ComparisonRow, ...]
    remarks: tuple[str, ...] = ()
    seed: int = 0
    """of the intervals"""

    def records(self) -> list[dict[str, Any]]:
        """A flat object for each row, all with the same keys: those that any of them knows something for."""
        found = [row.as_json() for row in self.rows]
        names = dict.fromkeys(name for one in sorted(found, key=len, reverse=True) for name in one)
        known = [name for name in names if name in ALWAYS or any(one.get(name) is not None for one in found)]
        return [{name: one.get(name) for name in known} for one in found]

    def to_json(self) -> str:
        """A JSON list, one object per row."""
        return json.dumps(self.records(), indent=1)

    def to_csv(self, path: str | PathLike[str] | None = None) -> str:
        """The rows as CSV, written to `path` where one is given."""
        records, out = self.records(), io.StringIO()
        writer = csv.DictWriter(out, list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
        if path is not None:
            Path(path).write_text(out.getvalue(), encoding="utf-8")
        return out.getvalue()

    def to_pandas(self) -> Any:
        """The rows as a data frame, columns named as in JSON. Raises MissingExtra without pandas."""
        return _load_pandas().DataFrame(self.records())

    def averages(self) -> tuple[Average, ...]:
        """Each contender over all traces, by model and budget, the cheapest first; those that failed come last."""
        return self._averages

    @cached_property
    def _averages(self) -> tuple[Average, ...]:
        return averages_of(self.rows, self.seed)

    def best(self, evidence: float | None = None) -> Average:
        """The cheapest that failed nowhere and holds at least this share of the evidence (0 to 1).

        Raises InvalidOption where nothing was asked, or none holds so much: it names the one that holds most.
        """
        whole = [one for one in self.averages() if one.dollars is not None and not one.failed]
        if not whole:
            raise InvalidOption("every strategy failed; rows say why (row.error)", option="evidence", value=evidence)
        if evidence is None:
            return whole[0]
        asked = [(one.evidence.mean, one) for one in whole if one.evidence is not None]
        enough = [one for held, one in asked if held >= evidence]
        if not enough:
            raise InvalidOption(_lacking(asked, evidence), option="evidence", value=evidence)
        return enough[0]

    def plot(self, *, trace: str | None = None) -> Any:
        """A matplotlib figure: cost against evidence where something was asked, window over time, cost so far.

        `trace` names whose requests are drawn (the first one's). Raises MissingExtra without matplotlib.
        """
        return _load_drawing().figure(self.rows, self.averages(), trace)

    def html(self, *, title: str = "Comparison") -> str:
        """A page of its own: the table and the charts, no script and nothing to load."""
        return str(_load_drawing().page(self.rows, self.averages(), self.remarks, title))

    def __repr__(self) -> str:
        """A line for each contender: what it costs over the least possible, and what it still knows."""
        told = [
            f"{one.strategy}, {one.model}, {one.budget:,}: "
            + (one.error if one.dollars is None else f"${one.dollars}, {one.ratio} x the least")
            + (f", {one.expected_ratio:.4g} x the best without foresight" if one.expected_ratio else "")
            + (f", evidence {one.evidence}" if one.evidence else "")
            for one in self.averages()
        ]
        return "\n".join([f"<Comparison of {len(self.rows)} rows>", *told])

    def _repr_html_(self) -> str:
        return str(_load_drawing().piece(self.rows, self.averages(), self.remarks))


def _lacking(asked: Sequence[tuple[float, Average]], evidence: float) -> str:
    """Why nothing holds so much of the evidence, and what to do."""
    if not asked:
        return f"evidence={evidence!r}: nothing was asked; compare(..., questions=...) measures what is still known"
    held, most = max(asked, key=lambda pair: pair[0])
    return (
        f"none holds {evidence:.0%} of the evidence; with a budget of {most.budget:,} {most.strategy} holds most, "
        f"{held:.1%}: ask for less, or give larger budgets"
    )


def _load_pandas() -> Any:
    """The one place that imports pandas."""
    try:
        import pandas as pd  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtra("data frames need pandas: pip install 'sash[frames]'", extra="frames") from error
    return pd


def _load_drawing() -> Any:
    from sash.lab import drawing  # noqa: PLC0415 - templates are needed where something is shown

    return drawing
