"""Instructions between turns: recorded at once, sent behind the next thing the user says.

Where the model takes no turns of role system they go as tagged user text (`sash.planning.view`), and a cut
places those in force again. An instruction stays in force; what revokes it is another one that says so.
"""

from __future__ import annotations

from typing import Any

from sash.errors import InvalidContent
from sash.flows.context import Context
from sash.flows.steps import Flow, Now
from sash.model.blocks import as_blocks, dumps
from sash.model.turns import Draft, Turn


def instruction(content: Any) -> Draft:
    """A draft of an instruction. Raises InvalidContent for anything but text."""
    blocks = as_blocks(content)
    for block in blocks:
        if block["type"] != "text" or not block["text"].strip():
            raise InvalidContent(
                f"an instruction is text, not {block!r:.60}; send other content as the user's", problem="instruction"
            )
    return Draft(role="system", content=dumps([{"type": "text", "text": block["text"]} for block in blocks]))


def instruct(chat: Context, content: Any) -> Flow[Turn]:
    """Record an instruction that is in force from the next send on."""
    draft = instruction(content)
    head = chat.store.branches.head(chat.conversation)
    now = yield from Now()
    turns = chat.store.turns.append(chat.conversation, head=head.seq, turns=(draft,), at=now)
    return turns[0]
