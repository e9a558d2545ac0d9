"""How long tool runs last: how many requests are still to come, by how many there were.

Runs are as different as 1 and 100 requests, so what is learned is the chance to end within each doubling (1, 2-3,
4-7, ...), of this conversation's runs over a prior. Frozen; `after` gives the next one, `to_json` what to store.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

DOUBLINGS = 10
LONGEST = 7
"""doublings that a run is expected to reach at most, and at least one more than it has reached"""
PRIOR, ENDS = 2.0, 0.5
"""runs that the prior is worth; the share of those that reach a doubling and end in it"""
MEMORY = 0.97
"""what one more run leaves of the weight of those before"""
_NONE = (0.0,) * DOUBLINGS


class RunModel(NamedTuple):
    """What was seen of the lengths of runs, by doubling."""

    reached: tuple[float, ...] = _NONE
    ended: tuple[float, ...] = _NONE

    def after(self, length: int) -> RunModel:
        """With one more run, of so many requests."""
        last = min(_doubling(length), DOUBLINGS - 1)
        return RunModel(
            reached=tuple([n * MEMORY + (at <= last) for at, n in enumerate(self.reached)]),
            ended=tuple([n * MEMORY + (at == last) for at, n in enumerate(self.ended)]),
        )

    def left(self, so_far: int) -> float:
        """How many requests are to be expected after the first `so_far` of a run."""
        at, expected, alive = _doubling(so_far), 0.0, 1.0
        position = max(1, so_far)
        for doubling in range(at, max(LONGEST, at + 2)):
            size, stay = 2.0**doubling, (1.0 - self._ends(doubling)) ** (0.5**doubling)
            rest = 2.0 * size - position
            survived = stay**rest
            expected += alive * stay * (1.0 - survived) / (1.0 - stay)
            alive, position = alive * survived, int(2 * size)
        return expected

    def _ends(self, doubling: int) -> float:
        """The chance that a run which reaches a doubling ends in it."""
        at = min(doubling, DOUBLINGS - 1)
        return (self.ended[at] + PRIOR * ENDS) / (self.reached[at] + PRIOR)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"reached": self.reached, "ended": self.ended}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> RunModel:
        """What `to_json` gave, also after a trip through JSON text."""
        return cls(**{name: tuple(stored[name]) for name in ("reached", "ended") if name in stored})


def _doubling(length: int) -> int:
    return max(1, length).bit_length() - 1
