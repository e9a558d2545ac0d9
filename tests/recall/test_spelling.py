"""Slips and compounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash.recall.spelling import Lexicon, misspelt, parts

letters = st.text("abcdefghij", min_size=5, max_size=12)


@pytest.mark.parametrize(
    ("word", "like"),
    [("suticase", "suitcase"), ("combinaton", "combination"), ("dentsit", "dentist"), ("arhcitect", "architect")],
)
def test_a_slip_is_close_to_the_word_meant(word: str, like: str) -> None:
    """A letter left out, too much, wrong or swapped with the next."""
    assert misspelt(word, like) > 0.7


@pytest.mark.parametrize(
    ("word", "like"), [("cat", "car"), ("house", "mouses"), ("11380", "11390"), ("order", "order")]
)
def test_other_words_are_not_slips(word: str, like: str) -> None:
    """Short words and numbers differ by a letter and mean another thing; the same word is none."""
    assert misspelt(word, like) == 0.0


@given(word=letters, at=st.integers(0, 11))
def test_one_letter_left_out_behind_the_second_is_a_slip(word: str, at: int) -> None:
    """Of any word long enough, wherever the letter stood."""
    at = 2 + at % (len(word) - 2)
    short = word[:at] + word[at + 1 :]
    if len(short) >= 5:
        assert 0.0 < misspelt(short, word) < 1.0


@given(said=st.text("abcdefghij", min_size=12, max_size=14), at=st.integers(2, 5), slips=st.sets(st.integers(0, 3)))
def test_two_slips_in_a_long_word_are_forgiven(said: str, at: int, slips: set[int]) -> None:
    """Whatever they are: letters that it has nowhere else instead of some or beside them, letters left out, swapped."""
    word = said
    for slip in sorted(slips)[:2]:
        put = ("x", "y" + word[at], "", word[at + 1] + word[at])[slip]
        word = word[:at] + put + word[at + 1 + (slip == 3) :]
        at += 4
    for one, other in ((word, said), (said, word)):
        assert misspelt(one, other) >= 0.8 or one == other


@given(one=letters, other=letters)
def test_closeness_is_a_share(one: str, other: str) -> None:
    """From 0 to below 1, and compounds are close both ways."""
    assert 0.0 <= misspelt(one, other) < 1.0
    assert 0.0 <= parts(one, other) < 1.0 and parts(one, other) == parts(other, one)


def test_compounds_share_a_part() -> None:
    """A part of some length, at the beginning or the end of a word that is longer."""
    assert parts("laube", "gartenlaube") > 0.5 and parts("heizung", "heizungswartung") > 0.5
    assert parts("art", "gartenlaube") == 0.0 and parts("tenla", "gartenlaube") == 0.0


words = st.text("abcdeß1-好", min_size=1, max_size=12) | letters


@given(st.lists(words, max_size=30), words)
def test_a_lexicon_finds_all_that_is_close(some: list[str], word: str) -> None:
    """No word that is a slip, or shares a part, is overlooked for not being looked at; they come as they were added."""
    near = [word[:4] + "x" + word[4:], word[:1] + word[2:], word + "abcde", "abcde" + word, word[:-3], word[3:]]
    known = list(dict.fromkeys([*some, *near]))
    lexicon = Lexicon()
    for one in known:
        lexicon.add(one)
    closeness = {one: max(misspelt(word, one), parts(word, one)) for one in known}
    assert list(lexicon.close(word)) == [(one, close) for one, close in closeness.items() if close]
