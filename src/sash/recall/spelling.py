"""Whether two words are one, misspelt, or share a part: closeness from 0 to 1, nothing else."""

from __future__ import annotations

LEAST = 5
"""Letters of a word, below which a slip makes another word."""
LONG = 8
"""Letters from which two slips are forgiven."""
PART = 5
"""Letters of the part that two compounds share."""


def misspelt(word: str, like: str) -> float:
    """How likely `word` is a slip of `like`: a letter wrong, missing, too much or swapped; two in a long word."""
    most = 0 if len(word) < LEAST else 1 if len(word) < LONG else 2
    if not most or abs(len(word) - len(like)) > most or not (set(word[:2]) & set(like[:2])):
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
