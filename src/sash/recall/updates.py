"""From what was found to what was said about it later: the newest statement stands beside the old one.

A user turn that takes up a rare word of a found one, later in the conversation, may correct it ("I quit Brandt and
Sons" after "I work at Brandt and Sons"), though it shares no word with the question. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from sash.model.turns import Turn
from sash.recall.packing import Candidate
from sash.recall.ranking import Hits
from sash.recall.words import telling

TAKEN_UP = 3
"""User turns, of the best ones found, whose words are looked for in later ones."""
RARE = 4
"""Turns that hold a word, at most: a word of more turns takes up nothing in particular."""
READ, ASKED = 40, 48
"""Words of a turn that are read, and of all turns that are looked for."""
WORTH = 0.9
"""Of the worth of the turn that is taken up."""


def best_user_turns(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Those whose words are looked for in later turns."""
    return [one for one in sorted(candidates, key=lambda one: -one.value) if one.turn.plain][:TAKEN_UP]


def own_words(turns: Iterable[Turn], without: Collection[str]) -> list[str]:
    """Words of the turns beside those asked for."""
    said = (word for turn in turns for word in telling(turn.text)[:READ])
    return [word for word in dict.fromkeys(said) if len(word) > 2 and word not in without][:ASKED]


def taken_up(candidates: Sequence[Candidate], best: Sequence[Candidate], found: Iterable[Hits]) -> list[Candidate]:
    """The candidates, user turns that take up words of the `best` later worth nearly as much as these."""
    newer = _newer(best, found)
    return [
        _raised(one, *newer[one.turn.seq]) if one.turn.seq in newer and one.turn.plain else one for one in candidates
    ]


def _newer(best: Sequence[Candidate], found: Iterable[Hits]) -> Mapping[int, tuple[Candidate, list[str]]]:
    """By seq: the most valuable of the `best` that a later turn takes up, and the words by which it does."""
    newer: dict[int, tuple[Candidate, list[str]]] = {}
    rare = [hits for hits in found if hits.found <= RARE]
    for one in reversed(best):
        for hits in rare:
            if one.turn.seq in hits.seqs:
                for seq in hits.seqs:
                    if seq > one.turn.seq:
                        known = newer.get(seq)
                        words = known[1] if known and known[0] is one else []
                        newer[seq] = (one, [*words, hits.term.text])
    return newer


def _raised(candidate: Candidate, older: Candidate, words: Sequence[str]) -> Candidate:
    if candidate.value >= WORTH * older.value:
        return candidate
    why = f"takes up turn {older.turn.seq}: {', '.join(words)}"
    return replace(candidate, value=WORTH * older.value, why=why)
