"""Checking a conversation: its whole record, and the request that it would send next.

Repairing changes what is sent of turns, never what is recorded, and ends the epoch: what is sent behind them would
otherwise stand on another prefix than the one its thinking is bound to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sash.errors import BudgetExceeded, InvalidContent
from sash.flows.context import Context
from sash.flows.request.prepare import prepare
from sash.flows.steps import Flow, Now
from sash.flows.tools.open_calls import left_open
from sash.model.blocks import dumps, text_block
from sash.model.turns import Draft, Mended, Turn, spoken
from sash.planning.history.check import readable, record_problems, repaired, to_withdraw, told
from sash.planning.history.repair import Repair, repair
from sash.planning.history.results import unsendable
from sash.planning.inputs import Settings
from sash.planning.rules import Problem

PROBE = Draft(role="user", content=dumps([text_block("?")]))
"""What the next request is imagined to say."""


def check(chat: Context, settings: Settings, *, mend: bool) -> Flow[list[Problem]]:
    """What is wrong, record first. With `mend`, what was, and what was done about it."""
    head = chat.store.branches.head(chat.conversation)
    turns = chat.store.turns.read(chat.conversation, limit=head.seq or None)
    problems = record_problems(turns, settings.card, betas=bool(settings.betas))
    if problems and mend:
        problems = yield from _mend(chat, settings, head.seq, turns, problems)
    elif any(problem.rule == "content" for problem in problems):
        return problems  # a request cannot even be imagined while a turn of it cannot be read
    kept = _kept(chat, turns)
    ahead = yield from _next_request(chat, settings)
    said = {problem.rule for problem in problems}
    return [*problems, *kept, *(problem for problem in ahead if problem.rule not in said)]


def _kept(chat: Context, turns: Sequence[Turn]) -> list[Problem]:
    """What is wrong with results that were kept and not sent yet. A note: what cannot be sent is sent in words."""
    newest = next(iter(spoken([turn for turn in turns if turn.state != "withdrawn"])[-1:]), None)
    if newest is None or not (calls := left_open(newest)):
        return []
    kept = chat.store.results.read(newest.id)
    return [
        Problem(rule="kept-result", path=f"results.{key}", message=f"{wrong}; it will be sent in words")
        for call in calls
        if (key := str(call["id"])) in kept and (wrong := unsendable(call, kept[key]))
    ]


def _mend(
    chat: Context, settings: Settings, head: int, turns: Sequence[Turn], problems: Sequence[Problem]
) -> Flow[list[Problem]]:
    """Repair the record; the problems with what was done about them."""
    betas = bool(settings.betas)
    live = [turn for turn in turns if turn.state != "withdrawn"]
    done = repair(readable(live), betas=betas)
    left = repaired(readable(live), done)
    spoilt = [turn for turn in live if turn not in readable(live)]
    hopeless = [*spoilt, *(turn for turn in to_withdraw(left, settings.card, betas=betas) if turn.id)]
    emptied = [turn for turn in live if turn.seq in done.forms and not done.forms[turn.seq]]
    gone = {turn.id for turn in (*hopeless, *emptied)}
    mended = tuple(_mended(turn, done) for turn in left if turn.seq in done.forms and turn.id not in gone)
    now = yield from Now()
    chat.store.turns.mend(
        chat.conversation,
        head=head,
        withdraw=tuple(sorted(gone)),
        mended=mended,
        answers=done.answers,
        reason=f"{len(gone) + len(mended)} turns were changed by a repair",
        at=now,
    )
    return told(problems, done, hopeless)


def _mended(turn: Turn, done: Repair) -> Mended:
    sources = tuple(sorted(done.sources[turn.seq]))
    return Mended(turn=turn.id, content=turn.form, plain=turn.plain, sources=sources)


def _next_request(chat: Context, settings: Settings) -> Flow[list[Problem]]:
    """What the next request would be refused for, here or by the API. Paths are those of the request."""
    try:
        yield from prepare(replace(chat, count_online=False), (PROBE,), settings)
    except InvalidContent as refused:
        found = refused.facts.get("problems") or [Problem(rule=refused.problem, path="", message=str(refused))]
        return [replace(problem, path=f"next request: {problem.path}") for problem in found]
    except BudgetExceeded as large:
        return [Problem(rule="budget", path="next request", message=str(large))]
    return []
