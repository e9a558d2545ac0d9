"""From a decision to the request: the epoch, the turns of its view, markers, options, the bill, notes.

Pure. `CarriedOut` is one decision carried out; each of its properties is a part of the plan.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import takewhile
from operator import attrgetter
from typing import Any

from sash.model.counts import Count
from sash.model.epochs import Epoch, Expected, Marker, Relief, Sent
from sash.model.turns import Turn, by_exchange
from sash.model.values import counted
from sash.planning.assess import BESIDE, Groups
from sash.planning.cache.breakpoints import MOST, Room, place
from sash.planning.cache.prediction import expect
from sash.planning.cache.restless import Restless
from sash.planning.inputs import BINDING_BETA, CLEARING_BETA, Memory, Settings
from sash.planning.overflow.clearing import uses
from sash.planning.overflow.relief import FittedView, words
from sash.planning.shortcuts import Shortcuts
from sash.planning.situation import Decision, Marks, Situation
from sash.planning.summaries.compaction import betas_for
from sash.planning.view import Message, Placed

UNDECLARED = "Calls of tools are sent without tools: legal, but Claude can call none; tools=[...] gives some."
"""Legal since 2025-02-27: the API asks for no definitions of tools that were called before."""


@dataclass(frozen=True)
class CarriedOut:
    """What is sent of `groups` (turns by exchange, the newest last), where `shape` is the view that was decided.

    `candidates`: the same turns one after the other, and those before the first question, of which none is sent.
    """

    memory: Memory
    candidates: tuple[Turn, ...]
    groups: Groups
    situation: Situation
    shape: FittedView
    settings: Settings
    now: float
    shortcuts: Shortcuts

    @property
    def decision(self) -> Decision:
        """What was decided."""
        return self.shape.decision

    @property
    def _anew(self) -> bool:
        """Whether something that was sent before changes: neither the last total nor the cached tail tells then."""
        return self.shape.cut and not self.shape.grows

    # ---- the epoch --------------------------------------------------------------------------------

    @cached_property
    def epoch(self) -> Epoch:
        """The one that this request belongs to: the present one while it lasts."""
        epoch, shape = self.memory.epoch, self.shape
        if epoch is not None and shape.same_prefix:
            return replace(epoch, id=0, relief=shape.relief, reason=shape.decision.reason)
        return self._new_epoch() if shape.cut or epoch is None else epoch

    def _new_epoch(self) -> Epoch:
        situation, shape, settings = self.situation, self.shape, self.settings
        pins, reason = self._pins_in_front(), shape.decision.reason
        return Epoch(
            model=settings.model,
            preamble=settings.preamble,
            first_seq=situation.exchanges[shape.decision.first_exchange].first,
            thinking_stripped_to=shape.thinking_stripped_to,
            relief=shape.relief,
            summary=self.memory.summary,
            attachments_from=self._attached_from(),
            pinned_seqs=pins,
            instructions=self._placed_again(pins),
            tagged=not settings.card.system_turns,
            family=self._family(),
            strategy=settings.strategy_name,
            reason=reason if situation.forced in reason else f"{situation.forced}; {reason}",
        )

    def _pins_in_front(self) -> tuple[int, ...]:
        """First seqs of the pinned exchanges before the start."""
        loaded, situation = self.memory.loaded, self.situation
        older = {turn.seq for turn in loaded.pinned_turns if turn.opens} & loaded.pinned_seqs
        here = {situation.exchanges[i].first for i in situation.pinned_exchanges if i < self.decision.first_exchange}
        return tuple(sorted(older | here))

    def _placed_again(self, pins: tuple[int, ...]) -> tuple[int, ...]:
        """The instructions given before the start, but for those that stand in a pinned exchange."""
        pinned = {turn.seq for group in self._older if group[0].seq in pins for turn in group}
        return tuple(sorted({turn.seq for turn in self._given} - pinned))

    def _attached_from(self) -> int:
        """At a cut only the newest question keeps what is attached, and not even that where it is left out."""
        before = self.memory.epoch.attachments_from if self.memory.epoch else 0
        return max(before, self.groups[-1][0].seq + self.shape.attachment_dropped)

    def _family(self) -> int:
        """The epochs that go on beside a new one: none where the model changed for good, or turns left the view."""
        before, settings = self.memory.epoch, self.settings
        if before is None or settings.new_epoch_reason or (before.model != settings.model and not settings.aside):
            return 0
        return before.family

    # ---- the view ---------------------------------------------------------------------------------

    @cached_property
    def _older(self) -> Sequence[Sequence[Turn]]:
        """The exchanges before the start."""
        return (*by_exchange(self.memory.loaded.pinned_turns), *self.groups[: self.decision.first_exchange])

    @cached_property
    def _given(self) -> tuple[Turn, ...]:
        """The instructions given before the start."""
        start = self.groups[self.decision.first_exchange][0].seq
        return (*self.memory.loaded.instructions, *(turn for turn in self.memory.instructed if turn.seq < start))

    @cached_property
    def turns(self) -> tuple[Turn, ...]:
        """Everything that is sent after the preamble, oldest first."""
        epoch = self.epoch
        in_front, again = list[Turn](), list[Turn]()
        if epoch.pinned_seqs:
            in_front = [turn for group in self._older if group[0].seq in epoch.pinned_seqs for turn in group]
        if epoch.instructions:
            again = [turn for turn in self._given if turn.seq in epoch.instructions]
        start = bisect_left(self.candidates, self.groups[self.decision.first_exchange][0].seq, key=attrgetter("seq"))
        view = self.candidates[start:]
        if in_front or again:
            view = (*in_front, *again, *view)
        gone = epoch.relief.dropped
        return tuple(turn for turn in view if turn.seq not in gone) if gone else view

    @cached_property
    def _placed(self) -> Placed:
        return self.shortcuts.placed(self.turns, self.epoch)

    @cached_property
    def numbered(self) -> tuple[tuple[int, Message], ...]:
        """The messages, each with the seq of its turn."""
        return self._placed.messages(self.epoch)

    # ---- what goes with it ------------------------------------------------------------------------

    @cached_property
    def sent(self) -> Sent:
        """The request but for its messages."""
        settings, epoch, loaded = self.settings, self.epoch, self.memory.loaded
        options, betas = with_relief(epoch.relief, settings, self.turns)
        return Sent(
            model=settings.model,
            max_tokens=settings.max_tokens,
            options=options,
            betas=tuple(dict.fromkeys((*betas, *betas_for(epoch, self._placed)))),
            headers=settings.headers,
            key=settings.key.name,
            markers=self._markers(),
            last=max(loaded.head.seq, self.turns[-1].seq),
            left_out=tuple(seq for seq in loaded.withdrawn if seq >= min((*epoch.pinned_seqs, epoch.first_seq))),
        )

    def _markers(self) -> tuple[Marker, ...]:
        settings, memory = self.settings, self.memory
        by_hand = len(settings.hand_markers) + settings.preamble.markers + ("cache_control" in settings.options)
        marks = self._marks(by_hand)
        # A marker on a dead entry would write it anew: without a new tail, the old one is marked only to be read.
        readable = marks.tail is not None or memory.warmth.tail_until > self.now
        chosen = place(
            self.epoch,
            self.numbered,
            marks=marks,
            previous=memory.tail if readable and not self._anew else None,
            card=settings.card,
            room=Room(slots=MOST - by_hand, preamble=self._in_front, prompt=self.shape.prompt.tokens),
            stable=self.restless.stable if self.restless.unmarked else None,
            changed_from=self.shape.changed_from if memory.warmth.tail_until > self.now else 0,
            cleared_to=self.shape.cleared_to,
        )
        return (*chosen, *settings.hand_markers)

    def _marks(self, by_hand: int) -> Marks:
        """The lifetimes to ask for, beside so many markers that the caller placed."""
        settings, restless = self.settings, self.restless
        marks = settings.marks or self.decision.marks or Marks()
        if restless.unmarked:
            marks = replace(marks, tail=None, kept_marker=None, preamble=marks.preamble if restless.stable else None)
        if by_hand and marks.tail and ("cache_control" in settings.options or settings.hand_markers):
            marks = replace(marks, tail=None)  # the caller marks the tail; two lifetimes on one block are refused
        return marks

    @cached_property
    def restless(self) -> Restless:
        """What changes in front, where it is for the library to mark: lifetimes that the caller fixed stay."""
        return Restless() if self.settings.marks or self.settings.preamble.markers else self.memory.restless

    @property
    def _in_front(self) -> int:
        """Tokens of the preamble up to where its marker stands."""
        whole, restless = self.memory.fixed.tokens, self.restless
        return (restless.known or int(whole * restless.share)) if restless.unmarked else whole

    # ---- what it comes to -------------------------------------------------------------------------

    @property
    def prompt(self) -> Count:
        """The size of the whole prompt, and where it comes from."""
        known, size = None if self._anew else self.memory.anchor, self.shape.prompt
        return Count(
            tokens=size.tokens,
            upper=size.upper,
            source="estimate" if known is None else "endpoint" if known.source == "endpoint" else "usage",
            base=self.situation.base,
        )

    @property
    def expected(self) -> Expected:
        """The bill of the prompt."""
        return expect(
            self.shape.prompt,
            self.sent.markers,
            preamble=self._in_front,
            base=self._base_size(),
            unchanged=self.shape.unchanged,
            warmth=self.memory.warmth,
            same_epoch=not self._anew,
            now=self.now,
            card=self.settings.card,
        )

    def _base_size(self) -> int:
        """Tokens up to where thinking is left out."""
        situation, start = self.situation, self.decision.first_exchange
        behind = bisect_right(situation.exchanges, self.epoch.thinking_stripped_to, start, key=attrgetter("last"))
        return situation.fixed.tokens + situation.kept(start) - situation.kept(behind)

    @property
    def doubt(self) -> bool:
        """Whether the limit lies within the error of the size that decided."""
        situation, sizes = self.situation, [self.shape.prompt]
        if self.decision.rule == "must" and situation.first_exchange is not None:
            sizes.append(situation.prompt(situation.first_exchange))
        return any(size.tokens <= situation.limit < size.upper for size in sizes)

    def notes(self) -> Iterator[str]:
        """What else is to be known of it, a sentence each."""
        epoch, decision = self.epoch, self.decision
        given, foreign = self._placed.instructions, self._placed.foreign
        if given and epoch.tagged:
            yield f"Instructions sent as user messages: {given}, for {epoch.model} takes no system messages."
        if epoch.relief:
            yield f"Not sent as it was said: {words(epoch.relief)}."
        if self._undeclared():
            yield UNDECLARED
        if left := self._left_beside():
            told, room = counted(left, "older turn"), self.settings.budget // BESIDE
            yield f"Left out: {told} that the summary wants word for word; the newest get {room:,} tokens."
        if self.shape.cut and decision.saves > 0:
            yield self._for_price()
        if decision.note:
            yield decision.note
        if decision.waits:
            yield f"Waits for a summary of the turns up to {decision.summarise}: the budget has no more room for them."
        if foreign:
            yield f"{foreign} replies of other models sent without their thinking."
        if lost := self.memory.lost:
            yield f"Another {lost} than in the last request: the messages are not read from the cache."
        if said := self.restless.said:
            yield said

    def _left_beside(self) -> int:
        """Turns that the summary now put in front wants kept, and that have no room beside it."""
        summary = self.epoch.summary
        if summary is None or not self.shape.cut or self.shape.same_prefix:
            return 0
        gone = (group for group in self._older if group[0].seq not in self.epoch.pinned_seqs)
        return sum(turn.seq in summary.verbatim for group in gone for turn in group)

    def _for_price(self) -> str:
        """What a cut leaves out that would have fitted the budget, and what for."""
        situation, decision = self.situation, self.decision
        left = situation.kept(situation.first_exchange or 0) - situation.kept(decision.first_exchange)
        return (
            f"Left out for price, not for room: {left:,} tokens of older turns would fit the budget; without them "
            f'the requests to come cost about ${decision.saves:.4f} less. memory="full" keeps them while they fit.'
        )

    def _undeclared(self) -> bool:
        """Whether results of tools are sent for the first time in this epoch, and no tools."""
        last = self.memory.loaded.last
        before = last.sent.last if last is not None and not self._anew else 0
        new = takewhile(lambda turn: turn.seq > before, reversed(self.turns))
        results = any(turn.role == "user" and not turn.plain for turn in new)
        return results and not self.epoch.preamble.tools


def with_relief(relief: Relief, settings: Settings, turns: Sequence[Turn]) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """The options and betas of a request in an epoch: the caller's, and those that its relief asks of the API."""
    options, betas = dict(settings.options), list(settings.betas)
    if relief.served and "context_management" not in options:
        options["context_management"] = {"edits": [_clearing(relief, turns)]}
        betas.append(CLEARING_BETA)
    if relief.drops:
        asked = options.get("thinking") or {"type": "adaptive"}
        if asked.get("type") == "between_tools":  # `block_binding` does not go with it
            asked = {**asked, "type": "adaptive"}
        options["thinking"] = {**asked, "block_binding": {"prefix_mismatch_behavior": "drop_block"}}
        betas.append(BINDING_BETA)
    return options, tuple(dict.fromkeys(betas))


def _clearing(relief: Relief, turns: Sequence[Turn]) -> dict[str, Any]:
    """The edit by which the API clears the oldest tool results ("Context editing" docs).

    It is told how many to keep, so that number grows with the view: what is cleared, and the prefix, stay the same.
    """
    keep = {"type": "tool_uses", "value": max(1, sum(map(uses, turns)) - relief.served)}
    trigger = {"type": "tool_uses", "value": relief.served}
    inputs = {"clear_tool_inputs": True} if relief.inputs else {}
    spared = {"exclude_tools": list(relief.spared)} if relief.spared else {}
    return {"type": "clear_tool_uses_20250919", "trigger": trigger, "keep": keep, **inputs, **spared}
