"""Whether a text still holds a fact: its value, in a line that speaks of the same thing.

A number alone proves nothing ("12" may be apples or rooms), so some of the words around it must stand there as well.
Paraphrases count where they keep the value and most of the telling words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from sash.recall.words import SPACELESS, runs, telling
from sash.summaries.facts import Fact, normal

SHARE = 0.6
"""Share of a statement's telling words that a paraphrase keeps at least."""


class Coverage:
    """Lines of text, and what they hold. Lines may be added."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines: list[tuple[str, frozenset[str]]] = []
        self._normal: set[str] = set()
        for line in lines:
            self.add(line)

    def add(self, line: str) -> None:
        """One more line."""
        self._lines.append((_plain(line), stems(line)))
        self._normal.add(normal(line))

    def holds(self, fact: Fact) -> bool:
        """Whether some line holds it: an instruction word for word, a value with its context."""
        if normal(fact.quote) in self._normal:
            return True
        if fact.kind == "instruction":
            return False
        value = _plain(fact.text)
        context = stems(fact.quote) - stems(fact.text)
        return any(len(context & words) >= SHARE * len(context) and _stands(value, line) for line, words in self._lines)

    def mentions(self, value: str) -> int:
        """How many lines hold a value, whatever they say of it."""
        plain = _plain(value)
        return sum(_stands(plain, line) for line, _ in self._lines)


def _plain(text: str) -> str:
    return re.sub(r"[\s`*_\"“”‘’']+", " ", text.lower())


def _stands(value: str, line: str) -> bool:
    """Whether a value stands in a line, not as a part of another word or number."""
    at = line.find(value)
    while at >= 0:
        before, after = line[at - 1 : at], line[at + len(value) : at + len(value) + 1]
        if not _joined(before, value[:1]) and not _joined(value[-1:], after):
            return True
        at = line.find(value, at + 1)
    return False


def _joined(left: str, right: str) -> bool:
    """Whether two neighbouring signs belong to one word; in a script without blanks nobody can tell."""
    return left.isalnum() and right.isalnum() and not SPACELESS.match(left) and not SPACELESS.match(right)


@lru_cache(maxsize=65_536)
def stems(text: str) -> frozenset[str]:
    """The telling words of a text, without the commonest endings; pairs of signs where a script has no blanks."""
    pairs = (run[at : at + 2] for run in runs(text) for at in range(max(1, len(run) - 1)))
    return frozenset((*(_stem(word) for word in telling(text)), *pairs))


def _stem(word: str) -> str:
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word
