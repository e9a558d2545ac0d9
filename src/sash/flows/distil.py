"""Having a model read what a user said, for their profile: take the job, ask, judge, keep; or change nothing.

Rules come first, and what they found stays, whatever the model says. One request reads the oldest turns that none has
read; whoever fails leaves a note of when to try again, and turns that fail too often are left to the rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sash.errors import CallerError, RemoteError, SashError, StoreError
from sash.flows.context import Context
from sash.flows.profile import Profile
from sash.flows.steps import Flow, Now, Send
from sash.flows.summaries.jobs import LEASE, later, or_given_back
from sash.flows.summaries.summarise import asking
from sash.flows.wires import wire
from sash.model.bill import bill
from sash.model.cards import card as card_of
from sash.model.turns import Turn
from sash.model.usage import Usage
from sash.planning.inputs import Settings
from sash.profile import Entry
from sash.profile.distilling import FORMAT, KNOWN, OPENING, PROMPT_VERSION, SYSTEM, answered, question
from sash.profile.entries import Distilling, NewDistilling

WORTH_IT = 6_000
"""Characters of the user's words that make a request worth its while, where nothing else asks for one."""
AT_ONCE = 200
"""Turns read by one request."""
MOST = 32_000
"""Characters read by one request: what it costs is bounded, the rest is for the next one."""
REPLY = 2_000
"""Tokens of its answer."""
PATIENCE = 3
"""Failures in a row after which turns are left to the rules."""


@dataclass(frozen=True, kw_only=True)
class Distillation:
    """What came of it: how many entries it made, and why none. Dollars."""

    kept: int = 0
    note: str = ""
    cost: float = 0.0
    turns: int = 0
    """that were read"""
    error: SashError | None = None
    """of the far side, or of the record"""


def distil(chat: Context, settings: Settings, by: str, *, least: int = WORTH_IT) -> Flow[Distillation]:
    """Have the model `by` read what the conversation's user said anywhere, where more than `least` characters wait."""
    profile = Profile(chat.store, chat.user, namespace=chat.namespace)
    profile.catch_up()
    now = yield from Now()
    task = chat.store.distillings.begin(
        user=chat.user, namespace=chat.namespace, least=least, most=AT_ONCE, at=now, until=now + LEASE
    )
    if task is None:
        return Distillation(note="there is too little new, or somebody else is at it")

    def give_back(error: str, now: float) -> None:
        chat.store.distillings.fail(task, error=error, retry_at=later(now, task.failures))

    known = profile.entries()[:KNOWN]
    try:
        return (yield from or_given_back(_distilled(chat, settings, by, task, known), give_back))
    except (RemoteError, StoreError, CallerError) as error:
        note = f"{type(error).__name__}: {getattr(error, 'kind', None) or 'nothing was kept'}"
        return Distillation(note=note, error=error)


def _distilled(
    chat: Context, settings: Settings, by: str, task: Distilling, known: Sequence[Entry]
) -> Flow[Distillation]:
    card, turns = card_of(by), _first(task.turns)
    body = asking(card, SYSTEM, question(turns, known), REPLY)
    body["output_config"] = {"format": FORMAT}
    other = replace(settings, card=card, headers={})
    answer = yield from Send(wire=wire(chat, other, body, purpose="profile"))
    found = answered(answer.blocks, turns, known) if answer.stop_reason == "end_turn" else None
    now = yield from Now()
    cost = bill(answer.usage, card, model=answer.model)
    made = NewDistilling(
        task=task,
        conversation=chat.conversation,
        turns=turns,
        found=tuple(found[0]) if found else None,
        refused=found[1] if found else {},
        model=by,
        prompt=PROMPT_VERSION,
        usage=Usage.billed(answer.usage),
        cost=cost,
        at=now,
        retry_at=0.0 if found else later(now, task.failures),
        done=found is not None or task.failures + 1 >= PATIENCE,
    )
    kept = chat.store.distillings.keep(made)
    note = "" if found else f"no answer: {answer.stop_reason}"
    return Distillation(kept=kept, note=note, cost=cost or 0.0, turns=len(turns))


def _first(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """The oldest that one request may read, one at least."""
    taken, left = list[Turn](), MOST
    for turn in turns:
        left -= min(len(turn.text), OPENING)
        if left < 0 and taken:
            break
        taken.append(turn)
    return tuple(taken)
