"""Rarity, neighbours and the merging of rankings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash.recall import Term
from sash.recall.ranking import (
    BY_WORDS,
    DEEP,
    FUSION,
    NAME,
    Hits,
    Matches,
    fuse,
    keyword_scores,
    ranked,
    spread,
    weight,
)

rankings = st.lists(st.lists(st.integers(1, 30), unique=True, max_size=20), max_size=4)
scores = st.dictionaries(st.integers(1, 40), st.floats(0.01, 50), max_size=20)


def hits(word: str, *seqs: int) -> Hits:
    """Where a word stands."""
    return Hits(term=Term(text=word), found=len(seqs), seqs=seqs)


@given(st.integers(1, 500), st.integers(1, 500))
def test_the_rarer_word_is_worth_more(one: int, other: int) -> None:
    """Worth falls as more turns hold the word, and never below zero."""
    worths = [weight(Term(text="a"), found, 500, ()) for found in sorted((one, other))]
    assert worths[0] >= worths[1] >= 0.0
    assert one == other or worths[0] > worths[1]


def test_a_speakers_name_is_worth_little() -> None:
    """A name says who, not what."""
    plain = weight(Term(text="oda"), 3, 100, ())
    assert weight(Term(text="oda"), 3, 100, {"oda"}) == pytest.approx(NAME * plain)


def test_one_rare_word_outweighs_two_common_ones() -> None:
    """A turn with the word that nobody else says comes first; one with both kinds before it."""
    common = tuple(range(1, 60))
    matches = Matches(total=100, names=frozenset(), hits=(hits("rare", 70, 3), hits("a", *common), hits("b", *common)))
    assert ranked(keyword_scores(matches))[:3] == [3, 70, 59]


@given(scores)
def test_neighbours_gain_and_nobody_loses(given: dict[int, float]) -> None:
    """Turns beside a hit gain the more the nearer they are; seqs begin at 1; without gains nothing changes."""
    gained = spread(given, BY_WORDS)
    assert all(gained[seq] >= score for seq, score in given.items())
    assert all(seq >= 1 for seq in gained)
    assert all(gained[seq + 1] >= BY_WORDS[0] * score * 0.999 for seq, score in given.items())
    assert spread(given, ()) == given


def test_gain_falls_with_distance() -> None:
    """One hit at 10: the further from it, the less; beyond the last distance nothing."""
    gained = spread({10: 1.0}, BY_WORDS)
    assert [gained[seq] for seq in (10, 11, 12, 13, 14)] == [1.0, *BY_WORDS]
    assert gained[9] == gained[11] and 15 not in gained and 5 not in gained


@given(scores)
def test_ranks_go_by_score_and_then_by_age(given: dict[int, float]) -> None:
    """The best first; of equals the newer; no more than asked for."""
    order = ranked(given)
    assert [(given[seq], seq) for seq in order] == sorted(((s, q) for q, s in given.items()), reverse=True)
    assert ranked(given, 3) == order[:3]


@given(rankings)
def test_fusion_is_reciprocal_and_knows_no_order_of_rankings(lists: list[list[int]]) -> None:
    """Each seq is worth the sum of 1 / (constant + rank) over the rankings that hold it."""
    values = fuse(lists)
    assert set(values) == {seq for one in lists for seq in one}
    for seq, value in values.items():
        assert value == pytest.approx(sum(1 / (FUSION + one.index(seq)) for one in lists if seq in one))
    assert values == pytest.approx(fuse(reversed(lists)))


def test_what_both_rankings_hold_beats_the_head_of_one() -> None:
    """Second in both is better than first in one and nowhere in the other; what is too deep does not count."""
    assert ranked(fuse([[1, 2, 3], [4, 2, 5]]))[0] == 2
    assert len(fuse([range(1, DEEP + 50)])) == DEEP
