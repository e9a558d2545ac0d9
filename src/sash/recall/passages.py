"""The places in one long text that answer a query, by its words: for a result that nobody wants to read whole."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import log

from sash.recall.words import bare, runs, telling, words

PASSAGE = 800
"""Characters of a passage, about; it ends with a line where one ends near."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a text, and where it stands: `text[start:end]`."""

    start: int
    end: int
    text: str


def passages(text: str, query: str, *, most: int = 5) -> list[Passage]:
    """At most `most` passages that hold words of `query`, the best first; rare words count for more."""
    asked = set(telling(query) or words(query)) | set(runs(query))
    pieces = list(_pieces(text))
    held = [_held(piece.text, asked) for piece in pieces]
    spread = Counter(word for found in held for word in found)
    worth = {word: log(1 + len(pieces) / spread[word]) for word in spread}
    scores = [sum(worth[word] for word in found) for found in held]
    best = sorted((index for index, score in enumerate(scores) if score), key=lambda index: (-scores[index], index))
    return [pieces[index] for index in best[:most]]


def _held(text: str, asked: set[str]) -> set[str]:
    """Which of the words stand there: whole, or as the beginning of a longer one, as names and paths hold them."""
    plain = bare(text)
    return {word for word in asked if bare(word) in plain}


def _pieces(text: str) -> list[Passage]:
    """The text in passages, in order and without gaps."""
    found, start = list[Passage](), 0
    while start < len(text):
        end = min(len(text), start + PASSAGE)
        line = text.find("\n", end, end + PASSAGE)
        end = len(text) if end == len(text) else (line + 1 if line >= 0 else end)
        found.append(Passage(start, end, text[start:end]))
        start = end
    return found
