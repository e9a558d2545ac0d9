"""What a reply's usage teaches about sizes: exact totals, and by their differences exact turns and preambles.

Pure arithmetic between two requests (see `sash.counting.ledger`); what is learned is stored with the reply.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import takewhile

from sash.counting.correction import Correction
from sash.counting.ledger import Anchor, Difference, difference, shared_out
from sash.counting.measure import total
from sash.flows.request.prepare import Prepared
from sash.model.answers import Answer
from sash.model.cards import base_name
from sash.model.counts import ZERO, Count
from sash.model.options import asked_format
from sash.model.requests import Begun
from sash.model.turns import Turn
from sash.planning.rules import has_thinking


@dataclass(frozen=True, kw_only=True)
class Lessons:
    """Sizes that usage told: turns by seq, and the preamble."""

    turns: Mapping[int, Count] = field(default_factory=dict)
    preamble: Count | None = None
    correction: Correction | None = None
    """the estimator's new state of learning; None: nothing learned"""


def learn(prepared: Prepared, begun: Begun, answer: Answer) -> Lessons:
    """Compare this request's total with the last one's; nothing is learned where they do not tell."""
    now = _anchor(prepared, begun, answer)
    if now.total == 0:
        return Lessons()
    told = _told(prepared, now)
    if prepared.plan.prompt.source != "endpoint":
        return told
    counter = prepared.counter.corrected(told.correction) if told.correction else prepared.counter
    return replace(told, correction=counter.checked(prepared.plan.prompt.tokens, now.total))


def _told(prepared: Prepared, now: Anchor) -> Lessons:
    """What the totals tell of sizes; nothing where the request was not clean."""
    if not now.clean:
        return Lessons()
    if prepared.plan.cut:
        if prepared.plan.epoch.relief or prepared.plan.epoch.thinking_stripped_to < prepared.memory.loaded.head.seq:
            return Lessons()  # turns are sent otherwise than they were counted
        return Lessons(preamble=_preamble(prepared, now))
    return _from_difference(prepared, now)


def _from_difference(prepared: Prepared, now: Anchor) -> Lessons:
    before = prepared.sized.anchor
    told = difference(before, now) if before else None
    if told is None:
        return Lessons()
    newest, slack = _behind_the_reply(prepared, now)
    by_seq = _turns(prepared, told, newest)
    if any(has_thinking(by_seq[int(seq)].blocks) for seq in told.turns):
        told = newest  # the whole difference holds the thinking, which a turn loses at the next cut
    else:
        slack = 0
    known: dict[int | str, Count] = {seq: _sent_size(prepared, turn) for seq, turn in by_seq.items()}
    settled = shared_out(told, known).items() if told else ()
    return Lessons(
        turns={
            int(seq): _bare(replace(count, upper=count.upper + slack), _attached(prepared, by_seq[int(seq)]))
            for seq, count in settled
        },
        correction=_correction(prepared, newest),
    )


def _turns(prepared: Prepared, *told: Difference | None) -> dict[int, Turn]:
    """The turns that differences are about, by seq."""
    wanted = {int(seq) for one in told if one for seq in one.turns}
    first = min(wanted, default=0)
    newest = takewhile(lambda turn: turn.seq >= first, reversed(prepared.plan.turns))
    return {turn.seq: turn for turn in newest if turn.seq in wanted}


def _sent_size(prepared: Prepared, turn: Turn) -> Count:
    """What a turn weighs in this request by what was known before: itself, and what is attached to it."""
    known = prepared.estimated.get(turn.seq) or prepared.memory.counts[turn.seq]
    return known + _attached(prepared, turn)


def _attached(prepared: Prepared, turn: Turn) -> Count:
    return prepared.memory.attachment_counts[turn.seq] if prepared.plan.epoch.shows(turn) else ZERO


def _bare(count: Count, attached: Count) -> Count:
    """A turn's size less what is attached to it, as sure as that is."""
    if not attached.tokens:
        return count
    tokens = max(0, count.tokens - attached.tokens)
    return replace(count, tokens=tokens, upper=max(tokens, count.upper - attached.tokens + attached.margin))


def _correction(prepared: Prepared, newest: Difference | None) -> Correction | None:
    """What the new turns, measured for this request, turned out to be."""
    if newest is None or set(newest.turns) != set(prepared.measures):
        return None
    return prepared.counter.learned(total(prepared.measures.values()), newest.tokens)


def _behind_the_reply(prepared: Prepared, now: Anchor) -> tuple[Difference | None, int]:
    """What came after the last reply, whose own size its usage told; and how far that may be off, in tokens."""
    memory = prepared.memory
    newest = takewhile(lambda seq: seq > memory.anchor_seq, map(int, reversed(now.turns)))
    newer = tuple(newest)[::-1]
    tokens = now.total - (memory.anchor.tokens if memory.anchor else 0)
    if memory.anchor is None or tokens <= 0 or not newer:
        return None, 0
    return Difference(turns=newer, tokens=tokens), memory.anchor.margin


def _anchor(prepared: Prepared, begun: Begun, answer: Answer) -> Anchor:
    return Anchor.from_wire(
        answer.usage,
        turns=[turn.seq for turn in prepared.plan.turns],
        epoch=begun.epoch.id,
        model=prepared.plan.sent.model,
        context_edited=bool(answer.extra.get("context_management")),
        thinking_dropped=bool(answer.extra.get("input_transformations")),
        elsewhere=answered_by_another(answer, prepared.plan.sent.model),
    )


def answered_by_another(answer: Answer, asked: str) -> bool:
    """Whether a proxy or the API had another model answer than the one asked: its tokens are of another kind."""
    return bool(answer.model) and base_name(answer.model) != base_name(asked)


def _preamble(prepared: Prepared, now: Anchor) -> Count | None:
    """The first total of an epoch, less its turns: the preamble, as sure as those are."""
    if asked_format(prepared.plan.sent.options):
        return None  # the total holds what tells the model of the format
    turns = sum((_sent_size(prepared, turn) for turn in prepared.plan.turns), prepared.summary)
    tokens = now.total - turns.tokens
    fixed = prepared.memory.fixed
    agrees = abs(tokens - fixed.tokens) <= turns.margin + fixed.margin
    if tokens <= 0 or (agrees and turns.margin >= fixed.margin):
        return None  # the estimate is at least as sure as the difference
    return Count(tokens, min(now.total, tokens + turns.margin), "usage", turns.base)
