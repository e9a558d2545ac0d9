"""When the budget lies within the error of an estimate: have the endpoint count, or let the bound decide.

The endpoint is asked at most twice for a request: once whether the present view may stay (and not again for the next
one of the epoch, where the doubt is small), once whether what was chosen fits.
An endpoint that does not answer never fails a send; told to wait, it is left alone as long.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sash.errors import BudgetExceeded, RemoteError
from sash.flows.context import Context
from sash.flows.steps import CountTokens, Flow
from sash.model.counts import Count
from sash.model.turns import Turn
from sash.planning.inputs import Memory, Settings
from sash.planning.plan import Plan, largest_part, make_plan
from sash.planning.rules import count_params
from sash.planning.situation import Decision, Situation, Size, Strategy
from sash.planning.strategies.base import Guise

AT_STAKE = 0.1
"""The share of the budget below which a doubt is not worth asking about again."""
PAUSE = 60.0
"""Seconds for which a rate-limited endpoint is left alone when it does not say how long."""


@dataclass(frozen=True, repr=False)
class KeepView(Guise):
    """Keeps the present view: used to have exactly that view counted."""

    keeps_view = True

    inner: Strategy

    def decide(self, situation: Situation) -> Decision:
        return Decision(first_exchange=situation.first_exchange or 0, rule="stay", reason="")


def resolve_doubt(
    chat: Context,
    memory: Memory,
    new: tuple[Turn, ...],
    counts: Mapping[int, Count],
    settings: Settings,
    plan: Plan,
    now: float,
) -> Flow[Plan]:
    """A plan whose size is sure enough. Raises BudgetExceeded where even the chosen view may not fit."""
    situation = plan.situation
    stay = (
        situation.prompt(situation.first_exchange)
        if situation.first_exchange is not None and not situation.forced
        else None
    )
    if (
        stay is not None
        and stay.tokens <= situation.limit < stay.upper
        and not _bound_decides(memory, stay, situation.limit)
    ):
        memory = replace(memory, cleared_results=plan.epoch.relief.results)
        staying = make_plan(memory, new, counts, replace(settings, strategy=KeepView(settings.strategy)), now)
        exact = yield from count_body(chat, staying, now)
        if exact is not None:
            memory = replace(memory, anchor=exact, anchor_seq=staying.sent.last)
            plan = make_plan(memory, new, counts, settings, now)
    if plan.prompt.upper > plan.situation.limit:
        asked = plan.prompt.source == "endpoint"
        exact = plan.prompt if asked else (yield from count_body(chat, plan, now))
        if exact is not None and exact.tokens <= plan.situation.limit:
            plan = replace(plan, prompt=exact)
        else:
            plan = _bounded(plan, exact or plan.prompt, memory, new, counts, settings, now)
    return replace(plan, doubt=False)


def by_bound(
    memory: Memory, new: tuple[Turn, ...], counts: Mapping[int, Count], settings: Settings, plan: Plan, now: float
) -> Plan:
    """A plan in doubt where nobody can count: its bound decides. Raises BudgetExceeded where no view is sure to fit."""
    if plan.prompt.upper > plan.situation.limit:
        plan = _bounded(plan, plan.prompt, memory, new, counts, settings, now)
    return replace(plan, doubt=False)


def _bound_decides(memory: Memory, stay: Size, limit: int) -> bool:
    """Whether the bound may decide: the endpoint was just asked in this epoch, and little room is at stake.

    An epoch ends in the doubtful range whatever the answer; asking for each request there would buy it a few more.
    """
    return memory.asked and stay.upper - stay.tokens <= AT_STAKE * limit


def _bounded(
    plan: Plan,
    size: Count,
    memory: Memory,
    new: tuple[Turn, ...],
    counts: Mapping[int, Count],
    settings: Settings,
    now: float,
) -> Plan:
    """Another plan where the newest turn holds results that can give way. Raises BudgetExceeded where none can."""
    smaller = make_plan(replace(memory, bounded=True), new, counts, settings, now)
    if smaller.prompt.upper > smaller.situation.limit:
        raise _over(plan, size)
    return smaller


def count_body(chat: Context, plan: Plan, now: float) -> Flow[Count | None]:
    """Ask the endpoint for the size of a plan's body; None where it may not be asked or does not answer."""
    if not chat.count_online or now < chat.quiet_until[0]:
        return None
    try:
        tokens = yield from CountTokens(params=count_params(plan.shared_body), betas=plan.sent.betas)
    except RemoteError as error:
        if error.status == 429:
            chat.quiet_until[0] = now + (error.retry_after or PAUSE)
        return None
    return chat.counter.endpoint(tokens)


def _over(plan: Plan, size: Count) -> BudgetExceeded:
    situation = plan.situation
    limit = situation.limit
    largest, tokens = largest_part(situation, plan.decision.first_exchange, [situation.exchanges[-1].tokens])
    return BudgetExceeded(
        f"the request may need {size.upper:,} tokens ({size.source}), {size.upper - limit:,} more than the "
        f"{limit:,} allowed; the largest part is {largest} with about {tokens:,}. "
        "Raise the budget, or shorten that part",
        budget=limit,
        needed=size.upper,
        missing=size.upper - limit,
        largest=largest,
    )
