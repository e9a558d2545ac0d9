"""From matches to one ranking.

A turn's keyword score is the sum over the words it holds of their weight and rarity *in this conversation*
(BM25 with neither counts nor lengths, which say little about chat turns); what it holds spreads to the turns
beside it, since the other half of an answer seldom repeats the words. Rankings are merged by reciprocal rank
fusion (Cormack, Clarke, Buettcher, SIGIR 2009). The constants were chosen on flat ground: on five LoCoMo
conversations halving or doubling any of them moves the share of evidence found by less than 0.02.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, log

from sash.recall.query import Term

RARITY = 1.5
"""Power of the inverse document frequency: one rare word outweighs two common ones."""
NAME = 0.05
"""Weight of a speaker's own name: it says who, and stands everywhere."""
CLOSENESS = 1.5
"""Power of a like word's closeness in its worth."""
PLACES = 6_000
"""Places of like words that are read; the words worth most come first."""
SPREADING = 600
"""Best hits that spread to their neighbours."""
BY_WORDS = (0.5, 0.25, 0.12, 0.06)
"""What the turns beside a hit gain from it, by distance: words stand in one turn of an exchange, or a second ..."""
BY_MEANING = (0.3, 0.1)
"""... and meaning is smeared over the exchange already."""
FUSION = 15
DEEP = 400
"""How many of a ranking count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """Where one term was found."""

    term: Term
    found: int
    """turns of the conversation that hold it"""
    seqs: tuple[int, ...]
    """of these turns, or of the newest of them"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matches:
    """What the indexes know of a query's terms within one line of turns."""

    total: int
    names: frozenset[str]
    """words of the speakers' names"""
    hits: tuple[Hits, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Like:
    """A word of the conversation that is like one asked for, and where it stands."""

    word: str
    like: str
    closeness: float
    """1.0 is the same word"""
    found: int
    """turns of the conversation that hold it"""
    seqs: tuple[int, ...]
    """of these, or of the newest of them"""
    spelt: bool = False
    """by its letters; else by meaning"""


def weight(term: Term, found: int, total: int, names: Collection[str]) -> float:
    """What holding `term` is worth, when `found` of `total` turns do."""
    rarity: float = log(1 + (max(total, found) - found + 0.5) / (found + 0.5)) ** RARITY
    return term.weight * rarity * (NAME if term.text in names else 1.0)


def keyword_scores(matches: Matches) -> dict[int, float]:
    """Scores by seq, of turns that hold a term."""
    scores: defaultdict[int, float] = defaultdict(float)
    for hits in matches.hits:
        worth = weight(hits.term, hits.found, matches.total, matches.names)
        for seq in hits.seqs:
            scores[seq] += worth
    return dict(scores)


def within_places(likes: Iterable[Like], matches: Matches) -> list[Like]:
    """Those worth most, the best first, with as many places as are read of all: the newest of the last one."""
    read, left = list[Like](), PLACES
    for one in sorted(likes, key=lambda like: -_worth(like, matches)):
        if left > 0:
            read.append(replace(one, seqs=one.seqs[-left:]))
            left -= len(one.seqs)
    return read


def alike_scores(likes: Iterable[Like], matches: Matches) -> dict[int, float]:
    """Scores by seq: of each word asked for, the closest word that a turn holds, by its rarity (late interaction).

    `likes`: those worth most first.
    """
    best: defaultdict[str, dict[int, float]] = defaultdict(dict)
    for one in likes:
        held, worth = best[one.word], _worth(one, matches)
        for seq in one.seqs:
            held.setdefault(seq, worth)  # what came before is worth more
    scores: defaultdict[int, float] = defaultdict(float)
    for held in best.values():
        for seq, worth in held.items():
            scores[seq] += worth
    return dict(scores)


def _worth(like: Like, matches: Matches) -> float:
    closeness: float = like.closeness**CLOSENESS
    return closeness * weight(Term(text=like.word), like.found, matches.total, matches.names)


def added(scores: Mapping[int, float], more: Mapping[int, float]) -> dict[int, float]:
    """Both together."""
    if not more:
        return dict(scores)
    return {seq: scores.get(seq, 0.0) + more.get(seq, 0.0) for seq in {**scores, **more}}


def worth_of(matches: Matches) -> dict[str, float]:
    """What each term that was found is worth."""
    return {hits.term.text: weight(hits.term, hits.found, matches.total, matches.names) for hits in matches.hits}


def spread(scores: Mapping[int, float], gains: Sequence[float]) -> dict[int, float]:
    """Scores with what each turn gains from hits beside it."""
    best = _best(scores, SPREADING)
    gained: defaultdict[int, float] = defaultdict(float, scores)
    for score, seq in best:
        for distance, gain in enumerate(gains, 1):
            gained[seq + distance] += gain * score
            gained[seq - distance] += gain * score
    return {seq: score for seq, score in gained.items() if seq > 0}


def ranked(scores: Mapping[int, float], most: int = DEEP) -> list[int]:
    """seqs, the best first; of equals the newer one."""
    return [seq for _, seq in _best(scores, most)]


def _best(scores: Mapping[int, float], most: int) -> list[tuple[float, int]]:
    """The best scores with their seqs, the best first. Numbers alone are sorted much faster than pairs of all."""
    least = sorted(scores.values())[-most] if len(scores) > most else -inf
    return sorted(((score, seq) for seq, score in scores.items() if score >= least), reverse=True)[:most]


def fuse(rankings: Iterable[Sequence[int]]) -> dict[int, float]:
    """One value for each seq that any ranking holds: reciprocal rank fusion."""
    values: defaultdict[int, float] = defaultdict(float)
    for ranking in rankings:
        for rank, seq in enumerate(ranking[:DEEP]):
            values[seq] += 1 / (FUSION + rank)
    return dict(values)
