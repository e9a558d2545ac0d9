"""Which of the candidates go into the share of tokens: by value per token, near-duplicates once.

A turn that alone would take much of the share is quoted by the passage that holds most of what was asked for.
Sizes are asked of `size`, a function from text to tokens; only what is likely to be packed is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sash.model.patterns import late
from sash.model.turns import Turn
from sash.recall.quoting import CLOSE, OPEN, line, marks
from sash.recall.settings import Found
from sash.recall.words import bare

THRIFT = 0.2
"""Power of a turn's length in its price: long turns hold more, so they cost less than their length."""
PASSAGE = 8
"""A turn may take this part of the share; of a longer one a passage is quoted, ..."""
LEAST_PASSAGE, MOST_PASSAGE = 120, 330
"""... of so many tokens at least, and at most."""
OPENING = 3
"""Of a passage, its turn's first sentence may take this part: it tells what the turn is about, ..."""
GLANCE = 30
"""... where many turns are meant, all of its passage."""
MISSES = 20
"""Candidates that do not fit in a row: then the share is full."""
SAME = 0.9
"""Share of common words from which two turns count as one."""
FEW = 4
"""Turns of fewer words are never taken for duplicates of others, exact ones apart."""

_NUMBER = late(r"\d")
_SENTENCE = late(r"(?<=\w\w)[.!?](?=\s)|[。！？\n]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A turn that may be quoted."""

    turn: Turn
    value: float
    why: str
    tokens: int | None = None
    """what its text takes, where that is known already"""


def pack(
    candidates: Iterable[Candidate],
    tokens: int,
    size: Callable[[str], int],
    worth: Mapping[str, float],
    *,
    broad: bool = False,
) -> list[Found]:
    """The best of them within `tokens`, the best first. `worth` is what the words asked for are worth.

    `broad`: many turns are meant, each for a little.
    """
    most = min(max(LEAST_PASSAGE, tokens // PASSAGE), MOST_PASSAGE)
    ordered = sorted(candidates, key=lambda c: (-c.value / (len(c.turn.content) + 80) ** THRIFT, -c.turn.seq))
    chosen: list[Found] = []
    seen: list[_Said] = []
    left, misses = tokens - size(OPEN + CLOSE), 0
    for candidate in ordered:
        said = _Said.of(candidate.turn)
        if not said.words or any(said.repeats(other) for other in seen):
            continue
        found = _found(candidate, most, size, worth, broad)
        if found.tokens <= left:
            chosen.append(found)
            seen.append(said)
            left, misses = left - found.tokens, 0
        elif (misses := misses + 1) > MISSES:
            break
    return _relative(_fitting(chosen, tokens, size))


def _found(
    candidate: Candidate, most: int, size: Callable[[str], int], worth: Mapping[str, float], broad: bool
) -> Found:
    text, turn = candidate.turn.text.strip(), candidate.turn
    known = None if candidate.tokens is None else candidate.tokens + size(line(turn, ""))
    taken = size(line(turn, text)) if known is None else known
    if broad and taken > GLANCE:
        text = glance(text, len(text) * GLANCE // taken, len(text) * most // taken)
        taken = size(line(turn, text))
    elif taken > most:
        text = passage(text, len(text) * most // taken, worth)
        taken = size(line(turn, text))
    return Found(turn=turn, score=candidate.value, why=candidate.why, text=text, tokens=taken)


def _fitting(chosen: list[Found], tokens: int, size: Callable[[str], int]) -> list[Found]:
    """As many as the share holds with dates and tags; the least valuable go."""
    room = tokens - size(OPEN + CLOSE)
    while chosen and sum(found.tokens for found in chosen) + sum(map(size, marks(chosen))) > room:
        chosen.pop()
    return chosen


def _relative(chosen: Sequence[Found]) -> list[Found]:
    """Scores against the best one's."""
    best = max((found.score for found in chosen), default=1.0)
    return [replace(found, score=found.score / best) for found in chosen]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What a turn says, to tell whether another only says it again."""

    words: frozenset[str]
    numbers: frozenset[str]

    @classmethod
    def of(cls, turn: Turn) -> _Said:
        said = frozenset(turn.text.lower().split())
        return cls(words=said, numbers=frozenset(filter(_NUMBER.search, said)))

    def repeats(self, other: _Said) -> bool:
        """Nearly the same words, and exactly the same numbers: order 1138 is not order 1139."""
        if self.numbers != other.numbers:
            return False
        if min(len(self.words), len(other.words)) < FEW:
            return self.words == other.words
        return len(self.words & other.words) >= SAME * len(self.words | other.words)


def passage(text: str, most: int, worth: Mapping[str, float]) -> str:
    """About `most` characters of `text`: its first sentence, and where most of what was asked for stands."""
    if len(text) <= most:
        return text
    opening = _opening(text, most // OPENING)
    left = most - len(opening)
    low = bare(text)
    places = sorted((at, word) for word in worth for at in _places(low, bare(root(word))) if at >= len(opening))
    start = max(len(opening), _densest(places, left, worth) - left // 4)
    if start == len(opening):
        return text[:most].strip() + " …"
    start = max(start, text.find(" ", start, start + left // 8) + 1)  # at a word, if one begins soon
    end = min(len(text), start + left)
    return f"{opening.strip()} … ".lstrip() + text[start:end].strip() + (" …" if end < len(text) else "")


def glance(text: str, least: int, most: int) -> str:
    """Its first sentences: as many as come to `least` characters, and no more than `most`."""
    if len(text) <= least:
        return text
    end = _SENTENCE.search(text, least, most)
    return text[: end.end() if end else least].strip() + " …"


def _opening(text: str, most: int) -> str:
    """The first sentence, where it ends within `most` characters; else nothing: half of it would tell little."""
    ends = _SENTENCE.search(text, 0, most)
    return text[: ends.end()] if ends else ""


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
