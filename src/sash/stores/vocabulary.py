"""The words of one branch's own turns, where each stands, and which words are like one that is asked for.

Like by meaning (word vectors, where an embedder has them), by spelling (a word that nobody used here is perhaps
misspelt), or as a part of a compound. Held in memory and only extended; where a turn of the branch was redacted, by
whomever, they are read anew, as the audit of what was forgotten tells each reader. It knows no query and no ranking.
"""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from sash.recall.ranking import PLACES, Like
from sash.recall.spelling import Lexicon
from sash.recall.words import tells
from sash.recall.words import words as words_of
from sash.stores.embedders import Meanings, WordVectors
from sash.stores.lineage import Segment
from sash.stores.loading import load_numpy
from sash.stores.transaction import Query, Transaction
from sash.stores.vectors import unit_rows

HELD = 200_000
"""Words held in memory over all conversations; those of the branch longest unused go first."""
CLOSE = 0.4
"""Cosine from which two words are alike."""
MOST = 24
"""Words alike that are looked for, of each word asked for."""
TURNS, WORDS = 10_000, 20_000
"""Turns that a search reads of those not read yet, and words whose meaning it learns."""

_FORGOTTEN = """SELECT (SELECT coalesce(max(id), 0) FROM forgotten) AS newest, count(*) AS gone
    FROM forgotten f, {turns} one JOIN turns t ON t.id = one.value WHERE f.id > ? AND t.branch_id = ?"""


class _Words:
    """The words of one branch's own turns."""

    def __init__(self) -> None:
        self.read = 0
        """the last seq that was read"""
        self.forgotten = 0
        """id of the newest entry in the audit of what was forgotten, when they were read"""
        self.places: dict[str, array[int]] = {}
        self.meanings: Meanings | None = None
        self.spelt = Lexicon()

    def extend(self, turns: Iterable[tuple[int, str]]) -> None:
        """Read turns that are newer than those read so far."""
        for seq, text in turns:
            for word in dict.fromkeys(words_of(text)):
                places = self.places.get(word)
                if places is None and tells(word):
                    places = self.places[word] = array("I")
                    self.spelt.add(word)
                if places is not None:
                    places.append(seq)
            self.read = seq

    def learn(self, embedder: WordVectors, most: int) -> Meanings:
        """What the words mean, `most` more of them than before."""
        known = self.meanings = self.meanings or Meanings(embedder)
        known.add(self.spelt.words[len(known) : len(known) + most])
        return known

    def near(self, asked: Sequence[str], embedder: WordVectors) -> Iterator[tuple[str, str, float]]:
        """Words of like meaning: (asked, like, cosine), the closest first."""
        np = load_numpy()
        known = self.spelt.words
        rows = unit_rows(embedder.embed(list(asked)), len(asked), embedder.name)
        for word, cosines in zip(asked, self.learn(embedder, WORDS).closeness(rows), strict=True):
            close = np.flatnonzero(cosines >= CLOSE)
            for at in close[np.argsort(-cosines[close])][:MOST]:
                yield word, known[at], float(cosines[at])


class Vocabularies:
    """Words by branch."""

    def __init__(self) -> None:
        self._held: OrderedDict[int, _Words] = OrderedDict()
        self._lock = threading.Lock()

    def forget(self) -> None:
        """Read everything anew next time."""
        with self._lock:
            self._held.clear()

    def like(
        self, db: Transaction, segments: Sequence[Segment], asked: Sequence[str], embedder: WordVectors | None
    ) -> list[Like]:
        """Words of a line of turns that are like those asked for; by meaning only with an embedder of words.

        Of a very long history that was not read yet, a part is read; `learn` goes on from there, part by part.
        """
        with self._lock:
            return self._like(db, segments, asked, embedder)

    def _like(
        self, db: Transaction, segments: Sequence[Segment], asked: Sequence[str], embedder: WordVectors | None
    ) -> list[Like]:
        found: dict[tuple[str, str], Like] = {}
        for branch, low, high in segments:
            words, _ = self._words(db, (branch, low, high), TURNS)
            for word, like, closeness, spelt in _likes(words, asked, embedder):
                places = words.places[like]
                first, last = bisect_left(places, low), bisect_right(places, high)
                seqs, count = tuple(places[max(first, last - PLACES) : last]), last - first
                known = found.get((word, like))
                if known:
                    found[word, like] = replace(known, seqs=(*known.seqs, *seqs), found=known.found + count)
                elif seqs:
                    found[word, like] = Like(
                        word=word, like=like, closeness=closeness, found=count, seqs=seqs, spelt=spelt
                    )
        return list(found.values())

    def learn(self, db: Transaction, segments: Sequence[Segment], embedder: WordVectors | None, most: int) -> int:
        """Go on reading where a search began to: `most` turns more, and what their words mean; how many it were.

        Most conversations that are opened are asked nothing, and who embeds for others is never asked.
        """
        done = 0
        with self._lock:
            for segment in segments:
                if segment[0] not in self._held:
                    continue
                words, read = self._words(db, segment, most - done)
                done += read
                if embedder:
                    words.learn(embedder, WORDS)
        return done

    def _words(self, db: Transaction, segment: Segment, most: int) -> tuple[_Words, int]:
        """The words of a branch, with those of `most` turns more; and how many turns that were."""
        branch, _, _ = segment
        words = self._held.pop(branch, None) or _Words()
        asked = (_FORGOTTEN.format(turns=db.sql.ids("f.turns")), (words.forgotten, branch))
        ((newest, gone),), new = db.each([asked, _newer(words, segment, most)])
        if words.read and (gone or newest < words.forgotten):  # who reads an earlier state may see what is gone by now
            words = _Words()
            (new,) = db.each([_newer(words, segment, most)])
        words.forgotten = newest
        words.extend((row[0], row[1]) for row in new)
        self._held[branch] = words
        while len(self._held) > 1 and sum(len(held.places) for held in self._held.values()) > HELD:
            self._held.popitem(last=False)
        return words, len(new)


def _newer(words: _Words, segment: Segment, most: int) -> Query:
    """What asks for the turns of a branch that were not read yet."""
    branch, low, high = segment
    asked = (
        "SELECT seq, text FROM turns WHERE branch_id = ? AND seq BETWEEN ? AND ? AND state != 'withdrawn' "
        "ORDER BY seq LIMIT ?"
    )
    return asked, (branch, max(low, words.read + 1), high, most)


def _likes(words: _Words, asked: Sequence[str], embedder: WordVectors | None) -> Iterator[tuple[str, str, float, bool]]:
    """Pairs of an asked and a like word, their closeness, and whether it is one of letters; each pair once."""
    near = list(words.near(asked, embedder)) if embedder else []
    yield from ((word, like, closeness, False) for word, like, closeness in near)
    close = {(word, like) for word, like, _ in near}
    for word in asked:
        if word not in words.places:  # perhaps a slip, or a compound
            found = ((like, closeness) for like, closeness in words.spelt.close(word) if (word, like) not in close)
            yield from ((word, like, closeness, True) for like, closeness in found)
