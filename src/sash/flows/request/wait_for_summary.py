"""Plans a request; where turns must leave that no summary covers, has one made first, and plans once more."""

from __future__ import annotations

from collections.abc import Sequence

from sash.flows.context import Context
from sash.flows.request.prepare import Prepared, prepare
from sash.flows.steps import Flow, WaitForBackground
from sash.flows.summaries.compact import compact, compactor
from sash.flows.summaries.jobs import SummaryResult
from sash.flows.summaries.summarise import summarise, summariser
from sash.model.turns import Draft
from sash.planning.inputs import Settings
from sash.planning.plan import Plan
from sash.planning.summaries.cost import SummaryRequest

WAITED = "waited for the summary that was being made"


def prepare_covered(
    chat: Context, drafts: Sequence[Draft], settings: Settings
) -> Flow[tuple[Prepared, tuple[str, ...]]]:
    """`prepare`, with the summary made first that a forced cut needs; and what was done, in sentences.

    Where none can be made, what the budget forces out leaves all the same: it stays in the record.
    """
    prepared = yield from prepare(chat, drafts, settings)
    if not prepared.plan.decision.waits:
        return prepared, _uncovered(prepared.plan, "none was ready, and it did not wait for one")
    if (yield from WaitForBackground()):
        prepared = yield from prepare(chat, drafts, settings)
        if not prepared.plan.decision.waits:
            return prepared, _uncovered(prepared.plan, "making one failed") or (WAITED,)
    made = yield from _awaited_summary(chat, settings, prepared.plan)
    prepared = yield from prepare(chat, drafts, settings)  # making one takes seconds: the record may have changed
    if made.summary is None:
        return prepared, _uncovered(prepared.plan, made.note)
    waited = f"waited for a summary of the turns up to {made.summary.upto} (${made.cost:.6f})"
    return prepared, (waited, *_uncovered(prepared.plan, "the summary left no room"))


def _awaited_summary(chat: Context, settings: Settings, plan: Plan) -> Flow[SummaryResult]:
    """The summary, or the API's own block, that the plan waits for."""
    upto, own, server = plan.decision.summarise, summariser(settings.strategy), compactor(settings.strategy)
    if server is not None:
        return (yield from compact(chat, settings, server, upto))
    if own is None:
        return SummaryResult(note="the strategy makes none")
    method = own.making(plan.situation, leaving=_leaving(plan)).method
    return (yield from summarise(chat, settings, own, SummaryRequest(upto=upto, method=method)))


def _uncovered(plan: Plan, why: str) -> tuple[str, ...]:
    """What there is to say of a cut that left out turns without a summary of them."""
    upto = plan.decision.summarise
    lost = bool(upto) and upto < plan.epoch.first_seq
    return (f"cut without a summary of the turns up to {upto}: {why}",) if lost else ()


def _leaving(plan: Plan) -> int:
    """Tokens of the exchanges that leave the view and that no summary covers."""
    situation = plan.situation
    return max(
        0,
        situation.kept(min(situation.covered, plan.decision.first_exchange))
        - situation.kept(plan.decision.first_exchange),
    )
