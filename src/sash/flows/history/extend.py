"""Recording what was said elsewhere: imports, and turns that another program had with Claude.

Calls that stand open are answered with errors first, as before anything that is said. Ids of calls are made legal and
unique on the way in, cache markers taken off, and a conversation that the assistant opens gets a user turn in front
that says so (`sash.planning.history.arrival`); what else is wrong waits for a repair. Thinking that came with the
turns is bound to another prefix, wherever it was made: the next request begins an epoch, which leaves it out.
"""

from __future__ import annotations

from collections.abc import Sequence

from sash.flows.context import Context
from sash.flows.steps import Flow, Now
from sash.flows.tools.open_calls import Closed, close_open_calls
from sash.flows.tools.shorten import with_short_results
from sash.model.preamble import Preamble
from sash.model.turns import Draft, Turn
from sash.planning.history.arrival import arriving, names_calls, opening
from sash.planning.history.check import readable
from sash.planning.history.paused import losing, newest_replies
from sash.planning.rules import has_thinking, sendable

NEWEST = 64
"""Turns read back to find what stands open: more than pauses and instructions make of one reply."""
FOREIGN = "turns recorded from elsewhere hold thinking that is bound to another conversation"


def extend(
    chat: Context, drafts: Sequence[Draft], preamble: Preamble, *, max_result: int | None = None
) -> Flow[Sequence[Turn]]:
    """Record `drafts` behind the newest turn, sending nothing. The recorded turns.

    Before a first request the record knows no settings: system prompt and tools in force are kept with the turns. Of
    tool results with more than `max_result` tokens the beginning and the end will be sent.
    """
    head = chat.store.branches.head(chat.conversation)
    newest = chat.store.turns.read(chat.conversation, limit=NEWEST, newest=True)
    live = readable([turn for turn in newest if turn.state != "withdrawn"])
    tied = _tied(chat, live, drafts[:1])
    before = chat.store.turns.read(chat.conversation) if names_calls(drafts) else ()
    drafts = arriving(drafts, readable([turn for turn in before if turn.state != "withdrawn"]))
    drafts = with_short_results(drafts, max_result, chat.counter, preamble)
    front = () if any(turn.role != "system" and sendable(turn.blocks) for turn in live) else opening(drafts)
    now = yield from Now()
    recorded = chat.store.turns.append(
        head.conversation,
        head=head.seq,
        turns=(*tied.answers, *front, *drafts),
        at=now,
        interrupted=tied.interrupted,
        new_epoch_reason=FOREIGN if any(has_thinking(draft.blocks) for draft in drafts) else "",
        preamble=preamble if head.epoch is None and preamble != head.brought else None,
    )
    return recorded[len(tied.answers) + len(front) :]


def _tied(chat: Context, turns: Sequence[Turn], drafts: Sequence[Draft]) -> Closed:
    """What stands open, tied up; not where something would be lost by that: a repair keeps it."""
    if losing(newest_replies(turns)):
        return Closed(turns=tuple(turns))
    return close_open_calls(chat.store, turns, drafts)
