"""Why a turn was found, in words that a person reads: `Found.why`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sash.model.turns import Turn
from sash.recall.query import Query
from sash.recall.ranking import BY_WORDS, Like, Matches, worth_of

NAMED = 4
"""Words that a reason names at most."""
ALIKE = 2
"""Like words that a reason names at most."""


class Reasons:
    """What a query found, turn by turn."""

    def __init__(
        self,
        query: Query,
        matches: Matches,
        near: Mapping[int, float],
        likes: Sequence[Like],
        meant: Collection[int],
        among: Collection[int],
    ) -> None:
        """`among`: the seqs that reasons are asked for."""
        self._query, self._near, self._meant = query, near, meant
        beside = range(-len(BY_WORDS), len(BY_WORDS) + 1)
        told = frozenset(seq + distance for seq in among for distance in beside)
        self._words = _by_seq(matches, told)
        self._likes: dict[int, list[str]] = {}
        for one in sorted(likes, key=lambda like: -like.closeness):
            for seq in told.intersection(one.seqs) if one.like != one.word else ():
                self._likes.setdefault(seq, []).append(f"{one.like} ({one.word})")

    def of(self, turn: Turn) -> str:
        """The reason for one turn."""
        reasons = []
        if turn.seq in self._meant:
            reasons.append(self._when())
        if shared := self._words.get(turn.seq):
            reasons.append("words: " + ", ".join(shared[:NAMED]))
        if alike := self._likes.get(turn.seq):
            reasons.append("like: " + ", ".join(alike[:ALIKE]))
        if turn.seq in self._near:
            reasons.append(f"meaning: {self._near[turn.seq]:.2f}")
        return "; ".join(reasons) or self._nearest_named(turn.seq)

    def _when(self) -> str:
        times = ", ".join(one.said for one in self._query.times)
        return f"time: {times}" if times else f"the {self._query.end} thing"

    def _nearest_named(self, seq: int) -> str:
        for distance in range(1, len(BY_WORDS) + 1):
            for other in (seq - distance, seq + distance):
                if other in self._words or other in self._likes:
                    return f"beside turn {other}"
        return "a name"


def _by_seq(matches: Matches, told: frozenset[int]) -> dict[int, list[str]]:
    """The words found in each turn, those worth most first; speakers' names are no reason."""
    words: dict[int, list[str]] = {}
    worth = worth_of(matches)
    for hits in sorted(matches.hits, key=lambda hits: -worth[hits.term.text]):
        for seq in told.intersection(hits.seqs) if hits.term.text not in matches.names else ():
            words.setdefault(seq, []).append(hits.term.text)
    return words
