"""Looking for turns within one line of turns: by word, by character, by meaning.

The indexes are ordered by place (branch and seq), so a search costs what the conversation holds, whatever else
the file holds. Ranking is done elsewhere (`sash.recall.ranking`); here is what SQLite and vectors know.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sash.model.counts import Count
from sash.model.turns import Turn
from sash.recall.query import Term
from sash.recall.ranking import DEEP, Hits, Like, Matches, weight
from sash.recall.settings import Embedder
from sash.recall.words import words
from sash.stores import attachments, blobs, rows
from sash.stores.cache import Cache
from sash.stores.characters import characters_match, clinging, common, spaceless
from sash.stores.embedders import WordVectors, embedder_of
from sash.stores.lineage import Segment, present
from sash.stores.nearness import PLAIN, asks_database, fill, nearest_of, told_to, written
from sash.stores.transaction import Database, Query, Row, Transaction
from sash.stores.vectors import SEQ, Blocks, as_stored, blob, nearest, position, removals, seq_of, smeared, unit_rows

READ = 20_000
"""Places read for all terms of a query; the terms worth most come first."""
TERMS = 24
"""Terms of a query that are read at most."""
NAMES = 16
"""Speakers whose names are told apart."""
CANDIDATES = 200
"""Turns of other conversations looked at for each term, to tell which of these to search."""
BATCH = 256
"""Texts given to an embedder at once."""
LACKING = 128
"""Turns without a vector that a search embeds for itself: it must not wait for a whole history."""

_INDEXES = {"words": "turns_fts", "characters": "turns_characters"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    """A term that the line holds, and in how many turns."""

    term: Term
    match: str
    counts: tuple[int, ...]
    """by segment"""
    read: tuple[int, ...]
    """seqs of other turns, whose texts were read to find it"""

    @property
    def count(self) -> int:
        """In how many turns of the line it stands."""
        return sum(self.counts) + len(self.read)


class Index:
    """Old turns by what they say. See `sash.flows.record.Index`."""

    def __init__(self, database: Database, cache: Cache) -> None:
        self._database, self._lines, self._vocabularies = database, cache.lines, cache.vocabularies
        self._blocks = Blocks()
        self._embedded: dict[int, tuple[str, int, int]] = {}
        """By branch: embedder, removals at that time, and the seq up to which all turns have its vector."""

    def match(self, conversation: int, *, terms: Sequence[Term], until: int | None = None) -> Matches:
        """Where the terms stand; of the most common ones the newest places only."""
        with self._database.reading() as db:
            segments = self._line(db, conversation, until)
            total = sum(high - low + 1 for _, low, high in segments)
            names = frozenset(self._names(db, segments))
            found = sorted(
                self._counted(db, segments, terms),
                key=lambda one: -weight(one.term, one.count, total, names),
            )
            asked = list(_newest(db, found[:TERMS], segments))
            places = iter(db.each(query for one in asked for query in one))
            hits = [
                Hits(term=one.term, found=one.count, seqs=(*_seqs(islice(places, len(queries))), *one.read))
                for one, queries in zip(found, asked, strict=False)
            ]
            return Matches(total=total, names=names, hits=tuple(hits))

    def _counted(self, db: Transaction, segments: Sequence[Segment], terms: Sequence[Term]) -> Iterator[_Counted]:
        mixed = spaceless(db, segments)
        matches = [term.match if term.index == "words" else characters_match(db, term.text) for term in terms]
        asked = [
            list(_counting(db, _INDEXES[term.index], match, segments)) if match else []
            for term, match in zip(terms, matches, strict=True)
        ]
        counted = iter(db.each(query for one in asked for query in one))
        for term, match, queries in zip(terms, matches, asked, strict=True):
            counts = tuple(int(row[0]) for (row,) in islice(counted, len(queries)))
            one = _Counted(term=term, match=match, counts=counts, read=tuple(_read(db, term, match, mixed)))
            if one.count:
                yield one

    def read(self, conversation: int, *, seqs: Sequence[int], model: str) -> Sequence[tuple[Turn, Count | None]]:
        """Turns of the present branch by seq, in their order, with their size for the model."""
        with self._database.reading() as db:
            wanted = json.dumps(seqs)
            return [
                (blobs.turn(db, row), rows.count(row))
                for branch, low, high in self._line(db, conversation, None)
                for row in db.execute(
                    f"SELECT {attachments.COLUMNS}, n.tokens, n.upper, n.source, n.base FROM {attachments.TURNS} "
                    "LEFT JOIN counts n ON n.turn_id = t.id AND n.model = ? WHERE t.branch_id = ? "
                    f"AND t.seq IN (SELECT value FROM {db.sql.ids('?')} WHERE value BETWEEN ? AND ?) "
                    "AND t.state != 'withdrawn' ORDER BY t.seq",
                    (model, branch, wanted, low, high),
                )
            ]

    def near(
        self,
        conversation: int,
        *,
        text: str,
        embedder: bool | Embedder,
        gains: Sequence[float],
        until: int | None = None,
        most: int = DEEP,
    ) -> Sequence[tuple[int, float]]:
        """The nearest turns in meaning, among those that have a vector of this embedder and a few that lack one."""
        embedder = embedder_of(embedder)
        with self._database.reading() as db:
            lacking = self._unembedded(db, self._line(db, conversation, until), embedder.name, LACKING)
        texts = [text, *(said for _, said in lacking)]
        rows = unit_rows(embedder.embed(texts), len(texts), embedder.name)
        vector, beside = rows[0], dict(zip((place for place, _ in lacking), as_stored(rows[1:]), strict=True))
        with self._database.reading() as db:
            segments = self._line(db, conversation, until)
            if vector.any() and asks_database(db, segments):
                return nearest_of(db, segments, vector, embedder.name, beside=beside, gains=gains, most=most)
            seqs, cosines = self._blocks.closeness(db, segments, vector, embedder.name, beside)
        return nearest(seqs, smeared(cosines, gains), most) if vector.any() else []

    def like(
        self, conversation: int, *, words: Sequence[str], embedder: bool | Embedder, until: int | None = None
    ) -> Sequence[Like]:
        """Words like those asked for. An embedder of whole texts is not asked for single words."""
        known = _of_words(embedder)
        with self._database.reading() as db:
            line = self._line(db, conversation, until)
            return self._vocabularies.like(db, line, words, known)

    def elsewhere(
        self, conversation: int, *, user: str, namespace: str, terms: Sequence[Term], most: int
    ) -> Sequence[tuple[int, str]]:
        """Other conversations of a user by their best turn, the best first: by what the terms in it are worth.

        How rare a term is, is asked of the user's turns alone: what others say neither counts nor costs.
        """
        worth: dict[tuple[int, str], dict[int, float]] = {}
        with self._database.reading() as db:
            total = db.one(_TOTAL_OF_OTHERS, (namespace, user, conversation))[0]
            for term in terms:
                for row in _of_others(db, term, (namespace, user, conversation)):
                    turns = worth.setdefault((row["id"], row["name"]), defaultdict(float))
                    turns[row["place"]] += weight(term, row["found"], total, ())
        return sorted(worth, key=lambda one: -max(worth[one].values()))[:most]

    def between(
        self, conversation: int, *, spans: Sequence[tuple[float, float]], until: int | None = None
    ) -> Sequence[int]:
        """seqs by the time of their turns."""
        with self._database.reading() as db:
            return [
                row[0]
                for branch, low, high in self._line(db, conversation, until)
                for since, before in spans
                for row in db.execute(
                    "SELECT seq FROM turns WHERE branch_id = ? AND seq BETWEEN ? AND ? AND at >= ? AND at < ? "
                    "AND text != '' ORDER BY seq",
                    (branch, low, high, since, before),
                )
            ]

    def embed(self, conversation: int, *, embedder: bool | Embedder, most: int | None = None) -> int:
        """Give turns without a vector theirs, the oldest first; go on learning words where a search began to."""
        return max(self._embed(conversation, embedder_of(embedder), most), self._learn(conversation, embedder, most))

    # ---- vectors --------------------------------------------------------------------------------

    def _embed(self, conversation: int, embedder: Embedder, most: int | None) -> int:
        """In batches, each a transaction of its own: the embedder is asked outside of them."""
        done = 0
        self._drop_others(conversation, embedder.name)
        while most is None or done < most:
            with self._database.reading() as db:
                line = self._line(db, conversation, None)
                batch = self._unembedded(db, line, embedder.name, BATCH if most is None else min(BATCH, most - done))
            if not batch:
                break
            vectors = unit_rows(embedder.embed([text for _, text in batch]), len(batch), embedder.name)
            self._keep_vectors(batch, vectors, embedder.name)
            done += len(batch)
        self._tell(conversation)
        return done

    def _tell(self, conversation: int) -> None:
        """Tell a database that knows vectors those that were kept before it did."""
        told = 1
        while told:
            with self._database.passing() as db:
                told = fill(db, self._line(db, conversation, None)) if db.nearness else 0

    def _learn(self, conversation: int, embedder: bool | Embedder, most: int | None) -> int:
        """Read the words of turns not read yet, some at a time: nobody else comes to the database meanwhile."""
        done = 0
        while most is None or done < most:
            with self._database.reading() as db:
                line = self._line(db, conversation, None)
                some = BATCH if most is None else min(BATCH, most - done)
                read = self._vocabularies.learn(db, line, _of_words(embedder), some)
            done += read
            if not read:
                break
        return done

    def _drop_others(self, conversation: int, embedder: str) -> None:
        """Vectors of other models go, before this one's are trusted."""
        with self._database.reading() as db:
            strange = [s for s in self._line(db, conversation, None) if not self._knows(db, s[0], embedder)]
        if strange:
            with self._database.writing() as db:
                for branch, low, high in strange:
                    db.execute(
                        "DELETE FROM vectors WHERE place BETWEEN ? AND ? AND embedder != ?",
                        (position(branch, low), position(branch, high), embedder),
                    )

    def _knows(self, db: Transaction, branch: int, embedder: str) -> bool:
        """Whether what is remembered of a branch's vectors still holds."""
        return self._embedded.get(branch, ("", 0, 0))[:2] == (embedder, removals(db, branch))

    def _unembedded(
        self, db: Transaction, segments: Sequence[Segment], embedder: str, most: int
    ) -> list[tuple[int, str]]:
        """Places and texts of the oldest turns of a line that have no vector of `embedder`."""
        found: list[tuple[int, str]] = []
        for segment in segments:
            if len(found) < most:
                found += self._unembedded_of(db, segment, embedder, most - len(found))
        return found

    def _unembedded_of(self, db: Transaction, segment: Segment, embedder: str, most: int) -> list[tuple[int, str]]:
        branch, low, high = segment
        removed = removals(db, branch)
        known = self._embedded.get(branch, ("", 0, 0))
        first = max(low, known[2] + 1) if known[:2] == (embedder, removed) else low
        found = db.all(
            "SELECT t.place, t.text FROM turns t WHERE t.branch_id = ? AND t.seq BETWEEN ? AND ? AND NOT EXISTS "
            "(SELECT 1 FROM vectors v WHERE v.place = t.place AND v.embedder = ?) ORDER BY t.seq LIMIT ?",
            (branch, first, high, embedder, most),
        )
        complete = seq_of(found[0]["place"]) - 1 if found else high
        self._embedded[branch] = (embedder, removed, complete)
        return [(row["place"], row["text"]) for row in found]

    def _keep_vectors(self, batch: Sequence[tuple[int, str]], vectors: Any, embedder: str) -> None:
        """Store them, each only if its turn still says what was embedded."""
        with self._database.passing() as db:
            names, marks, again = PLAIN if db.nearness is None else told_to(db.nearness)
            near = [(written(row),) if names else () for row in as_stored(vectors)]
            db.many(
                f"INSERT INTO vectors (place, embedder, vector, bytes{names}) "
                f"SELECT place, ?, ?, 1{marks} FROM turns WHERE place = ? AND text = ? ON CONFLICT (place) "
                f"DO UPDATE SET embedder = excluded.embedder, vector = excluded.vector, bytes = 1{again}",
                [
                    (embedder, blob(row), *told, at, text)
                    for (at, text), row, told in zip(batch, vectors, near, strict=True)
                ],
            )

    # ---- lines ----------------------------------------------------------------------------------

    def _line(self, db: Transaction, conversation: int, until: int | None) -> list[Segment]:
        """The segments of the present branch, as far as turns go, up to `until`."""
        branch, newest = db.one(_NEWEST, (conversation,)) or (present(db, conversation), None)
        if newest is None:  # it has no turns of its own yet
            turn = self._lines.newest(db, branch)
            newest = turn.seq if turn else 0
        last = newest if until is None else min(newest, until - 1)
        return [(at, low, min(high, last)) for at, low, high in self._lines.segments(db, branch) if low <= last]

    def _names(self, db: Transaction, segments: Sequence[Segment]) -> Iterator[str]:
        """The words of the speakers' names, from an index that leaps from name to name."""
        for branch, _, _ in segments:
            name = ""
            for _ in range(NAMES):
                row = db.one("SELECT min(speaker) FROM turns WHERE branch_id = ? AND speaker > ?", (branch, name))
                if row[0] is None:
                    break
                name = row[0]
                yield from words(name)


def _of_words(embedder: bool | Embedder) -> WordVectors | None:
    """The embedder meant, where it is one of words."""
    known = embedder_of(embedder) if embedder else None
    return known if isinstance(known, WordVectors) else None


_NEWEST = (
    "SELECT c.branch_id, (SELECT max(t.seq) FROM turns t WHERE t.branch_id = c.branch_id) FROM conversations c "
    "WHERE c.id = ?"
)
_OTHERS = "c.namespace = ?1 AND c.owner = ?2 AND c.id <> ?3"
_TOTAL_OF_OTHERS = f"""SELECT coalesce(sum((SELECT max(t.seq) FROM turns t WHERE t.branch_id = b.id) - b.fork_seq), 0)
    FROM conversations c JOIN branches b ON b.conversation_id = c.id WHERE {_OTHERS}"""


def _of_others(db: Transaction, term: Term, whose: tuple[str, str, int]) -> Iterable[Row]:
    """The newest turns of a user's other conversations that hold a term, branch by branch, and how many do."""
    index = _INDEXES[term.index]
    match = term.match if term.index == "words" else characters_match(db, term.text)
    if not match:
        return ()
    return db.execute(
        f"SELECT c.id, c.name, t.place, count(*) OVER () AS found FROM conversations c CROSS JOIN branches b "
        f"CROSS JOIN {index} CROSS JOIN turns t WHERE {_OTHERS} AND b.conversation_id = c.id "
        f"AND {db.sql.matches(index, '?4')} AND {index}.rowid BETWEEN (b.id << 32) AND (b.id << 32) + 4294967295 "
        f"AND t.branch_id = b.id AND t.place = {index}.rowid AND t.state <> 'withdrawn' "
        f"ORDER BY t.place DESC LIMIT {CANDIDATES}",
        (*whose, match),
    )


def _read(db: Transaction, term: Term, match: str, segments: Sequence[Segment]) -> list[int]:
    """Where a term stands that the indexes alone cannot tell, in segments with scripts without spaces."""
    if term.index == "characters":
        return common(db, term.text, segments) if not match else []
    return clinging(db, term.text, segments) if " " not in term.text else []


def _counting(db: Transaction, index: str, match: str, segments: Sequence[Segment]) -> Iterator[Query]:
    """What asks each segment in how many turns `match` is found."""
    asked = f"SELECT count(*) FROM {index} WHERE {db.sql.matches(index, '?')} AND rowid BETWEEN ? AND ?"
    return ((asked, (match, position(b, low), position(b, high))) for b, low, high in segments)


def _newest(db: Transaction, found: Sequence[_Counted], segments: Sequence[Segment]) -> Iterator[list[Query]]:
    """What asks for the newest places of each term, until `READ` of them are found in all."""
    left = READ
    for one in found:
        if left <= 0:
            return
        index, most = _INDEXES[one.term.index], left
        asked = (
            f"SELECT {db.sql.listed('seq')} FROM (SELECT rowid & {SEQ} AS seq FROM {index} "
            f"WHERE {db.sql.matches(index, '?')} AND rowid BETWEEN ? AND ? ORDER BY rowid DESC LIMIT ?) AS found"
        )
        queries: list[Query] = []
        for (branch, low, high), count in reversed(list(zip(segments, one.counts, strict=False))):
            if some := min(most, count):
                queries.append((asked, (one.match, position(branch, low), position(branch, high), some)))
            most -= some
        left = most - len(one.read)
        yield queries


def _seqs(found: Iterable[Sequence[Row]]) -> Iterator[int]:
    """As arrays they come: a row for each would take longer than to find them."""
    return (seq for ((listed,),) in found for seq in json.loads(listed))
