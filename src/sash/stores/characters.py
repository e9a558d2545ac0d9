"""Asking the index of characters: runs of scripts without spaces, of any length.

The index holds strings of three characters; a longer run is a phrase of them, a shorter one is asked for as all
strings that begin with it (the index ends each text with two line ends, so its last characters begin one too).
A word or number that stands between such characters without a space is part of one long word for the index of
words: it, too, is asked for here.
"""

from __future__ import annotations

from collections.abc import Sequence

from sash.recall.words import words
from sash.stores.lineage import Segment
from sash.stores.transaction import Transaction
from sash.stores.vectors import position

CONTINUATIONS = 200
"""Strings that may continue one or two characters; for what has more in this file, a conversation's texts are read."""
READ = 2_000
"""Newest turns whose texts are read then."""
CLINGING = 200
"""Newest turns read for one word to see whether it stands there as a word."""


def characters_match(db: Transaction, run: str) -> str:
    """What finds `run` in the index; "" where nothing holds it, or more than can be asked for."""
    asked = db.sql.characters(run)
    if asked is not None:
        return asked
    found = db.all(
        "SELECT term FROM turns_characters_terms WHERE term >= ? AND term < ? AND col = 'text' LIMIT ?",
        (run, run + "\U0010ffff", CONTINUATIONS + 1),
    )
    if len(found) > CONTINUATIONS:
        return ""
    return " OR ".join('"' + row[0].replace('"', '""') + '"' for row in found)


def spaceless(db: Transaction, segments: Sequence[Segment]) -> list[Segment]:
    """The segments that hold any text of such a script."""
    asked = "SELECT 1 FROM turns_characters_docsize WHERE id BETWEEN ? AND ? LIMIT 1"
    return [one for one in segments if db.one(asked, (position(one[0], one[1]), position(one[0], one[2])))]


def clinging(db: Transaction, word: str, segments: Sequence[Segment]) -> list[int]:
    """The newest seqs where `word` clings to such characters, and does not stand alone as well."""
    match = characters_match(db, word)
    found: list[int] = []
    for branch, low, high in reversed(segments) if match else ():
        span = (position(branch, low), position(branch, high))
        read = db.execute(
            "SELECT t.seq, t.text FROM turns_characters JOIN turns t ON t.place = turns_characters.rowid "
            f"WHERE {db.sql.matches('turns_characters', '?')} AND turns_characters.rowid BETWEEN ? AND ? "
            f"AND t.place NOT IN (SELECT rowid FROM turns_fts WHERE {db.sql.matches('turns_fts', '?')} "
            "AND rowid BETWEEN ? AND ?) "
            "ORDER BY turns_characters.rowid DESC LIMIT ?",
            (match, *span, f'"{word}"', *span, CLINGING),
        )
        found += [row["seq"] for row in read if word in words(row["text"])]
    return found


def common(db: Transaction, run: str, segments: Sequence[Segment]) -> list[int]:
    """The newest seqs that hold one or two characters which the whole file holds too often to ask the index."""
    found: list[int] = []
    for branch, low, high in reversed(segments) if _held(db, run) else ():
        read = db.execute(
            "SELECT seq FROM turns WHERE place IN (SELECT id FROM turns_characters_docsize "
            f"WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT ?) AND {db.sql.contains('text', '?')} ORDER BY seq DESC",
            (position(branch, low), position(branch, high), READ, run),
        )
        found += [row["seq"] for row in read]
    return found


def _held(db: Transaction, run: str) -> bool:
    asked = "SELECT 1 FROM turns_characters_terms WHERE term >= ? AND term < ? AND col = 'text' LIMIT 1"
    return db.one(asked, (run, run + "\U0010ffff")) is not None
