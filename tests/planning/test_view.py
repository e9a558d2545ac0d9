"""Laws of how turns become messages."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sash.model.blocks import dumps
from sash.model.epochs import Epoch
from sash.model.preamble import Preamble
from sash.model.turns import Role, State, Turn
from sash.planning import view

BLOCKS: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"type": "text", "text": "Hello."},
        {"type": "text", "text": "Cited.", "citations": []},
        {"type": "text", "text": " \n"},
        {"type": "text", "text": ""},
        {"type": "thinking", "thinking": "Hm.", "signature": "s"},
        {"type": "thinking", "thinking": "Hm."},
        {"type": "compaction", "content": "Earlier."},
        {"type": "tool_use", "id": "t1", "name": "look", "input": {}},
        {"type": "tool_result", "tool_use_id": "t1", "content": "Seen."},
    ]
)


@given(
    blocks=st.lists(BLOCKS, max_size=4),
    role=st.sampled_from(("user", "assistant")),
    state=st.sampled_from(("answered", "pending", "interrupted")),
    stripped=st.sampled_from((0, 9)),
)
def test_a_turn_of_text_alone_needs_no_look_at_what_may_be_sent(
    blocks: list[dict[str, Any]], role: Role, state: State, stripped: int
) -> None:
    """Whatever it holds, a turn is sent as the whole look leaves it."""
    epoch = Epoch(model="m", preamble=Preamble(), first_seq=1, thinking_stripped_to=stripped)
    turn = Turn(id=1, branch=1, seq=3, role=role, plain=True, state=state, content=dumps(blocks), at=0.0)
    left = list(view._left(turn, epoch, None))
    assert view.message(turn, epoch) == ({"role": role, "content": left} if left else None)
