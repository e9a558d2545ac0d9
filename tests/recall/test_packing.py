"""What goes into the share: never more than it holds, nothing twice, of long turns the part that was asked for."""

from __future__ import annotations

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recall.samples import turn
from sash.recall import quoted
from sash.recall.packing import Candidate, glance, pack, passage

WORTH = {"locker": 2.0, "blue door": 1.0}

texts = st.text("ab c1<&\n漢", min_size=0, max_size=400) | st.sampled_from(["The locker is blue. " * 60, "", " ", "x"])


def size(text: str) -> int:
    """Tokens of a text: four bytes each."""
    return ceil(len(text.encode()) / 4)


def candidates(*said: str) -> list[Candidate]:
    """Turns by their texts, the first the most valuable."""
    return [Candidate(turn=turn(at, one), value=1 / at, why="") for at, one in enumerate(said, 1)]


@given(st.lists(texts, max_size=12), st.integers(1, 900))
def test_never_more_than_the_share(said: list[str], tokens: int) -> None:
    """With tags, dates and signs of omission the whole quotation takes at most what may be taken."""
    chosen = pack(candidates(*said), tokens, size, WORTH)
    assert size(quoted(chosen)) <= tokens
    assert len({found.turn.seq for found in chosen}) == len(chosen)
    assert all(found.text.strip() for found in chosen)


def test_the_best_comes_first_and_has_score_one() -> None:
    """Scores are against the best one's; what has the most value for its length leads."""
    chosen = pack(candidates("the locker is blue", "a boat in the harbour", "rain again"), 500, size, WORTH)
    assert [found.turn.seq for found in chosen] == [1, 2, 3]
    assert chosen[0].score == 1.0 and chosen[1].score == pytest.approx(0.5)


def test_of_equal_value_the_shorter_and_then_the_newer() -> None:
    """Length is a price; age decides between equals."""
    equal = [Candidate(turn=turn(at, one), value=1.0, why="") for at, one in ((1, "ab"), (2, "ef " * 90), (3, "cd"))]
    assert [found.turn.seq for found in pack(equal, 900, size, WORTH)] == [3, 1, 2]


def test_what_only_repeats_is_left_out() -> None:
    """Nearly the same words count as the same; other numbers do not, nor short answers that differ."""
    said = "please note that the locker of the harbour master is blue"
    chosen = pack(candidates(said, said.upper(), said + " today", "yes", "no", "yes"), 900, size, WORTH)
    assert [found.turn.seq for found in chosen] == [1, 4, 5]
    orders = pack(candidates("order 1138 has been shipped", "order 1139 has been shipped"), 900, size, WORTH)
    assert len(orders) == 2


def test_small_turns_still_fit_behind_one_that_does_not() -> None:
    """A turn too big for what is left is passed over, not the end of the packing."""
    chosen = pack(candidates("first one", "long words " * 40, "third one"), 60, size, WORTH)
    assert [found.turn.seq for found in chosen] == [1, 3]


def test_a_long_turn_is_quoted_by_the_passage_around_the_words() -> None:
    """The part that holds what was asked for, marked as a part, and not much more than its share."""
    long = "rain " * 2_000 + "the locker stands by the blue door " + "wind " * 2_000
    (chosen,) = pack(candidates(long), 1_000, size, WORTH)
    assert "the locker stands by the blue door" in chosen.text
    assert chosen.text.startswith("… ") and chosen.text.endswith(" …")
    assert chosen.tokens <= 140


@pytest.mark.parametrize(
    ("before", "word", "behind"),
    [
        ("漢" * 3_000, "暗号", "字" * 3_000),
        ("你好 " + "漢" * 3_000, "暗号", "字" * 3_000),
        ("x" * 3_000, "locker", "y" * 3_000),
        ("İ " * 3_000, "locker", "wind " * 900),
        ("rain " * 900, "Café", " wind" * 900),
        ("", "locker", " wind" * 900),
        ("rain\n" * 900, "LOCKER", ""),
    ],
)
def test_a_passage_holds_the_word_in_any_script(before: str, word: str, behind: str) -> None:
    """Without spaces, with letters that change their length in lower case, with accents, at either end."""
    assert word in passage(before + word + behind, 200, {"暗号": 1.0, "locker": 1.0, "cafe": 1.0})


@given(st.text("ab İ漢\n", max_size=300), st.text("ab İ漢\n", max_size=300), st.integers(40, 200))
def test_a_passage_is_a_part_with_the_word(before: str, behind: str, most: int) -> None:
    """It stands in the text as it is quoted, holds the word, and is about as long as it may be."""
    said = f"{before} locker {behind}"
    part = passage(said, most, {"locker": 1.0})
    assert "locker" in part and len(part) <= most + 5
    pieces = part.removeprefix("… ").removesuffix(" …").split(" … ")
    assert part == said or (len(pieces) <= 2 and all(piece in said for piece in pieces))


def test_a_passage_says_first_what_its_turn_is_about() -> None:
    """Before the words that were asked for stands the turn's first sentence, where that is short enough to be whole."""
    code = "let wind = rain\n" * 80
    said = f"I am mending the harbour's ledger. {code}the locker is blue\n{code}"
    assert passage(said, 200, WORTH).startswith("I am mending the harbour's ledger. … ")
    assert "the locker is blue" in passage(said, 200, WORTH)
    assert passage(said, 60, WORTH).startswith("… ") and "the locker is blue" in passage(said, 60, WORTH)


def test_where_many_turns_are_meant_each_is_quoted_for_a_little() -> None:
    """Its first sentences, whole; so that more of them find room than of passages."""
    long = [
        f"I am planning tour {number} of the locker museum this week. " + "The rain went on. " * 90
        for number in range(9)
    ]
    few, many = (pack(candidates(*long), 600, size, WORTH, broad=broad) for broad in (False, True))
    assert len(few) < len(many) == 9
    assert all(found.text.startswith("I am planning tour") and found.text.endswith(". …") for found in many)


@given(st.text("ab c.!\n漢。", max_size=300), st.integers(1, 60), st.integers(0, 60))
def test_a_glance_is_a_beginning(said: str, least: int, more: int) -> None:
    """Of a long text it is the beginning as it stands there, within its bounds."""
    found = glance(said, least, least + more)
    assert found == said or (said.lstrip().startswith(found.removesuffix(" …")) and len(found) <= least + more + 2)


def test_without_the_words_a_passage_is_the_beginning() -> None:
    """A turn found by meaning, or beside a hit, is quoted from its start."""
    assert passage("rain " * 100, 50, {"locker": 1.0}) == ("rain " * 10).strip() + " …"
