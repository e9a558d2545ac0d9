"""The plan of one request: what is sent, with which markers, what it should cost, and why.

`make_plan` is pure: the remembered window, the new turns, their counts, the settings and the time go in;
a `Plan` comes out. It asks the strategy (`assess.py`: what about), sees to it that the answer is one a request can be
made of (cuts between exchanges, the newest exchange whole, pins in front), and carries it out (`carry_out.py`).
Legality of the finished body is judged by `sash.planning.rules` when the flow sends it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sash.errors import BudgetExceeded, InvalidContent
from sash.model.counts import ZERO, Count
from sash.model.frozen import with_fields
from sash.model.notebook import Drawable
from sash.model.turns import Turn, spoken
from sash.planning import explain
from sash.planning.assess import Groups, as_summarised, assess, sizes_as_sent, with_less
from sash.planning.carry_out import CarriedOut
from sash.planning.inputs import Memory, Settings
from sash.planning.overflow.oversize import results_to_clear
from sash.planning.overflow.relief import FittedView, fit_view
from sash.planning.planned import Planned
from sash.planning.shortcuts import Shortcuts
from sash.planning.situation import Situation
from sash.planning.summaries.compaction import before_block, ignored
from sash.planning.survey import surveyed
from sash.planning.traits import decide


@dataclass(frozen=True, kw_only=True, repr=False)
class Plan(Planned, Drawable):
    """The decision for one request. Nothing has been sent or written; `body` is what would be."""

    @property
    def why(self) -> dict[str, Any]:
        """The decision as plain JSON values, for the record."""
        return explain.why(self)

    def explain(self) -> str:
        """A few lines in plain words: what is sent, what is not and why, tokens, dollars, the road not taken."""
        return explain.text(self)


def make_plan(
    memory: Memory,
    new: Sequence[Turn],
    counts: Mapping[int, Count],
    settings: Settings,
    now: float,
    shortcuts: Shortcuts | None = None,
) -> Plan:
    """Plan the request that sends `new` (seqs following the head) after what `memory` holds.

    `shortcuts` come from the plans before; they change nothing but the time it takes.
    Raises BudgetExceeded when nothing legal fits, naming the largest part and the missing tokens, and
    InvalidContent when there is no user turn to begin with.
    """
    shortcuts = shortcuts or Shortcuts()
    turns = memory.loaded.turns + tuple(new)
    survey = surveyed(shortcuts.survey.of(memory.loaded.turns), new)
    groups = survey.groups
    memory = with_fields(memory, instructed=survey.instructions, compacted=survey.compacted, answering=survey.answering)
    sizes = {**memory.counts, **counts}
    known = sizes_as_sent(memory, turns, sizes)
    if groups and not groups[0][0].opens:
        # Turns before the first user turn: a request cannot begin with them, but instructions hold from there on.
        first = tuple(turn for turn in groups[0] if turn.role == "system")
        memory = memory.but(instructions=(*memory.loaded.instructions, *first))
        memory, groups = replace(memory, instructed=memory.instructed[len(first) :]), groups[1:]
    _reject_no_question(groups)
    memory = as_summarised(memory, groups, settings, sizes)
    gone = ignored(memory, groups)
    known.update({seq: ZERO if seq in gone else sizes[seq] for seq in before_block(memory, groups)})
    memory, situation, shape = _decided(memory, groups, known, settings, now, shortcuts)
    return _plan(CarriedOut(memory, turns, groups, situation, shape, settings, now, shortcuts), known)


def _decided(
    memory: Memory,
    groups: Groups,
    known: dict[int, Count],
    settings: Settings,
    now: float,
    shortcuts: Shortcuts,
) -> tuple[Memory, Situation, FittedView]:
    """What the strategy decides, made to fit: results of the newest turn give way, in memory too, until it does."""
    while True:
        exchanges = shortcuts.exchanges.of(groups, known)
        situation = assess(memory, groups, exchanges, known, settings, now, shortcuts.ledger.of)
        decision = decide(settings.strategy, situation)
        shape = fit_view(memory, groups, known, situation, decision, settings)
        more = results_to_clear(memory, groups[-1], situation, shape, settings)
        if not more:
            break
        memory = with_less(memory, spoken(groups[-1])[-1], more, known)
    _reject_too_large(situation, shape, settings, [known[turn.seq].tokens for turn in groups[-1]])
    return memory, situation, shape


def _plan(made: CarriedOut, sizes: Mapping[int, Count]) -> Plan:
    return Plan(
        epoch=made.epoch,
        cut=made.shape.cut,
        turns=made.turns,
        sizes=sizes,
        numbered=made.numbered,
        sent=made.sent,
        prompt=made.prompt,
        expected=made.expected,
        decision=made.decision,
        situation=made.situation,
        unseen=made.memory.unseen,
        doubt=made.doubt,
        restless=made.restless,
        memory=made.settings.memory,
        notes=tuple(made.notes()),
    )


def _reject_no_question(groups: Groups) -> None:
    if not groups:
        raise InvalidContent(
            "a tool_result without its tool call: a conversation begins with what the user says. Nothing was sent",
            problem="tool-orphan",
        )


def _reject_too_large(situation: Situation, shape: FittedView, settings: Settings, newest: Sequence[int]) -> None:
    """Nothing legal fits when even the estimate (not only its bound) of the chosen prompt passes the limit."""
    size = shape.prompt
    if size.tokens <= situation.limit:
        return
    largest, tokens = largest_part(situation, shape.decision.first_exchange, newest)
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


def largest_part(situation: Situation, start: int, newest: Sequence[int]) -> tuple[str, int]:
    """The part that is in the way if the view starts at exchange `start`, and its tokens.

    `newest`: the tokens of each turn of the newest exchange.
    """
    pins = sum(exchange.tokens for exchange in situation.pinned_before(start))
    parts = {
        "the preamble (system, tools)": situation.fixed.tokens - situation.front,
        "what is sent in front (summary, pins, instructions)": situation.front + pins,
        "the exchanges before the newest": situation.kept(start) - situation.kept(situation.newest),
    }
    if len(newest) == 1:
        parts["the newest exchange"] = newest[0]
    else:  # a tool run: what it answered before has given way already
        parts["the question of the running exchange"] = newest[0]
        parts["the newest turn"] = newest[-1]
        parts["the calls and results before it"] = sum(newest[1:-1])
    return max(parts.items(), key=lambda part: part[1])
