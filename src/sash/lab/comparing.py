"""Running a comparison: every contender over every recording, for every model and budget.

A bare trace is billed by its sizes (`sash.replay.run`). A conversation is, too, unless something asks for its words: a
question, or a contender that recalls or summarises. Then all contenders live it turn by turn on the simulator, so that
their bills mean the same. What a strategy raises or answers amiss is told by its row, and the others go on.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean
from traceback import extract_tb
from typing import Any

from sash.conversation.session import DEFAULT_MODEL
from sash.errors import InvalidOption, SashError
from sash.lab.comparison import Comparison
from sash.lab.contenders import USUAL, Contender, contender
from sash.lab.living import Life, LivedRequest, Story
from sash.lab.probing import story, unanswerable
from sash.lab.questions import Questions, asked_of, questions_of
from sash.lab.reading import Recording
from sash.lab.rows import ComparisonRow, LeastCosts
from sash.lab.sources import recordings_of
from sash.model.cards import ModelCard, card
from sash.model.usage import Usage
from sash.planning.strategies import Everything
from sash.replay import (
    REFETCH,
    Point,
    ReplayOutcome,
    Terms,
    Trace,
    TraceCall,
    least_expected,
    mixed_optimum,
    optima,
    run,
)
from sash.replay.traces import in_proportion

Models = str | ModelCard | Sequence[str | ModelCard]

KEPT = 4
"""The part of the budget that always stays verbatim, where keep= does not say: one in so many."""
BUDGET = 32_000
WHOLE = Contender(strategy=Everything())


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonTerms:
    """What all rows of a comparison have in common."""

    keep: int | None
    preamble: int
    refetch: int
    mixed: bool
    points: bool
    most: int | None
    """questions of each conversation"""
    seed: int

    def terms(self, known: ModelCard, budget: int, *, keep: int | None = None, preamble: int | None = None) -> Terms:
        """What a strategy is held to. Raises InvalidOption for what cannot be kept."""
        kept = next(one for one in (keep, self.keep, budget // KEPT) if one is not None)
        fixed = self.preamble if preamble is None else preamble
        return Terms(card=known, keep=kept, budget=budget, preamble=fixed, refetch=self.refetch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A recording for one model, ready to be run over: its trace, and its story where it is lived."""

    name: str
    trace: Trace
    card: ModelCard
    preamble: int | None = None
    """tokens of system and tools, where they are the recording's own"""
    story: Story | None = None
    remark: str = ""


def compare(
    traces: Any, strategies: Any = USUAL, models: Models = DEFAULT_MODEL, budgets: int | Sequence[int] = BUDGET,
    questions: Questions = None, *, keep: int | None = None, preamble: int = 0, refetch: int = REFETCH,
    mixed: bool = False, points: bool = True, most_questions: int | None = None, seed: int = 0, jobs: int = 1,
    executor: Executor | None = None, progress: Callable[[str], None] | None = None,
) -> Comparison:  # fmt: skip
    """What each strategy costs on each trace, with each model and budget, and what it still knows.

    `traces`: what `sash.lab.read` or `sash.lab.synthetic` gave, traces, conversations, a store, names of files.
    `strategies`: strategies; words of `memory=` ("balanced"); `Recall(...)`; dicts of arguments of `Conversation`, as
    {"summarise": True}. `models`: ids or cards. `budgets` and `keep` (by default a quarter of the budget) in tokens.
    `questions`: None asks those that the recordings bring, False none; else a file or a list (`sash.lab.questions`);
    `most_questions` draws so many of each conversation by `seed`, which intervals rest on, too. `preamble`: tokens of
    tools and system, where sizes are all there is. `refetch`, `mixed`: see `sash.replay.Terms`, `mixed_optimum`.
    `points` keeps each request for charts. `jobs` spreads the rows over processes, `executor` over any executor of
    concurrent.futures; the result depends on neither. `progress` is told each row as it is done.

    Raises InvalidOption, UnknownModel for a model without prices, InvalidImport for a file that cannot be read: all of
    them before anything runs.
    """
    _check_least(1, jobs=jobs)
    if most_questions is not None:
        _check_least(0, most_questions=most_questions)
    asking = ComparisonTerms(
        keep=keep, preamble=preamble, refetch=refetch, mixed=mixed, points=points, most=most_questions, seed=seed
    )  # fmt: skip
    made = _prepared(traces, strategies, models, budgets, questions, asking)
    check_executor(executor, made.rivals, jobs)
    with _pool(executor, jobs) as pool:
        return made.run(pool.map if pool is not None else map, progress)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonRun:
    """A comparison that nothing is wrong with, to be run."""

    recordings: Sequence[Recording]
    rivals: Sequence[Contender]
    cards: Sequence[ModelCard]
    budgets: Sequence[int]
    lives: bool
    asking: ComparisonTerms
    remarks: Sequence[str]

    def run(self, spread: Callable[..., Iterable[Any]], progress: Callable[[str], None] | None) -> Comparison:
        """All rows; `spread` is `map`, or an executor's."""
        pairs = [(recording, known) for recording in self.recordings for known in self.cards]
        grounds = list(spread(partial(_ground, lives=self.lives, asking=self.asking), pairs))
        work = [(ground, budget, rival) for ground in grounds for budget in self.budgets for rival in self.rivals]
        rows = []
        for row in spread(partial(_row, asking=self.asking), work):
            rows.append(row)
            if progress is not None:
                progress(f"{row.trace}: {row.strategy}, {row.model}, {row.budget:,}")
        remarks = [*self.remarks, *(ground.remark for ground in grounds if ground.remark)]
        return Comparison(rows=tuple(rows), remarks=tuple(dict.fromkeys(remarks)), seed=self.asking.seed)


# ---- what was asked for, checked -----------------------------------------------------------------------------


def _prepared(
    traces: Any,
    strategies: Any,
    models: Models,
    budgets: int | Sequence[int],
    questions: Questions,
    asking: ComparisonTerms,
) -> ComparisonRun:
    put = questions_of(questions)
    rivals = _contenders(strategies)
    cards = [_priced(one) for one in _several(models, "models")]
    sizes = [_checked(one, cards, asking) for one in _several(budgets, "budgets")]
    given = recordings_of(traces)
    held, remarks = list(given), [str(one) for one in given.left_out]
    if put is not None:
        held, lost = asked_of(held, put)
        remarks += lost
    else:
        remarks += [remark for one in held if (remark := unanswerable(one.name, one.conversation))]
    lives = any(one.needs_words for one in rivals) or any(one.questions for one in held)
    if lives and asking.preamble:
        raise InvalidOption(
            f"preamble={asking.preamble}: what is lived turn by turn has the system prompt and tools of its recording; "
            "leave it out, or compare sizes alone (questions=False, and no strategy that needs words)",
            option="preamble",
            value=asking.preamble,
        )
    return ComparisonRun(
        recordings=held, rivals=rivals, cards=cards, budgets=sizes, lives=lives, asking=asking, remarks=remarks
    )


def _several(given: Any, option: str) -> list[Any]:
    """One or more values. Raises InvalidOption for none."""
    found = [given] if isinstance(given, str | int | ModelCard) else list(given)
    if not found:
        raise InvalidOption(f"{option}={given!r}: name at least one", option=option, value=given)
    return list(dict.fromkeys(found))


def _contenders(given: Any) -> list[Contender]:
    several = isinstance(given, Iterable) and not isinstance(given, str | Mapping)
    found = {one.label: one for one in map(contender, given if several else [given])}
    if not found:
        raise InvalidOption("strategies=[]: name at least one", option="strategies", value=given)
    return list(found.values())


def _priced(model: str | ModelCard) -> ModelCard:
    """The card of a model. Raises UnknownModel where it has no prices, with what to do."""
    found = model if isinstance(model, ModelCard) else card(model)
    found.price(0)
    return found


def _checked(budget: Any, cards: Sequence[ModelCard], asking: ComparisonTerms) -> int:
    if not isinstance(budget, int) or isinstance(budget, bool) or budget < KEPT:
        raise InvalidOption(f"budgets: {budget!r:.60}: give tokens, from {KEPT} on", option="budgets", value=budget)
    for known in cards:
        asking.terms(known, budget)
    return budget


def check_executor(executor: Executor | None, rivals: Sequence[Contender], jobs: int) -> None:
    """Raise InvalidOption for an executor that is none, or for a contender that no other process can be given."""
    if executor is not None and not isinstance(executor, Executor):
        raise InvalidOption(
            f"executor={executor!r:.60}: give one of concurrent.futures, or None", option="executor", value=executor
        )
    for rival in rivals if jobs > 1 or isinstance(executor, ProcessPoolExecutor) else ():
        try:
            pickle.dumps(rival)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise InvalidOption(
                f"{rival.label:.60} cannot be sent to other processes ({error}): define its class at the top of a "
                "module, or leave executor= and jobs= out",
                option="executor",
                value=executor,
            ) from error


def _check_least(least: int, **given: Any) -> None:
    """Raise InvalidOption for what is no whole number from `least` on."""
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InvalidOption(f"{name}={value!r:.60}: give a whole number, {least} or more", option=name, value=value)


def _pool(executor: Executor | None, jobs: int) -> AbstractContextManager[Executor | None]:
    """As many processes as were asked for; none beside this one for a single job."""
    if executor is not None or jobs <= 1:
        return nullcontext(executor)
    return ProcessPoolExecutor(jobs, mp_context=get_context("spawn"))


# ---- a recording, ready to be run over -----------------------------------------------------------------------


def _ground(pair: tuple[Recording, ModelCard], *, lives: bool, asking: ComparisonTerms) -> Ground:
    recording, known = pair
    trace = recording.trace(known.id)
    if recording.conversation is None or not lives:
        return Ground(name=recording.name, trace=trace, card=known)
    told = story(recording.name, recording.conversation, asking.seed, asking.most)
    if not told.exchanges:
        return Ground(name=recording.name, trace=trace, card=known, story=told)
    try:
        sizes, fixed = _exact(told, trace, known)
    except Exception as error:  # noqa: BLE001 - whatever a recording holds, the others go on
        remark = f"{recording.name}: cannot be sent whole ({_told(error)}), so its optimum rests on estimated sizes"
        return Ground(name=recording.name, trace=trace, card=known, story=told, preamble=0, remark=remark)
    return Ground(name=recording.name, trace=sizes, card=known, story=told, preamble=fixed)


def _exact(told: Story, trace: Trace, known: ModelCard) -> tuple[Trace, int]:
    """The trace of a story as the simulator counts it, sent whole, and the tokens of its preamble."""
    with Life(replace(told, probes=()), known.window, WHOLE.arguments(), model=known) as life:
        for _ in life.live():
            pass
        fixed, sent = life.fixed(), life.requests
    if not sent:
        raise InvalidOption("no request of it fits the model's window", option="traces", value=trace.name)
    prompts = [0, *(max(0, one.usage.prompt - fixed) for one in sent)]
    times = [sent[0].at, *(one.at for one in sent)]
    results = [call.results for call in trace.calls] if len(trace.calls) == len(sent) else [()] * len(sent)
    calls = [
        TraceCall(max(0.0, at - before), tokens := max(1, after - held), one.opens, in_proportion(here, tokens))
        for one, (before, at), (held, after), here in zip(
            sent, pairwise(times), pairwise(prompts), results, strict=True
        )
    ]
    return Trace(trace.name, tuple(calls)), fixed


# ---- one row -------------------------------------------------------------------------------------------------


def _row(work: tuple[Ground, int, Contender], *, asking: ComparisonTerms) -> ComparisonRow:
    """A contender on a recording. Whatever its own code raises is the row's to tell."""
    ground, budget, rival = work
    named: dict[str, Any] = {"trace": ground.name, "model": ground.card.id, "strategy": rival.label, "budget": budget}
    try:
        if ground.story is not None:
            return _lived(ground, budget, rival, asking, named)
        return _replayed(ground, budget, rival, asking, named)
    except Exception as error:  # noqa: BLE001 - a strategy may raise anything; the others go on
        return ComparisonRow(**named, keep=asking.terms(ground.card, budget).keep, error=_told(error))


def _told(error: Exception) -> str:
    """An error in a line; one that is none of sash's with the place that it was raised at."""
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, SashError):
        return text
    frame = extract_tb(error.__traceback__)[-1]
    return f"{text} ({Path(frame.filename).name}, line {frame.lineno})"


def _replayed(
    ground: Ground, budget: int, rival: Contender, asking: ComparisonTerms, named: dict[str, Any]
) -> ComparisonRow:
    """Billed by sizes alone."""
    if rival.strategy is None or rival.needs_words:
        raise InvalidOption(
            "it recalls, summarises or clears, and a bare trace has no words; give a recording of a conversation",
            option="traces",
            value=ground.name,
        )
    terms = asking.terms(ground.card, budget)
    given = terms if rival.marks is None else replace(terms, marks=rival.marks)
    outcome = run(ground.trace, rival.strategy, given, label=rival.label, points=asking.points)
    return ComparisonRow(**named, keep=terms.keep, outcome=outcome, bounds=_bounds(ground.trace, terms, asking.mixed))


def _lived(
    ground: Ground, budget: int, rival: Contender, asking: ComparisonTerms, named: dict[str, Any]
) -> ComparisonRow:
    """Lived turn by turn on the simulator."""
    assert ground.story is not None
    if not ground.story.exchanges:
        raise InvalidOption("nobody says anything in it; leave it out", option="traces", value=ground.name)
    settings = ({} if asking.keep is None else {"keep": asking.keep}) | rival.arguments()
    with Life(ground.story, budget, settings, model=ground.card) as life:
        asked = tuple(life.live())
        outcome = _outcome(life, named, None if rival.ignores_budget else budget, points=asking.points)
        replies = life.replies
    terms = asking.terms(ground.card, budget, keep=outcome.keep, preamble=ground.preamble)
    return ComparisonRow(
        **named, keep=outcome.keep, outcome=outcome, asked=asked, replies=replies,
        bounds=_bounds(ground.trace, terms, asking.mixed),
    )  # fmt: skip


def _outcome(life: Life, named: dict[str, Any], limit: int | None, *, points: bool) -> ReplayOutcome:
    """What came of a life: dollars of all but the replies; what is kept verbatim as planned."""
    sent = life.requests
    over = life.unsent + sum(limit is not None and one.usage.prompt > limit for one in sent)
    began = sent[0].at if sent else 0.0
    return ReplayOutcome(
        **named,
        keep=life.keep,
        dollars=life.dollars - life.replies,
        usage=sum((one.usage for one in sent), Usage()),
        requests=len(sent),
        cuts=sum(one.cut for one in sent),
        mean_verbatim=fmean(one.kept for one in sent) if sent else 0.0,
        min_verbatim=None,
        broken=None,
        over=over,
        points=tuple(_point(one, began) for one in sent) if points else (),
    )


def _point(one: LivedRequest, began: float) -> Point:
    return Point(
        at=one.at - began, prompt=one.usage.prompt, dollars=one.dollars, read=one.usage.read, cut=one.cut, rule=one.rule
    )


@lru_cache(maxsize=128)
def _bounds(trace: Trace, terms: Terms, mixed: bool) -> LeastCosts:
    """The least that could have been paid; contenders with the same terms share it."""
    sizes: dict[str, int] = {"keep": terms.keep, "budget": terms.budget}
    known = trace.law is not None and not terms.preamble
    return LeastCosts(
        optima=optima(trace, terms.card, **sizes, preamble=terms.preamble, refetch=terms.refetch),
        mixed=mixed_optimum(trace, terms.card, **sizes, preamble=terms.preamble) if mixed else None,
        expected=least_expected(trace.law, len(trace.calls), terms.card, **sizes) if known and trace.law else None,
        oversized=len(trace.oversized(terms.budget - terms.preamble)),
    )
