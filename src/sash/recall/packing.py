"""Which of the candidates go into the share of tokens: by value per token, near-duplicates once.

A turn that alone would take much of the share is quoted by the passage that holds most of what was asked for.
Sizes are asked of `size`, a function from text to tokens; only what is likely to be packed is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sash.model.turns import Turn
from sash.recall.quoting import CLOSE, OPEN, line, quoted
from sash.recall.settings import Found
from sash.recall.words import words

THRIFT = 0.2
"""Power of a turn's length in its price: long turns hold more, so they cost less than their length."""
PASSAGE = 8
"""A turn may take this part of the share, or `LEAST_PASSAGE` tokens; of a longer one a passage is quoted."""
LEAST_PASSAGE = 120
MISSES = 20
"""Candidates that do not fit in a row: then the share is full."""
SAME = 0.9
"""Share of common words from which two turns count as one."""
FEW = 4
"""Turns of fewer words are never taken for duplicates of others, exact ones apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A turn that may be quoted."""

    turn: Turn
    value: float
    why: str


def pack(
    candidates: Iterable[Candidate], tokens: int, size: Callable[[str], int], worth: Mapping[str, float]
) -> list[Found]:
    """The best of them within `tokens`, the best first. `worth` is what the words asked for are worth."""
    ordered = sorted(candidates, key=lambda c: (-c.value / (len(c.turn.content) + 80) ** THRIFT, -c.turn.seq))
    chosen: list[Found] = []
    seen = _Seen()
    left, misses = tokens - size(OPEN + CLOSE), 0
    for found in _sized(ordered, max(LEAST_PASSAGE, tokens // PASSAGE), size, worth, seen):
        if found.tokens <= left:
            chosen.append(found)
            seen.add(found)
            left, misses = left - found.tokens, 0
        elif (misses := misses + 1) > MISSES:
            break
    return _relative(_fitting(chosen, tokens, size))


def _sized(
    ordered: Sequence[Candidate],
    most: int,
    size: Callable[[str], int],
    worth: Mapping[str, float],
    seen: _Seen,
) -> Iterator[Found]:
    for candidate in ordered:
        whole = candidate.turn.text.strip()
        if not whole or seen.holds(whole):
            continue
        taken, text = size(line(candidate.turn, whole)), whole
        if taken > most:
            text = passage(whole, len(whole) * most // taken, worth)
            taken = size(line(candidate.turn, text))
        yield Found(turn=candidate.turn, score=candidate.value, why=candidate.why, text=text, tokens=taken)


def _fitting(chosen: list[Found], tokens: int, size: Callable[[str], int]) -> list[Found]:
    """As many as the share really holds with dates and tags; the least valuable go."""
    while chosen and (over := size(quoted(chosen)) - tokens) > 0:
        while chosen and over > 0:
            over -= chosen.pop().tokens
    return chosen


def _relative(chosen: Sequence[Found]) -> list[Found]:
    """Scores against the best one's."""
    best = max((found.score for found in chosen), default=1.0)
    return [replace(found, score=found.score / best) for found in chosen]


class _Seen:
    """What was chosen, to tell what only says it again."""

    def __init__(self) -> None:
        self._sets: list[frozenset[str]] = []

    def add(self, found: Found) -> None:
        self._sets.append(frozenset(words(found.turn.text)))

    def holds(self, text: str) -> bool:
        mine = frozenset(words(text))
        return any(_alike(mine, other) for other in self._sets)


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    """Nearly the same words, and exactly the same numbers: order 1138 is not order 1139."""
    if one == other:
        return bool(one)
    if min(len(one), len(other)) < FEW or _numbers(one) != _numbers(other):
        return False
    return len(one & other) >= SAME * len(one | other)


def _numbers(found: frozenset[str]) -> set[str]:
    return {word for word in found if any(sign.isdigit() for sign in word)}


def passage(text: str, most: int, worth: Mapping[str, float]) -> str:
    """About `most` characters of `text`: where most of what was asked for stands, else its beginning."""
    if len(text) <= most:
        return text
    low = text.lower()
    places = sorted((at, word) for word in worth for at in _places(low, root(word)))
    start = max(0, _densest(places, most, worth) - most // 4)
    start = text.rfind(" ", 0, start) + 1 if start else 0
    end = min(len(text), start + most)
    return ("… " if start else "") + text[start:end].strip() + (" …" if end < len(text) else "")


def _densest(places: Sequence[tuple[int, str]], most: int, worth: Mapping[str, float]) -> int:
    """The place from which `most` characters hold the most worth, each word once."""

    def held(start: int) -> float:
        return sum(worth[word] for word in {word for at, word in places if start <= at < start + most})

    return max((at for at, _ in places), key=lambda at: (held(at), -at), default=0)


def _places(text: str, word: str) -> Iterator[int]:
    at = text.find(word)
    for _ in range(50):
        if at < 0:
            return
        yield at
        at = text.find(word, at + 1)


def root(word: str) -> str:
    """The beginning that a word shares with its other forms, roughly."""
    return word if len(word) < 6 else word[: max(5, len(word) - 3)]
