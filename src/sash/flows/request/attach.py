"""What is recalled for a new question goes with its request: found among what the view lacks, quoted in front of it.

So does, with the first turn of a view, what the user asked to hold and the view lacks (`standing.py`), and what is
known of them from other conversations (`known.py`).
Planned first without, so that it is known what stands in the view anyway; then once more with what was found, counted
and priced like all else. Each question may have the whole share: where the budget has no room for it, a cut makes some;
where not even that does, less is attached, and the plan says so. A turn that asks nothing gets nothing.
Nothing is written here: an attachment is recorded with its turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo

from sash.counting.measure import Measure
from sash.errors import BudgetExceeded
from sash.flows.context import Context
from sash.flows.history.elsewhere import search_elsewhere, within_half
from sash.flows.history.recall import recall
from sash.flows.request.known import known
from sash.flows.request.load import measure_attached
from sash.flows.request.standing import standing
from sash.model.blocks import dumps, text_block
from sash.model.counts import Count
from sash.model.epochs import Marker
from sash.model.turns import INSTRUCTION, PROFILE, Attachment, Source, Turn, why_elsewhere
from sash.planning.inputs import Memory, Settings
from sash.planning.plan import Plan, make_plan
from sash.planning.situation import Decision, Situation, Strategy
from sash.planning.strategies.base import Guise
from sash.profile.quoting import counted_by_origin, quoted_profile, quoted_within_share
from sash.profile.standing import quoted_within
from sash.recall import Found, Query, Recall, asks, make_query, quoted
from sash.recall.quoting import quoted_elsewhere

LEAST = 40
"""Tokens below which nothing is looked for: a tag, a date and hardly a word."""
SLIGHTLY_LESS = 0.98
"""Of the room is packed: pieces counted one by one come to a little less than the whole."""
LESS = (0.75, 0.4)
"""Shares of the room beside the view that are tried, where no cut would make more."""

SILENT = "Nothing is recalled: the newest turn asks nothing."


@dataclass(frozen=True, kw_only=True)
class Attached:
    """A plan with what was recalled, and what it was made from."""

    plan: Plan
    memory: Memory
    new: tuple[Turn, ...]
    settings: Settings
    adds: Mapping[int, Measure] = field(default_factory=dict)
    """what is attached to a turn, by its seq"""
    notes: tuple[str, ...] = ()
    """what was not attached, and why"""


def attach(
    chat: Context,
    memory: Memory,
    new: tuple[Turn, ...],
    counts: Mapping[int, Count],
    settings: Settings,
    plan: Plan,
    now: float,
) -> Attached:
    """`plan` with what answers the newest of the turns `new`; as it is where there is nothing to attach."""
    bare = Attached(plan=plan, memory=memory, new=new, settings=settings)
    lacks = plan.epoch.first_seq > 1
    if not new or not new[-1].plain or not (lacks or chat.user):
        return bare
    asked = chat.recall if chat.recall and asks(new[-1].text) else None
    if not lacks:
        asked = asked if asked and asked.scope == "user" and chat.user else None
    attaching = _Attaching(chat, asked, counts, now)
    attached = attaching.attached(bare)
    silent = (SILENT,) if chat.recall and not asked else ()
    notes = (*attached.notes, *silent) if lacks else ()
    return replace(attached, notes=(*attaching.told(attached), *notes))


@dataclass(frozen=True)
class _Front:
    """Instructions, and what is known of the user, as they are quoted."""

    texts: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    tokens: int = 0
    known: str = ""
    """how many entries of the user's profile are among them, in words"""


@dataclass(frozen=True)
class _Attaching:
    """One turn, and what may be quoted in front of it."""

    chat: Context
    recall: Recall | None
    """how old turns are looked for; None: it asks nothing"""
    counts: Mapping[int, Count]
    now: float
    fronts: dict[int, _Front] = field(default_factory=dict)
    """what was asked to hold, by the first seq of a planned view"""
    elsewhere: dict[Query, Sequence[Found]] = field(default_factory=dict)
    """what the user's other conversations hold, by what is asked"""

    def attached(self, bare: Attached) -> Attached:
        """Instructions, and the whole share of what is recalled, if need be after a cut; else as much as fits."""
        most = self._most(bare)
        found = self._found(bare, most)
        made = found and (self._whole(bare, found) or self._after_a_cut(bare, found, most) or self._less(bare))
        if self.recall is None or (made and made.notes):
            return made or bare
        made = made or bare
        shown = made.new[-1].attachment
        if shown and any(source.recalled or source.elsewhere for source in shown.sources):
            return made
        return replace(made, notes=(_not_found(most) if most >= LEAST else _no_room(bare.plan),))

    def told(self, made: Attached) -> tuple[str, ...]:
        """What a plan says of what it tells of the user."""
        told = self._front(made).known if made.new[-1].attachment else ""
        return (f"What is known of the user is told with the newest turn: {told}.",) if told else ()

    def _most(self, bare: Attached) -> int:
        """Tokens that may be recalled, instructions apart."""
        return min(self.recall.tokens, _at_most(bare.plan) - self._front(bare).tokens) if self.recall else 0

    def _front(self, bare: Attached) -> _Front:
        """What the user asked to hold, where the planned view begins with this turn."""
        first = bare.plan.epoch.first_seq
        if first not in self.fronts:
            self.fronts[first] = self._quoted(bare) if self.chat.instructions and _begins(bare) else _Front()
        return self.fronts[first]

    def _quoted(self, bare: Attached) -> _Front:
        held = standing(self.chat, bare.memory, bare.plan, bare.settings.model)
        kept, text = quoted_within(held, min(self.chat.instructions, _at_most(bare.plan)), self._tokens)
        sources = {one.turn: Source(turn=one.turn, seq=one.seq, why=INSTRUCTION) for one in kept}
        room = min(self.chat.instructions, _at_most(bare.plan) - (self._tokens(text) if text else 0))
        entries = quoted_within_share(known(self.chat, bare.plan, sources), room, self._tokens)
        told = {turn: Source(turn=turn, seq=0, why=PROFILE) for entry in entries for turn in entry.sources}
        texts = tuple(filter(None, (quoted_profile(entries), text)))
        if not texts:
            return _Front()
        size = _size(self.chat, texts).tokens
        return _Front(texts, tuple({**told, **sources}.values()), size, counted_by_origin(entries))

    def _tokens(self, text: str) -> int:
        return _size(self.chat, [text]).tokens

    def _found(self, bare: Attached, most: int) -> tuple[Attachment, Measure] | None:
        """Instructions, and what answers the question within `most` tokens and is not in the view; None for nothing."""
        found = self._recalled(bare, self.recall, most) if self.recall and most >= LEAST else []
        return _fitting(self.chat, self._front(bare), found, max(0, most))

    def _recalled(self, bare: Attached, settings: Recall, most: int) -> Sequence[Found]:
        """What answers the question: of this conversation and, where that is asked for, of the user's others."""
        query = make_query(bare.new[-1].text, _last_exchange(bare.memory), now=self.now, zone=settings.timezone)
        share, model = replace(settings, tokens=max(1, int(SLIGHTLY_LESS * most))), bare.settings.model
        told = {source.turn for source in self._front(bare).sources}
        here = _ids(bare.memory, bare.plan) | told if share.scope == "user" else told
        others = within_half(self.chat, self._others(query, settings, model), share, here)
        left = replace(share, tokens=max(1, share.tokens - sum(one.tokens for one in others)))
        first, without = bare.plan.epoch.first_seq, _quoted(bare.memory, bare.plan)
        own = recall(self.chat, query, left, model, until=first, without=without) if first > 1 else []
        known = {one.turn.id for one in own}
        return [*own, *(one for one in others if one.turn.id not in known)]

    def _others(self, query: Query, settings: Recall, model: str) -> Sequence[Found]:
        """What answers the question in the user's other conversations: the same however often a plan is tried."""
        if query not in self.elsewhere:
            self.elsewhere[query] = search_elsewhere(self.chat, query, settings, model)
        return self.elsewhere[query]

    def _whole(self, bare: Attached, found: tuple[Attachment, Measure]) -> Attached | None:
        """The plan with all that was found; anew where that makes a cut pay, for then more has left."""
        made = self._with(bare, found)
        if made is None or not made.plan.cut or _begins(bare):
            return made
        cut = replace(bare, plan=made.plan)
        again = self._found(cut, self._most(cut))
        return (again and self._with(cut, again)) or made

    def _after_a_cut(self, bare: Attached, found: tuple[Attachment, Measure], most: int) -> Attached | None:
        """The same with a cut that leaves room for it; None where a cut helps nothing."""
        size = self.chat.counter.count(found[1])
        wanted = max(size.tokens, most + self.chat.instructions)
        reserve = wanted * max(size.upper, 1) // max(size.tokens, 1) + 1
        try:
            plan = self._plan(bare, bare.new, replace(bare.settings, reserve=reserve))
        except BudgetExceeded:
            return None
        if plan.epoch.first_seq <= bare.plan.epoch.first_seq:
            return None
        cut = replace(bare, plan=plan)
        again = self._found(cut, most)
        return again and self._with(cut, again, f"; {wanted:,} tokens are kept for what is quoted from earlier")

    def _less(self, bare: Attached) -> Attached | None:
        """As much as finds room beside the view as it is; None where that is too little."""
        room = min(self.recall.tokens if self.recall else 0, _room(bare.plan) - self._front(bare).tokens)
        for part in (*LESS, 0):
            found = self._found(bare, int(part * room))
            attached = found and self._with(bare, found)
            if attached and part and self.recall:
                told = f"Recalled no more than {int(part * room):,} of {self.recall.tokens:,} tokens: that is what the "
                return replace(attached, notes=(f"{told}budget of {bare.plan.situation.limit:,} leaves free.",))
            if attached:
                return attached
        return None

    def _with(self, bare: Attached, found: tuple[Attachment, Measure], because: str = "") -> Attached | None:
        """The plan with an attachment; None where that would force a cut, or bring back what it quotes."""
        attachment, measure = found
        turn = replace(bare.new[-1], attachment=attachment)
        new = (*bare.new[:-1], turn)
        sizes = {**bare.memory.attachment_counts, turn.seq: self.chat.counter.count(measure)}
        settings = replace(bare.settings, hand_markers=_behind(bare.settings.hand_markers, turn))
        made = replace(bare, memory=replace(bare.memory, attachment_counts=sizes), new=new, settings=settings)
        strategy = _Settled(settings.strategy, bare.plan.decision, because)
        try:
            plan = self._plan(made, new, replace(settings, strategy=strategy))
        except BudgetExceeded:
            return None
        forced = plan.decision.rule == "must" and plan.epoch.first_seq > bare.plan.epoch.first_seq and not bare.plan.cut
        doubled = {one.seq for one in attachment.sources if one.recalled} & {one.seq for one in plan.turns}
        if forced or doubled or not plan.epoch.shows(turn) or (plan.doubt and not bare.plan.doubt):
            return None
        return replace(made, plan=plan, adds={turn.seq: measure})

    def _plan(self, made: Attached, new: tuple[Turn, ...], settings: Settings) -> Plan:
        return make_plan(made.memory, new, self.counts, settings, self.now, self.chat.shortcuts)


def _at_most(plan: Plan) -> int:
    """Tokens that fit after a cut, which leaves `keep` its place."""
    situation = plan.situation
    newest = situation.fixed.upper + situation.exchanges[-1].upper
    return situation.limit - max(newest, situation.fixed.upper + min(situation.keep, plan.kept))


def _room(plan: Plan) -> int:
    """Tokens that fit beside the planned view."""
    anew = plan.cut or not plan.epoch.id
    return _at_most(plan) if anew else plan.situation.limit - plan.prompt.upper


def _not_found(most: int) -> str:
    return f"Nothing is recalled: nothing that left what is sent answers the newest turn within {most:,} tokens."


def _no_room(plan: Plan) -> str:
    return f"Nothing is recalled: what always stays leaves no room in the budget of {plan.situation.limit:,} tokens."


def _alive(memory: Memory, plan: Plan) -> Iterator[Turn]:
    """The recorded turns of the planned view whose attachments stand in it."""
    return (turn for turn in plan.turns if turn.id and turn.seq in memory.attachment_counts and plan.epoch.shows(turn))


def _quoted(memory: Memory, plan: Plan) -> set[int]:
    """seqs of what the planned view holds before its start, and of what was recalled and is alive in it."""
    alive = [turn.attachment for turn in _alive(memory, plan)]
    recalled = {source.seq for one in alive if one for source in one.sources if source.recalled}
    return {turn.seq for turn in plan.turns} | recalled


def _ids(memory: Memory, plan: Plan) -> set[int]:
    """ids of the turns that the planned view holds, and of those that attachments alive in it quote."""
    alive = [turn.attachment for turn in _alive(memory, plan)]
    return {turn.id for turn in plan.turns} | {source.turn for one in alive if one for source in one.sources}


def _begins(bare: Attached) -> bool:
    """Whether the planned view begins with the newest turn, or began in a tool run and this is the first turn since."""
    plan = bare.plan
    if plan.cut or not plan.epoch.id:
        return True
    since = plan.epoch.attachments_from
    if any(turn.plain and turn.id and turn.seq > since for turn in reversed(plan.turns)):
        return False
    said = [turn.attachment for turn in plan.turns if turn.plain and turn.id and turn.seq >= since and turn.attachment]
    return not any(source.instructs for one in said for source in one.sources)


def _last_exchange(memory: Memory) -> list[str]:
    turns = memory.loaded.turns
    begins = next((at for at in range(len(turns) - 1, -1, -1) if turns[at].opens), 0)
    return [turn.text for turn in turns[begins:] if turn.role != "system"]


def _fitting(chat: Context, front: _Front, found: Sequence[Found], most: int) -> tuple[Attachment, Measure] | None:
    """Instructions and the best of what was found within `most` tokens, with their measure; None for nothing."""
    kept, zone = list(found), chat.recall.timezone if chat.recall else UTC
    while kept or front.texts:
        attachment = _attachment(front, kept, zone)
        measure = measure_attached(attachment, chat.counter)
        tokens = chat.counter.count(measure).tokens
        if tokens <= most + front.tokens or not kept:
            return replace(attachment, tokens=tokens), measure
        over = tokens - most - front.tokens
        while kept and over > 0:
            over -= kept.pop().tokens
    return None


def _size(chat: Context, texts: Sequence[str]) -> Count:
    """What texts take as blocks of an attachment."""
    made = Attachment(content=dumps([text_block(text) for text in texts]), tokens=0, sources=())
    return chat.counter.count(measure_attached(made, chat.counter))


def _attachment(front: _Front, found: Sequence[Found], zone: tzinfo) -> Attachment:
    ordered = sorted((one for one in found if not one.conversation), key=lambda one: one.turn.seq)
    others = [one for one in found if one.conversation]
    recalled = (
        *(Source(turn=one.turn.id, seq=one.turn.seq, why=one.why) for one in ordered),
        *(Source(turn=o.turn.id, seq=o.turn.seq, why=why_elsewhere(o.conversation, o.why)) for o in others),
    )
    texts = (*front.texts, quoted_elsewhere(others, zone), quoted(ordered, zone))
    return Attachment(
        content=dumps([text_block(text) for text in texts if text]),
        tokens=0,
        sources=(*(one for one in front.sources if one.turn not in {source.turn for source in recalled}), *recalled),
    )


@dataclass(frozen=True, repr=False)
class _Settled(Guise):
    """Keeps no more than was decided without the attachment, which weighs the same wherever the view starts."""

    inner: Strategy
    settled: Decision
    because: str = ""
    """what the reason says beside"""

    def decide(self, situation: Situation) -> Decision:
        found, settled = self.inner.decide(situation), self.settled
        more = found.first_exchange < settled.first_exchange or not found.cleared >= settled.cleared
        decided = settled if more else found
        return replace(decided, reason=decided.reason + self.because)


def _behind(markers: Sequence[Marker], turn: Turn) -> tuple[Marker, ...]:
    """Markers placed by hand, where their blocks stand behind what is attached."""
    blocks = len(turn.attachment.blocks) if turn.attachment else 0
    return tuple(replace(one, block=one.block + blocks) if one.seq == turn.seq else one for one in markers)
