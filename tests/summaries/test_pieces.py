"""Long backlogs in pieces: nothing is lost, no piece is too large, exchanges stay whole where they can."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash.errors import InvalidOption
from sash.summaries import split

from .samples import assistant, size, user

LENGTHS = st.lists(st.tuples(st.integers(1, 900), st.integers(1, 900)), max_size=12)


@given(LENGTHS, st.integers(150, 2_000))
def test_nothing_is_lost_and_no_piece_is_too_large(lengths: list[tuple[int, int]], most: int) -> None:
    """Put together again, the pieces say what the turns said, in order; each is within its size."""
    turns = []
    for number, (asked, told) in enumerate(lengths):
        turns += [user(2 * number + 1, "word " * asked), assistant(2 * number + 2, "told " * told)]
    pieces = split(turns, most, size)
    assert "".join(turn.text for piece in pieces for turn in piece.turns) == "".join(turn.text for turn in turns)
    assert [turn.seq for piece in pieces for turn in piece.turns] == sorted(
        turn.seq for piece in pieces for turn in piece.turns
    )
    assert all(sum(size(turn.text) for turn in piece.turns) <= piece.tokens <= most for piece in pieces)


def test_exchanges_stay_whole() -> None:
    """A piece ends between exchanges as long as each exchange fits."""
    turns = [user(1, "a" * 400), assistant(2, "b" * 400), user(3, "c" * 400), assistant(4, "d" * 400)]
    assert [[turn.seq for turn in piece.turns] for piece in split(turns, 300, size)] == [[1, 2], [3, 4]]
    assert [[turn.seq for turn in piece.turns] for piece in split(turns, 700, size)] == [[1, 2, 3, 4]]


def test_pieces_need_room() -> None:
    """A size that leaves no room is refused."""
    with pytest.raises(InvalidOption):
        split([user(1, "x")], 10, size)
