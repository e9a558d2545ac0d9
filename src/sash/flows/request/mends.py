"""What one more request mends: the same said again to the same model, in another form. Pure.

Thinking that is bound to another prefix is left out, in a new epoch; results that were refused give way to errors; a
reply that ran into the end of the model's window is asked for once more behind a cut; what would pass a ceiling goes to
a cheaper model where the caller wants that. Each note says what was done ("Handling stop reasons", "Preserved
thinking").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sash.errors import CallerError, CeilingReached, InvalidContent, RequestRejected
from sash.flows.request.attempt import Attempt, Form, Outcome
from sash.flows.request.send import WINDOW_FULL
from sash.model.cards import card
from sash.model.replies import Reply, after
from sash.model.turns import Draft
from sash.planning.history.results import without_results
from sash.planning.situation import Decision, Situation, Strategy
from sash.planning.strategies.base import Guise

UNBOUND = "the API refused a thinking block as bound to another conversation: sent again without thinking"
RESULTS = "the request was refused: sent again with errors in the place of tool results"
CEILING = "a ceiling was reached: sent to the cheaper"
FULL = "the reply ran into the end of the model's window: asked again without the oldest turns"


def in_another_form(attempt: Attempt, outcome: Outcome) -> Attempt | None:
    """The attempt that may mend what came of one; None where none does, or one was made already."""
    if attempt.form is not None:
        return None
    form = next(filter(None, (mend(attempt, outcome) for mend in _MENDS)), None)
    return None if form is None else replace(attempt, form=form)


def as_mended(form: Form | None, outcome: Outcome) -> Outcome:
    """What came of an attempt, with what there is to say of its form."""
    if form is None:
        return outcome
    if not isinstance(outcome, Reply):
        return form.first if form.first is not None and isinstance(outcome, CallerError) else outcome
    said = replace(outcome, notes=(form.note, *outcome.notes))
    return after(form.first, said) if isinstance(form.first, Reply) else said


def _to_the_cheaper(attempt: Attempt, outcome: Outcome) -> Form | None:
    if not isinstance(outcome, CeilingReached) or outcome.model is None:
        return None
    return Form(note=f"{CEILING} {outcome.model}", settings=replace(attempt.settings, card=card(outcome.model)))


def _without_illegal(attempt: Attempt, outcome: Outcome) -> Form | None:
    """Where the rules refused results here: each may pass alone, and not beside what stands in the view."""
    if not isinstance(outcome, InvalidContent) or all(draft.plain for draft in attempt.says):
        return None
    return _with_errors(attempt, attempt.says, str(outcome), first=outcome)


def _without_refused(attempt: Attempt, outcome: Outcome) -> Form | None:
    """Where the API refused results, or what was said with them."""
    if not isinstance(outcome, RequestRejected) or outcome.state != "withdrawn" or not outcome.facts.get("suspects"):
        return None
    said = [turn for turn in outcome.suspects if turn.role != "system"]
    drafts = [Draft(role=turn.role, content=turn.content, speaker=turn.speaker) for turn in said]
    return _with_errors(attempt, drafts, outcome.detail)


def _with_errors(attempt: Attempt, drafts: Sequence[Draft], why: str, first: Outcome | None = None) -> Form:
    bare = tuple(draft if draft.plain else without_results(draft, f"{why:.300}") for draft in drafts)
    return Form(note=f"{RESULTS} ({why:.300})", settings=attempt.settings, drafts=bare, first=first)


def _without_thinking(attempt: Attempt, outcome: Outcome) -> Form | None:
    if not isinstance(outcome, RequestRejected) or outcome.state == "withdrawn":
        return None
    return Form(note=UNBOUND, settings=replace(attempt.settings, new_epoch_reason=UNBOUND))


def _behind_a_cut(attempt: Attempt, outcome: Outcome) -> Form | None:
    full = isinstance(outcome, Reply) and outcome.stop_reason == WINDOW_FULL
    if not isinstance(outcome, Reply) or not full or outcome.turn is None or outcome.turn.state != "withdrawn":
        return None
    shorter = replace(attempt.settings, strategy=Shorter(attempt.settings.strategy))
    return Form(note=FULL, settings=shorter, first=outcome)


_MENDS: tuple[Callable[[Attempt, Outcome], Form | None], ...] = (
    _to_the_cheaper,
    _without_illegal,
    _without_refused,
    _without_thinking,
    _behind_a_cut,
)
"""What may be tried, by what came of the attempt before; no two answer the same."""


@dataclass(frozen=True, repr=False)
class Shorter(Guise):
    """Cuts where `inner` would not have yet: to `keep`, or to half the view where that is less."""

    inner: Strategy

    def decide(self, situation: Situation) -> Decision:
        before = situation.first_exchange or 0
        start = max(before + 1, situation.shortest(min(situation.keep, situation.kept(before) // 2)))
        return Decision(first_exchange=min(start, situation.newest), rule="must", reason=FULL)
