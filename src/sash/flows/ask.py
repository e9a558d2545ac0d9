"""From what is said to an answer that is whole: more than one request where one does not do.

A reply that the server paused goes on in a request of its own. A request whose thinking is bound to another
prefix is sent once more without any, in a new epoch; a reply that ran into the end of the model's window is asked
for once more behind a cut; one that would pass a ceiling goes to a cheaper model where the caller wants that. What was
done stands in the reply's notes ("Handling stop reasons", "Preserved thinking").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sash.errors import BudgetExceeded, CeilingReached, InvalidContent, RequestRejected
from sash.flows.keys import keyed
from sash.flows.route import routed
from sash.flows.send import WINDOW_FULL, Call, send_once
from sash.flows.steps import Flow
from sash.flows.talk import Chat
from sash.model.cards import card
from sash.model.replies import Reply, after, each, joined
from sash.model.turns import Draft
from sash.planning.inputs import Settings
from sash.planning.paused import paused
from sash.planning.results import without_results
from sash.planning.situation import Decision, Situation, Strategy
from sash.planning.strategies.base import Guise

MOST_PAUSES = 10
"""How often a paused reply is continued in one call."""
UNBOUND = "the API refused a thinking block as bound to another conversation: sent again without thinking"
RESULTS = "the request was refused: sent again with errors in the place of tool results"
CEILING = "a ceiling was reached: sent to the cheaper"
FULL = "the reply ran into the end of the model's window: asked again without the oldest turns"


def send(
    chat: Chat, drafts: Sequence[Draft], settings: Settings, *, stream: bool = False, timeout: float | None = None
) -> Flow[Reply]:
    """Send `drafts` (none: what is pending or paused) and return the whole reply; with `stream`, emit events."""
    call = Call(stream=stream, timeout=timeout, again=True)

    def make(chat: Chat, drafts: Sequence[Draft], settings: Settings) -> Flow[Reply]:
        return _whole(chat, drafts, settings, call)

    def with_a_key(chat: Chat, drafts: Sequence[Draft], settings: Settings) -> Flow[Reply]:
        return keyed(chat, drafts, settings, make)

    return (yield from routed(chat, drafts, settings, with_a_key, stream=stream))


def _whole(chat: Chat, drafts: Sequence[Draft], settings: Settings, call: Call) -> Flow[Reply]:
    """The reply of one model, and of as many requests as it takes."""
    reply = yield from _mended(chat, drafts, settings, call)
    for _ in range(MOST_PAUSES):
        if not _paused(reply):
            return reply
        reply = joined(reply, (yield from _mended(chat, (), settings, call)))
    return reply


def _paused(reply: Reply) -> bool:
    pieces = [piece.turn for piece in each(reply) if piece.turn is not None]
    return reply.stop_reason == "pause_turn" and bool(paused(pieces))


def _mended(chat: Chat, drafts: Sequence[Draft], settings: Settings, call: Call) -> Flow[Reply]:
    """One request, and once more where that mends it."""
    try:
        reply = yield from send_once(chat, drafts, settings, call)
    except CeilingReached as reached:
        if reached.model is None:
            raise
        cheaper = replace(settings, card=card(reached.model))
        reply = yield from send_once(chat, (), cheaper, replace(call, again=False))
        return replace(reply, notes=(f"{CEILING} {reached.model}", *reply.notes))
    except InvalidContent as illegal:
        return (yield from _without_illegal(chat, drafts, settings, call, illegal))
    except RequestRejected as refused:
        if refused.state == "withdrawn":
            return (yield from _without_results(chat, settings, call, refused))
        bare = replace(settings, fresh=UNBOUND)
        reply = yield from send_once(chat, (), bare, replace(call, again=False))
        return replace(reply, notes=(UNBOUND, *reply.notes))
    if reply.stop_reason != WINDOW_FULL or reply.turn is None or reply.turn.state != "withdrawn":
        return reply
    return (yield from _behind_a_cut(chat, settings, call, reply))


def _without_results(chat: Chat, settings: Settings, call: Call, refused: RequestRejected) -> Flow[Reply]:
    """Once more, with errors in the place of the tool results that the API may have refused the request for."""
    if not refused.facts.get("suspects"):
        raise refused
    said = [Draft(role=t.role, content=t.content, speaker=t.speaker) for t in refused.suspects if t.role != "system"]
    drafts = [draft if draft.plain else without_results(draft, f"{refused.detail:.300}") for draft in said]
    reply = yield from send_once(chat, drafts, settings, replace(call, again=False))
    return replace(reply, notes=(f"{RESULTS} ({refused.detail:.300})", *reply.notes))


def _without_illegal(
    chat: Chat, drafts: Sequence[Draft], settings: Settings, call: Call, illegal: InvalidContent
) -> Flow[Reply]:
    """The same where the rules refused it here: a result may pass alone, and not beside what stands in the view."""
    bare = [draft if draft.plain else without_results(draft, f"{illegal!s:.300}") for draft in drafts]
    if all(draft.plain for draft in drafts):
        raise illegal
    try:
        reply = yield from send_once(chat, bare, settings, call)
    except InvalidContent:
        raise illegal from None
    return replace(reply, notes=(f"{RESULTS} ({illegal!s:.300})", *reply.notes))


def _behind_a_cut(chat: Chat, settings: Settings, call: Call, first: Reply) -> Flow[Reply]:
    shorter = replace(settings, strategy=_Shorter(settings.strategy))
    try:
        reply = yield from send_once(chat, (), shorter, replace(call, again=False))
    except BudgetExceeded:
        return first
    return after(first, replace(reply, notes=(FULL, *reply.notes)))


@dataclass(frozen=True, repr=False)
class _Shorter(Guise):
    """Cuts where `inner` would not have yet: to `keep`, or to half the view where that is less."""

    inner: Strategy

    def decide(self, situation: Situation) -> Decision:
        before = situation.start or 0
        start = max(before + 1, situation.shortest(min(situation.keep, situation.kept(before) // 2)))
        return Decision(start=min(start, situation.newest), rule="must", reason=FULL)
