"""A tool run that outgrows the budget: what of it is sent otherwise than recorded, so that it goes on.

Within an open exchange nothing changes unless the budget forces it. Then, in this order: where thinking is bound to
its prefix, the API clears the oldest results itself (no edit in its eyes); else a cut, the open exchange keeping its
thinking where the model takes it so. An exchange that is too large alone loses its oldest results to
placeholders, then its oldest calls with their results. The user's request stays whole; so does the newest turn, but
for results of it that do not fit even then (`oversize.py`).
Pure; sizes are tokens ("Context editing", "Preserved thinking" docs).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, chain

from sash.model.counts import Count
from sash.model.epochs import Epoch, Relief
from sash.model.turns import Turn, spoken
from sash.planning.inputs import Memory, Settings
from sash.planning.overflow.clearing import served_turns, uses
from sash.planning.rules import has_thinking
from sash.planning.situation import Clearing, Clears, Decision, ResultsTurn, Situation, Size
from sash.planning.summaries.compaction import before_block, ignored, keeps_thinking

ROOM = 0.5
"""The share of the room behind the preamble that stays in use when results or calls leave: so they leave rarely."""


@dataclass(frozen=True, kw_only=True)
class FittedView:
    """What the next request's view looks like."""

    decision: Decision
    cut: bool
    thinking_stripped_to: int
    """seq up to which thinking is left out"""
    relief: Relief
    prompt: Size
    attachment_dropped: bool = False
    """what is attached to the newest question is left out"""
    same_prefix: bool = False
    """the view itself stays as it was, pins and instructions included: only the API edits it"""
    grows: bool = False
    """nothing that was sent before changes: only the newest turn takes another form than the recorded one"""
    changed_from: int = 0
    """seq of the first turn that is sent otherwise than before, where all before it is the same; 0: none is"""
    unchanged: int = 0
    """tokens of the prompt before that turn"""
    cleared_to: int = 0
    """seq of the last turn whose results give way now, behind which the next ones will; 0: none do in place"""


def tool_results(
    memory: Memory, groups: Sequence[Sequence[Turn]], known: Mapping[int, Count], start: int, pins: frozenset[int]
) -> Iterator[ResultsTurn]:
    """The turns of tool results since exchange `start`, oldest first, with what clearing each would save.

    Those that are cleared already are left out. What stands behind each, and what it is worth, is not known here.
    """
    relief = memory.relief
    gone = relief.cleared | relief.dropped | served_turns(chain.from_iterable(groups), memory.epoch)
    places = (bisect_right(groups, seq, key=_first) - 1 for seq in memory.answering)
    for index in dict.fromkeys(places):
        if index < start or index in pins:
            continue
        call: Turn | None = None
        for turn in spoken(groups[index]):
            if turn.role == "assistant":
                call = turn
            elif not turn.plain and turn.seq not in gone:
                yield ResultsTurn(
                    seq=turn.seq,
                    exchange=index,
                    results=sum(block.get("type") == "tool_result" for block in turn.blocks),
                    saves=_saving(memory, turn, known),
                    call=call.seq if call else 0,
                    call_saves=_saving(memory, call, known) if call else Size(),
                )


def _first(group: Sequence[Turn]) -> int:
    return group[0].seq


def _saving(memory: Memory, turn: Turn, known: Mapping[int, Count]) -> Size:
    slim, whole = memory.cleared_sizes(turn), known[turn.seq]
    return Size(tokens=max(0, whole.tokens - slim.tokens), upper=max(0, whole.upper - slim.upper))


def may_clear(memory: Memory, groups: Sequence[Sequence[Turn]], settings: Settings) -> Clears:
    """Which results may give way in the present view, everything else of it staying as it is.

    Where thinking is bound to what stands before it, the API has to clear them: the oldest ones ("Preserved thinking").
    """
    epoch = memory.epoch
    if epoch is None or settings.traits.server or epoch.relief.drops:
        return ""
    turns = [turn for group in groups for turn in spoken(group) if turn.seq > epoch.thinking_stripped_to]
    if not settings.card.thinking_bound or not any(
        turn.role == "assistant" and has_thinking(turn.blocks) for turn in turns
    ):
        return "any"
    if not settings.beta or "context_management" in settings.options or pins_have_results(memory, groups):
        return ""
    return "oldest"


def lacks_beta(memory: Memory, groups: Sequence[Sequence[Turn]], settings: Settings) -> bool:
    """Whether it is only for want of beta features that the API cannot clear the oldest results in place."""
    return not settings.beta and may_clear(memory, groups, replace(settings, beta=True)) == "oldest"


def pins_have_results(memory: Memory, groups: Sequence[Sequence[Turn]]) -> bool:
    """Whether the oldest results, which the API would clear first, may be pinned ones."""
    pins = memory.loaded.pinned_seqs
    pinned = [group for group in groups[:-1] if group[0].seq in pins]
    return any(
        turn.role == "user" and not turn.plain for group in (memory.loaded.pinned_turns, *pinned) for turn in group
    )


def fit_view(
    memory: Memory,
    groups: Sequence[Sequence[Turn]],
    known: Mapping[int, Count],
    situation: Situation,
    decision: Decision,
    settings: Settings,
) -> FittedView:
    """The view that a decision comes to, made smaller where it would not fit and something can give way."""
    return _Relieving(memory, groups, known, situation, decision, settings).shape()


class _Relieving:
    """One view in the making."""

    def __init__(
        self,
        memory: Memory,
        groups: Sequence[Sequence[Turn]],
        known: Mapping[int, Count],
        situation: Situation,
        decision: Decision,
        settings: Settings,
    ) -> None:
        self.memory, self.groups, self.known = memory, groups, known
        self.situation, self.decision, self.settings = situation, decision, settings
        self.epoch, self.card = memory.epoch, settings.card
        self.present = memory.relief
        self.single = self.present.results | memory.cleared_results
        self.growing = self.present
        """what the present view sends otherwise, with what joins it now"""
        if self.single or memory.repeated:
            detached = self.present.detached | memory.repeated
            self.growing = replace(self.present, results=self.single, detached=detached).tidy()
        self.run = spoken(groups[-1])
        self.keeps_view = settings.traits.keeps_view

    def shape(self) -> FittedView:
        """As decided where that fits; else the least that makes it fit."""
        decided = self._as_decided()
        if self.keeps_view:
            return decided
        if self._forced_inside() and (served := self._served()) is not None:
            return served
        if decided.prompt.upper <= self.situation.limit or decided.decision.first_exchange != self.situation.newest:
            return decided
        return self._smaller(decided)

    # ---- what the strategy decided ----------------------------------------------------------------

    def _as_decided(self) -> FittedView:
        situation, decision = self.situation, self.decision
        if decision.clearing is not None and self.epoch is not None:
            return self._in_place(self.epoch, decision.clearing)
        cleared = self._staying(self.present.cleared | decision.cleared)
        stays = self.epoch is not None and not situation.forced and decision.first_exchange == situation.first_exchange
        if stays and self.epoch is not None and cleared == self.present.cleared:
            return self._growing(self.epoch.thinking_stripped_to)
        cleared |= self._staying(self._by_api)
        left_out = (self.present.dropped - before_block(self.memory, self.groups)) | ignored(self.memory, self.groups)
        here = self._staying(frozenset(seq for seq, _ in self.single))
        single = frozenset(one for one in self.single if one[0] in here)
        return self._cut(decision, Relief(cleared=cleared, dropped=self._staying(left_out), results=single).tidy())

    def _in_place(self, epoch: Epoch, clearing: Clearing) -> FittedView:
        """The present view with what is new, without results that leave it; all before the first of them stays."""
        situation, first, last = self.situation, clearing.turns[0], clearing.turns[-1]
        if situation.clears == "any":
            relief = replace(self.growing, cleared=self.growing.cleared | self.decision.cleared).tidy()
        else:
            older = (turn for group in self.groups for turn in group if epoch.first_seq <= turn.seq <= last.seq)
            sent = (turn for turn in older if turn.seq not in self.growing.dropped)
            relief = replace(
                self.growing, served=sum(map(uses, sent)), inputs=bool(clearing.inputs), spared=clearing.spared
            )
        way = self.present.inputs, self.present.spared
        as_before = not self.present.served or way == (relief.inputs, relief.spared)
        size = situation.prompt(situation.first_exchange or 0)
        saved = sum((turn.saves for turn in clearing.turns), Size())
        saved = sum((turn.call_saves for turn in clearing.turns if turn.call in clearing.inputs), saved)
        return FittedView(
            decision=self.decision,
            cut=True,
            thinking_stripped_to=epoch.thinking_stripped_to,
            relief=relief,
            prompt=_less(size, Size(tokens=saved.tokens, upper=max(0, 2 * saved.tokens - saved.upper))),
            same_prefix=True,
            changed_from=(first.call or first.seq) if as_before else 0,
            unchanged=max(0, size.tokens - first.behind),
            cleared_to=last.seq,
        )

    def _growing(self, base: int) -> FittedView:
        """The present view and what is new; a new epoch only where not all that is new can be sent as recorded."""
        relief, prompt = self.growing, self.situation.prompt(self.decision.first_exchange)
        other, decision = relief != self.present, self.decision
        if relief.results != self.present.results:
            reason = (
                f"the newest tool results alone would pass the {self.situation.limit:,} tokens allowed: {words(relief)}"
            )
            decision = replace(decision, rule="must", reason=reason)
        elif other:
            decision = replace(decision, rule="must", reason=words(relief))
        return FittedView(
            decision=decision,
            cut=other,
            thinking_stripped_to=base,
            relief=relief,
            prompt=prompt,
            same_prefix=other,
            grows=other,
        )

    def _staying(self, seqs: frozenset[int]) -> frozenset[int]:
        """Without those of the exchanges that leave the view."""
        situation = self.situation
        leaving = [
            e
            for i, e in enumerate(situation.exchanges[: self.decision.first_exchange])
            if i not in situation.pinned_exchanges
        ]
        return frozenset(seq for seq in seqs if not any(e.first <= seq <= e.last for e in leaving))

    def _cut(self, decision: Decision, relief: Relief, *, whole: bool = True) -> FittedView:
        """A view from the decided start on; `whole`: nothing more of it gives way, so kept turns may keep thinking."""
        base, drops, thoughts = self._thinking
        if whole and not relief and self._keeps_thinking(decision.first_exchange):
            base, drops, thoughts = (self.epoch.thinking_stripped_to if self.epoch else base), False, self._thoughts()
        size = replace(self.situation, stay=None).prompt(decision.first_exchange) + max(
            thoughts, self._surplus(), key=lambda size: size.upper
        )
        for seq in relief.cleared - self.present.cleared - self._by_api:
            turn = self._by_seq[seq]
            size = _less(size, _saving(self.memory, turn, self.known))
        shape = FittedView(
            decision=decision, cut=True, thinking_stripped_to=base, relief=replace(relief, drops=drops), prompt=size
        )
        return (
            replace(self._without_attached(shape), attachment_dropped=True)
            if self._detached(decision.first_exchange)
            else shape
        )

    @property
    def _by_api(self) -> frozenset[int]:
        """The turns whose results the API clears in the present view: from a cut on they are placeholders of ours."""
        return served_turns(chain.from_iterable(self.groups), self.epoch)

    def _detached(self, start: int) -> bool:
        """Whether what is attached to the newest question stands in this view by itself, as it did not in its own."""
        attached = self.run[0].attachment
        if self.run[0].seq in self.growing.detached:
            return True
        groups = (group for i, group in enumerate(self.groups) if i >= start or i in self.situation.pinned_exchanges)
        present = {turn.seq for group in (self.memory.loaded.pinned_turns, *groups) for turn in group}
        quoted = (source.seq for source in attached.sources if source.recalled) if attached else ()
        return not present.isdisjoint(quoted)

    def _keeps_thinking(self, start: int) -> bool:
        return keeps_thinking(self.memory, self.situation, self.groups, start, self.settings)

    @cached_property
    def _by_seq(self) -> dict[int, Turn]:
        return {turn.seq: turn for group in self.groups for turn in group}

    # ---- thinking at a cut ------------------------------------------------------------------------

    @cached_property
    def _thinking(self) -> tuple[int, bool, Size]:
        """Up to where thinking is left out, whether the API is to drop the rest, and what the rest weighs."""
        head = self.memory.loaded.head.seq
        behind = max(self.run[0].seq - 1, self.epoch.thinking_stripped_to if self.epoch else 0)
        thought = any(has_thinking(turn.blocks) for turn in self.run if turn.seq > behind and turn.role == "assistant")
        if not self.situation.exchanges[-1].open or not thought:
            return head, False, Size()
        if self.card.thinking_bound:
            return (behind, True, Size()) if self._may_drop() else (head, False, Size())
        if self.epoch is None or self.epoch.model != self.card.id:
            return head, False, Size()
        return behind, False, self._thoughts()

    def _may_drop(self) -> bool:
        """Whether to leave it to the API, where a model may refuse an open tool turn that lost its thinking."""
        asked = (self.settings.options.get("thinking") or {}).get("type")
        thinks = self.card.thinking_default if asked is None else asked in ("adaptive", "between_tools", "enabled")
        return thinks and self.settings.beta and not self.card.open_tools_without_thinking

    def _surplus(self) -> Size:
        """Where results are cleared already: what the last total holds beyond the parts as they are estimated now."""
        present = self.present
        return self._thoughts() if present.cleared or present.dropped or present.results else Size()

    def _thoughts(self) -> Size:
        """What thinking weighs in the present view at most: what the last total holds beyond the parts."""
        situation = self.situation
        if situation.stay is None or situation.first_exchange is None:
            return Size()
        parts = replace(situation, stay=None).prompt(situation.first_exchange) + situation.attachments
        least = 2 * parts.tokens - parts.upper
        return Size(
            tokens=max(0, situation.stay.tokens - parts.tokens), upper=max(0, situation.stay.upper - max(0, least))
        )

    # ---- the API clears results --------------------------------------------------------------------

    def _forced_inside(self) -> bool:
        """Whether the budget forces a change inside an open exchange whose thinking is bound to the prefix."""
        situation = self.situation
        if (
            not situation.exchanges[-1].open
            or situation.forced
            or situation.first_exchange is None
            or self.epoch is None
        ):
            return False
        base = self.epoch.thinking_stripped_to
        thought = any(has_thinking(turn.blocks) for turn in self.run if turn.seq > base and turn.role == "assistant")
        return self.card.thinking_bound and thought and not situation.fits(situation.first_exchange)

    def _served(self) -> FittedView | None:
        """The present view with the oldest results cleared by the API; None where it cannot help."""
        situation = self.situation
        if not self.settings.beta or "context_management" in self.settings.options or situation.first_exchange is None:
            return None
        served = 0 if pins_have_results(self.memory, self.groups) else self._to_serve()
        if not served or self.epoch is None:
            return None
        what = f"the API clears the oldest {served} tool results"
        most = situation.prompt(situation.first_exchange).upper
        reason = f"the prompt could take {most:,} tokens, more than the {situation.limit:,} allowed: {what}"
        return FittedView(
            decision=replace(self.decision, first_exchange=situation.first_exchange, rule="must", reason=reason),
            cut=True,
            thinking_stripped_to=self.epoch.thinking_stripped_to,
            relief=replace(self.growing, served=served),
            prompt=_less(situation.prompt(situation.first_exchange), self._served_saving(served)),
            same_prefix=True,
        )

    def _to_serve(self) -> int:
        """How many results the API has to clear, the newest turn's left alone; 0 where that does not help."""
        size, limit, target = (
            self.situation.prompt(self.situation.first_exchange or 0),
            self.situation.limit,
            self._target(),
        )
        newest = sum(block.get("type") == "tool_result" for block in self.run[-1].blocks)
        most = len(self._uses) - max(1, newest)
        least = next((n for n in range(most) if _less(size, self._served_saving(n)).upper <= target), max(0, most))
        helps = least > self.present.served and _less(size, self._served_saving(least)).upper <= (limit + target) // 2
        return least if helps else 0

    @cached_property
    def _uses(self) -> list[Size]:
        """What clearing each tool result in the view would save, oldest first; those cleared already save nothing."""
        start = self.situation.first_exchange or 0
        relief, uses = self.present, []
        for turn in spoken(turn for group in self.groups[start:] for turn in group):
            if turn.role == "assistant" or turn.plain or turn.seq in relief.dropped:
                continue
            single = Relief(results=self.single).single(turn.seq)
            results = [block.get("tool_use_id") for block in turn.blocks if block.get("type") == "tool_result"]
            share = _share(_saving(self.memory, turn, self.known), sum(call not in single for call in results))
            uses += [Size() if call in single else share for call in results]
        return [Size() if index < relief.served else size for index, size in enumerate(uses)]

    def _served_saving(self, served: int) -> Size:
        """By its estimate less its margin: what leaves is not counted as more than it surely is."""
        tokens, upper = self._savings[served]
        return Size(tokens=tokens, upper=max(0, 2 * tokens - upper))

    @cached_property
    def _savings(self) -> list[tuple[int, int]]:
        """Tokens and upper bounds of what clearing the oldest n results saves, for every n."""
        tokens = accumulate((size.tokens for size in self._uses), initial=0)
        return list(zip(tokens, accumulate((size.upper for size in self._uses), initial=0), strict=True))

    # ---- an exchange that is too large alone ---------------------------------------------------------

    def _small(self, size: Size) -> bool:
        """Surely within the limit, and probably small enough to stay so for a while."""
        return size.upper <= self.situation.limit and size.tokens <= self._target()

    def _target(self) -> int:
        fixed = self.situation.fixed.tokens
        return fixed + int(ROOM * max(0, self.situation.limit - fixed))

    def _smaller(self, decided: FittedView) -> FittedView:
        """Oldest results first, then oldest calls; as decided where nothing can give way."""
        shape = self._cut(self.decision, replace(decided.relief, served=0, drops=False), whole=False)
        shape = self._without_attached(shape)
        shape = self._without_results(shape)
        shape = self._without_calls(shape)
        if not self._helps(shape, decided):
            return decided
        upper, limit = decided.prompt.upper, self.situation.limit
        gone = words(shape.relief.tidy()) or (
            "what was recalled left out" if shape.attachment_dropped else "thinking left out"
        )
        reason = f"the newest question and its tool calls could take {upper:,} tokens, more than {limit:,}: {gone}"
        return replace(shape, decision=replace(self.decision, rule="must", reason=reason), relief=shape.relief.tidy())

    def _helps(self, shape: FittedView, decided: FittedView) -> bool:
        """Whether it is smaller: where too much was decided even by the estimate, by that, for bounds may be wide."""
        if decided.prompt.tokens > self.situation.limit:
            return shape.prompt.tokens < decided.prompt.tokens
        return shape.prompt.upper < decided.prompt.upper

    def _without_attached(self, shape: FittedView) -> FittedView:
        """What was recalled goes first: it can be recalled again."""
        count = self.memory.shown(self.run[0].seq)
        size = _less(shape.prompt, Size(tokens=count.tokens, upper=max(0, count.tokens - count.margin)))
        return (
            replace(shape, attachment_dropped=True, prompt=size)
            if count.tokens and not shape.attachment_dropped
            else shape
        )

    def _without_results(self, shape: FittedView) -> FittedView:
        cleared, size = set(shape.relief.cleared), shape.prompt
        for turn in self._results():
            if self._small(size):
                break
            if turn.seq not in cleared | shape.relief.dropped:
                size = _less(size, _saving(self.memory, turn, self.known))
                cleared.add(turn.seq)
        return replace(shape, relief=replace(shape.relief, cleared=frozenset(cleared)), prompt=size)

    def _results(self) -> list[Turn]:
        """The turns of results of the newest exchange, but for its newest turn."""
        return [turn for turn in self.run[1:-1] if turn.role == "user"]

    def _without_calls(self, shape: FittedView) -> FittedView:
        if shape.prompt.upper <= self.situation.limit:
            return shape
        dropped, size = set(shape.relief.dropped), shape.prompt
        for unit in self._units()[:-1]:
            if self._small(size):
                break
            for turn in unit:
                if turn.seq not in dropped:
                    size = _less(size, self._weight(turn, shape.relief))
                    dropped.add(turn.seq)
        gone = frozenset(dropped)
        return replace(
            shape, relief=replace(shape.relief, dropped=gone, cleared=shape.relief.cleared - gone), prompt=size
        )

    def _units(self) -> list[list[Turn]]:
        """Calls with their results, oldest first; the last one holds the newest turn."""
        units: list[list[Turn]] = [[]]
        for turn in self.run[1:]:
            units[-1].append(turn)
            if turn.role == "user" and turn is not self.run[-1]:
                units.append([])
        return units

    def _weight(self, turn: Turn, relief: Relief) -> Size:
        count = self.memory.cleared_sizes(turn) if turn.seq in relief.cleared else self.known[turn.seq]
        return Size(tokens=count.tokens, upper=count.upper)


def words(relief: Relief) -> str:
    """What is sent otherwise than recorded, in words; "" for nothing."""
    return ", ".join(
        filter(
            None,
            (
                f"placeholders for old tool results or inputs in {len(relief.cleared)} turns" if relief.cleared else "",
                f"{len(relief.dropped)} turns left out (the oldest calls, or what the API compacted)"
                if relief.dropped
                else "",
                f"placeholders for {len(relief.results)} tool results that are too large to send"
                if relief.results
                else "",
                f"the oldest {relief.served} tool results cleared by the API" if relief.served else "",
                "the API leaves out thinking where what stands before it changed" if relief.drops else "",
                f"{len(relief.detached)} turns without what was recalled for them, which stands here already"
                if relief.detached
                else "",
            ),
        )
    )


def _less(size: Size, saved: Size) -> Size:
    tokens = max(0, size.tokens - saved.tokens)
    return Size(tokens=tokens, upper=max(tokens, size.upper - saved.upper))


def _share(size: Size, parts: int) -> Size:
    return Size(tokens=size.tokens // max(1, parts), upper=size.upper // max(1, parts))
