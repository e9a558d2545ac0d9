"""Replies that wait for the server to go on with a tool of its own, and what is lost where nobody goes on with them.

As soon as something else is said, such a reply counts as cut short: of it only text is sent. A reply of a live
conversation was paused by the server and says little else; one from elsewhere may hold anything beside. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from sash.model.blocks import Block
from sash.model.turns import Turn
from sash.planning.rules import is_server_result, sendable, waiting_calls
from sash.planning.rules.thinking import THINKING

Reply = tuple[Turn, Sequence[Block]]
"""A reply, and the blocks that are sent of it."""


def newest_replies(turns: Sequence[Turn]) -> list[Reply]:
    """The replies in a row that nobody has said anything behind."""
    found: list[Reply] = []
    for turn in reversed(turns):
        if turn.role == "user":
            break
        if turn.role == "system":
            continue
        found.insert(0, (turn, sendable(turn.blocks, turn.state == "interrupted")))
    return found


def paused(turns: Sequence[Turn]) -> list[Turn]:
    """The newest replies, if they wait for the server to go on with a tool of its own."""
    replies = newest_replies(turns)
    waiting = waiting_calls([blocks for _, blocks in replies])
    if not waiting:
        return []
    return [turn for turn, _ in replies if any(block.get("id") in waiting for block in turn.blocks)]


def losing(replies: Sequence[Reply]) -> list[Turn]:
    """Those from elsewhere of the newest replies that would lose more than the server's open call if given up."""
    waiting = waiting_calls([blocks for _, blocks in replies])
    given_up = [(t, blocks) for t, blocks in replies if any(block.get("id") in waiting for block in blocks)]
    return [
        turn
        for turn, blocks in given_up
        if not turn.model and turn.state != "interrupted" and any(b.get("id") not in waiting for b in lost(blocks))
    ]


def lost(blocks: Sequence[Block]) -> list[Block]:
    """What is not sent any more of a reply that is given up, thinking apart."""
    kept = [block for block in sendable(blocks, interrupted=True) if is_server_result(str(block["type"]))]
    return [block for block in blocks if block["type"] not in ("text", *THINKING) and block not in kept]


def said_of(turns: Sequence[Turn]) -> tuple[str, ...]:
    """What is left out of replies that are given up, a sentence each."""
    return tuple(_said(turn) for turn in turns if turn.state != "interrupted")


def _said(turn: Turn) -> str:
    gone = dict.fromkeys(str(block.get("name") or block["type"]) for block in lost(sendable(turn.blocks)))
    remedy = "" if turn.model else "; check(repair=True) before would have kept it in words"
    return (
        f"The reply of turn {turn.seq} waited for a tool of the server's and is given up: "
        f"only its text is sent, without {', '.join(gone)}{remedy}."
    )
