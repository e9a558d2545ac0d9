"""Whether two words are one, misspelt, or share a part (closeness from 0 to 1), and which of many are so."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

LEAST = 5
"""Letters of a word, below which a slip makes another word."""
LONG = 8
"""Letters from which two slips are forgiven."""
PART = 5
"""Letters of the part that two compounds share."""


class Lexicon:
    """Many words, in which those close to another one are found without a look at each."""

    def __init__(self) -> None:
        self.words: list[str] = []
        """in the order in which they were added"""
        self._shelves: dict[str, array[int]] = {}

    def add(self, word: str) -> None:
        """One more word, which is not among them yet."""
        for shelf in _shelves(word, (len(word),)):
            self._shelves.setdefault(shelf, array("I")).append(len(self.words))
        self.words.append(word)

    def close(self, word: str) -> Iterator[tuple[str, float]]:
        """The words close to this one, in the order in which they were added, with their closeness."""
        lengths = range(len(word) - 2, len(word) + 3)
        for at in sorted({at for shelf in _shelves(word, lengths) for at in self._shelves.get(shelf, ())}):
            like = self.words[at]
            if closeness := max(misspelt(word, like), parts(word, like)):
                yield like, closeness


def _shelves(word: str, lengths: Iterable[int]) -> set[str]:
    """Where words stand: of two that are close, of about one length, each stands where the other is looked for."""
    written = not any(map(str.isdigit, word))
    slips = {f"{letter}{length}" for letter in word[:2] for length in lengths} if written else set()
    ends = {f"^{word[:3]}", f"${word[-3:]}"} if len(word) >= PART else set()
    return slips | ends


def misspelt(word: str, like: str) -> float:
    """How likely `word` is a slip of `like`: a letter wrong, missing, too much or swapped; two in a long word."""
    most = 0 if len(word) < LEAST else 1 if len(word) < LONG else 2
    if not most or abs(len(word) - len(like)) > most or not (set(word[:2]) & set(like[:2])):
        return 0.0
    letters, others = set(word), set(like)
    if len(letters - others) > most or len(others - letters) > most:  # a slip each, at least
        return 0.0
    if any(sign.isdigit() for sign in word + like):  # order 11380 is not order 11390
        return 0.0
    slips = _slips(word, like, most)
    return 1.0 - slips / len(word) if 0 < slips <= most else 0.0


def parts(word: str, like: str) -> float:
    """How much of the longer word the other one is, where it stands at its beginning or end."""
    short, long = sorted((word, like), key=len)
    if len(short) < PART or len(long) - len(short) < 3 or not (long.startswith(short) or long.endswith(short)):
        return 0.0
    return 0.5 + 0.5 * len(short) / len(long)


def _slips(one: str, other: str, most: int) -> int:
    """Edits from one to the other (Damerau's: letters changed, missing, added, or swapped with the next)."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for at, letter in enumerate(one, 1):
        last, before, row = before, row, [at]
        for to, wanted in enumerate(other, 1):
            cost = min(row[-1] + 1, before[to] + 1, before[to - 1] + (letter != wanted))
            if at > 1 and to > 1 and letter == other[to - 2] and one[at - 2] == wanted:
                cost = min(cost, last[to - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
    return row[-1]
