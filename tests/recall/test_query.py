"""From a new turn to what is asked of the indexes: which words count, and that text stays text."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recording import Recorder, text
from sash import MemoryStore
from sash.recall import make_query
from sash.recall.query import BEFORE, MOST_TERMS, NAMED, NUMBER, PLAIN, QUOTED, READ
from sash.recall.words import bare, words
from sash.stores.index import TERMS

ODD = st.text(st.characters(codec="utf-8"), max_size=120) | st.text(
    "ab1\"'`“”«»「」()*^-+:.@_ ANDORNEAR漢ไ", max_size=60
)
SIGNS = [*"abzéÅßıñøłαώжйіאבعر12٣½²_-.,  漢字かナ한글ไทยລາວ", "हि", "தி"]
SAID = st.lists(st.sampled_from(SIGNS), max_size=24).map("".join)
NUMBERS = count()


def weights(query: str, *before: str) -> dict[str, float]:
    """The terms of a query with their weights."""
    return {term.text: term.weight for term in make_query(query, before).terms}


@pytest.fixture(scope="module")
def record() -> Iterator[Recorder]:
    """A conversation to look through."""
    store = MemoryStore()
    one = Recorder(store)
    one.say("The crate 1138 stands in the harbour, 漢字 and ภาษาไทย beside it.")
    yield one
    store.close()


def test_stop_words_and_single_letters_are_dropped() -> None:
    """What says nothing is not asked for."""
    assert weights("What is the number of my locker, x?") == {"number": PLAIN, "locker": PLAIN}


@pytest.mark.parametrize("nothing", ["", "   ", "?!", "☃☃☃", "who are you, and how?", "\x00\n"])
def test_what_says_nothing_makes_an_empty_query(nothing: str) -> None:
    """Nothing, signs and stop words alone ask for nothing, whatever was said before."""
    query = make_query(nothing, ["The locker is blue."])
    assert not query and query.terms == ()


def test_numbers_identifiers_and_phrases_weigh_more() -> None:
    """In the order plain word, number, identifier; a quoted phrase and an identifier are asked for as one string."""
    found = weights('Did crate 1138 with part AX-200/b, file sash.db, say "blue door"?')
    assert found["crate"] == PLAIN < found["1138"] == NUMBER < found["ax 200 b"] == NAMED
    assert found["sash db"] == NAMED and found["blue door"] == QUOTED and found["blue"] == PLAIN
    assert weights("x200 and V8") == {"x200": NAMED, "v8": NAMED}


@pytest.mark.parametrize("quoted", ['"a b"', "“a b”", "«a b»", "„a b“", "`a b`", "「a b」"])
def test_every_kind_of_quotation_makes_a_phrase(quoted: str) -> None:
    """Quotation marks of any language hold a phrase together."""
    assert weights(f"say {quoted.replace('a', 'alpha').replace(' b', ' beta')}")["alpha beta"] == QUOTED


def test_signs_of_the_index_are_text() -> None:
    """Operators become words or nothing; no term can close the string that it is."""
    terms = make_query('apple" OR NEAR(pear, 2) AND -plum* ^ {col}: "fig').terms
    assert {"apple", "near", "pear", "plum", "col", "fig"} <= {term.text for term in terms}
    assert all(term.match == f'"{term.text}"' and '"' not in term.text for term in terms)


def test_scripts_without_spaces_are_asked_by_pairs() -> None:
    """A run of characters gives its pairs, a single one itself; the words beside it stay words."""
    found = {(term.text, term.index) for term in make_query("coffee 漢字文 ก").terms}
    assert found == {("coffee", "words"), ("漢字", "characters"), ("字文", "characters"), ("ก", "characters")}


@pytest.mark.parametrize("joined", ["๑-๒", "漢字.漢字"])
def test_an_identifier_without_a_word_is_no_term(joined: str) -> None:
    """What consists of spaceless characters alone is asked for by them, and by no empty string."""
    terms = make_query(joined).terms
    assert terms and all(term.text and term.index == "characters" for term in terms)


def test_only_a_vague_turn_borrows_words() -> None:
    """The exchange before lends words, at less weight, to a turn that has hardly one of its own."""
    assert weights("And the colour?", "The crate is in Brest.") == {
        "colour": PLAIN, "crate": BEFORE, "brest": BEFORE,
    }  # fmt: skip
    assert "crate" not in weights("Which colour has the door?", "The crate is in Brest.")


def test_a_long_turn_is_asked_by_both_its_ends() -> None:
    """A question behind (or before) a long pasted text is not lost among the words of the paste."""
    paste = " ".join(f"{a}{b}{a}" for a in "bcdfghjklm" for b in "nopqrstuvw")
    for turn in (f"{paste} Where is my locker?", f"Where is my locker? {paste}"):
        terms = [term.text for term in make_query(turn).terms]
        assert "locker" in terms and len(terms) == MOST_TERMS
    assert "AX-9" not in paste and "ax 9" in weights(f"{paste} AX-9 {paste}")


@given(ODD)
def test_any_text_makes_a_query_that_the_store_can_run(record: Recorder, words: str) -> None:
    """Whatever is typed: at most so many terms, none empty, none twice, and the index understands each."""
    query = make_query(words, [words[::-1]])
    assert len(query.terms) <= MOST_TERMS and len(query.text) <= READ + 1
    assert all(term.text.strip() for term in query.terms)
    assert len({term.text for term in query.terms}) == len(query.terms)
    try:
        found = record.store.index.match(record.key, terms=query.terms)
    except sqlite3.Error as error:  # pragma: no cover
        pytest.fail(f"{words!r}: {error}")
    assert all(1 <= seq <= found.total for hits in found.hits for seq in hits.seqs)


@settings(max_examples=60)
@given(SAID)
def test_what_was_said_is_found_by_saying_it_again(record: Recorder, words: str) -> None:
    """A turn is found by each word and each pair of characters it holds, with or without spaces between them."""
    one = Recorder(record.store, f"say {next(NUMBERS)}")
    one.finish(one.begin(text(words)), "...")
    terms = [term for term in make_query(words).terms if " " not in term.text][:TERMS]
    found = record.store.index.match(one.key, terms=tuple(terms))
    assert {hits.term.text: hits.seqs for hits in found.hits} == {term.text: (1,) for term in terms}


@pytest.mark.parametrize("question", ["What did I do on 27 March?", "What about yesterday?", "And on 2026-03-27?"])
def test_a_question_that_names_nothing_but_a_time_has_no_meaning_beside_it(question: str) -> None:
    """Closeness to "on 27 March" would say nothing about what happened then."""
    query = make_query(question, now=1_790_000_000.0)
    assert query.times and query.text == ""


@given(st.text(max_size=60))
def test_bare_letters_stay_in_their_places(words: str) -> None:
    """Without case and accents a text is as long as it was: a place found in it is a place of the text."""
    assert len(bare(words)) == len(words)


def test_bare_letters_are_those_of_the_index() -> None:
    """Accents and case go; Korean syllables, which have parts and no accents, stay whole."""
    assert bare("Café İstanbul ÅNGSTRÖM 가방") == "cafe istanbul angstrom 가방"


@given(st.text(st.characters(max_codepoint=127), max_size=80))
def test_words_of_plain_text_are_those_of_any_text(text: str) -> None:
    """The short way through plain text finds what the long way finds."""
    assert words(text) == words(f"{text} é")[:-1]
