"""The demo conversation: ten weeks of turning an old mill into a guesthouse, and what can be asked about it.

`load()` gives the turns, in order, and the facts planted in them: each is said in one turn, some replace an
older one (kind `update`), and each comes with a question that shares words with the sentence that holds the
answer. Data only, shipped with the package: it knows no store, no client and no clock.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from sash.errors import InvalidOption

__all__ = ["DemoTurn", "PlantedFact", "load"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoTurn:
    """One turn of the demo conversation."""

    role: Literal["user", "assistant"]
    text: str
    gap_s: int | None = None
    """User turns: seconds since the previous request was started; 0 for the first. Replies: None."""

    def __post_init__(self) -> None:
        if (self.gap_s is None) is not (self.role == "assistant"):
            raise InvalidOption(
                f"a user turn has a gap and a reply has none; got {self.role} with gap_s={self.gap_s}",
                option="gap_s",
                value=self.gap_s,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedFact:
    """Something said once in the demo conversation, with a question whose right answer shows that it was kept."""

    id: str
    kind: str
    """number, id, name, date, event, preference, instruction, decision or update."""
    turn: int
    """Index of the turn that holds it."""
    question: str
    answer: str
    also: tuple[str, ...] = ()
    """Other spellings that count as right."""


@cache
def load() -> tuple[tuple[DemoTurn, ...], tuple[PlantedFact, ...]]:
    """The turns and the facts. Reads the package's own files, once."""
    turns = tuple(DemoTurn(**json.loads(line)) for line in _text("conversation.jsonl").splitlines())
    return turns, tuple(_fact(entry) for entry in json.loads(_text("facts.json")))


def _text(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")


def _fact(entry: dict[str, Any]) -> PlantedFact:
    return PlantedFact(**{**entry, "also": tuple(entry["also"])})
