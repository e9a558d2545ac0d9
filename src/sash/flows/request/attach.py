"""What is recalled for a new question goes with its request: found among what the view lacks, quoted in front of it.

Planned first without, so that it is known what stands in the view anyway and how much room there is; then once
more with what was found, counted and priced like all else. Where the budget would force a cut for it, less is
attached. Nothing is written here: an attachment is recorded with its turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sash.counting.measure import Measure
from sash.errors import BudgetExceeded
from sash.flows.context import Chat
from sash.flows.history.recall import recall
from sash.flows.request.load import measure_attached
from sash.model.blocks import dumps, text_block
from sash.model.counts import Count
from sash.model.epochs import Marker
from sash.model.turns import Attachment, Source, Turn, by_exchange
from sash.planning.inputs import Memory, Settings
from sash.planning.plan import Plan, make_plan
from sash.planning.situation import Decision, Situation, Strategy
from sash.planning.strategies.base import Guise
from sash.recall import Found, Recall, make_query, quoted

LEAST = 40
"""Tokens below which nothing is looked for: a tag, a date and hardly a word."""
SLIGHTLY_LESS = 0.98
"""Of the room is packed: pieces counted one by one come to a little less than the whole."""
TRIES = (1.0, 0.75, 0.4)
"""Shares of what may be attached that are tried, where the bound of its size would force a cut."""


@dataclass(frozen=True, kw_only=True)
class Attached:
    """A plan with what was recalled, and what it was made from."""

    plan: Plan
    memory: Memory
    new: tuple[Turn, ...]
    settings: Settings
    adds: Mapping[int, Measure] = field(default_factory=dict)
    """what is attached to a turn, by its seq"""


def attach(
    chat: Chat,
    memory: Memory,
    new: tuple[Turn, ...],
    counts: Mapping[int, Count],
    settings: Settings,
    plan: Plan,
    now: float,
) -> Attached:
    """`plan` with what answers the newest of the turns `new`; as it is where there is nothing to attach."""
    bare = Attached(plan=plan, memory=memory, new=new, settings=settings)
    room = share(chat.recall, memory, plan) if chat.recall and new and new[-1].plain else 0
    if chat.recall is None or room < LEAST or plan.epoch.start <= 1:
        return bare
    query = make_query(new[-1].text, _last_exchange(memory))
    for part in TRIES:
        found = recall(
            chat,
            query,
            replace(chat.recall, tokens=int(part * SLIGHTLY_LESS * room)),
            settings.model,
            until=plan.epoch.start,
            without=_standing(memory, plan),
            sure=True,
        )
        fitting = _fitting(chat, found, int(part * room))
        if fitting is None:
            return bare
        attached = _with(fitting, chat, bare, counts, now)
        if attached is not None:
            return attached
    return bare


def share(settings: Recall, memory: Memory, plan: Plan) -> int:
    """Tokens that may be attached to the newest turn: what is free of the share, as far as the budget has room."""
    alive = sum(memory.attached[turn.seq].tokens for turn in _alive(memory, plan))
    free = max(0, settings.tokens - alive)
    most = free // 2 if settings.each is None else min(settings.each, free)
    return min(most, _room(plan))


def _room(plan: Plan) -> int:
    """Tokens that fit without a cut; at a cut, those that leave `keep` its place."""
    situation = plan.situation
    if not plan.cut and plan.epoch.id:
        return situation.limit - plan.prompt.upper
    newest = situation.fixed.upper + situation.exchanges[-1].upper
    return situation.limit - max(newest, situation.fixed.upper + min(situation.keep, plan.kept))


def _alive(memory: Memory, plan: Plan) -> Iterator[Turn]:
    """The recorded turns of the planned view whose attachments stand in it."""
    return (turn for turn in plan.turns if turn.id and turn.seq in memory.attached and plan.epoch.shows(turn))


def _standing(memory: Memory, plan: Plan) -> set[int]:
    """seqs of what the planned view holds before its start, and of what attachments alive in it quote."""
    alive = [turn.attached for turn in _alive(memory, plan)]
    return {turn.seq for turn in plan.turns} | {source.seq for one in alive if one for source in one.sources}


def _last_exchange(memory: Memory) -> list[str]:
    groups = by_exchange(memory.loaded.turns)
    return [turn.text for turn in groups[-1] if turn.role != "system"] if groups else []


def _fitting(chat: Chat, found: Sequence[Found], most: int) -> tuple[Attachment, Measure] | None:
    """The best of what was found that takes at most `most` tokens as one text, and its measure; None for nothing."""
    kept = list(found)
    while kept:
        attachment = _attachment(kept)
        measure = measure_attached(attachment, chat.counter)
        tokens = chat.counter.count(measure).tokens
        if tokens <= most:
            return replace(attachment, tokens=tokens), measure
        over = tokens - most
        while kept and over > 0:
            over -= kept.pop().tokens
    return None


def _attachment(found: Sequence[Found]) -> Attachment:
    ordered = sorted(found, key=lambda one: one.turn.seq)
    return Attachment(
        content=dumps([text_block(quoted(ordered))]),
        tokens=0,
        sources=tuple(Source(turn=one.turn.id, seq=one.turn.seq, why=one.why) for one in ordered),
    )


def _with(
    attached: tuple[Attachment, Measure], chat: Chat, bare: Attached, counts: Mapping[int, Count], now: float
) -> Attached | None:
    """The plan with an attachment; None where that would force a cut, or bring back what it quotes."""
    attachment, measure = attached
    size = chat.counter.count(measure)
    turn = replace(bare.new[-1], attached=attachment)
    new = (*bare.new[:-1], turn)
    memory = replace(bare.memory, attached={**bare.memory.attached, turn.seq: size})
    settings = replace(bare.settings, hand_markers=_behind(bare.settings.hand_markers, turn))
    strategy = _Settled(settings.strategy, bare.plan.decision)
    try:
        plan = make_plan(memory, new, counts, replace(settings, strategy=strategy), now, chat.forms)
    except BudgetExceeded:
        return None
    forced = plan.decision.rule == "must" and plan.epoch.start > bare.plan.epoch.start and not bare.plan.cut
    doubled = {source.seq for source in attachment.sources} & {one.seq for one in plan.turns}
    if forced or doubled or not plan.epoch.shows(turn) or (plan.doubt and not bare.plan.doubt):
        return None
    return Attached(plan=plan, memory=memory, new=new, settings=settings, adds={turn.seq: measure})


@dataclass(frozen=True, repr=False)
class _Settled(Guise):
    """Keeps no more than was decided without the attachment, which weighs the same wherever the view starts."""

    inner: Strategy
    settled: Decision

    def decide(self, situation: Situation) -> Decision:
        found, settled = self.inner.decide(situation), self.settled
        more = found.start < settled.start or not found.cleared >= settled.cleared
        return settled if more else found


def _behind(markers: Sequence[Marker], turn: Turn) -> tuple[Marker, ...]:
    """Markers placed by hand, where their blocks stand behind what is attached."""
    blocks = len(turn.attached.blocks) if turn.attached else 0
    return tuple(replace(one, block=one.block + blocks) if one.seq == turn.seq else one for one in markers)
