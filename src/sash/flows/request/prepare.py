"""From new content to a plan that may be sent: read, size, plan, recall, count exactly where it matters, judge.

Nothing is written here; `chat.plan(...)` is this flow alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from sash.counting.measure import NOTHING, Measure
from sash.errors import InvalidContent, NothingToRetry
from sash.flows.context import Context, Counter
from sash.flows.request.attach import Attached, attach
from sash.flows.request.exact_count import resolve_doubt
from sash.flows.request.load import Sized, remember, summary_size
from sash.flows.request.sizes import measure
from sash.flows.steps import Flow, Now
from sash.flows.tools.open_calls import close_open_calls
from sash.flows.tools.shorten import limit_of, with_short_results
from sash.model.blocks import dumps
from sash.model.counts import Count
from sash.model.epochs import Marker
from sash.model.turns import Draft, Turn, as_turns, last_spoken, spoken
from sash.model.window import Loaded
from sash.planning.history.paused import paused
from sash.planning.inputs import Memory, Settings
from sash.planning.overflow.shortening import said_of
from sash.planning.plan import Plan, make_plan
from sash.planning.rules import VERSION

REACH = 6
"""Characters read back for each token of budget when a view is made anew: more than any text needs."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A plan, and all that recording it takes."""

    plan: Plan
    drafts: tuple[Draft, ...]
    new: tuple[Turn, ...]
    memory: Memory
    branch: int
    pending: tuple[int, ...]
    """ids of turns sent before that no reply has settled yet"""
    estimated: Mapping[int, Count]
    sized: Sized
    """what was known of sizes before"""
    summary: Count
    """the size of the summary that this request sends, zero without one"""
    measures: Mapping[int, Measure]
    """of the new turns, by seq: what the estimator learns from when their exact size is known"""
    counter: Counter
    interrupted: tuple[int, ...]
    """ids of paused turns that this request gives up"""
    forgotten: int
    """what had been forgotten by then (`Head.forgotten`)"""
    at: float


def prepare(chat: Context, drafts: Sequence[Draft], settings: Settings) -> Flow[Prepared]:
    """Plan the request that sends `drafts` (none: what is pending). Raises CallerErrors; writes nothing."""
    loaded = _window(chat, settings)
    settings = _with_reason(settings, loaded)
    now = yield from Now()
    chat = chat.calibrated(loaded.calibration)
    tied = close_open_calls(chat.store, loaded.turns, drafts)
    if tied.turns is not loaded.turns:
        loaded = replace(loaded, turns=tied.turns)
    survey = chat.shortcuts.survey.of(loaded.turns)
    sized = remember(loaded, settings, chat.counter, chat.sizes, survey)
    drafts = (*tied.answers, *drafts)
    if not drafts and not _waiting(loaded.turns):
        raise NothingToRetry(f"conversation {chat.id!r} has no pending turn to send", conversation=chat.id)
    hand, new, drafts = _take_markers(as_turns(drafts, loaded.head.seq, now), drafts)
    short = with_short_results(drafts, limit_of(settings, loaded), chat.counter, settings.preamble)
    if short != drafts:
        drafts, new = short, as_turns(short, loaded.head.seq, now)
    if hand != settings.hand_markers:
        settings = replace(settings, hand_markers=hand)
    measures = {turn.seq: measure(turn, chat.counter, settings.card) for turn in new}
    counts = {seq: chat.counter.count(found) for seq, found in measures.items()}
    made = yield from _planned(chat, sized.memory, new, counts, settings, now)
    more = (*made.notes, *tied.notes, *(said for draft in drafts for said in said_of(draft)))
    return Prepared(
        plan=replace(made.plan, notes=(*made.plan.notes, *more)) if more else made.plan,
        drafts=_with_attachments(drafts, made.new),
        new=made.new,
        memory=made.memory,
        branch=loaded.head.branch,
        pending=(*(turn.id for turn in loaded.pinned_turns if turn.state == "pending"), *survey.pending),
        estimated={**sized.estimated, **counts},
        sized=sized,
        summary=summary_size(made.plan.epoch.summary, settings.model, chat.counter, chat.sizes),
        measures={seq: found + made.adds.get(seq, NOTHING) for seq, found in measures.items()},
        counter=chat.counter,
        interrupted=tied.interrupted,
        forgotten=loaded.head.forgotten,
        at=now,
    )


def _with_reason(settings: Settings, loaded: Loaded) -> Settings:
    """The settings, with why a new epoch has to begin whatever the strategy says, where one has to."""
    reason = (
        settings.new_epoch_reason or loaded.head.new_epoch_reason or _elsewhere(loaded, settings) or _unpinned(loaded)
    )
    return replace(settings, new_epoch_reason=reason) if reason else settings


def _with_attachments(drafts: Sequence[Draft], turns: Sequence[Turn]) -> tuple[Draft, ...]:
    """The drafts of these turns, with what was attached to them."""
    pairs = zip(drafts, turns, strict=True)
    return tuple(
        draft if draft.attachment is turn.attachment else replace(draft, attachment=turn.attachment)
        for draft, turn in pairs
    )


def _window(chat: Context, settings: Settings) -> Loaded:
    """The present view, or as much as a new one may reach for."""
    read = partial(
        chat.store.windows.read,
        chat.conversation,
        model=settings.model,
        preamble=settings.preamble,
        base=chat.counter.base,
        near=settings.key.same_cache,
    )
    loaded = read()
    if _needs_more(loaded, settings):
        reach = None if settings.traits.ignores_budget else REACH * settings.budget
        loaded = read(reach=reach)
    return loaded


def _planned(
    chat: Context, memory: Memory, new: tuple[Turn, ...], counts: Mapping[int, Count], settings: Settings, now: float
) -> Flow[Attached]:
    """The plan that sends `new`, with what is recalled for it, its size sure enough, and legal."""
    plan = make_plan(memory, new, counts, settings, now, chat.shortcuts)
    made = attach(chat, memory, new, counts, settings, plan, now)
    if made.plan.doubt:
        sure = yield from resolve_doubt(chat, made.memory, made.new, counts, made.settings, made.plan, now)
        made = replace(made, plan=sure)
    _reject_illegal(chat, made.plan, made.settings)
    return made


def _needs_more(loaded: Loaded, settings: Settings) -> bool:
    """Whether turns older than the present view may come (back) in: no view, or another strategy's."""
    epoch = loaded.epoch
    return epoch is None or epoch.strategy != settings.strategy_name


def _elsewhere(loaded: Loaded, settings: Settings) -> str:
    """Why an epoch cannot go on with this key: bound thinking belongs to the account that it was thought for."""
    if loaded.last is None or not settings.card.thinking_bound or settings.key.owns(loaded.last.sent.key):
        return ""
    return f"the key {settings.key.name!r} belongs to another account"


def _unpinned(loaded: Loaded) -> str:
    """Why an older view cannot be gone back to: exchanges before it were pinned since it began."""
    epoch = loaded.epoch
    if (
        epoch is None
        or not loaded.resumed
        or all(pin >= epoch.first_seq or pin in epoch.pinned_seqs for pin in loaded.pinned_seqs)
    ):
        return ""
    return "something was pinned since, and stands before the point that was gone back to"


def _waiting(turns: Sequence[Turn]) -> bool:
    """Whether there is something to send as it stands: a reply that paused, or a pending turn, which the user may have
    said more behind (`extend`)."""
    newest = last_spoken(turns)
    asked = newest is not None and newest.role == "user" and any(turn.state == "pending" for turn in spoken(turns))
    return asked or bool(paused(turns))


def _take_markers(
    new: Sequence[Turn], drafts: Sequence[Draft]
) -> tuple[tuple[Marker, ...], tuple[Turn, ...], tuple[Draft, ...]]:
    """Markers placed by hand belong to this request, not to the record."""
    hand = tuple(
        Marker(place="turn", seq=turn.seq, block=index, ttl=block["cache_control"].get("ttl", "5m"), role="hand")
        for turn in new
        for index, block in enumerate(turn.blocks)
        if isinstance(block.get("cache_control"), dict)
    )
    if not hand:
        return (), tuple(new), tuple(drafts)
    bare = [dumps([{k: v for k, v in b.items() if k != "cache_control"} for b in turn.blocks]) for turn in new]
    return (
        hand,
        tuple(replace(turn, content=content) for turn, content in zip(new, bare, strict=True)),
        tuple(replace(draft, content=content) for draft, content in zip(drafts, bare, strict=True)),
    )


def _reject_illegal(chat: Context, plan: Plan, settings: Settings) -> None:
    version = settings.headers.get("anthropic-version", VERSION)
    problems = chat.shortcuts.judge.problems(
        plan.shared_body, betas=plan.sent.betas, card=settings.card, version=version
    )
    if problems:
        first = problems[0]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise InvalidContent(
            f"{first.path}: {first.message}{more}. Nothing was sent", problem=first.rule, problems=problems
        )
