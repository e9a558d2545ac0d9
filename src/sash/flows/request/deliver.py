"""From what is said to an answer that is whole: attempt after attempt, by model, key and form, until one stands.

After each, the first of these that has an answer says how it goes on: the same in another form (`mends`), a paused
reply in a request of its own, another key (`keys`), another model (`route`). What was done stands in the reply's notes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sash.errors import SashError
from sash.flows.context import Context
from sash.flows.request.attempt import Attempt, Outcome
from sash.flows.request.keys import with_another_key
from sash.flows.request.mends import as_mended, in_another_form
from sash.flows.request.route import by_another_model, first_attempt
from sash.flows.request.send import Call, send_once
from sash.flows.steps import Flow
from sash.model.replies import Reply
from sash.model.turns import Draft
from sash.planning.history.paused import paused
from sash.planning.inputs import Settings

MOST_PAUSES = 10
"""How often a paused reply is continued by one model."""


def deliver(chat: Context, drafts: Sequence[Draft], settings: Settings, call: Call) -> Flow[Reply]:
    """Send `drafts` (none: what is pending or paused) and return the whole reply.

    Raises what the last attempt met; where no model could take it, what the first one refused.
    """
    step: Attempt | Outcome = yield from first_attempt(chat, drafts, settings, call)
    while isinstance(step, Attempt):
        outcome = yield from _tried(step)
        step = (
            in_another_form(step, outcome)
            or _going_on(step, outcome)
            or (yield from with_another_key(step, outcome))
            or (yield from by_another_model(step, outcome))
        )
    if isinstance(step, SashError):
        raise step
    return step


def _tried(attempt: Attempt) -> Flow[Outcome]:
    """What comes of one attempt."""
    form = attempt.form
    try:
        if form is None:
            return (yield from send_once(attempt.chat, attempt.says, attempt.settings, attempt.call, again=True))
        return as_mended(form, (yield from send_once(attempt.chat, form.drafts, form.settings, attempt.call)))
    except SashError as error:
        return as_mended(form, error)


def _going_on(attempt: Attempt, outcome: Outcome) -> Attempt | None:
    """The attempt that continues what the server paused."""
    if not isinstance(outcome, Reply) or outcome.stop_reason != "pause_turn" or len(attempt.pieces) == MOST_PAUSES:
        return None
    pieces = (*attempt.pieces, outcome)
    turns = [one.turn for piece in pieces for one in (piece.steps or (piece,)) if one.turn is not None]
    return replace(attempt, form=None, pieces=pieces) if paused(turns) else None
