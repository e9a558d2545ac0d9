"""What is changed in turns from elsewhere before they are recorded: nothing that was said.

Ids of calls are made legal and unique within the conversation, results along with their calls; cache markers are taken
off, for they belong to one request; where the assistant speaks first, a turn in front says so, since a request begins
with the user. Pure; all else is recorded as it came, and `sash.planning.history.repair` makes it legal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sash.model.blocks import dumps, text_block
from sash.model.turns import Draft, Turn
from sash.planning.history.call_ids import CallIds, with_legal_ids
from sash.planning.history.foreign import without_markers
from sash.planning.rules import SERVER_CALLS, sendable

OPENING = "[The assistant speaks first.]"
"""What stands in front of a conversation that the assistant opens."""


def names_calls(drafts: Sequence[Draft]) -> bool:
    """Whether any of the turns makes a call or brings a result, so that ids used before matter."""
    kinds = {str(block.get("type")) for draft in drafts for block in draft.blocks}
    return any(kind == "tool_use" or kind in SERVER_CALLS or kind.endswith("tool_result") for kind in kinds)


def arriving(drafts: Sequence[Draft], before: Sequence[Turn] = ()) -> tuple[Draft, ...]:
    """The turns as they are recorded, behind the turns `before` (whose ids count)."""
    ids = CallIds()
    with_legal_ids(((turn.role, turn.blocks) for turn in before), ids)
    bare = [[without_markers(block) for block in draft.blocks] for draft in drafts]
    legal = with_legal_ids(((draft.role, blocks) for draft, blocks in zip(drafts, bare, strict=True)), ids)
    return tuple(
        draft if blocks == draft.blocks else replace(draft, content=dumps(blocks))
        for draft, blocks in zip(drafts, legal, strict=True)
    )


def opening(drafts: Sequence[Draft]) -> tuple[Draft, ...]:
    """What has to stand in front of the first turns of a conversation."""
    spoken = [draft for draft in drafts if draft.role != "system" and sendable(draft.blocks)]
    if not spoken or spoken[0].role == "user" or spoken[0].blocks[0].get("type") == "compaction":
        return ()
    return (Draft(role="user", content=dumps([text_block(OPENING)]), at=drafts[0].at),)
