"""A look through turns in pieces finds what a look through all of them does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sash.model.blocks import dumps, text_block
from sash.model.turns import Turn
from sash.planning.survey import Survey, surveyed

KINDS = st.sampled_from(["question", "reply", "results", "instruction"])


def turns(kinds: list[str]) -> list[Turn]:
    """Turns of these kinds, numbered from 1."""
    roles = {"question": "user", "reply": "assistant", "results": "user", "instruction": "system"}
    said = {"results": {"type": "tool_result", "tool_use_id": "toolu_1", "content": "Light."}}
    return [
        Turn(
            id=seq, branch=1, seq=seq, role=roles[kind], plain=kind == "question", state="answered",  # type: ignore[arg-type]
            content=dumps([said.get(kind, text_block("Hello."))]), at=0.0,
        )
        for seq, kind in enumerate(kinds, 1)
    ]  # fmt: skip


@given(st.lists(KINDS, max_size=12), st.integers(0, 12))
def test_a_survey_in_pieces_is_that_of_the_whole(kinds: list[str], at: int) -> None:
    """Wherever the turns are parted, the same exchanges, instructions and turns of results are found."""
    found = surveyed(surveyed(Survey(), turns(kinds)[:at]), turns(kinds)[at:])
    assert found == surveyed(Survey(), turns(kinds))
    assert found.answering == tuple(turn.seq for turn in turns(kinds) if kinds[turn.seq - 1] == "results")
