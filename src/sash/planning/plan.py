"""The plan of one request: what is sent, with which markers, what it should cost, and why.

`make_plan` is pure: the remembered window, the new turns, their counts, the settings and the time go in;
a `Plan` comes out. It asks the strategy, sees to it that the answer is one a request can be made of
(cuts between exchanges, the newest exchange whole, pins in front), places the markers and predicts the
bill. Legality of the finished body is judged by `sash.planning.rules` when the flow sends it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import ceil
from typing import Any, Protocol

from sash.errors import BudgetExceeded, InvalidContent, InvalidOption
from sash.model.cards import ModelCard
from sash.model.counts import ZERO, Count
from sash.model.epochs import Epoch, Expected, Marker, Relief, Sent
from sash.model.keys import Held
from sash.model.preamble import Preamble
from sash.model.summaries import Summary, Trouble
from sash.model.turns import Attachment, Exchange, Turn, by_exchange, spoken
from sash.planning import explain
from sash.planning.breakpoints import MOST, Room, place
from sash.planning.compacting import before_block, betas_for, ignored
from sash.planning.expect import expect
from sash.planning.oversize import giving_way
from sash.planning.relief import Shape, relieve, tool_results, words
from sash.planning.restless import Restless
from sash.planning.rules import has_thinking, open_calls, waiting_calls
from sash.planning.situation import Decision, Gaps, Marks, Situation, Size, Strategy, Warmth
from sash.planning.traits import traits
from sash.planning.view import Forms, Message, assemble, bare, messages

CLEARING_BETA = "context-management-2025-06-27"
BINDING_BETA = "thinking-binding-controls-2026-08-01"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the caller chose for this request."""

    card: ModelCard
    preamble: Preamble
    strategy: Strategy
    budget: int
    keep: int
    max_tokens: int
    marks: Marks | None = None
    """the caller's choice of lifetimes; None: the strategy's, or 5 min where it has none"""
    options: Mapping[str, Any] = field(default_factory=dict)
    betas: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    hand_markers: tuple[Marker, ...] = ()
    """markers that the caller put on the new turn's blocks"""
    aside: str = ""
    """why this model is asked beside others, whose epochs go on meanwhile; "": it takes their place"""
    key: Held = field(default_factory=Held)
    """the key it goes with"""
    home: str = ""
    """the model in force, where another one is asked this time"""
    fresh: str = ""
    """why a new epoch must begin with this request whatever the strategy says; "" if it need not"""
    beta: bool = True
    """whether beta features may be asked for where they help"""

    @property
    def model(self) -> str:
        """The model's id, as it is sent."""
        return self.card.id


class Slim(Protocol):
    """Sizes of recorded turns in their cleared forms."""

    def __call__(self, turn: Turn, only: frozenset[str] | None = None, /) -> Count:
        """Of a turn with its tool results (`only`: those of these calls), or its calls' inputs, cleared."""
        ...

    def saves(self, turn: Turn, /) -> Mapping[str, Size]:
        """What a placeholder in the place of each result of a turn would save, by call id."""
        ...


class Unknown:
    """Where nobody can measure: cleared turns are so large that clearing them saves nothing."""

    def __call__(self, _turn: Turn, _only: frozenset[str] | None = None, /) -> Count:
        return Count(10**9, 10**9, "estimate")

    def saves(self, _turn: Turn, /) -> Mapping[str, Size]:
        return {}


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What the record says that the next request may be made of. Turns are in order and never withdrawn ones."""

    head: int = 0
    """seq of the newest turn of the branch, withdrawn ones included"""
    epoch: Epoch | None = None
    turns: tuple[Turn, ...] = ()
    """from the epoch's start on, or from further back where another strategy may reach for more"""
    pinned: tuple[Turn, ...] = ()
    """turns before `turns` of the exchanges that are pinned now, or stand in front of the present epoch"""
    pins: frozenset[int] = frozenset()
    """first seqs of all pinned exchanges"""
    instructions: tuple[Turn, ...] = ()
    """turns of role system before `turns`, those among `pinned` included"""
    withdrawn: tuple[int, ...] = ()
    """seqs that were withdrawn: since the first of `turns`, and within the pinned exchanges"""
    counts: Mapping[int, Count] = field(default_factory=dict)
    """by seq"""
    fixed: Count
    """the preamble and what every request carries"""
    anchor: Count | None = None
    """exact size of the last request of this epoch ..."""
    anchor_seq: int = 0
    """... which sent the turns up to this seq"""
    tail: Marker | None = None
    """the tail marker of the last request of this epoch"""
    warmth: Warmth = field(default_factory=Warmth)
    gaps: Gaps = field(default_factory=Gaps)
    lost: str = ""
    """the option that changed since the last request and lost what was cached; "" where none did"""
    learned: Mapping[str, Any] = field(default_factory=dict)
    summary: Summary | None = None
    """the one that covers most; at a cut it stands in front, for strategies that summarise"""
    summary_size: Count = ZERO
    """of the user turn that carries it"""
    present_size: Count = ZERO
    """of the one that stands in front of the present epoch"""
    trouble: Trouble = field(default_factory=Trouble)
    slim: Slim = field(default_factory=Unknown)
    """the sizes of turns with their tool results, or their calls' inputs, cleared"""
    giving: frozenset[tuple[int, str]] = frozenset()
    """single results of the newest turn that give way from this request on, by seq and call id"""
    bounded: bool = False
    """nobody could count what may be too large: single results give way by the bound, not by the estimate"""
    attached: Mapping[int, Count] = field(default_factory=dict)
    """sizes of attachments by the seq of their turn; no part of `counts`"""
    unseen: float = 0.0
    """tokens to allow for beside the bounds of all this: what requests turned out to hold that nobody counted"""
    restless: Restless = field(default_factory=Restless)
    """what changes in front of the messages from request to request"""
    asked: bool = False
    """the last request of this epoch was counted by the endpoint"""

    def shown(self, seq: int) -> Count:
        """What the attachment of a turn adds to the present view; of a new turn, to the next one."""
        alive = seq in self.attached and (self.epoch is None or seq >= self.epoch.attached)
        return self.attached[seq] if alive else ZERO


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The decision for one request. Nothing has been sent or written; `body` is what would be."""

    epoch: Epoch
    cut: bool
    """whether a new epoch begins with this request"""
    turns: tuple[Turn, ...]
    """everything that is sent after the preamble, oldest first; the new turns have id 0"""
    numbered: tuple[tuple[int, Message], ...] = field(repr=False)
    sent: Sent
    prompt: Count
    expected: Expected
    decision: Decision
    situation: Situation = field(repr=False)
    unseen: float = 0.0
    """tokens of the prompt's bound that are allowed for what nobody counts"""
    restless: Restless = field(default_factory=Restless)
    """what changed in front of the messages"""
    doubt: bool = False
    """the budget lies between the estimate and its upper bound, so an exact count could change the decision"""
    notes: tuple[str, ...] = ()

    @cached_property
    def body(self) -> dict[str, Any]:
        """The exact request body."""
        return assemble(self.epoch, self.numbered, self.sent)

    @property
    def attached(self) -> Attachment | None:
        """What recall sends with the newest question; None for nothing."""
        question = next((turn for turn in reversed(self.turns) if turn.plain), None)
        return question.attached if question is not None and self.epoch.shows(question) else None

    @property
    def kept(self) -> int:
        """Tokens of exchanges that are sent verbatim."""
        return self.situation.kept(self.decision.start)

    @property
    def why(self) -> dict[str, Any]:
        """The decision as plain JSON values, for the record."""
        return explain.why(self)

    def explain(self) -> str:
        """A few lines in plain words: what is sent, what is not and why, tokens, dollars, the road not taken."""
        return explain.text(self)

    def _repr_html_(self) -> str:
        return explain.strip(self)


def make_plan(
    memory: Memory,
    new: Sequence[Turn],
    counts: Mapping[int, Count],
    settings: Settings,
    now: float,
    forms: Forms | None = None,
) -> Plan:
    """Plan the request that sends `new` (seqs following the head) after what `memory` holds.

    `forms` remembers sent forms from plan to plan; it changes nothing but the time it takes.
    Raises BudgetExceeded when nothing legal fits, naming the largest part and the missing tokens, and
    InvalidContent when there is no user turn to begin with.
    """
    turns = (*memory.turns, *new)
    groups = by_exchange(turns)
    whole = {**memory.counts, **counts}
    known = _as_sent(memory, (*memory.pinned, *turns), whole)
    if groups and not groups[0][0].opens:
        # Turns before the first user turn: a request cannot begin with them, but instructions hold from there on.
        memory = replace(memory, instructions=(*memory.instructions, *_instructions(groups[:1])))
        groups = groups[1:]
    _reject_no_question(groups)
    memory = _as_summarised(memory, groups, settings.strategy)
    gone = ignored(memory, groups)
    known.update({seq: ZERO if seq in gone else whole[seq] for seq in before_block(groups)})
    while True:
        situation = _situation(memory, groups, known, settings, now)
        decision = settings.strategy.decide(situation)
        _reject_bad_start(decision, situation, settings.strategy)
        shape = relieve(memory, groups, known, situation, decision, settings)
        more = giving_way(memory, groups[-1], situation, shape, settings)
        if not more:
            break
        memory = _smaller(memory, spoken(groups[-1])[-1], more, known)
    _reject_too_large(situation, shape, settings, [known[turn.seq] for turn in groups[-1]])
    return _carry_out(memory, groups, situation, shape, settings, now, forms)


def _as_sent(memory: Memory, turns: Sequence[Turn], known: Mapping[int, Count]) -> dict[int, Count]:
    """Sizes of the turns in the form in which the present epoch sends them."""
    relief = memory.epoch.relief if memory.epoch else Relief()
    singles = replace(relief, results=relief.results | memory.giving)
    partly = {seq for seq, _ in singles.results}
    single = {turn.seq: memory.slim(turn, singles.single(turn.seq)) for turn in turns if turn.seq in partly}
    cleared = {turn.seq: memory.slim(turn) for turn in turns if turn.seq in relief.cleared} if relief.cleared else {}
    return {**known, **single, **cleared, **dict.fromkeys(relief.dropped & known.keys(), ZERO)}


def _smaller(memory: Memory, newest: Turn, more: frozenset[tuple[int, str]], known: dict[int, Count]) -> Memory:
    """The memory with more results of the newest turn giving way; its size among the known ones follows."""
    giving = memory.giving | more
    relief = memory.epoch.relief if memory.epoch else Relief()
    single = replace(relief, results=relief.results | giving).single(newest.seq)
    before, after = known[newest.seq], memory.slim(newest, single)
    known[newest.seq] = after
    anchor = memory.anchor
    if anchor is not None and newest.seq <= memory.anchor_seq:  # a total that was counted with the turn whole
        tokens = max(0, anchor.tokens - before.tokens + after.tokens)
        upper = max(tokens, anchor.upper - before.tokens + after.upper)
        anchor = Count(tokens, upper, "estimate", anchor.base)
    return replace(memory, giving=giving, anchor=anchor)


def _as_summarised(memory: Memory, groups: Sequence[Sequence[Turn]], strategy: Strategy) -> Memory:
    """What a cut would bring in front: the summary, with the exchanges it wants kept, where the strategy has one."""
    summary = memory.summary
    if not traits(strategy).summarises:
        return replace(memory, summary=None, summary_size=ZERO)
    if summary is None or not summary.verbatim:
        return memory
    wanted, all_groups = set(summary.verbatim), (*by_exchange(memory.pinned), *groups)
    beside = {group[0].seq for group in all_groups if wanted & {turn.seq for turn in group}}
    return replace(memory, pins=memory.pins | beside)


def _reject_no_question(groups: Sequence[Sequence[Turn]]) -> None:
    if not groups:
        raise InvalidContent(
            "a tool_result without its tool call: a conversation begins with what the user says. Nothing was sent",
            problem="tool-orphan",
        )


def _situation(
    memory: Memory,
    groups: Sequence[Sequence[Turn]],
    known: Mapping[int, Count],
    settings: Settings,
    now: float,
) -> Situation:
    exchanges = tuple(_exchange(group, known, newest=group is groups[-1]) for group in groups)
    epoch = memory.epoch
    start = None
    if epoch is not None:
        start = next((i for i, e in enumerate(exchanges) if e.first >= epoch.start), len(exchanges) - 1)
    pins_in_front = _sum(
        known[t.seq] for group in by_exchange(memory.pinned) if group[0].seq in memory.pins for t in spoken(group)
    )
    instructions = (*memory.instructions, *_instructions(groups))  # wherever the start: each is sent, and once
    question = groups[-1][0].seq
    recalled = memory.shown(question)
    older = {seq: memory.shown(seq) for seq in memory.attached if epoch is not None and seq != question}
    front = _size(memory.summary_size) + pins_in_front + _sum(known[t.seq] for t in instructions)
    unseen = Size(upper=ceil(memory.unseen))
    stay = None
    if epoch is not None and memory.anchor is not None:
        added = [known[t.seq] for group in groups for t in group if t.seq > memory.anchor_seq]
        attached = [count for seq, count in {**older, question: recalled}.items() if seq > memory.anchor_seq]
        stay = _size(memory.anchor) + _sum(added) + _sum(attached)
        stay += Size() if memory.anchor.source == "endpoint" else unseen
    elif epoch is not None and epoch.summary != memory.summary:
        parts = [*(known[turn.seq] for turn in _present(memory, groups)), *older.values()]
        stay = _size(memory.fixed + memory.present_size) + _sum(parts) + unseen
    pinned = frozenset(i for i, e in enumerate(exchanges) if e.first in memory.pins)
    told = traits(settings.strategy)
    situation = Situation(
        exchanges=exchanges,
        start=start,
        forced=_forced(epoch, settings, instructions) or _foreign(epoch, groups[-1]),
        fixed=_size(memory.fixed) + front + unseen,
        front=front.tokens,
        upto=memory.summary.upto if memory.summary else 0,
        trouble=memory.trouble,
        stay=stay,
        attached=_sum(older.values()),
        recalled=_size(recalled),
        pinned=pinned,
        results=tuple(tool_results(memory, groups, known, start or 0, pinned)) if told.clears else (),
        budget=settings.card.window if told.ignores_budget else settings.budget,
        keep=settings.keep,
        max_tokens=settings.max_tokens,
        card=settings.card,
        now=now,
        warmth=memory.warmth,
        gaps=memory.gaps,
        marks=settings.marks,
        learned=memory.learned,
        base=known[groups[-1][-1].seq].base or memory.fixed.base,
    )
    if stay is None and start is not None and situation.attached.tokens:
        return replace(situation, stay=situation.prompt(start) + situation.attached)
    return situation


def _present(memory: Memory, groups: Sequence[Sequence[Turn]]) -> list[Turn]:
    """The turns that the present epoch would send if it just grew."""
    epoch = memory.epoch
    if epoch is None:
        return []
    older = [turn for group in by_exchange(memory.pinned) if group[0].seq in epoch.pins for turn in group]
    again = [turn for turn in memory.instructions if turn.seq in epoch.instructions]
    return [*older, *again, *(turn for group in groups for turn in group if turn.seq >= epoch.start)]


def _instructions(groups: Sequence[Sequence[Turn]]) -> tuple[Turn, ...]:
    return tuple(turn for group in groups for turn in group if turn.role == "system")


def _exchange(group: Sequence[Turn], known: Mapping[int, Count], *, newest: bool) -> Exchange:
    tokens = upper = replies = 0
    for turn in group:  # one pass: this runs for every exchange of every plan
        if turn.role == "system":
            continue
        count = known[turn.seq]
        tokens += count.tokens
        upper += count.upper
        replies += turn.role == "assistant"
    return Exchange(
        first=group[0].seq,
        last=group[-1].seq,
        tokens=tokens,
        upper=upper,
        requests=max(1, replies),
        at=group[0].at,
        open=newest and _in_tool_run(group),
    )


def _in_tool_run(group: Sequence[Turn]) -> bool:
    """Whether the exchange goes on: its newest turn carries tool results, or calls (the server's too) without any."""
    last = spoken(group)[-1]
    if last.role == "user":
        return not last.plain
    return bool(open_calls(last.blocks, ()) or waiting_calls([last.blocks]))


def _size(count: Count) -> Size:
    return Size(tokens=count.tokens, upper=count.upper)


def _sum(counts: Any) -> Size:
    return sum(map(_size, counts), Size())


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
    return settings.fresh


def _foreign(epoch: Epoch | None, newest: Sequence[Turn]) -> str:
    """Why an epoch cannot go on in the middle of an exchange that another model thought about.

    Its thinking may neither be left out of an unfinished tool turn nor stand in this prefix ("Preserved thinking").
    """
    if epoch is None or epoch.relief.drops or not _in_tool_run(newest):
        return ""
    others = {
        turn.model
        for turn in newest
        if turn.seq > epoch.base and turn.model not in ("", epoch.model) and has_thinking(turn.blocks)
    }
    return f"{' and '.join(sorted(others))} thought in the running exchange" if others else ""


def _reject_bad_start(decision: Decision, situation: Situation, strategy: Strategy) -> None:
    if not 0 <= decision.start <= situation.newest:
        raise InvalidOption(
            f"strategy {strategy!r} chose exchange {decision.start} of {situation.newest + 1}; "
            "it must return the index of an exchange, the newest at the latest",
            option="strategy",
            value=strategy,
        )


def _reject_too_large(situation: Situation, shape: Shape, settings: Settings, newest: Sequence[Count]) -> None:
    """Nothing legal fits when even the estimate (not only its bound) of the chosen prompt passes the limit."""
    size = shape.prompt
    if size.tokens <= situation.limit:
        return
    largest, tokens = _largest(situation, newest)
    if situation.budget >= settings.card.window:
        what = f"the {settings.model} window of {settings.card.window:,} less max_tokens={settings.max_tokens:,}"
    else:
        what = f"the budget of {situation.budget:,}"
    raise BudgetExceeded(
        f"the request needs about {size.tokens:,} tokens, {size.tokens - situation.limit:,} more than {what} allows; "
        f"the largest part is {largest} with about {tokens:,}. Raise the budget, or shorten that part",
        budget=situation.limit,
        needed=size.tokens,
        missing=size.tokens - situation.limit,
        largest=largest,
    )


def _largest(situation: Situation, newest: Sequence[Count]) -> tuple[str, int]:
    """The part that is in the way, and its tokens."""
    parts = {"the preamble (system, tools, pins)": situation.fixed.tokens}
    if len(newest) == 1:
        parts["the newest exchange"] = newest[0].tokens
    else:  # a tool run: what it answered before has given way already
        parts["the question of the running exchange"] = newest[0].tokens
        parts["the newest turn"] = newest[-1].tokens
        parts["the calls and results before it"] = sum(count.tokens for count in newest[1:-1])
    return max(parts.items(), key=lambda part: part[1])


def _carry_out(
    memory: Memory,
    groups: Sequence[Sequence[Turn]],
    situation: Situation,
    shape: Shape,
    settings: Settings,
    now: float,
    forms: Forms | None,
) -> Plan:
    cut, decision, prompt = shape.cut, shape.decision, shape.prompt
    anew = cut and not shape.grows
    epoch = memory.epoch
    if epoch is not None and shape.same_prefix:
        epoch = replace(epoch, id=0, relief=shape.relief, reason=decision.reason)
    elif cut or epoch is None:
        pins = _pins_in_front(memory, situation, decision)
        again = _placed_again(memory, groups, decision, pins)
        attached, family = _attached_from(memory, groups, shape), _family(memory.epoch, settings)
        epoch = _new_epoch(situation, shape, settings, pins, again, memory.summary, attached=attached, family=family)
    turns = _view_turns(memory, groups, decision, epoch)
    numbered = tuple(messages(turns, epoch, forms))
    options, betas = with_relief(epoch.relief, settings, turns)
    betas = tuple(dict.fromkeys((*betas, *betas_for(epoch, turns))))
    markers = _markers(memory, settings, decision, epoch, numbered, prompt, anew, now)
    sent = Sent(
        model=settings.model,
        max_tokens=settings.max_tokens,
        options=options,
        betas=betas,
        headers=settings.headers,
        key=settings.key.name,
        markers=markers,
        last=max(memory.head, turns[-1].seq),
        left_out=tuple(seq for seq in memory.withdrawn if seq >= min((*epoch.pins, epoch.start))),
    )
    expected = expect(
        prompt,
        markers,
        preamble=_in_front(memory, settings),
        base=_base_size(situation, epoch, decision),
        warmth=memory.warmth,
        same_epoch=not anew,
        now=now,
        card=settings.card,
    )
    known_so_far = memory.anchor if not anew else None
    return Plan(
        epoch=epoch,
        cut=cut,
        turns=turns,
        numbered=numbered,
        sent=sent,
        prompt=Count(
            tokens=prompt.tokens,
            upper=prompt.upper,
            source="estimate" if known_so_far is None else "endpoint" if known_so_far.source == "endpoint" else "usage",
            base=situation.base,
        ),
        expected=expected,
        decision=decision,
        situation=situation,
        unseen=memory.unseen,
        doubt=_doubt(situation, shape),
        restless=_restless(memory, settings),
        notes=(*_notes(memory, decision, epoch, turns), *filter(None, [_restless(memory, settings).said])),
    )


def with_relief(relief: Relief, settings: Settings, turns: Sequence[Turn]) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """The options and betas of a request in an epoch: the caller's, and those that its relief asks of the API."""
    options, betas = dict(settings.options), list(settings.betas)
    if relief.served and "context_management" not in options:
        options["context_management"] = {"edits": [_clearing(relief.served, turns)]}
        betas.append(CLEARING_BETA)
    if relief.drops:
        asked = options.get("thinking") or {"type": "adaptive"}
        if asked.get("type") == "between_tools":  # `block_binding` does not go with it
            asked = {**asked, "type": "adaptive"}
        options["thinking"] = {**asked, "block_binding": {"prefix_mismatch_behavior": "drop_block"}}
        betas.append(BINDING_BETA)
    return options, tuple(dict.fromkeys(betas))


def _clearing(served: int, turns: Sequence[Turn]) -> dict[str, Any]:
    """The edit by which the API clears the oldest tool results ("Context editing" docs).

    It is told how many to keep, so that number grows with the view: what is cleared, and the prefix, stay the same.
    """
    uses = sum(block.get("type") == "tool_use" for turn in turns if turn.role == "assistant" for block in turn.blocks)
    keep = {"type": "tool_uses", "value": max(1, uses - served)}
    return {"type": "clear_tool_uses_20250919", "trigger": {"type": "tool_uses", "value": served}, "keep": keep}


def _pins_in_front(memory: Memory, situation: Situation, decision: Decision) -> tuple[int, ...]:
    older = {turn.seq for turn in memory.pinned if turn.opens} & memory.pins
    here = {situation.exchanges[i].first for i in situation.pinned if i < decision.start}
    return tuple(sorted(older | here))


def _placed_again(
    memory: Memory, groups: Sequence[Sequence[Turn]], decision: Decision, pins: tuple[int, ...]
) -> tuple[int, ...]:
    """The instructions given before the start, but for those that stand in a pinned exchange."""
    older = (*by_exchange(memory.pinned), *groups[: decision.start])
    pinned = {turn.seq for group in older if group[0].seq in pins for turn in group}
    given = {turn.seq for turn in (*memory.instructions, *_instructions(groups[: decision.start]))}
    return tuple(sorted(given - pinned))


def _notes(memory: Memory, decision: Decision, epoch: Epoch, turns: Sequence[Turn]) -> tuple[str, ...]:
    given = sum(turn.role == "system" for turn in turns)
    later = [turn for turn in turns if turn.seq > epoch.base and bare(turn, epoch)]
    foreign = sum(has_thinking(turn.blocks) for turn in later)
    notes = {
        f"Instructions sent as tagged user text: {given}, for {epoch.model} takes no system turns.": (
            given and epoch.tagged
        ),
        f"Otherwise than recorded: {words(epoch.relief)}.": bool(epoch.relief),
        f"Waits for a summary of the turns up to {decision.summarise}: the budget forces them out now.": decision.waits,
        f"{foreign} replies of other models sent without their thinking.": foreign > 0,
        f"Another {memory.lost} than in the last request: the messages are not read from the cache.": bool(memory.lost),
    }
    return tuple(note for note, holds in notes.items() if holds)


def _attached_from(memory: Memory, groups: Sequence[Sequence[Turn]], shape: Shape) -> int:
    """At a cut only the newest question keeps what is attached to it, and not even that where it had to give way."""
    question = groups[-1][0].seq
    before = memory.epoch.attached if memory.epoch else 0
    return max(before, question + shape.shed)


def _new_epoch(
    situation: Situation,
    shape: Shape,
    settings: Settings,
    pins: tuple[int, ...],
    instructions: tuple[int, ...],
    summary: Summary | None,
    *,
    attached: int,
    family: int,
) -> Epoch:
    reason = "; ".join(filter(None, (situation.forced, shape.decision.reason)))
    return Epoch(
        model=settings.model,
        preamble=settings.preamble,
        start=situation.exchanges[shape.decision.start].first,
        base=shape.base,
        relief=shape.relief,
        summary=summary,
        attached=attached,
        pins=pins,
        instructions=instructions,
        tagged=not settings.card.system_turns,
        family=family,
        strategy=repr(settings.strategy),
        reason=reason,
    )


def _family(before: Epoch | None, settings: Settings) -> int:
    """The epochs that go on beside a new one: none where the model changed for good, or turns left the view."""
    if before is None or settings.fresh or (before.model != settings.model and not settings.aside):
        return 0
    return before.family


def _view_turns(memory: Memory, groups: Sequence[Sequence[Turn]], decision: Decision, epoch: Epoch) -> tuple[Turn, ...]:
    older = (*by_exchange(memory.pinned), *groups[: decision.start])
    in_front = [turn for group in older if group[0].seq in epoch.pins for turn in group]
    given = (*memory.instructions, *_instructions(groups[: decision.start]))
    again = [turn for turn in given if turn.seq in epoch.instructions]
    view = (*in_front, *again, *(turn for group in groups[decision.start :] for turn in group))
    gone = epoch.relief.dropped
    return tuple(turn for turn in view if turn.seq not in gone) if gone else view


def _markers(
    memory: Memory,
    settings: Settings,
    decision: Decision,
    epoch: Epoch,
    numbered: Sequence[tuple[int, Message]],
    prompt: Size,
    anew: bool,
    now: float,
) -> tuple[Marker, ...]:
    by_hand = len(settings.hand_markers) + settings.preamble.markers + ("cache_control" in settings.options)
    room = Room(slots=MOST - by_hand, preamble=memory.fixed.tokens, prompt=prompt.tokens)
    marks = settings.marks or decision.marks or Marks()
    restless = _restless(memory, settings)
    if restless.unmarked:
        marks = replace(marks, tail=None, base=None, preamble=marks.preamble if restless.stable else None)
        room = replace(room, preamble=_in_front(memory, settings))
    if by_hand and marks.tail and ("cache_control" in settings.options or settings.hand_markers):
        marks = replace(marks, tail=None)  # the caller marks the tail; two lifetimes on one block are refused
    # A marker on a dead entry would write it anew: without a new tail, the old one is marked only to be read.
    readable = marks.tail is not None or memory.warmth.tail_until > now
    previous = memory.tail if readable and not anew else None
    stable = restless.stable if restless.unmarked else None
    chosen = place(epoch, numbered, marks=marks, previous=previous, card=settings.card, room=room, stable=stable)
    return (*chosen, *settings.hand_markers)


def _restless(memory: Memory, settings: Settings) -> Restless:
    """What changes in front, where it is for the library to mark: lifetimes that the caller fixed stay as they are."""
    return Restless() if settings.marks or settings.preamble.markers else memory.restless


def _in_front(memory: Memory, settings: Settings) -> int:
    """Tokens of the preamble up to where its marker stands."""
    restless = _restless(memory, settings)
    if not restless.unmarked:
        return memory.fixed.tokens
    return restless.known or int(memory.fixed.tokens * restless.share)


def _base_size(situation: Situation, epoch: Epoch, decision: Decision) -> int:
    kept = [e.tokens for e in situation.exchanges[decision.start :] if e.last <= epoch.base]
    return situation.fixed.tokens + sum(kept)


def _doubt(situation: Situation, shape: Shape) -> bool:
    """Whether the limit lies within the error of the size that decided."""
    sizes = [shape.prompt]
    if shape.decision.rule == "must" and situation.start is not None:
        sizes.append(situation.prompt(situation.start))
    return any(size.tokens <= situation.limit < size.upper for size in sizes)
