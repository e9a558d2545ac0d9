"""Where the cache is written and read: blocks that are still sent, and the end of what a cut kept."""

from __future__ import annotations

from typing import Any

import pytest

from sash.model.epochs import Epoch, Marker
from sash.model.preamble import Preamble
from sash.planning.cache.breakpoints import _base, _still_there
from sash.planning.situation import Marks

TEXT = {"type": "text", "text": "Hello."}
THOUGHT = {"type": "thinking", "thinking": "So.", "signature": "s"}


def view(*contents: list[Any]) -> list[tuple[int, Any]]:
    """Messages of these contents, numbered from 1."""
    return [(seq, {"role": "user", "content": content}) for seq, content in enumerate(contents, 1)]


def tail(seq: int, block: int) -> Marker:
    """A tail written on that block."""
    return Marker(place="turn", seq=seq, block=block, ttl="5m", role="new tail")


@pytest.mark.parametrize(
    ("seq", "block", "there"),
    [
        (2, 0, True),
        (2, 1, True),
        (2, 2, False),
        (2, 9, False),
        (3, 0, False),
        (1, 0, True),
        (4, 0, False),
        (4, 1, False),
    ],
)
def test_an_old_tail_is_marked_again_only_where_its_very_block_is_sent(seq: int, block: int, there: bool) -> None:
    """Not behind a message's last block, not on one that takes no marker, not on a turn that left."""
    found = _still_there(view([TEXT], [TEXT, TEXT], [THOUGHT, TEXT]), tail(seq, block), "1h")
    assert (found is not None) == there
    if found is not None:
        assert (found.seq, found.block, found.ttl, found.role) == (seq, block, "1h", "previous tail")


@pytest.mark.parametrize(("base", "marked"), [(0, None), (1, 1), (2, 2), (3, 3), (9, 3)])
def test_the_base_is_the_last_turn_that_the_cut_kept(base: int, marked: int | None) -> None:
    """The turn that the cut kept last is in it."""
    epoch = Epoch(model="m", preamble=Preamble(), first_seq=1, thinking_stripped_to=base)
    found = _base(epoch, view([TEXT], [TEXT], [TEXT]), Marks(kept_marker="1h", tail="5m"))
    assert (found.seq if found else None) == marked
