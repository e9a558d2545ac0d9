"""A look through turns in pieces finds what a look through all of them does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sash.model.blocks import dumps, text_block
from sash.model.turns import Attachment, Turn
from sash.planning.survey import Survey, surveyed

KINDS = st.sampled_from(["question", "pending", "quoting", "reply", "results", "instruction"])


def turns(kinds: list[str]) -> list[Turn]:
    """Turns of these kinds, numbered from 1."""
    roles = {"reply": "assistant", "instruction": "system"}
    quoted = Attachment(content="[]", tokens=0, sources=())
    said = {"results": {"type": "tool_result", "tool_use_id": "toolu_1", "content": "Light."}}
    return [
        Turn(
            id=seq + 100, branch=1, seq=seq, role=roles.get(kind, "user"), plain=kind not in (*roles, "results"),  # type: ignore[arg-type]
            state="pending" if kind == "pending" else "answered", attachment=quoted if kind == "quoting" else None,
            content=dumps([said.get(kind, text_block("Hello."))]), at=0.0,
        )
        for seq, kind in enumerate(kinds, 1)
    ]  # fmt: skip


@given(st.lists(KINDS, max_size=12), st.integers(0, 12))
def test_a_survey_in_pieces_is_that_of_the_whole(kinds: list[str], at: int) -> None:
    """Wherever the turns are parted, the same exchanges and the same turns of rarer kinds are found."""
    found = surveyed(surveyed(Survey(), turns(kinds)[:at]), turns(kinds)[at:])
    assert found == surveyed(Survey(), turns(kinds))
    assert found.answering == tuple(seq for seq, kind in enumerate(kinds, 1) if kind == "results")
    assert [turn.seq for turn in found.attached] == [seq for seq, kind in enumerate(kinds, 1) if kind == "quoting"]
    assert found.pending == tuple(seq + 100 for seq, kind in enumerate(kinds, 1) if kind == "pending")
