"""What a strategy is asked about: sizes of all that could be sent, and where the present view stands.

Pure. Each number is the size of a turn in the form in which it would be sent; where the last request told an exact
total, the present view is that and what came since.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import accumulate, chain, takewhile
from math import ceil

from sash.model.counts import ZERO, Count
from sash.model.epochs import Epoch
from sash.model.turns import Exchange, Turn, by_exchange, spoken
from sash.planning.inputs import Memory, Settings
from sash.planning.overflow.clearing import served_turns
from sash.planning.overflow.relief import lacks_beta, may_clear, tool_results
from sash.planning.rules import has_thinking
from sash.planning.situation import CHEAP, ResultsTurn, Situation, Size, from_each_on
from sash.planning.survey import Group, in_tool_run
from sash.planning.view import bare
from sash.planning.worth.chance import worth_of
from sash.planning.worth.ledger import KnownResult, Ledger

BESIDE = 4
"""Exchanges that a summary wants kept take one part in so many of the budget."""

Groups = tuple[Group, ...]
"""Turns by exchange, oldest first."""


def assess(
    memory: Memory,
    groups: Groups,
    exchanges: tuple[Exchange, ...],
    known: Mapping[int, Count],
    settings: Settings,
    now: float,
    ledger: Callable[[tuple[Turn, ...]], Ledger],
) -> Situation:
    """The situation in which the newest of `groups` is to be sent; `known` are the sizes of all turns by seq.

    `ledger` makes one of the tool results of turns.
    """
    return _Assessing(memory, groups, exchanges, known, settings, ledger).situation(now)


def sizes_as_sent(memory: Memory, turns: Sequence[Turn], counts: dict[int, Count]) -> dict[int, Count]:
    """Sizes of the turns, and of pinned ones, as the present epoch sends them: `counts` itself where as recorded."""
    relief = memory.relief
    if not relief and not memory.cleared_results:
        return counts
    singles = replace(relief, results=relief.results | memory.cleared_results) if memory.cleared_results else relief
    partly = {seq for seq, _ in singles.results}
    sent, turns = dict(counts), (*memory.loaded.pinned_turns, *turns)
    cleared = relief.cleared | served_turns(turns, memory.epoch)
    for turn in turns if cleared or partly else ():
        if turn.seq in cleared:
            sent[turn.seq] = memory.cleared_sizes(turn)
        elif turn.seq in partly:
            sent[turn.seq] = memory.cleared_sizes(turn, singles.single(turn.seq))
    sent.update(dict.fromkeys(relief.dropped & counts.keys(), ZERO))
    return sent


def with_less(memory: Memory, newest: Turn, more: frozenset[tuple[int, str]], known: dict[int, Count]) -> Memory:
    """The memory with more results of the newest turn giving way; its size among the known ones follows."""
    giving = memory.cleared_results | more
    single = replace(memory.relief, results=memory.relief.results | giving).single(newest.seq)
    before, after = known[newest.seq], memory.cleared_sizes(newest, single)
    known[newest.seq] = after
    anchor = memory.anchor
    if anchor is not None and newest.seq <= memory.anchor_seq:  # a total that was counted with the turn whole
        tokens = max(0, anchor.tokens - before.tokens + after.tokens)
        upper = max(tokens, anchor.upper - before.tokens + after.upper)
        anchor = Count(tokens, upper, "estimate", anchor.base)
    return replace(memory, cleared_results=giving, anchor=anchor)


def as_summarised(memory: Memory, groups: Groups, settings: Settings, known: Mapping[int, Count]) -> Memory:
    """What a cut would bring in front: the summary, with the exchanges it wants kept, where the strategy has one.

    Of these the newest, within a part of the budget: they gather over a conversation's life, and must not crowd it out.
    """
    summary = memory.summary
    if not settings.traits.summarises:
        return memory if summary is None else replace(memory, summary=None, summary_size=ZERO)
    if summary is None or not summary.verbatim:
        return memory
    wanted, all_groups = set(summary.verbatim), (*by_exchange(memory.loaded.pinned_turns), *groups)
    beside = [group for group in all_groups if wanted & {turn.seq for turn in group}]
    return memory.but(pinned_seqs=memory.loaded.pinned_seqs | _newest(beside, known, settings.budget // BESIDE))


def _newest(groups: Sequence[Sequence[Turn]], known: Mapping[int, Count], room: int) -> frozenset[int]:
    """First seqs of the newest groups that fit into `room` tokens together."""
    newest = [(group[0].seq, sum(known[turn.seq].upper for turn in group)) for group in reversed(groups)]
    total = accumulate(tokens for _, tokens in newest)
    return frozenset(seq for (seq, _), reached in zip(newest, total, strict=True) if reached <= room)


class _Assessing:
    """One situation in the making."""

    def __init__(
        self,
        memory: Memory,
        groups: Groups,
        exchanges: tuple[Exchange, ...],
        known: Mapping[int, Count],
        settings: Settings,
        ledger: Callable[[tuple[Turn, ...]], Ledger],
    ) -> None:
        self.memory, self.groups, self.exchanges = memory, groups, exchanges
        self.known, self.settings, self.ledger = known, settings, ledger
        self._start, self._pinned = self._starting(), self._pins()
        self._question = groups[-1][0].seq
        """seq of the newest question"""
        self._recalled, self._attached = memory.shown(self._question), self._attached_before()
        self._instructions = (*memory.loaded.instructions, *memory.instructed)
        """wherever the start, each is sent, and once"""
        self._front, self._unseen = self._in_front(), Size(upper=ceil(memory.unseen))

    def situation(self, now: float) -> Situation:
        memory, settings = self.memory, self.settings
        situation = Situation(
            exchanges=self.exchanges,
            first_exchange=self._start,
            forced=_forced(memory.epoch, settings, self._instructions) or _foreign(memory.epoch, self.groups[-1]),
            fixed=_size(memory.fixed) + self._front + self._unseen,
            front=self._front.tokens,
            upto=memory.summary.upto if memory.summary else 0,
            trouble=memory.loaded.trouble,
            stay=self._stay(),
            attachments=_sum(self._attached.values()),
            recalled=_size(self._recalled),
            pinned_exchanges=self._pinned,
            results=(found := self._results()),
            clears=may_clear(memory, self.groups, settings) if found else "",
            lacks_beta=bool(found) and lacks_beta(memory, self.groups, settings),
            cheap=self._cheap,
            budget=settings.card.window if settings.traits.ignores_budget else settings.budget,
            reserve=settings.reserve,
            keep=settings.keep,
            max_tokens=settings.max_tokens,
            card=settings.card,
            now=now,
            warmth=memory.warmth,
            gaps=memory.gaps,
            marks=settings.marks,
            learned=memory.loaded.learned,
            base=self.known[self.groups[-1][-1].seq].base or memory.fixed.base,
        )
        return _with_what_a_cut_leaves(situation)

    @property
    def _cheap(self) -> frozenset[str]:
        """The tools that were said to be cheap to call again, now or with the last request."""
        last = self.memory.loaded.last
        said = last.why.get(CHEAP, ()) if last is not None else ()
        return frozenset(said) if self.settings.cheap is None else self.settings.cheap

    # ---- exchanges --------------------------------------------------------------------------------

    def _starting(self) -> int | None:
        """Where the present view starts."""
        epoch, newest = self.memory.epoch, len(self.exchanges) - 1
        if epoch is None:
            return None
        return next((i for i, exchange in enumerate(self.exchanges) if exchange.first >= epoch.first_seq), newest)

    def _pins(self) -> frozenset[int]:
        pins = self.memory.loaded.pinned_seqs
        return frozenset(i for i, exchange in enumerate(self.exchanges) if exchange.first in pins) if pins else pins

    def _results(self) -> tuple[ResultsTurn, ...]:
        """Turns of tool results, where the strategy may clear them."""
        if not self.settings.traits.clears:
            return ()
        found = tuple(tool_results(self.memory, self.groups, self.known, self._start or 0, self._pinned))
        return tuple(self._valued(found)) if found and self._long else found

    @property
    def _long(self) -> bool:
        """Whether there is more in view than always stays."""
        return sum(exchange.tokens for exchange in self.exchanges[self._start or 0 :]) > self.settings.keep

    def _valued(self, found: Sequence[ResultsTurn]) -> Iterator[ResultsTurn]:
        """The same, with what stands behind each and what it is worth."""
        ledger, by_turn = self.ledger(tuple(chain.from_iterable(self.groups))), dict[int, list[KnownResult]]()
        for one in ledger.results:
            by_turn.setdefault(one.seq, []).append(one)
        behind = self._behind
        for turn in found:
            worth = worth_of(by_turn.get(turn.seq, ()), ledger.step)
            after = behind[turn.seq] - self.known[turn.seq].tokens
            yield replace(turn, behind=behind[turn.call or turn.seq], after=max(0, after), worth=worth)

    @cached_property
    def _behind(self) -> dict[int, int]:
        """Tokens of the view from each turn on, by seq.

        What the view holds beyond the sizes of its turns is thinking, as much with each reply that is sent with some.
        """
        turns = [turn for group in self.groups[self._start or 0 :] for turn in group if turn.role != "system"]
        sums = from_each_on([self.known[turn.seq].tokens for turn in turns])
        epoch = self.memory.epoch
        thoughts = from_each_on([has_thinking(turn.blocks) and not (epoch and bare(turn, epoch)) for turn in turns])
        present = self._stay()
        if present is None or not sums[0]:
            return {turn.seq: size for turn, size in zip(turns, sums, strict=False)}
        view = max(0, present.tokens - self.memory.fixed.tokens - self._front.tokens)
        if view < sums[0] or not thoughts[0]:
            return {turn.seq: size * view // sums[0] for turn, size in zip(turns, sums, strict=False)}
        more = (view - sums[0]) / thoughts[0]
        return {turn.seq: size + int(more * n) for turn, size, n in zip(turns, sums, thoughts, strict=False)}

    # ---- what is sent wherever the view starts ----------------------------------------------------

    def _in_front(self) -> Size:
        """What stands between the preamble and the exchanges: summary, older pinned exchanges, instructions."""
        loaded = self.memory.loaded
        pinned = [group for group in by_exchange(loaded.pinned_turns) if group[0].seq in loaded.pinned_seqs]
        turns = chain(*map(spoken, pinned), self._instructions)
        return _sum(chain([self.memory.summary_size], (self.known[turn.seq] for turn in turns)))

    def _attached_before(self) -> dict[int, Count]:
        """What older questions of the present view have attached, by seq."""
        if self.memory.epoch is None:
            return {}
        return {seq: self.memory.shown(seq) for seq in self.memory.attachment_counts if seq != self._question}

    # ---- the present view, if it just grows -------------------------------------------------------

    def _stay(self) -> Size | None:
        """The size of the present view with what is new; None where it is no other than that of its parts."""
        memory, epoch = self.memory, self.memory.epoch
        if epoch is None:
            return None
        if memory.anchor is not None:
            return self._since(memory.anchor)
        if epoch.summary == memory.summary:
            return None
        present = [turn for group in self.groups for turn in group if turn.seq >= epoch.first_seq]
        parts = self._weight((*memory.in_front, *present)) + _sum(self._attached.values())
        return _size(memory.fixed + memory.present_size) + parts + self._unseen

    def _since(self, anchor: Count) -> Size:
        """An exact total, and what was added to it."""
        upto = self.memory.anchor_seq
        attached = {**self._attached, self._question: self._recalled}
        new = takewhile(lambda group: group[-1].seq > upto, reversed(self.groups))
        added = [self.known[turn.seq] for group in new for turn in group if turn.seq > upto]
        shown = [count for seq, count in attached.items() if seq > upto]
        size = _sum([anchor, *added, *shown])
        return size if anchor.source == "endpoint" else size + self._unseen

    def _weight(self, turns: Iterable[Turn]) -> Size:
        return _sum(self.known[turn.seq] for turn in turns)


def _with_what_a_cut_leaves(situation: Situation) -> Situation:
    """Attachments are of no exchange's size: a view that is the sum of its parts weighs them, too."""
    if situation.stay is not None or situation.first_exchange is None or not situation.attachments.tokens:
        return situation
    return replace(situation, stay=situation.prompt(situation.first_exchange) + situation.attachments)


def _size(count: Count) -> Size:
    return Size(tokens=count.tokens, upper=count.upper)


def _sum(counts: Iterable[Count]) -> Size:
    tokens = upper = 0
    for count in counts:
        tokens += count.tokens
        upper += count.upper
    return Size(tokens=tokens, upper=upper)


def _forced(epoch: Epoch | None, settings: Settings, instructions: Sequence[Turn]) -> str:
    """Why a new epoch must begin: any of these changes the prefix, or who reads it."""
    if epoch is None:
        return ""
    if epoch.model != settings.model:
        return settings.aside or f"the model changed from {epoch.model} to {settings.model}"
    if epoch.preamble.tools != settings.preamble.tools:
        return "the tools changed"
    if epoch.preamble.system != settings.preamble.system:
        return "the system prompt changed"
    if instructions and epoch.tagged == settings.card.system_turns:
        return f"{settings.model} takes instructions in another form"
    return settings.new_epoch_reason


def _foreign(epoch: Epoch | None, newest: Sequence[Turn]) -> str:
    """Why an epoch cannot go on in the middle of an exchange that another model thought about.

    Its thinking may neither be left out of an unfinished tool turn nor stand in this prefix ("Preserved thinking").
    """
    if epoch is None or epoch.relief.drops or not in_tool_run(newest):
        return ""
    others = {
        turn.model
        for turn in newest
        if turn.seq > epoch.thinking_stripped_to and turn.model not in ("", epoch.model) and has_thinking(turn.blocks)
    }
    return f"{' and '.join(sorted(others))} thought in the running exchange" if others else ""
